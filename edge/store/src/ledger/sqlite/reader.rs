//! The read side: a connection of its own, so that pages and pacing read while others write.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, Result};

use super::read::Rows;
use super::{connect, schema};
use crate::ledger::LedgerError;
use crate::ledger::instants::Instants;

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
}

impl Instants for SqliteLedgerReader {
    type Error = rusqlite::Error;
    type Rows<'a> = Rows<'a>;

    fn at_once<T: Send>(&self, read: impl FnOnce(&mut Rows<'_>) -> Result<T> + Send) -> Result<T, LedgerError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = connection.transaction()?;
        Ok(read(&mut Rows(&tx))?)
    }
}
