//! What the operator's pages show, read from the catalog store, the ledger, the log and the world in force.
//!
//! Invariants: every list is read within a caller's scope; figures are those of `GET /v1/reports`, of valid traffic and of the
//! advertiser's own day; nothing is kept between two looks. All of it blocks.

mod accounts;
mod campaign;
mod campaigns;
mod day;
mod health;
mod outstanding;
mod standing;

use std::collections::BTreeMap;

use anyhow::Result;
use litfass_catalog::Catalog;
use litfass_ledger::BudgetDay;
use litfass_store::catalog::View;
use litfass_store::ledger::LedgerReader;
use litfass_store::ledger::report::{Cell, Report};
use litfass_types::{AdvertiserId, Calendar, Timestamp};
use serde_json::Value;

use crate::api::reports::ReportParams;
use crate::console::operating::Figures;
use crate::node::Node;

/// Rows of a page of a list.
const PAGE: usize = 50;

impl Node {
    fn report(&self, ledger: &dyn LedgerReader, params: &ReportParams, now: Timestamp) -> Result<Report> {
        let mut wanted = params.check(now).map_err(|e| anyhow::anyhow!("{}: {}", e.field, e.detail))?;
        // Requests belong to the tenant; these pages tell of campaigns.
        wanted.ask.requests = false;
        Ok(ledger.report(&wanted.ask)?.unwrap_or_default())
    }
}

/// Today, by the calendar of an advertiser that may not be served yet.
fn today(catalog: &Catalog, advertiser: AdvertiserId, now: Timestamp) -> Result<(Calendar, BudgetDay)> {
    let calendar = match catalog.advertiser_by_id(advertiser) {
        Some(ix) => catalog.advertiser(ix).calendar.clone(),
        None => Calendar::named("UTC")?,
    };
    let day = BudgetDay::of(&calendar, now);
    Ok((calendar, day))
}

/// By the only dimension of a report without stretches of time.
fn by_id(report: &Report) -> BTreeMap<u64, Figures> {
    let rows = report.rows.iter().filter_map(|(key, row)| match key.cells.first()? {
        Cell::Id(id) => Some((*id, figures(row))),
        Cell::Text(_) => None,
    });
    rows.collect()
}

fn figures(row: &litfass_store::ledger::report::RowFigures) -> Figures {
    let delivered = &row.delivered;
    Figures { impressions: delivered.impressions, clicks: delivered.clicks, spent_nanos: delivered.spent.nanos() }
}

fn text<'a>(view: &'a View, member: &str) -> &'a str {
    view.members.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn number(view: &View, member: &str) -> u64 {
    view.members.get(member).and_then(Value::as_u64).unwrap_or_default()
}
