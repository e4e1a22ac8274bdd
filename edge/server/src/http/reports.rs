//! Reports: figures of what is within the caller's scope.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use litfass_store::ledger::report::{Cell, Dimension, ReportAsk};

use super::ledger;
use crate::access::{Action, Caller, Scope};
use crate::api::invalid::{Invalid, one_of};
use crate::api::reports::{ROWS_MAX, ReportParams, Told};
use crate::node::Node;
use crate::problem::{Params, Problem};

pub(super) async fn report(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Params(params): Params<ReportParams>,
) -> Result<Response, Problem> {
    caller.may(Action::Report)?;
    let csv = one_of("format", params.format.as_deref(), super::is_csv, ["json", "csv"].into_iter())?.unwrap_or(false);
    let mut wanted = params.check(node.clock.now())?;
    narrow(&mut wanted.ask, caller.scope);
    let (place, ask) = (node.lanes.reports.enter()?, wanted.ask.clone());
    let report = ledger::asked(&node, place, move |_, ledger| Ok(ledger.report(&ask)?)).await?;
    let too_many = || Invalid::new("dimensions", format!("the report has more than {ROWS_MAX} rows: ask for less"));
    let report = report.ok_or_else(too_many)?;
    let told = Told { wanted: &wanted, report: &report };
    if csv {
        return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], told.csv()).into_response());
    }
    Ok(Json(told.json()).into_response())
}

/// A key sees its own rows only: whatever it filters by, its scope is filtered by as well.
fn narrow(ask: &mut ReportAsk, scope: Scope) {
    let mut only = |dimension, id| {
        let cells = ask.filters.entry(dimension).or_insert_with(|| vec![Cell::Id(id)]);
        cells.retain(|cell| *cell == Cell::Id(id));
    };
    match scope {
        Scope::Platform => {}
        Scope::Tenant(tenant) => only(Dimension::Tenant, tenant.0),
        Scope::Advertiser(tenant, advertiser) => {
            only(Dimension::Tenant, tenant.0);
            only(Dimension::Advertiser, advertiser.0);
            ask.requests = false;
        }
    }
}
