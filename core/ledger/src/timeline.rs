//! Which life of its database the ledger is in, and how far the log has to be applied again in it.
//!
//! A replica that takes over may lack the last commits. What they did is in the log; in which order it is done again decides
//! what it comes to. So a promotion is a transaction of its own: it closes every lease, and notes up to where each partition
//! was appended to. Until the admin partition is there, nothing but commands is taken; until the event partitions are, events
//! are billed besides, and nobody leases.
//!
//! Invariants: **between a failover and its promotion nothing is planned**; **no lease is open while commands are applied
//! again**, so that a limit finds at most what was spent when it was first applied, and its ceiling is no higher than then.
//!
//! Batches and commands need not name the timeline they were read in. They are what the log says from an offset on, and that
//! offset is compared; what is refused until the log is where it was is refused whenever it was read.

use std::collections::BTreeSet;

use litfass_types::{LeaseId, Timestamp};

use crate::gather::{self, Scope};
use crate::rows::{Partition, PartitionKind, Refused, Rows};
use crate::store::{Operation, Source, StateUse};

/// Every lease there may be.
const ALL: (Timestamp, usize) = (Timestamp(i64::MAX), usize::MAX);

/// One life of a database: from when it was made, promoted or restored until it fails over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Timeline {
    /// Which server's data it is; 0 for a file.
    pub cluster: u64,
    /// Rises with every promotion of that server and every restored copy.
    pub number: u64,
}

/// What the ledger waits for after a failover, from the first to the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CatchUp {
    /// Nobody has told it yet how far the log goes.
    Promotion,
    /// Commands of before are applied again.
    Commands,
    /// Events of before are billed again.
    Events,
}

impl CatchUp {
    pub const ALL: [Self; 3] = [Self::Promotion, Self::Commands, Self::Events];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::Commands => "commands",
            Self::Events => "events",
        }
    }
}

/// How the ledger stands to the timeline of its database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Standing {
    pub timeline: Timeline,
    /// None: everything is served.
    pub waits: Option<CatchUp>,
}

/// Up to where a partition was appended to, as read after the failover: everything that the lost commits had consumed lies
/// before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    pub partition: u16,
    pub kind: PartitionKind,
    /// The first offset that was not there yet.
    pub next: u64,
}

/// Begins a timeline: closes every lease, retries nothing, and notes the targets. Doing so again changes nothing.
#[derive(Debug)]
pub struct Promote<'a> {
    /// The one that the targets were read in.
    pub timeline: Timeline,
    /// Of every partition of the log; those that the ledger does not know are opened.
    pub targets: &'a [Target],
}

/// The leases that were open.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Promoted {
    pub closed: Vec<LeaseId>,
}

impl Operation for Promote<'_> {
    type Receipt = Promoted;

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error> {
        let moved = self.targets.iter().map(|target| target.partition);
        let mut rows = gather::begin(source, moved, StateUse::Changes)?;
        if rows.state.waits_for_promotion() {
            rows.leases.add(source.leases_due(ALL.0, ALL.1)?);
        }
        let mut scope = Scope::default();
        rows.leases.iter().for_each(|(_, lease)| scope.chain(None, lease.chain));
        scope.read(&mut rows, source)?;
        Ok(rows)
    }

    fn plan(&self, rows: &mut Rows) -> Result<Promoted, Refused> {
        let runs = rows.state.runs;
        if self.timeline != runs {
            return Err(Refused::Timeline { named: self.timeline, runs });
        }
        if !rows.state.waits_for_promotion() {
            return Ok(Promoted::default());
        }
        self.every_live_one_is_named(rows)?;
        self.targets.iter().try_for_each(|target| target.note(rows))?;
        let open = rows.leases.iter().filter(|(_, lease)| !lease.closed).map(|(id, _)| *id);
        let closed: Vec<LeaseId> = open.collect();
        closed.iter().try_for_each(|id| rows.close(*id))?;
        rows.promoted = Some(runs);
        Ok(Promoted { closed })
    }
}

impl Promote<'_> {
    fn every_live_one_is_named(&self, rows: &Rows) -> Result<(), Refused> {
        let named: BTreeSet<u16> = self.targets.iter().map(|target| target.partition).collect();
        let mut needed = rows.partitions.iter().filter(|(_, row)| row.kind == PartitionKind::Admin || row.live());
        let missing = needed.find(|(partition, _)| !named.contains(partition));
        missing.map_or(Ok(()), |(partition, _)| Err(Refused::Partition(*partition)))
    }
}

impl Target {
    fn note(self, rows: &mut Rows) -> Result<(), Refused> {
        let Self { partition, kind, next } = self;
        let row = rows.partitions.known(&partition).copied().unwrap_or_else(|| Partition::new(kind));
        if row.kind != kind {
            return Err(Refused::Partition(partition));
        }
        rows.partitions.put(partition, Partition { redo: next, ..row });
        Ok(())
    }
}

/// Asks how the ledger stands.
#[derive(Clone, Copy, Debug)]
pub struct Stand;

impl Operation for Stand {
    type Receipt = Standing;

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error> {
        gather::begin(source, [], StateUse::Reads)
    }

    fn plan(&self, rows: &mut Rows) -> Result<Standing, Refused> {
        Ok(Standing { timeline: rows.state.runs, waits: rows.waits() })
    }
}

impl Rows {
    pub(crate) fn waits(&self) -> Option<CatchUp> {
        if self.state.waits_for_promotion() {
            return Some(CatchUp::Promotion);
        }
        let behind = self.partitions.iter().filter(|(_, row)| row.next < row.redo);
        behind.map(|(_, row)| row.kind.is_waited_for()).min()
    }

    /// Refuses while the ledger waits for that or something before it.
    pub(crate) fn passed(&self, stage: CatchUp) -> Result<(), Refused> {
        match self.waits() {
            Some(waits) if waits <= stage => Err(Refused::CatchingUp(waits)),
            Some(_) | None => Ok(()),
        }
    }
}

impl PartitionKind {
    const fn is_waited_for(self) -> CatchUp {
        match self {
            Self::Admin => CatchUp::Commands,
            Self::Events => CatchUp::Events,
        }
    }
}
