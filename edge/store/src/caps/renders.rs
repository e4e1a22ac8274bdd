//! What a store of caps outside the process is to be told: impressions that were rendered and viewers to forget, as the log has them.
//!
//! A fold without a state: entries of every partition wait here until the process that has a partition's share tells the store,
//! and at least as long as a hold lasts, so that whoever takes a share over tells again what the one before may not have told.
//! The store knows what it was told before for as long as the hold lasts; after a takeover an older render may count twice, none is
//! lost.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use litfass_events::EventKind;
use litfass_types::{Duration, Timestamp, UserHash};

use super::{CapStore, CapsAway, Confirmed, Render};
use crate::fold::{BadState, Choices, Fact, Fold};
use crate::wire::Body;

/// Entries that may wait. With more, the store has to be filled again.
pub const WAITING_MAX: usize = 1_000_000;

#[derive(Debug)]
pub struct Renders {
    choices: Arc<Choices>,
    hold_ttl: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    overflowed: bool,
    /// What was appended before is in every store that was filled since.
    from: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    partition: u16,
    at: Timestamp,
    user: UserHash,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Rendered(Render),
    Erased,
}

/// What telling the store came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    pub confirmed: u64,
    pub late: u64,
    /// Their hold should have lasted and was not there: a failover lost it, or it was never taken.
    pub missing: u64,
}

impl Renders {
    /// `started` is when this process began: of a log that it reads for the first time it tells what came about then or later.
    #[must_use]
    pub fn new(choices: &Arc<Choices>, hold_ttl: Duration, started: Timestamp) -> Self {
        let from = Some(started - hold_ttl);
        let waiting = Mutex::new(Waiting { from, ..Waiting::default() });
        Self { choices: Arc::clone(choices), hold_ttl, waiting }
    }

    /// Tells the store, in order, what lies in these partitions; forgets what is too old for anybody to take over.
    ///
    /// # Errors
    /// When the store is away: what it was not told waits.
    pub fn tell(
        &self,
        store: &(impl CapStore + ?Sized),
        ours: &BTreeSet<u16>,
        now: Timestamp,
    ) -> Result<Told, CapsAway> {
        let mut told = Told::default();
        let oldest = now - self.hold_ttl;
        let entries = std::mem::take(&mut self.waiting().entries);
        let mut kept = VecDeque::new();
        let mut away = None;
        for entry in entries {
            let is_ours = ours.contains(&entry.partition);
            if is_ours && away.is_none() {
                away = entry.tell(store, &mut told).err();
            }
            if (is_ours && away.is_some()) || (!is_ours && entry.at >= oldest) {
                kept.push_back(entry);
            }
        }
        self.put_back(kept);
        away.map_or(Ok(told), Err)
    }

    /// Whether something was not kept for want of room since it was last asked.
    #[must_use]
    pub fn take_overflow(&self) -> bool {
        std::mem::take(&mut self.waiting().overflowed)
    }

    #[must_use]
    pub fn waiting_entries(&self) -> usize {
        self.waiting().entries.len()
    }

    fn put_back(&self, mut kept: VecDeque<Entry>) {
        let mut waiting = self.waiting();
        kept.append(&mut waiting.entries);
        waiting.entries = kept;
    }

    fn push(&self, entry: Entry) {
        let mut waiting = self.waiting();
        if waiting.from.is_some_and(|from| entry.at < from) {
            return;
        }
        if waiting.entries.len() >= WAITING_MAX {
            waiting.entries.pop_front();
            waiting.overflowed = true;
        }
        waiting.entries.push_back(entry);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn tell(&self, store: &(impl CapStore + ?Sized), told: &mut Told) -> Result<(), CapsAway> {
        match &self.what {
            What::Erased => store.erase(self.user),
            What::Rendered(render) => {
                match store.confirm(self.user, render)? {
                    Confirmed::Held => told.confirmed += 1,
                    Confirmed::Before => {}
                    Confirmed::Late => told.late += 1,
                    Confirmed::Missing => told.missing += 1,
                }
                Ok(())
            }
        }
    }
}

impl Fold for Renders {
    fn name(&self) -> &'static str {
        "cap_renders"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        let (partition, at) = (fact.logged.position.partition, fact.logged.envelope.append_time);
        let entry = |user, what| Entry { partition, at, user, what };
        if let Body::Delivery(delivery) = &fact.logged.body
            && fact.is_first()
            && delivery.kind == EventKind::Impression
            && let Some(user) = delivery.token.user.filter(|user| !self.choices.has_opted_out(*user))
        {
            self.push(entry(user, What::Rendered(Render::of(delivery, at))));
        }
        if let Body::Privacy(privacy) = &fact.logged.body
            && privacy.wish.forgets()
        {
            self.push(entry(privacy.user, What::Erased));
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// What comes behind the snapshot may not have been told.
    fn restore(&self, _: &[u8]) -> Result<(), BadState> {
        self.waiting().from = None;
        Ok(())
    }

    fn clear(&self) {
        self.waiting().entries.clear();
    }
}
