//! The ledger on SQLite: one file in WAL mode with synchronous=FULL, every operation one immediate transaction.
//!
//! A call blocks its thread until the commit is on disk. Statements are prepared once per connection; rows are looked up and
//! written one by one, which through this driver costs about a microsecond each.

mod read;
mod reader;
mod rollup;
mod schema;
mod write;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use litfass_ledger::{
    Applied, Apply, Batch, Bill, Billed, CommandId, CommandRecord, Commands, Failure, GiveBack, Grant, GrantAnswer,
    GrantRequest, Membership, Operation, Promote, Promoted, Return, Settled, Source, Stand, Standing, Swept, Target,
    Terms, Timeline, execute, sweep,
};
use read::Rows;
use rusqlite::{Connection, TransactionBehavior};

pub use reader::{Interrupter, SqliteLedgerReader};

use super::{BudgetAuthority, Clock, LedgerAdmin, LedgerError};

/// How long a call waits for another process's transaction.
const BUSY_MS: u64 = 10_000;
/// The default of 1,000 pages costs a quarter of the speed of billing.
const CHECKPOINT_PAGES: i64 = 16_384;
const PAGE_CACHE_KIB: i64 = 16_384;
const STATEMENTS_CACHED: usize = 128;

pub struct SqliteLedger {
    connection: Mutex<Connection>,
    terms: Terms,
    /// Of the machine that holds the file.
    clock: Clock,
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLedger").field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl SqliteLedger {
    /// Opens the file, makes it where there is none, and brings its tables to this version.
    ///
    /// # Errors
    /// When the file cannot be opened or was written by a later version.
    pub fn open(path: &Path, terms: Terms, clock: Clock) -> Result<Self, LedgerError> {
        let mut connection = connect(path)?;
        schema::migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection), terms, clock })
    }

    /// For a file that was put in the place of another, which may have been ahead: it has to be completed from the log. One
    /// without a ledger stays as it is.
    ///
    /// # Errors
    /// As `open`.
    pub fn begin_timeline(path: &Path) -> Result<(), LedgerError> {
        let mut connection = connect(path)?;
        if !connection.table_exists(None, "ledger_state")? {
            return Ok(());
        }
        schema::migrate(&mut connection)?;
        connection.execute("UPDATE ledger_state SET raised = raised + 1", [])?;
        Ok(())
    }

    fn transact<T>(
        &self,
        run: impl FnOnce(&mut Rows<'_>) -> Result<T, Failure<rusqlite::Error>>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let receipt = run(&mut Rows(&tx))?;
        tx.commit()?;
        Ok(receipt)
    }

    fn run<O: Operation>(&self, operation: &O) -> Result<O::Receipt, LedgerError> {
        self.transact(|rows| execute(rows, operation))
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<Failure<rusqlite::Error>> for LedgerError {
    fn from(failure: Failure<rusqlite::Error>) -> Self {
        match failure {
            Failure::Refused(refused) => Self::Refused(refused),
            Failure::Store(error) => error.into(),
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(connection)
}

impl BudgetAuthority for SqliteLedger {
    fn grant(&self, requests: &[GrantRequest]) -> Result<Vec<GrantAnswer>, LedgerError> {
        self.run(&Grant { requests, now: (self.clock)(), terms: &self.terms })
    }

    fn bill(&self, batch: &Batch) -> Result<Billed, LedgerError> {
        self.run(&Bill { batch, terms: &self.terms })
    }

    fn give_back(&self, returns: &[Return]) -> Result<Settled, LedgerError> {
        self.run(&GiveBack { returns })
    }

    fn sweep(&self) -> Result<Swept, LedgerError> {
        let share = |after| self.transact(|rows| sweep(rows, &self.terms, after));
        let mut swept = share(None)?;
        while swept.more {
            swept.extend(share(swept.next)?);
        }
        Ok(swept)
    }
}

impl LedgerAdmin for SqliteLedger {
    fn apply(&self, commands: &Commands) -> Result<Applied, LedgerError> {
        self.run(&Apply { commands })
    }

    fn partitions(&self, changes: &[Membership]) -> Result<(), LedgerError> {
        self.run(&changes)
    }

    fn standing(&self) -> Result<Standing, LedgerError> {
        self.run(&Stand)
    }

    fn promote(&self, timeline: Timeline, targets: &[Target]) -> Result<Promoted, LedgerError> {
        self.run(&Promote { timeline, targets })
    }

    fn outcome(&self, command: CommandId) -> Result<Option<CommandRecord>, LedgerError> {
        let found = self.transact(|rows| rows.commands(&BTreeSet::from([command])).map_err(Failure::Store))?;
        Ok(found.into_iter().next().map(|(_, record)| record))
    }
}
