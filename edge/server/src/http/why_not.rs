//! Why a line item was not shown, for whoever may look at it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use litfass_store::catalog::CatalogStore;
use litfass_types::{Duration, LineItemId};
use serde::Deserialize;

use super::blocking;
use crate::access::{Action, Caller};
use crate::api::instant::parsed;
use crate::api::why_not::WhyNotAnswer;
use crate::node::Node;
use crate::problem::{Code, Params, Problem};
use crate::replay::Window;
use crate::why_not::{Question, answer};

/// Decisions that one answer looks at; more than that is work for the command line.
const DECISIONS_MAX: u64 = 100_000;
/// How much of the log one answer looks through.
const STRETCH_MAX: Duration = Duration::days(7);
/// How far back it looks unless it is told.
const BACK: Duration = Duration::hours(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretch {
    from: Option<String>,
    to: Option<String>,
}

pub(super) async fn why_not(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(id): Path<String>,
    Params(stretch): Params<Stretch>,
) -> Result<Json<WhyNotAnswer>, Problem> {
    let window = window(&node, &stretch)?;
    Ok(Json(asked(node, &caller, &id, window).await?))
}

/// What the address and the page answer.
pub(super) async fn asked(node: Arc<Node>, caller: &Caller, id: &str, window: Window) -> Result<WhyNotAnswer, Problem> {
    caller.may(Action::Explain)?;
    let line_item = own_line_item(&node, caller, id)?;
    let place = node.lanes.looks_back.enter()?;
    let found = blocking(move || {
        let _place = place;
        let world = node.world.load();
        let store = CatalogStore::open(node.vault.place())?;
        let catalog = &world.catalog;
        let question = Question { log: &*node.log, catalog, line_item, window, decisions_max: DECISIONS_MAX };
        answer(&question, store, |_, _| ())
    });
    let found = found.await?.ok_or_else(|| absent(id))?;
    Ok(WhyNotAnswer::new(line_item, &found))
}

fn absent(id: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no line item {id:?}")).at("id")
}

/// One of another advertiser is answered as one that does not exist.
fn own_line_item(node: &Node, caller: &Caller, id: &str) -> Result<LineItemId, Problem> {
    let world = node.world.load();
    let known = id.parse().ok().and_then(|id| world.catalog.line_item_by_id(LineItemId(id)));
    let row = known.map(|ix| world.catalog.line_item(ix));
    let row = row.filter(|row| caller.reaches_advertiser(row.tenant, row.advertiser));
    row.map(|row| row.id).ok_or_else(|| absent(id))
}

fn window(node: &Node, stretch: &Stretch) -> Result<Window, Problem> {
    let moment = |field, text: &Option<String>| text.as_deref().map(|text| parsed(field, text)).transpose();
    let until = moment("to", &stretch.to)?.unwrap_or_else(|| node.clock.now());
    let from = moment("from", &stretch.from)?.unwrap_or_else(|| until - BACK);
    if from >= until {
        return Err(Problem::invalid("from", "must lie before `to`"));
    }
    if until - from > STRETCH_MAX {
        return Err(Problem::invalid(
            "from",
            "must lie at most seven days before `to`; the command line looks further",
        ));
    }
    Ok(Window { from, until })
}
