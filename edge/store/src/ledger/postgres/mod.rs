//! The ledger on PostgreSQL: every operation one READ COMMITTED transaction that locks the rows it is going to write before it
//! reads them for its plan.
//!
//! Positions, keys, leases, controls, pending claims: each table is read and locked by one statement, its rows in one order, so
//! that processes do not wait in a circle. An account's control stands for everything of the account. A row that did not exist
//! could not be locked: if another transaction made it meanwhile, inserting it fails. Whoever comes second is rolled back and
//! tried again here; what the database or the connection to it suffers from is reported.
//!
//! A call blocks its thread until the commit is durable.

mod error;
mod journeys;
mod read;
mod reader;
mod schema;
mod values;
mod write;

use std::fmt;
use std::sync::Arc;

use litfass_ledger::{
    Applied, Apply, Batch, Bill, Billed, CommandId, CommandRecord, Commands, Failure, GiveBack, Grant, GrantAnswer,
    GrantRequest, Membership, Operation, Promote, Promoted, Return, Settled, Stand, Standing, Swept, Target, Terms,
    Timeline, execute, sweep,
};

pub use reader::PostgresLedgerReader;

use error::Fault;
use read::Rows;

use super::{BudgetAuthority, Clock, LedgerAdmin, LedgerError, reading};
use crate::database::pool::{Address, Pool, Use};

/// How often an operation is tried that another one came before.
const TRIES: u32 = 10;

pub struct PostgresLedger {
    pool: Arc<Pool>,
    terms: Terms,
    /// The server's own where there is none.
    clock: Option<Clock>,
}

impl fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLedger").field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl PostgresLedger {
    /// Connects to the database and brings its tables to this version. Grants are dated by the server's clock.
    ///
    /// # Errors
    /// When it cannot be connected to or was written by a later version.
    pub fn open(url: &str, terms: Terms) -> Result<Self, LedgerError> {
        let pool = Pool::new(Address::parse(url)?, Use::Writing);
        schema::migrate(&pool)?;
        Ok(Self { pool: Arc::new(pool), terms, clock: None })
    }

    /// Dates grants by that clock instead.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Runs a transaction until none comes before it.
    fn transact<T: Send>(
        &self,
        run: impl Fn(&mut Rows<'_>) -> Result<T, Failure<Fault>> + Sync,
    ) -> Result<T, LedgerError> {
        for _ in 1..TRIES {
            match self.once(&run) {
                Err(Tried(Failure::Store(fault))) if fault.came_second() => {}
                done => return done.map_err(|Tried(failure)| failure.into()),
            }
        }
        self.once(&run).map_err(|Tried(failure)| failure.into())
    }

    fn once<T: Send>(&self, run: &(impl Fn(&mut Rows<'_>) -> Result<T, Failure<Fault>> + Sync)) -> Result<T, Tried> {
        self.pool.transact(|session| run(&mut Rows::to_write(session)).map_err(Tried))
    }

    fn run<O: Operation<Receipt: Send> + Sync>(&self, operation: &O) -> Result<O::Receipt, LedgerError> {
        self.transact(|rows| execute(rows, operation))
    }
}

/// Why one try did not succeed.
struct Tried(Failure<Fault>);

impl From<postgres::Error> for Tried {
    fn from(error: postgres::Error) -> Self {
        Self(Failure::Store(error.into()))
    }
}

impl BudgetAuthority for PostgresLedger {
    fn grant(&self, requests: &[GrantRequest]) -> Result<Vec<GrantAnswer>, LedgerError> {
        self.transact(|rows| {
            let now = self.clock.as_ref().map_or_else(|| rows.now(), |clock| Ok(clock()));
            execute(rows, &Grant { requests, now: now.map_err(Failure::Store)?, terms: &self.terms })
        })
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

impl LedgerAdmin for PostgresLedger {
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
        self.transact(|rows| reading::command(rows, command).map_err(Failure::Store))
    }
}
