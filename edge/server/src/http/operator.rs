//! The operator's pages: lists and figures within the caller's scope, and the switches as forms.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use litfass_catalog::model::Status;
use litfass_store::catalog::Filter;
use serde::Deserialize;
use serde_json::Value;

use super::blocking;
use super::catalog::call::Call;
use super::catalog::moves;
use super::pages::page;
use crate::access::{Action, Caller};
use crate::console;
use crate::console::operating::CampaignsView;
use crate::node::Node;
use crate::problem::{Code, Params, Problem};

type Shown = Result<Response, Problem>;

pub(super) fn routes() -> Router<Arc<Node>> {
    let mut router = Router::new().route("/campaigns", get(campaigns)).route("/campaigns/{id}", get(campaign));
    for verb in ["pause", "resume", "kill"] {
        router = router.route(&format!("/campaigns/{{id}}/{verb}"), post(move |path, call| pressed(verb, path, call)));
    }
    router
}

/// Whether the path of a route is one of these.
pub(super) fn is_here(path: &str) -> bool {
    let first = path.split('/').nth(1);
    first.is_some_and(|first| matches!(first, "campaigns"))
}

fn shown(html: String) -> Response {
    page(StatusCode::OK, html)
}

/// How a list is narrowed; a form sends empty texts.
#[derive(Deserialize)]
pub(super) struct Narrowed {
    name: Option<String>,
    status: Option<String>,
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
        Filter { status, name_prefix, ..Filter::default() }
    }
}

async fn campaigns(State(node): State<Arc<Node>>, caller: Caller, Params(asked): Params<Narrowed>) -> Shown {
    caller.may(Action::ReadCatalog)?;
    caller.may(Action::Report)?;
    let (filter, after) = (asked.filter(), asked.after.unwrap_or(0));
    let view = blocking(move || node.campaigns_view(caller.scope, &filter, after)).await?;
    let (name, status) = (asked.name.unwrap_or_default(), asked.status.unwrap_or_default());
    Ok(shown(console::campaigns_page(&CampaignsView { name, status, ..view })))
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
    let found = blocking(move || node.campaign_page(scope, number, from.after.unwrap_or(0))).await?;
    let mut found = found.ok_or_else(absent)?;
    found.changeable = caller.may(Action::WriteCampaigns).is_ok();
    found.csrf = caller.csrf;
    Ok(shown(console::campaign_page(&found)))
}

/// A button of a campaign's page; the middleware has checked the form's token.
async fn pressed(verb: &'static str, path: Path<String>, call: Call) -> Shown {
    let target = format!("/campaigns/{}", crate::access::cookie::escaped(&path.0));
    let answer = moves::pressed(verb, path, call).await?;
    if answer.status == 200 {
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, target)]).into_response());
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let said = |member| problem.get(member).and_then(Value::as_str).unwrap_or_default();
    Ok(page(status, console::problem_page(said("title"), said("detail"))))
}
