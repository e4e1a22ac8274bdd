//! Pages for people and probes for machines.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::decisions::explained;
use crate::access::{Action, Caller};
use crate::console::{self, view::LiveView};
use crate::node::Node;
use crate::problem::{Code, Problem};

const HTML: &str = "text/html; charset=utf-8";

pub(super) fn page(status: StatusCode, html: String) -> Response {
    (status, [(header::CONTENT_TYPE, HTML)], html).into_response()
}

pub(super) async fn live(State(node): State<Arc<Node>>, caller: Caller) -> Result<Response, Problem> {
    operates(&caller)?;
    Ok(page(StatusCode::OK, console::live_page(&node.live_view())))
}

pub(super) async fn live_view(State(node): State<Arc<Node>>, caller: Caller) -> Result<Json<LiveView>, Problem> {
    operates(&caller)?;
    Ok(Json(node.live_view()))
}

/// Figures of all tenants together.
fn operates(caller: &Caller) -> Result<(), Problem> {
    caller.may(Action::Operate)?;
    caller.platform()
}

pub(super) async fn decision(State(node): State<Arc<Node>>, caller: Caller, Path(id): Path<String>) -> Response {
    match explained(&node, &caller, &id).await {
        Ok(view) => page(StatusCode::OK, console::decision_page(&view)),
        Err(problem) if problem.code() == Code::UnknownDecision => {
            page(StatusCode::NOT_FOUND, console::missing_page(problem.detail()))
        }
        Err(problem) => page(problem.code().status(), console::problem_page(problem.code().title(), problem.detail())),
    }
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

pub(super) async fn metrics(State(node): State<Arc<Node>>, caller: Caller) -> Result<Response, Problem> {
    operates(&caller)?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    node.metrics.fold_lag.set((), node.folds.lag() as f64);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], node.metrics.render()).into_response())
}
