//! State per viewer, of so many viewers and no more: beyond that the one longest untouched is forgotten.
//!
//! Spread over shards by the hash, so that readers hardly ever wait for each other; the bound holds per shard. "Untouched" is
//! counted in event time. Who is forgotten near the bound depends on which partition of the log was read first.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use litfass_types::{Timestamp, UserHash};

/// Part of the layout of snapshots.
pub(super) const SHARDS: usize = 64;

#[derive(Debug)]
pub(super) struct PerViewer<V> {
    shards: Vec<Mutex<Shard<V>>>,
}

#[derive(Debug)]
pub(super) struct Shard<V> {
    states: HashMap<UserHash, (Timestamp, V)>,
    by_age: BTreeSet<(Timestamp, UserHash)>,
    max: usize,
}

impl<V: Default> PerViewer<V> {
    /// For at most `viewers_max`, rounded up to a multiple of the shards.
    pub(super) fn new(viewers_max: usize) -> Self {
        let max = viewers_max.div_ceil(SHARDS).max(1);
        let shard = || Mutex::new(Shard { states: HashMap::new(), by_age: BTreeSet::new(), max });
        Self { shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    /// Where this viewer's state is.
    pub(super) fn shard(&self, user: UserHash) -> MutexGuard<'_, Shard<V>> {
        let [low, ..] = user.hash.to_le_bytes();
        lock(&self.shards[usize::from(low) % SHARDS])
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard<V>>> {
        self.shards.iter().map(lock)
    }

    pub(super) fn clear(&self) {
        self.shards().for_each(|mut shard| shard.clear());
    }

    pub(super) fn len(&self) -> usize {
        self.shards().map(|shard| shard.states.len()).sum()
    }
}

/// A panic elsewhere leaves a shard as it was between two changes.
fn lock<V>(shard: &Mutex<Shard<V>>) -> MutexGuard<'_, Shard<V>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V: Default> Shard<V> {
    pub(super) fn get(&self, user: UserHash) -> Option<&V> {
        self.states.get(&user).map(|(_, state)| state)
    }

    /// The viewer's state, made where there is none, as touched at `at` if that is later than before.
    pub(super) fn touch(&mut self, user: UserHash, at: Timestamp) -> &mut V {
        let before = self.states.get(&user).map(|(touched, _)| *touched);
        let touched = before.map_or(at, |before| before.max(at));
        if before != Some(touched) {
            if let Some(before) = before {
                self.by_age.remove(&(before, user));
            } else if self.states.len() >= self.max {
                self.forget_oldest();
            }
            self.by_age.insert((touched, user));
        }
        let (at, state) = self.states.entry(user).or_default();
        *at = touched;
        state
    }

    /// When each was touched, and its state, in the order of age.
    pub(super) fn iter(&self) -> impl Iterator<Item = (UserHash, Timestamp, &V)> {
        self.by_age.iter().filter_map(|(at, user)| Some((*user, *at, self.get(*user)?)))
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Nothing of this viewer is left.
    pub(super) fn erase(&mut self, user: UserHash) {
        if let Some((touched, _)) = self.states.remove(&user) {
            self.by_age.remove(&(touched, user));
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, user)) = self.by_age.pop_first() {
            self.states.remove(&user);
        }
    }

    fn clear(&mut self) {
        self.states.clear();
        self.by_age.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(hash: u128) -> UserHash {
        // The lowest byte chooses the shard: all in one.
        UserHash { key_version: 1, hash: hash << 8 }
    }

    #[test]
    fn the_viewer_longest_untouched_is_forgotten_first() {
        let states = PerViewer::<u8>::new(SHARDS * 2);
        let mut shard = states.shard(user(1));
        *shard.touch(user(1), Timestamp(10)) = 1;
        *shard.touch(user(2), Timestamp(20)) = 2;
        *shard.touch(user(1), Timestamp(30)) = 11;
        *shard.touch(user(3), Timestamp(5)) = 3;
        assert_eq!((shard.get(user(1)), shard.get(user(2)), shard.get(user(3))), (Some(&11), None, Some(&3)));
        shard.touch(user(4), Timestamp(40));
        assert_eq!((shard.len(), shard.get(user(3))), (2, None));
    }

    #[test]
    fn a_late_touch_does_not_make_a_viewer_older() {
        let states = PerViewer::<u8>::new(SHARDS * 2);
        let mut shard = states.shard(user(1));
        shard.touch(user(1), Timestamp(30));
        shard.touch(user(1), Timestamp(10));
        assert_eq!(shard.iter().map(|(_, at, _)| at).collect::<Vec<_>>(), [Timestamp(30)]);
    }
}
