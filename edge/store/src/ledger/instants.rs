//! The read side, whatever the database: every question is asked of one instant, locks nothing and is never blocked.

use std::collections::BTreeSet;
use std::fmt::Debug;

use litfass_ledger::check::Audit;
use litfass_ledger::{
    Account, Balance, CommandId, CommandRecord, Control, ControlId, LedgerAccount, Outcome, Partition, Source,
};
use litfass_types::{AdvertiserId, Position};

use super::exporting::{self, Exported};
use super::reading::Tables;
use super::report::{Report, ReportAsk};
use super::{Accounted, Delivery, LedgerError, LedgerReader, adding, reading};

/// A database that can be read as of one instant.
pub(super) trait Instants: Debug + Send + Sync {
    type Error;
    type Rows<'a>: Tables<Error = Self::Error>;

    fn at_once<T: Send>(
        &self,
        read: impl FnOnce(&mut Self::Rows<'_>) -> Result<T, Self::Error> + Send,
    ) -> Result<T, LedgerError>;
}

impl<I: Instants> LedgerReader for I {
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

    fn export(&self, take: &mut (dyn FnMut(Exported) -> bool + Send)) -> Result<(), LedgerError> {
        self.at_once(|rows| exporting::export(rows, take))
    }
}
