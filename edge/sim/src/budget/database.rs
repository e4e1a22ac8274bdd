//! The ledger's database: it commits, goes down, and is replaced by a replica that lacks its last commits.
//!
//! What it does after a failover, and in which order, is the ledger's: it refuses the rest.

use litfass_ledger::check::Violation;
use litfass_ledger::{
    Book, Failure, Partition, PartitionKind, Refused, Stand, Standing, State, Swept, Terms, execute, sweep,
};
use litfass_types::Timestamp;

use super::agenda::Instant;
use super::serve::no_plan;
use super::sql::{Shipped, Sql};

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
    /// The shipped SQL, where this world has it.
    sql: Option<Sql>,
}

/// A state of the primary, and how many commits later the primary fails.
#[derive(Debug)]
struct Replica {
    book: Book,
    fails_at: u64,
}

impl Database {
    pub(super) fn new(terms: Terms, ahead: Instant, sql: Option<Sql>) -> Self {
        Self { book: Book::default(), terms, ahead, down_until: 0, commits: 0, failovers: 0, replica: None, sql }
    }

    pub(super) fn now(&self, now: Instant) -> Timestamp {
        Timestamp(now + self.ahead)
    }

    /// One transaction of a process; the outer error is a broken promise.
    pub(super) fn run<O: Shipped>(
        &mut self,
        from: usize,
        now: Instant,
        operation: &O,
    ) -> Result<Result<O::Receipt, Refused>, Violation>
    where
        O::Receipt: PartialEq + std::fmt::Debug,
    {
        let done = execute(&mut self.book, operation).map_err(refused);
        self.commits += u64::from(done.is_ok());
        let now = self.now(now);
        self.sql.as_mut().map_or(Ok(()), |sql| sql.follow(from, now, operation, &done))?;
        Ok(done)
    }

    /// A whole sweep, several transactions.
    pub(super) fn sweep(&mut self, from: usize) -> Result<Result<Swept, Refused>, Violation> {
        let swept = self.sweep_all();
        self.sql.as_mut().map_or(Ok(()), |sql| sql.sweep(from, &swept))?;
        Ok(swept)
    }

    fn sweep_all(&mut self) -> Result<Swept, Refused> {
        let mut all = Swept { more: true, ..Swept::default() };
        while all.more {
            all.extend(sweep(&mut self.book, &self.terms, all.next).map_err(refused)?);
            self.commits += 1;
        }
        Ok(all)
    }

    /// Whether the shipped SQL keeps the same.
    pub(super) fn compare(&self) -> Result<(), Violation> {
        self.sql.as_ref().map_or(Ok(()), |sql| sql.compare(&self.book))
    }

    pub(super) fn sql_cuts(&self) -> u64 {
        self.sql.as_ref().map_or(0, |sql| sql.cuts)
    }

    pub(super) fn reconnect(&mut self, process: usize) -> Result<(), Violation> {
        self.sql.as_mut().map_or(Ok(()), |sql| sql.reconnect(process))
    }

    pub(super) fn next(&self, partition: u16) -> u64 {
        self.book.partitions.get(&partition).map_or(0, |row| row.next)
    }

    pub(super) fn stands(&self) -> Vec<(u16, u64)> {
        self.book.partitions.iter().map(|(partition, row)| (*partition, row.next)).collect()
    }

    /// From here on the replica falls behind.
    pub(super) fn lag(&mut self, commits: u64) -> Result<(), Violation> {
        if self.replica.is_some() || self.failovers > 0 {
            return Ok(());
        }
        self.replica = Some(Replica { book: self.book.clone(), fails_at: self.commits + commits });
        self.sql.as_mut().map_or(Ok(()), Sql::copy)
    }

    pub(super) fn is_to_fail(&self) -> bool {
        self.replica.as_ref().is_some_and(|replica| self.commits >= replica.fails_at)
    }

    pub(super) const fn lags(&self) -> bool {
        self.replica.is_some()
    }

    /// The replica takes over, on a timeline of its own.
    pub(super) fn fail_over(&mut self, ahead: Instant) -> Result<(), Violation> {
        let Some(replica) = self.replica.take() else { return Ok(()) };
        self.book = replica.book;
        self.book.state.runs.number += 1;
        (self.ahead, self.failovers) = (ahead, self.failovers + 1);
        self.sql.as_mut().map_or(Ok(()), Sql::fail_over)
    }

    pub(super) fn standing(&mut self) -> Result<Standing, Violation> {
        execute(&mut self.book, &Stand).map_err(|failure| no_plan(&refused(failure)))
    }

    /// Whether every command of before the failover has been applied again.
    pub(super) fn knows_its_limits(&self) -> bool {
        let State { runs, promoted, .. } = self.book.state;
        let again = |row: &Partition| row.kind == PartitionKind::Admin && row.next < row.redo;
        runs == promoted && !self.book.partitions.values().any(again)
    }

    /// A caller that is not answered asks again.
    pub(super) const fn is_down(&self, now: Instant) -> bool {
        now < self.down_until
    }
}

fn refused(failure: Failure<std::convert::Infallible>) -> Refused {
    match failure {
        Failure::Refused(refused) => refused,
        Failure::Store(never) => match never {},
    }
}
