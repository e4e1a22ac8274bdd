//! The read side: transactions that see one instant, lock nothing and are never blocked.

use std::time::Duration;

use super::error::Fault;
use super::read::Rows;
use super::schema;
use crate::database::pool::{Address, Pool, Use};
use crate::ledger::LedgerError;
use crate::ledger::instants::Instants;

/// Reads a ledger, whoever writes it; an older one is brought to this version first.
#[derive(Debug)]
pub struct PostgresLedgerReader {
    pool: Pool,
}

impl PostgresLedgerReader {
    /// # Errors
    /// When the database cannot be connected to.
    pub fn open(url: &str) -> Result<Self, LedgerError> {
        schema::migrate(&Pool::new(Address::parse(url)?, Use::Writing))?;
        Ok(Self { pool: Pool::new(Address::parse(url)?, Use::Reading) })
    }

    /// The same on connections of its own, where the server ends a statement that takes longer.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self { pool: Pool::new(self.pool.address().within(limit), Use::Reading) }
    }
}

impl Instants for PostgresLedgerReader {
    type Error = Fault;
    type Rows<'a> = Rows<'a>;

    fn at_once<T: Send>(&self, read: impl FnOnce(&mut Rows<'_>) -> Result<T, Fault> + Send) -> Result<T, LedgerError> {
        Ok(self.pool.transact(|session| read(&mut Rows::to_read(session)))?)
    }
}
