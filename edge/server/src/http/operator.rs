//! The operator's pages: lists and figures within the caller's scope, and the switches as forms.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use litfass_catalog::model::Status;
use litfass_store::catalog::Filter;
use litfass_store::ledger::LedgerReader;
use litfass_types::{Duration, LineItemId};
use serde::Deserialize;
use serde_json::Value;

use super::accounts::{AccountPath, balance_of, holder, statement_of};
use super::catalog::call::Call;
use super::catalog::moves;
use super::ledger;
use super::pages::{operates, page};
use crate::access::cookie::escaped;
use crate::access::{Action, Caller};
use crate::api::accounts::Holder;
use crate::console;
use crate::console::operating::{AccountPage, AccountsView, CampaignsView, WhyNotPage};
use crate::node::Node;
use crate::problem::{Code, Params, Problem};
use crate::replay::Window;

type Shown = Result<Response, Problem>;

pub(super) fn routes() -> Router<Arc<Node>> {
    let mut router = Router::new()
        .route("/campaigns", get(campaigns))
        .route("/campaigns/{id}", get(campaign))
        .route("/line-items/{id}/why-not", get(why_not))
        .route("/decisions", get(decisions))
        .route("/accounts", get(accounts))
        .route("/accounts/{id}", get(account))
        .route("/health", get(health));
    for verb in ["pause", "resume", "kill"] {
        router = router.route(&format!("/campaigns/{{id}}/{verb}"), post(move |path, call| pressed(verb, path, call)));
    }
    router
}

/// Whether the path of a route is one of these.
pub(super) fn is_here(path: &str) -> bool {
    let first = path.split('/').nth(1);
    first.is_some_and(|first| {
        matches!(first, "campaigns" | "line-items" | "accounts" | "health") || path == "/decisions"
    })
}

fn shown(html: String) -> Response {
    page(StatusCode::OK, html)
}

/// How a list is narrowed; a form sends empty texts.
#[derive(Deserialize)]
pub(super) struct Narrowed {
    name: Option<String>,
    status: Option<String>,
    advertiser: Option<u64>,
    after: Option<u64>,
}

impl Narrowed {
    fn filter(&self) -> Filter {
        let status = self.status.as_deref().and_then(|status| match status {
            "active" => Some(Status::Active),
            "paused" => Some(Status::Paused),
            "archived" => Some(Status::Archived),
            _ => None,
        });
        let name_prefix = self.name.clone().filter(|name| !name.is_empty());
        Filter { status, name_prefix, parent: self.advertiser, ..Filter::default() }
    }
}

async fn campaigns(State(node): State<Arc<Node>>, caller: Caller, Params(asked): Params<Narrowed>) -> Shown {
    caller.may(Action::ReadCatalog)?;
    caller.may(Action::Report)?;
    let (filter, after) = (asked.filter(), asked.after.unwrap_or(0));
    let place = node.lanes.pages.enter_soon().await?;
    let look = move |node: &Node, ledger: &dyn LedgerReader| node.campaigns_view(ledger, caller.scope, &filter, after);
    let view = ledger::asked(&node, place, look).await?;
    let (name, status) = (asked.name.unwrap_or_default(), asked.status.unwrap_or_default());
    Ok(shown(console::campaigns_page(&CampaignsView { name, status, advertiser: asked.advertiser, ..view })))
}

#[derive(Deserialize)]
pub(super) struct From {
    after: Option<u64>,
}

async fn campaign(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(id): Path<String>,
    Params(from): Params<From>,
) -> Shown {
    caller.may(Action::ReadCatalog)?;
    caller.may(Action::Report)?;
    let absent = || Problem::new(Code::NotFound, format!("there is no campaign {id:?}"));
    let (number, scope) = (id.parse().map_err(|_| absent())?, caller.scope);
    let (place, after) = (node.lanes.pages.enter_soon().await?, from.after.unwrap_or(0));
    let look = move |node: &Node, ledger: &dyn LedgerReader| node.campaign_page(ledger, scope, number, after);
    let found = ledger::asked(&node, place, look).await?;
    let mut found = found.ok_or_else(absent)?;
    found.changeable = caller.may(Action::WriteCampaigns).is_ok();
    found.csrf = caller.csrf;
    Ok(shown(console::campaign_page(&found)))
}

// ── why not ──

#[derive(Deserialize)]
pub(super) struct Back {
    span: Option<String>,
}

async fn why_not(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(id): Path<String>,
    Params(back): Params<Back>,
) -> Shown {
    let (span, length) =
        if back.span.as_deref() == Some("day") { ("day", Duration::days(1)) } else { ("hour", Duration::hours(1)) };
    let until = node.clock.now();
    let window = Window { from: until - length, until };
    let answer = super::why_not::asked(Arc::clone(&node), &caller, &id, window).await?;
    let catalog = &node.world.load().catalog;
    let absent = || Problem::new(Code::NotFound, format!("there is no line item {id:?}"));
    let ix = catalog.line_item_by_id(LineItemId(answer.line_item_id)).ok_or_else(absent)?;
    let campaign_id = catalog.line_item(ix).campaign;
    let campaign = catalog.campaign_by_id(campaign_id).map_or("", |ix| catalog.campaign(ix).name).to_owned();
    let name = catalog.line_item_name(ix).to_owned();
    Ok(shown(console::why_not_page(&WhyNotPage { name, campaign_id: campaign_id.0, campaign, span, answer })))
}

// ── decisions ──

#[derive(Deserialize)]
pub(super) struct Wanted {
    id: Option<String>,
}

async fn decisions(State(node): State<Arc<Node>>, caller: Caller, Params(wanted): Params<Wanted>) -> Shown {
    caller.may(Action::Explain)?;
    if let Some(id) = wanted.id {
        let target = format!("/decisions/{}", escaped(id.trim()).replace('/', "%2F"));
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response());
    }
    let rows = operates(&caller).is_ok().then(|| node.live.decisions());
    Ok(shown(console::decisions_page(rows.as_deref())))
}

// ── accounts ──

async fn accounts(State(node): State<Arc<Node>>, caller: Caller, Params(asked): Params<Narrowed>) -> Shown {
    caller.may(Action::ReadCatalog)?;
    caller.may(Action::ReadMoney)?;
    let (filter, after) = (asked.filter(), asked.after.unwrap_or(0));
    let place = node.lanes.pages.enter_soon().await?;
    let look = move |node: &Node, ledger: &dyn LedgerReader| node.accounts_view(ledger, caller.scope, &filter, after);
    let view = ledger::asked(&node, place, look).await?;
    let name = asked.name.unwrap_or_default();
    Ok(shown(console::accounts_page(&AccountsView { name, ..view })))
}

#[derive(Deserialize)]
pub(super) struct Month {
    month: Option<String>,
}

async fn account(
    State(node): State<Arc<Node>>,
    caller: Caller,
    AccountPath(id): AccountPath,
    Params(asked): Params<Month>,
) -> Shown {
    let account = balance_of(&node, &caller, id).await?;
    let month = match asked.month {
        Some(month) => month,
        None => this_month(&node, &holder(&node, &caller, id, Action::ReadMoney).await?),
    };
    let statement = statement_of(&node, &caller, id, &month).await?;
    Ok(shown(console::account_page(&AccountPage { account, statement })))
}

/// By the account's own calendar: `2026-11`.
fn this_month(node: &Node, holder: &Holder) -> String {
    let today = holder.calendar.day(node.clock.now()).to_string();
    today.get(..7).unwrap_or_default().to_owned()
}

// ── health ──

async fn health(State(node): State<Arc<Node>>, caller: Caller) -> Shown {
    operates(&caller)?;
    let place = node.lanes.pages.enter_soon().await?;
    let view = ledger::asked(&node, place, |node, ledger| node.health_view(ledger)).await?;
    Ok(shown(console::health_page(&view)))
}

// ── the switches ──

/// A button of a campaign's page; the middleware has checked the form's token.
async fn pressed(verb: &'static str, path: Path<String>, call: Call) -> Shown {
    let target = format!("/campaigns/{}", escaped(&path.0));
    let answer = moves::pressed(verb, path, call).await?;
    if answer.status == 200 {
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response());
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let said = |member| problem.get(member).and_then(Value::as_str).unwrap_or_default();
    Ok(page(status, console::problem_page(said("title"), said("detail"))))
}
