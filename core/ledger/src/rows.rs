//! The rows an operation read, and with them the rows it writes.
//!
//! A plan works on nothing but what was read: asking for a row that was not read is an error (ours), never an absence. A row
//! remembers what it was when it was read, so what has to be written is what differs.

use std::collections::{BTreeMap, BTreeSet};

use litfass_types::{AdvertiserId, CampaignId, Day, LeaseId, Position, Timestamp};

use crate::amount::Overflow;
use crate::books::{Balance, LedgerAccount, Posting};
use crate::claim::{ClaimId, Consumed, Count, KeyId, Outcome, Pending, Tally, UnbilledId};
use crate::command::{CommandId, CommandRecord, DailyLimits, Funding};
use crate::control::{Chain, Control, ControlId};
use crate::lease::Lease;
use crate::rollup::{LastClick, OrderId, Rollup, Viewer};
use crate::store::State;
use crate::timeline::{CatchUp, Timeline};

/// Why an operation has no plan. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// Ours: the operation did not read what it needs.
    #[error("the plan needs a row of {0} that was not read")]
    NotRead(&'static str),
    /// Ours: an amount that no sequence of operations may lead to.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The reader's: it continued from elsewhere than the ledger; read again from `stored`.
    #[error("partition {partition} was read from offset {from}, the ledger stands at {stored}")]
    Position { partition: u16, from: u64, stored: u64 },
    /// The reader's: partitions are opened before they are read.
    #[error("partition {0} is not open, or carries entries of another kind")]
    Partition(u16),
    /// The reader's: an entry lies outside the range that the batch says it read.
    #[error("the entry at {0:?} lies outside the batch")]
    Outside(Position),
    /// Nobody's: the database failed over and is being completed from the log. Ask again later.
    #[error("the ledger's database failed over, and waits for {} first", .0.name())]
    CatchingUp(CatchUp),
    /// The caller's: the database failed over again since. Look where the log ends once more.
    #[error("a promotion to {named:?} was prepared, the database is on {runs:?}")]
    Timeline { named: Timeline, runs: Timeline },
}

/// Rows of one kind by key, each with what it was when it was read.
#[derive(Clone, Debug)]
pub struct Table<K, V> {
    name: &'static str,
    rows: BTreeMap<K, Cell<V>>,
}

#[derive(Clone, Debug)]
struct Cell<V> {
    before: Option<V>,
    now: Option<V>,
}

/// A row to write: `before` is none for a new row, `now` is none for one to delete.
#[derive(Debug)]
pub struct Change<'a, K, V> {
    pub key: &'a K,
    pub before: Option<&'a V>,
    pub now: Option<&'a V>,
}

impl<K: Ord + Clone, V: Clone + PartialEq> Table<K, V> {
    const fn new(name: &'static str) -> Self {
        Self { name, rows: BTreeMap::new() }
    }

    /// Takes in what was read for `wanted`; what is not among `found` does not exist.
    pub(crate) fn fill(&mut self, wanted: &BTreeSet<K>, found: Vec<(K, V)>) {
        self.add(found);
        for key in wanted {
            self.rows.entry(key.clone()).or_insert(Cell { before: None, now: None });
        }
    }

    /// Takes in rows that exist. One that was read before keeps what was read first.
    pub(crate) fn add(&mut self, found: Vec<(K, V)>) {
        for (key, row) in found {
            self.rows.entry(key).or_insert_with(|| Cell { before: Some(row.clone()), now: Some(row) });
        }
    }

    /// Which of `keys` have not been read.
    pub(crate) fn missing(&self, keys: impl IntoIterator<Item = K>) -> BTreeSet<K> {
        keys.into_iter().filter(|key| !self.rows.contains_key(key)).collect()
    }

    pub(crate) fn get(&self, key: &K) -> Result<Option<&V>, Refused> {
        self.rows.get(key).map(|cell| cell.now.as_ref()).ok_or(Refused::NotRead(self.name))
    }

    /// The row where it was read and exists.
    pub(crate) fn known(&self, key: &K) -> Option<&V> {
        self.rows.get(key)?.now.as_ref()
    }

    pub(crate) fn slot(&mut self, key: &K) -> Result<&mut Option<V>, Refused> {
        self.rows.get_mut(key).map(|cell| &mut cell.now).ok_or(Refused::NotRead(self.name))
    }

    /// A row under a key that was read, or that cannot exist yet.
    pub(crate) fn put(&mut self, key: K, row: V) {
        self.rows.entry(key).or_insert(Cell { before: None, now: None }).now = Some(row);
    }

    /// The rows there are now, in key order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter().filter_map(|(key, cell)| Some((key, cell.now.as_ref()?)))
    }

    /// What has to be written, in key order.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_, K, V>> {
        let changed = self.rows.iter().filter(|(_, cell)| cell.before != cell.now);
        changed.map(|(key, cell)| Change { key, before: cell.before.as_ref(), now: cell.now.as_ref() })
    }
}

/// What entries a partition carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PartitionKind {
    Events,
    Admin,
}

/// How far a partition of the log has been read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Partition {
    pub kind: PartitionKind,
    /// The first offset that was not consumed.
    pub next: u64,
    /// The running maximum of consumed append times; none before anything was consumed.
    pub appended: Option<Timestamp>,
    /// Set when its writer is gone for good: the first offset that will never be written.
    pub sealed: Option<u64>,
    /// Entries below were there when the database was last promoted: what they did may have been lost, and is done again.
    pub redo: u64,
}

impl Partition {
    pub(crate) const fn new(kind: PartitionKind) -> Self {
        Self { kind, next: 0, appended: None, sealed: None, redo: 0 }
    }

    /// Whether an event older than what was read may still come from it.
    #[must_use]
    pub fn live(&self) -> bool {
        self.kind == PartitionKind::Events && self.sealed.is_none_or(|end| self.next < end)
    }
}

/// What was billed of one batch of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchRecord {
    pub consumed: Vec<Consumed>,
    /// Claims in it; those without a row among the outcomes were billed at once.
    pub claims: u64,
    pub billed: u64,
}

/// Everything that one operation read, and after its plan everything it writes.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Every partition of the log.
    pub partitions: Table<u16, Partition>,
    /// As it was read; what changed of it is below.
    pub state: State,
    /// The timeline that begins.
    pub promoted: Option<Timeline>,
    /// Key tables up to this UTC day are gone for ever.
    pub keys_dropped: Option<Day>,
    pub keys: Table<KeyId, u64>,
    pub leases: Table<LeaseId, Lease>,
    pub controls: Table<ControlId, Control>,
    pub funding: Table<AdvertiserId, Funding>,
    pub daily: Table<CampaignId, DailyLimits>,
    pub pending: Table<ClaimId, Pending>,
    pub commands: Table<CommandId, CommandRecord>,
    pub balances: Table<LedgerAccount, Balance>,
    pub tallies: Table<Chain, Tally>,
    pub unbilled: Table<UnbilledId, Count>,
    /// To append or, where a pending claim ended, to replace: outcomes other than billed at once.
    pub outcomes: BTreeMap<Position, Outcome>,
    pub postings: Vec<Posting>,
    pub batch: Option<BatchRecord>,
    pub clicks: Table<Viewer, LastClick>,
    /// When each was first appended.
    pub orders: Table<OrderId, Timestamp>,
    /// To be added to what is kept: unlike every other row it is not read first.
    pub rollup: Rollup,
    /// Clicks and orders appended before this are deleted.
    pub journeys_forgotten: Option<Timestamp>,
    /// Closed leases that expired before this are deleted.
    pub leases_forgotten: Option<Timestamp>,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            partitions: Table::new("partitions"),
            state: State::default(),
            promoted: None,
            keys_dropped: None,
            keys: Table::new("keys"),
            leases: Table::new("leases"),
            controls: Table::new("controls"),
            funding: Table::new("funding"),
            daily: Table::new("daily limits"),
            pending: Table::new("pending"),
            commands: Table::new("commands"),
            balances: Table::new("balances"),
            tallies: Table::new("tallies"),
            unbilled: Table::new("unbilled"),
            outcomes: BTreeMap::new(),
            postings: Vec::new(),
            batch: None,
            clicks: Table::new("clicks"),
            orders: Table::new("orders"),
            rollup: Rollup::default(),
            journeys_forgotten: None,
            leases_forgotten: None,
        }
    }
}

impl Rows {
    /// The minimum, over live event partitions, of the running maximum of consumed append times; none while one of them was
    /// not read at all, or there is none.
    #[must_use]
    pub fn watermark(&self) -> Option<Timestamp> {
        self.partitions.iter().filter(|(_, p)| p.live()).map(|(_, p)| p.appended).min().flatten()
    }

    /// Moves the position over what was consumed.
    pub(crate) fn advance(&mut self, kind: PartitionKind, consumed: &Consumed) -> Result<(), Refused> {
        let &Consumed { partition, from, next, appended } = consumed;
        let row = self.partitions.slot(&partition).map_err(|_| Refused::Partition(partition))?.as_mut();
        let row = row.filter(|row| row.kind == kind).ok_or(Refused::Partition(partition))?;
        if row.next != from || next < from {
            return Err(Refused::Position { partition, from, stored: row.next });
        }
        if next > from {
            row.next = next;
            row.appended = row.appended.max(Some(appended));
        }
        Ok(())
    }
}
