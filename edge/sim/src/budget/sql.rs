//! The shipped SQL on one SQLite file, shared by all processes, beside the ledger in memory: it has to give the same answers
//! and keep the same rows, also where it is cut off at any statement and asked again.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use litfass_ledger::check::{Audit, Violation, violations};
use litfass_ledger::{Apply, Bill, Book, GiveBack, Grant, Membership, Operation, Promote, Refused, Swept, Terms};
use litfass_store::ledger::{
    BudgetAuthority, LedgerAdmin, LedgerError, LedgerReader, SqliteLedger, SqliteLedgerReader,
};
use litfass_types::Timestamp;
use rusqlite::Connection;

use super::cut::Cut;
use super::setting::PROCESSES;
use super::watch::broken;
use crate::draw::Draw;

pub(super) const SAME: &str = "the shipped SQL keeps what the ledger in memory keeps";
/// Operations that are cut at every statement before they may succeed, and those that are cut at one.
const EVERY_STATEMENT: f64 = 0.004;
const ONE_STATEMENT: f64 = 0.02;

/// An operation that the ports offer.
pub(super) trait Shipped: Operation {
    fn ask(&self, ledger: &SqliteLedger) -> Result<Self::Receipt, LedgerError>;
}

impl Shipped for Grant<'_> {
    fn ask(&self, ledger: &SqliteLedger) -> Result<Self::Receipt, LedgerError> {
        ledger.grant(self.requests)
    }
}

impl Shipped for GiveBack<'_> {
    fn ask(&self, ledger: &SqliteLedger) -> Result<Self::Receipt, LedgerError> {
        ledger.give_back(self.returns)
    }
}

impl Shipped for Bill<'_> {
    fn ask(&self, ledger: &SqliteLedger) -> Result<Self::Receipt, LedgerError> {
        ledger.bill(self.batch)
    }
}

impl Shipped for Apply<'_> {
    fn ask(&self, ledger: &SqliteLedger) -> Result<Self::Receipt, LedgerError> {
        ledger.apply(self.commands)
    }
}

impl Shipped for Promote<'_> {
    fn ask(&self, ledger: &SqliteLedger) -> Result<Self::Receipt, LedgerError> {
        ledger.promote(self.timeline, self.targets)
    }
}

impl Shipped for &[Membership] {
    fn ask(&self, ledger: &SqliteLedger) -> Result<Self::Receipt, LedgerError> {
        ledger.partitions(self)
    }
}

/// One process's connection and everybody's clock.
#[derive(Debug)]
pub(super) struct Sql {
    folder: PathBuf,
    files: u32,
    terms: Terms,
    hand: Arc<AtomicI64>,
    ledgers: Vec<SqliteLedger>,
    reader: SqliteLedgerReader,
    /// Of nobody in the world.
    tool: Connection,
    draw: Draw,
    pub(super) cuts: u64,
}

impl Sql {
    pub(super) fn new(folder: &Path, terms: Terms, draw: Draw) -> Result<Self, Violation> {
        let hand = Arc::new(AtomicI64::new(0));
        let path = folder.join("0.db");
        let ledgers = connect(&path, terms, &hand).map_err(failed)?;
        let reader = SqliteLedgerReader::open(&path).map_err(failed)?;
        let tool = Connection::open(&path).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), files: 1, terms, hand, ledgers, reader, tool, draw, cuts: 0 })
    }

    /// Does what the ledger in memory has done.
    pub(super) fn follow<O: Shipped>(
        &mut self,
        from: usize,
        now: Timestamp,
        operation: &O,
        expected: &Result<O::Receipt, Refused>,
    ) -> Result<(), Violation>
    where
        O::Receipt: PartialEq + std::fmt::Debug,
    {
        self.hand.store(now.0, Ordering::Relaxed);
        let answer = asked(self.through_cuts(from, |ledger| operation.ask(ledger))?)?;
        if answer == *expected { Ok(()) } else { Err(broken(SAME, || format!("{answer:?} instead of {expected:?}"))) }
    }

    /// A sweep that was cut may have done a part of its work.
    pub(super) fn sweep(&mut self, from: usize, expected: &Result<Swept, Refused>) -> Result<(), Violation> {
        let before = self.cuts;
        let swept = asked(self.through_cuts(from, |ledger| ledger.sweep())?)?;
        let same = swept == *expected || swept.is_ok() && expected.is_ok() && self.cuts > before;
        if same { Ok(()) } else { Err(broken(SAME, || format!("{swept:?} instead of {expected:?}"))) }
    }

    /// Now and then the process dies at a statement, or at every one, before what it asked for succeeds.
    fn through_cuts<T>(
        &mut self,
        from: usize,
        ask: impl Fn(&SqliteLedger) -> Result<T, LedgerError>,
    ) -> Result<Result<T, LedgerError>, Violation> {
        let every = self.draw.chance(EVERY_STATEMENT);
        let first = if every { 1 } else { 1 + self.draw.below(60) };
        if every || self.draw.chance(ONE_STATEMENT) {
            let cut = Cut::arm(&self.tool).map_err(failed)?;
            let last = if every { usize::MAX } else { first };
            let done = self.cut(&cut, from, first..=last, &ask)?;
            cut.disarm().map_err(failed)?;
            self.cuts += done.1;
            if let Some(done) = done.0 {
                return Ok(done);
            }
            self.reconnect(from)?;
        }
        Ok(ask(&self.ledgers[from]))
    }

    /// Dies at each of those statements; what it comes to once there are no more, and how often it died.
    fn cut<T>(
        &self,
        cut: &Cut<'_>,
        from: usize,
        at: RangeInclusive<usize>,
        ask: impl Fn(&SqliteLedger) -> Result<T, LedgerError>,
    ) -> Result<(Option<Result<T, LedgerError>>, u64), Violation> {
        let (before, mut deaths) = (self.reader.positions().map_err(failed)?, 0);
        for statement in at {
            cut.at(statement).map_err(failed)?;
            match ask(&self.ledgers[from]) {
                Err(LedgerError::Database(error)) if Cut::is(&error) => deaths += 1,
                done => return Ok((Some(done), deaths)),
            }
            if self.reader.positions().map_err(failed)? != before {
                return Err(broken(SAME, || format!("a transaction cut at statement {statement} moved a position")));
            }
        }
        Ok((None, deaths))
    }

    /// The process has died: its connection is gone.
    pub(super) fn reconnect(&mut self, process: usize) -> Result<(), Violation> {
        let path = self.path(self.files - 1);
        self.ledgers[process] = open(&path, self.terms, &self.hand).map_err(failed)?;
        Ok(())
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.db"))
    }

    /// A replica as of now.
    pub(super) fn copy(&mut self) -> Result<(), Violation> {
        let replica = self.path(self.files);
        self.tool.execute("VACUUM INTO ?1", [replica.display().to_string()]).map(drop).map_err(failed)
    }

    /// Everybody goes on with the replica.
    pub(super) fn fail_over(&mut self) -> Result<(), Violation> {
        let path = self.path(self.files);
        self.ledgers = connect(&path, self.terms, &self.hand).map_err(failed)?;
        self.reader = SqliteLedgerReader::open(&path).map_err(failed)?;
        self.tool = Connection::open(&path).map_err(failed)?;
        self.files += 1;
        SqliteLedger::begin_timeline(&path).map_err(failed)
    }

    pub(super) fn compare(&self, book: &Book) -> Result<(), Violation> {
        let audit = self.reader.audit().map_err(failed)?;
        violations(&audit).into_iter().next().map_or(Ok(()), Err)?;
        if audit.kept() != Audit::of(book).kept() {
            return Err(broken(SAME, || "balances, controls, limits or counters differ".to_owned()));
        }
        let accounted = self.reader.accounted().map_err(failed)?;
        let outcomes = accounted.outcomes == book.outcomes && accounted.commands == book.commands;
        let read = accounted.partitions.into_iter().eq(book.partitions.iter().map(|(p, row)| (*p, *row)));
        if outcomes && read { Ok(()) } else { Err(broken(SAME, || "outcomes or positions differ".to_owned())) }
    }
}

impl Drop for Sql {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// A refusal is an answer too.
fn asked<T>(answer: Result<T, LedgerError>) -> Result<Result<T, Refused>, Violation> {
    match answer {
        Ok(receipt) => Ok(Ok(receipt)),
        Err(LedgerError::Refused(refused)) => Ok(Err(refused)),
        Err(other) => Err(failed(other)),
    }
}

fn open(path: &Path, terms: Terms, hand: &Arc<AtomicI64>) -> Result<SqliteLedger, LedgerError> {
    let hand = Arc::clone(hand);
    SqliteLedger::open(path, terms, Box::new(move || Timestamp(hand.load(Ordering::Relaxed))))
}

fn connect(path: &Path, terms: Terms, hand: &Arc<AtomicI64>) -> Result<Vec<SqliteLedger>, LedgerError> {
    (0..PROCESSES).map(|_| open(path, terms, hand)).collect()
}

/// What no world asks for: the file itself failed.
fn failed(error: impl std::fmt::Display) -> Violation {
    broken("the simulation's SQLite file works", || error.to_string())
}
