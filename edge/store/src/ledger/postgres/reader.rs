//! The read side: transactions that see one instant, lock nothing and are never blocked.

use std::collections::BTreeSet;
use std::time::Duration;

use litfass_ledger::check::Audit;
use litfass_ledger::{
    Account, Balance, CommandId, CommandRecord, Control, ControlId, LedgerAccount, Outcome, Partition, Source,
};
use litfass_types::{AdvertiserId, Position};

use super::error::Fault;
use super::read::Rows;
use super::schema;
use crate::database::pool::{Pool, Use, config};
use crate::ledger::report::{Report, ReportAsk};
use crate::ledger::{Accounted, Delivery, LedgerError, LedgerReader, adding, reading};

/// Reads a ledger, whoever writes it; an older one is brought to this version first.
#[derive(Debug)]
pub struct PostgresLedgerReader {
    pool: Pool,
}

impl PostgresLedgerReader {
    /// # Errors
    /// When the database cannot be connected to.
    pub fn open(url: &str) -> Result<Self, LedgerError> {
        schema::migrate(&Pool::new(config(url)?, Use::Writing))?;
        Ok(Self { pool: Pool::new(config(url)?, Use::Reading) })
    }

    /// The same on connections of its own, where the server ends a statement that takes longer.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        let mut config = self.pool.config().clone();
        config.options(&format!("-c statement_timeout={}", limit.as_millis()));
        Self { pool: Pool::new(config, Use::Reading) }
    }

    fn at_once<T: Send>(&self, read: impl FnOnce(&mut Rows<'_>) -> Result<T, Fault> + Send) -> Result<T, LedgerError> {
        Ok(self.pool.transact(|session| read(&mut Rows::to_read(session)))?)
    }
}

impl LedgerReader for PostgresLedgerReader {
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
