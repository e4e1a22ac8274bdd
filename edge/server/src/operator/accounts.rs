//! Accounts in a table.

use anyhow::Result;
use litfass_catalog::ObjectKind;
use litfass_ledger::{Control, ControlId};
use litfass_store::catalog::{Filter, View};
use litfass_store::keys::Scope;
use litfass_store::ledger::LedgerReader;
use litfass_types::AdvertiserId;

use super::{PAGE, text};
use crate::console::numbers::micros;
use crate::console::operating::{AccountRow, AccountsView};
use crate::node::Node;

impl Node {
    /// # Errors
    /// When the catalog store or the ledger cannot be read.
    pub fn accounts_view(
        &self,
        ledger: &dyn LedgerReader,
        scope: Scope,
        filter: &Filter,
        after: u64,
    ) -> Result<AccountsView> {
        let page = self.editor.reading().list(scope, ObjectKind::Advertiser, filter, after, PAGE)?;
        let ids: Vec<_> = page.objects.iter().map(|view| ControlId::Account(AdvertiserId(view.object.id))).collect();
        let controls = ledger.controls(&ids)?;
        let rows = page.objects.iter().zip(&controls).map(|(view, control)| row(view, control)).collect();
        Ok(AccountsView { rows, next_after: page.next_after, ..AccountsView::default() })
    }
}

fn row(view: &View, control: &Control) -> AccountRow {
    AccountRow {
        id: view.object.id,
        name: text(view, "name").to_owned(),
        status: text(view, "status").to_owned(),
        spent_micros: micros(control.spent.nanos()),
        reserved_micros: micros(control.leased.nanos()),
        available_micros: micros(control.available().nanos()),
    }
}
