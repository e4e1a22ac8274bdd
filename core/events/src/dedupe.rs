//! Exact dedupe: has this event been taken before?
//!
//! What has been seen is kept per UTC day of the decision (of the event, where no decision is known), and a day is dropped
//! whole once nothing of it can count any more; an event of a dropped day is refused rather than taken for new.

use std::collections::{BTreeMap, BTreeSet};

use litfass_types::{DecisionId, EventId, Timestamp};

use crate::event::EventKind;

const DAY_MS: i64 = 86_400_000;

/// By what an event is recognised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DedupeKey {
    /// An impression, viewable or click of a shown slot.
    Slot { decision: DecisionId, slot: u8, kind: EventKind },
    /// An order reported with its click's token: its id covers the order id.
    Order { decision: DecisionId, id: EventId },
    /// An order or a view without a token.
    Loose { at: Timestamp, id: EventId },
}

impl DedupeKey {
    /// The instant whose UTC day the key is kept under.
    #[must_use]
    pub fn time(self) -> Timestamp {
        match self {
            Self::Slot { decision, .. } | Self::Order { decision, .. } => decision.time(),
            Self::Loose { at, .. } => at,
        }
    }
}

/// What `Dedupe` says of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Seen {
    First,
    Repeated,
    /// Its day has been dropped: nobody can tell any more.
    Expired,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct DayOfKeys {
    /// One bit per kind for each slot that anything happened to.
    slots: BTreeMap<(DecisionId, u8), u8>,
    ids: BTreeSet<EventId>,
}

impl DayOfKeys {
    fn contains(&self, key: DedupeKey) -> bool {
        match key {
            DedupeKey::Slot { decision, slot, kind } => {
                self.slots.get(&(decision, slot)).is_some_and(|mask| mask & bit(kind) != 0)
            }
            DedupeKey::Order { id, .. } | DedupeKey::Loose { id, .. } => self.ids.contains(&id),
        }
    }

    fn len(&self) -> usize {
        self.slots.len() + self.ids.len()
    }

    /// One key, of slots the one of the oldest decision.
    fn forget_one(&mut self) {
        if self.slots.pop_first().is_none() {
            self.ids.pop_first();
        }
    }

    fn insert(&mut self, key: DedupeKey) -> bool {
        match key {
            DedupeKey::Slot { decision, slot, kind } => {
                let mask = self.slots.entry((decision, slot)).or_default();
                let fresh = *mask & bit(kind) == 0;
                *mask |= bit(kind);
                fresh
            }
            DedupeKey::Order { id, .. } | DedupeKey::Loose { id, .. } => self.ids.insert(id),
        }
    }
}

const fn bit(kind: EventKind) -> u8 {
    1 << kind.number()
}

/// Everything seen in the days that still count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dedupe {
    days: BTreeMap<i64, DayOfKeys>,
    /// Over all days.
    held: usize,
    /// Days before this one are gone.
    first_day: i64,
}

impl Dedupe {
    /// Takes the key, and says whether it was there before.
    pub fn take(&mut self, key: DedupeKey) -> Seen {
        let day = utc_day(key.time());
        if day < self.first_day {
            return Seen::Expired;
        }
        let keys = self.days.entry(day).or_default();
        let before = keys.len();
        let is_new = keys.insert(key);
        self.held += keys.len() - before;
        if is_new { Seen::First } else { Seen::Repeated }
    }

    /// Forgets the oldest keys until at most `max` are held. What is forgotten and comes again is taken for new.
    pub fn keep(&mut self, max: usize) {
        while self.held > max
            && let Some(mut oldest) = self.days.first_entry()
        {
            oldest.get_mut().forget_one();
            self.held -= 1;
            if oldest.get().len() == 0 {
                oldest.remove();
            }
        }
    }

    /// Looks without taking.
    #[must_use]
    pub fn look(&self, key: DedupeKey) -> Seen {
        let day = utc_day(key.time());
        if day < self.first_day {
            Seen::Expired
        } else if self.days.get(&day).is_some_and(|keys| keys.contains(key)) {
            Seen::Repeated
        } else {
            Seen::First
        }
    }

    /// Drops the UTC days that ended before `horizon` (now − token life). Never goes back.
    pub fn drop_before(&mut self, horizon: Timestamp) {
        let first_day = utc_day(horizon);
        if first_day > self.first_day {
            self.first_day = first_day;
            self.days = self.days.split_off(&first_day);
            self.held = self.days.values().map(DayOfKeys::len).sum();
        }
    }

    /// Keys held: what a snapshot of it will cost.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.held
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// The first instant that is still remembered.
    #[must_use]
    pub const fn horizon(&self) -> Timestamp {
        Timestamp(self.first_day.saturating_mul(DAY_MS))
    }

    /// Every key held, for a snapshot: `take` of them all on a `Dedupe` with the same horizon gives this one again.
    pub fn keys(&self) -> impl Iterator<Item = DedupeKey> {
        self.days.iter().flat_map(|(day, keys)| {
            let at = Timestamp(day.saturating_mul(DAY_MS));
            let slots = keys.slots.iter().flat_map(|((decision, slot), mask)| {
                let kinds = EventKind::ALL.into_iter().filter(move |kind| mask & bit(*kind) != 0);
                kinds.map(|kind| DedupeKey::Slot { decision: *decision, slot: *slot, kind })
            });
            slots.chain(keys.ids.iter().map(move |id| DedupeKey::Loose { at, id: *id }))
        })
    }
}

const fn utc_day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}
