//! The read side: a connection of its own, so that pages and pacing read while others write.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use litfass_ledger::check::Audit;
use litfass_ledger::{
    Account, Balance, CommandId, CommandRecord, Control, ControlId, LedgerAccount, Outcome, Partition, Source,
};
use litfass_types::{AdvertiserId, Position};
use rusqlite::{Connection, Result};

use super::read::Rows;
use super::{connect, schema};
use crate::ledger::report::{Report, ReportAsk};
use crate::ledger::{Accounted, Delivery, LedgerError, LedgerReader, adding, reading};

/// Ends a reader's query: it fails, and nothing else does.
pub struct Interrupter(rusqlite::InterruptHandle);

impl fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupter")
    }
}

impl Interrupter {
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

/// Reads a ledger, in this process or beside another; an older file is brought to this version first.
#[derive(Debug)]
pub struct SqliteLedgerReader {
    connection: Mutex<Connection>,
}

impl SqliteLedgerReader {
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut connection = connect(path)?;
        schema::migrate(&mut connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Ends what this connection is doing, from any thread.
    #[must_use]
    pub fn interrupter(&self) -> Interrupter {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Interrupter(connection.get_interrupt_handle())
    }

    /// One read transaction: everything in it is as of one instant.
    fn at_once<T>(&self, read: impl FnOnce(&mut Rows<'_>) -> Result<T>) -> Result<T, LedgerError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = connection.transaction()?;
        Ok(read(&mut Rows(&tx))?)
    }
}

impl LedgerReader for SqliteLedgerReader {
    fn positions(&self) -> Result<Vec<(u16, Partition)>, LedgerError> {
        self.at_once(|rows| rows.partitions(&BTreeSet::new()))
    }

    fn balances(&self) -> Result<Vec<(LedgerAccount, Balance)>, LedgerError> {
        Ok(self.at_once(|rows| reading::balances(rows))?.into_iter().collect())
    }

    fn controls(&self, ids: &[ControlId]) -> Result<Vec<Control>, LedgerError> {
        self.at_once(|rows| reading::controls(rows, ids))
    }

    fn delivery(&self) -> Result<Vec<Delivery>, LedgerError> {
        self.at_once(|rows| reading::delivery(rows))
    }

    fn account(&self, account: AdvertiserId) -> Result<Account, LedgerError> {
        self.at_once(|rows| reading::account(rows, account))
    }

    fn command(&self, command: CommandId) -> Result<Option<CommandRecord>, LedgerError> {
        self.at_once(|rows| reading::command(rows, command))
    }

    fn outcome(&self, position: Position) -> Result<Option<Outcome>, LedgerError> {
        self.at_once(|rows| reading::outcome_at(rows, position))
    }

    fn report(&self, ask: &ReportAsk) -> Result<Option<Report>, LedgerError> {
        self.at_once(|rows| adding::report(rows, ask))
    }

    fn accounted(&self) -> Result<Accounted, LedgerError> {
        self.at_once(|rows| reading::accounted(rows))
    }

    fn audit(&self) -> Result<Audit, LedgerError> {
        self.at_once(|rows| reading::audit(rows))
    }
}
