//! The ledger's database: it commits, goes down, and is replaced by a replica that lacks its last commits.
//!
//! After a failover it recovers in money.md's order: the admin partition, then the event partitions, both up to an entry
//! appended after the promotion or their seal; only then it grants again.

use litfass_ledger::{Book, Failure, Membership, Operation, Refused, Terms, execute};
use litfass_types::Timestamp;

use super::agenda::Instant;
use super::network::Call;

#[derive(Debug)]
pub(super) struct Database {
    pub(super) book: Book,
    pub(super) terms: Terms,
    /// Its clock.
    pub(super) ahead: Instant,
    pub(super) down_until: Instant,
    pub(super) commits: u64,
    pub(super) failovers: u32,
    replica: Option<Replica>,
    recovery: Option<Recovery>,
}

/// A state of the primary, and how many commits later the primary fails.
#[derive(Debug)]
struct Replica {
    book: Book,
    fails_at: u64,
}

/// Entries that have to be consumed before the new primary does everything again.
#[derive(Debug)]
struct Recovery {
    admin: (u16, u64),
    events: Vec<(u16, u64)>,
}

/// What a database may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stage {
    Commands,
    Events,
    Everything,
}

impl Database {
    pub(super) fn new(terms: Terms, ahead: Instant) -> Self {
        Self {
            book: Book::default(),
            terms,
            ahead,
            down_until: 0,
            commits: 0,
            failovers: 0,
            replica: None,
            recovery: None,
        }
    }

    pub(super) fn now(&self, now: Instant) -> Timestamp {
        Timestamp(now + self.ahead)
    }

    pub(super) fn run<O: Operation>(&mut self, operation: &O) -> Result<O::Receipt, Refused> {
        let receipt = execute(&mut self.book, operation).map_err(refused)?;
        self.commits += 1;
        Ok(receipt)
    }

    pub(super) fn next(&self, partition: u16) -> u64 {
        self.book.partitions.get(&partition).map_or(0, |row| row.next)
    }

    pub(super) fn stands(&self) -> Vec<(u16, u64)> {
        self.book.partitions.iter().map(|(partition, row)| (*partition, row.next)).collect()
    }

    /// From here on the replica falls behind.
    pub(super) fn lag(&mut self, commits: u64) {
        if self.replica.is_none() && self.failovers == 0 {
            self.replica = Some(Replica { book: self.book.clone(), fails_at: self.commits + commits });
        }
    }

    pub(super) fn is_to_fail(&self) -> bool {
        self.replica.as_ref().is_some_and(|replica| self.commits >= replica.fails_at)
    }

    pub(super) const fn lags(&self) -> bool {
        self.replica.is_some()
    }

    /// The replica takes over. `admin` and `events` are the entries appended after that, or the partitions' seals.
    pub(super) fn promote(&mut self, ahead: Instant, known: &[Membership], admin: (u16, u64), events: Vec<(u16, u64)>) {
        let Some(replica) = self.replica.take() else { return };
        self.book = replica.book;
        (self.ahead, self.failovers) = (ahead, self.failovers + 1);
        self.recovery = Some(Recovery { admin, events });
        drop(self.run(&known));
    }

    fn stage(&self) -> Stage {
        let Some(recovery) = &self.recovery else { return Stage::Everything };
        let passed = |(partition, next): &(u16, u64)| self.next(*partition) >= *next;
        match (passed(&recovery.admin), recovery.events.iter().all(passed)) {
            (false, _) => Stage::Commands,
            (true, false) => Stage::Events,
            (true, true) => Stage::Everything,
        }
    }

    /// Whether every command of before the failover has been applied again.
    pub(super) fn knows_its_limits(&self) -> bool {
        self.stage() > Stage::Commands
    }

    /// Whether the call is served now; a caller that is not answered asks again.
    pub(super) fn serves(&self, call: &Call, now: Instant) -> bool {
        let needs = match call {
            Call::Apply(_) | Call::Stands => Stage::Commands,
            Call::Bill(_) | Call::GiveBack(_) | Call::Sweep => Stage::Events,
            Call::Grant(_) => Stage::Everything,
        };
        now >= self.down_until && self.stage() >= needs
    }
}

pub(super) fn refused(failure: Failure<std::convert::Infallible>) -> Refused {
    match failure {
        Failure::Refused(refused) => refused,
        Failure::Store(never) => match never {},
    }
}
