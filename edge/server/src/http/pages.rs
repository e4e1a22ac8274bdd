//! Pages for people and probes for machines.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::decisions::explained;
use super::{blocking, ledger};
use crate::access::{Action, Caller};
use crate::console::{self, view::LiveView};
use crate::metrics::label::Label;
use crate::node::Node;
use crate::problem::{Code, Problem};

/// A probe waits no longer either.
const READY_WAIT: Duration = Duration::from_secs(5);

const HTML: &str = "text/html; charset=utf-8";

pub(super) fn page(status: StatusCode, html: String) -> Response {
    (status, [(header::CONTENT_TYPE, HTML)], html).into_response()
}

/// Who may not see all tenants is led to what is their own.
pub(super) async fn live(
    State(node): State<Arc<Node>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let person = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(is_page);
    if person && caller.platform().is_err() && caller.may(Action::Report).is_ok() {
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/campaigns")]).into_response());
    }
    operates(&caller)?;
    Ok(page(StatusCode::OK, console::live_page(&looked_up(&node).await?)))
}

pub(super) async fn live_view(State(node): State<Arc<Node>>, caller: Caller) -> Result<Json<LiveView>, Problem> {
    operates(&caller)?;
    looked_up(&node).await.map(Json)
}

async fn looked_up(node: &Arc<Node>) -> Result<LiveView, Problem> {
    let place = node.lanes.pages.enter_soon().await?;
    ledger::asked(node, place, |node, ledger| Ok(node.live_view(ledger))).await
}

/// Figures of all tenants together.
pub(super) fn operates(caller: &Caller) -> Result<(), Problem> {
    caller.may(Action::Operate)?;
    caller.platform()
}

pub(super) async fn decision(State(node): State<Arc<Node>>, caller: Caller, Path(id): Path<String>) -> Response {
    match explained(&node, &caller, &id).await {
        Ok(view) => page(StatusCode::OK, console::decision_page(&view)),
        Err(problem) if problem.code() == Code::UnknownDecision => {
            page(StatusCode::NOT_FOUND, console::missing_page(problem.detail()))
        }
        Err(problem) => refused(&problem),
    }
}

/// A problem at one of the pages' addresses, told as a page where a browser asks.
pub(super) async fn told_to_people(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let person = accepts.is_some_and(is_page) && !request.uri().path().starts_with("/v1/");
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| person) else { return response };
    let mut told = refused(problem);
    for name in [header::WWW_AUTHENTICATE, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name) {
            told.headers_mut().insert(name, value.clone());
        }
    }
    told
}

fn is_page(types: &str) -> bool {
    types.contains("text/html")
}

pub(super) fn refused(problem: &Problem) -> Response {
    page(problem.code().status(), console::problem_page(problem.code().title(), problem.detail()))
}

pub(super) async fn asset(uri: Uri) -> Result<Response, Problem> {
    let asset = console::ASSETS.iter().find(|asset| asset.path == uri.path());
    let asset = asset.ok_or_else(|| Problem::new(Code::NotFound, "no page loads such a file"))?;
    Ok(([(header::CONTENT_TYPE, asset.content_type)], asset.body).into_response())
}

/// The description of this interface; a client may read it before it has a key.
pub(super) async fn openapi() -> Json<Value> {
    Json(crate::openapi::document())
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Asked without a key, so it names the checks and says no more.
pub(super) async fn ready(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let looked = Arc::clone(&node);
    let asked = tokio::time::timeout(READY_WAIT, blocking(move || Ok(looked.readiness.failing()))).await;
    let failing = asked.map_err(|_| not_ready("the checks take too long"))??;
    if failing.is_empty() {
        // Events are taken and requests answered, from the budget that is leased again in a moment.
        let status = node.readiness.completion.waits().map_or("ready", |_| "catching up");
        return Ok(Json(json!({ "status": status })));
    }
    let names: Vec<_> = failing.iter().map(|check| check.value()).collect();
    Err(not_ready(&names.join(", ")))
}

fn not_ready(why: &str) -> Problem {
    Problem::new(Code::NotReady, format!("failing: {why}"))
}

pub(super) async fn metrics(State(node): State<Arc<Node>>, caller: Caller) -> Result<Response, Problem> {
    operates(&caller)?;
    #[expect(clippy::cast_precision_loss, reason = "gauges")]
    for (gauge, value) in [
        (&node.metrics.fold_lag, node.folds.lag() as f64),
        (&node.metrics.retry_bytes, node.gateway.retries.bytes() as f64),
    ] {
        gauge.set((), value);
    }
    let looked = Arc::clone(&node);
    let look = move || {
        looked.look_at_lag();
        Ok(looked.readiness.failing())
    };
    blocking(look).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], node.metrics.render()).into_response())
}
