//! The HTTP interface: routes to handlers. A handler parses, asks the node, and renders; nothing is decided here.

mod accounts;
mod audit;
mod catalog;
mod cors;
mod decisions;
pub(crate) mod entitled;
mod events;
mod export;
mod headers;
mod keys;
mod ledger;
mod operator;
mod pages;
mod reports;
mod session;
mod tracking;
mod users;
mod why_not;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use tracing::Instrument;

use crate::access::middleware::identified;
use crate::metrics::label::{Route, StatusClass};
use crate::node::Node;
use crate::problem::{Code, Problem};
use crate::roles::ProcessRole;
use crate::telemetry::spans;

/// Bodies beyond `server.body_bytes_max` are refused with 413 before they are read to their end.
pub(crate) fn router(node: Arc<Node>) -> Router {
    let body_bytes_max = usize::try_from(node.config.server.body_bytes_max).unwrap_or(usize::MAX);
    Router::new()
        .route("/v1/decisions", post(decisions::decide))
        .route("/v1/decisions/{id}", get(decisions::explain))
        .route("/rank_ads", post(decisions::rank_ads))
        .route("/v1/events", post(events::batch))
        .route("/v1/keys", post(keys::create).get(keys::list))
        .route("/v1/keys/{id}", delete(keys::revoke))
        .route("/v1/accounts/{id}", get(accounts::balance))
        .route("/v1/accounts/{id}/deposits", post(accounts::deposit))
        .route("/v1/accounts/{id}/credit-limit", post(accounts::credit_limit))
        .route("/v1/accounts/{id}/adjustments", post(accounts::adjust))
        .route("/v1/accounts/{id}/refunds", post(accounts::refund))
        .route("/v1/accounts/{id}/commands/{command}", get(accounts::command))
        .route("/v1/accounts/{id}/statement", get(accounts::statement))
        .route("/v1/line_items/{id}/why-not", get(why_not::why_not))
        .route("/v1/users/{id}", delete(users::erase))
        .route("/v1/users/{id}/opt-out", put(users::opt_out).delete(users::opt_in))
        .route("/v1/audit", get(audit::list))
        .route("/login", get(session::form).post(session::log_in))
        .route("/logout", post(session::log_out))
        .route("/v1/reports", get(reports::report))
        .route("/v1/events/export", get(export::export))
        .route("/t/i/{token}", get(tracking::impression).post(tracking::impression_beacon).head(tracking::looked_at))
        .route("/t/v/{token}", get(tracking::viewable).post(tracking::viewable).head(tracking::looked_at))
        .route("/t/c/{token}", get(tracking::click).post(tracking::click_beacon).head(tracking::looked_at))
        .route("/", get(pages::live))
        .route("/console/{file}", get(pages::asset))
        .route("/v1/live", get(pages::live_view))
        .route("/decisions/{id}", get(pages::decision))
        .route("/openapi.json", get(pages::openapi))
        .route("/healthz", get(pages::health))
        .route("/readyz", get(pages::ready))
        .route("/metrics", get(pages::metrics))
        .merge(operator::routes())
        .merge(catalog::routes())
        .fallback(unknown_address)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(entitled::entitled))
        .layer(middleware::from_fn_with_state(Arc::clone(&node), identified))
        .layer(middleware::from_fn_with_state(Arc::clone(&node), cors::shared))
        .layer(middleware::from_fn(pages::told_to_people))
        .layer(middleware::from_fn(headers::guarded))
        .layer(middleware::from_fn_with_state(Arc::clone(&node), measured))
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(node)
}

async fn measured(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let route = route_of(path);
    let headers = (route != Route::Tracking).then(|| request.headers());
    let span = spans::request(request.method(), path.map(MatchedPath::as_str), headers);
    let began = Instant::now();
    let response = match elsewhere(&node, route) {
        Some(problem) => problem.into_response(),
        None => next.run(request).instrument(span.clone()).await,
    };
    spans::answered(&span, response.status().as_u16());
    node.metrics.http_latency.observe(route, began.elapsed());
    node.metrics.http_requests.add((route, StatusClass::of(response.status().as_u16())), 1);
    response
}

/// Who answers there, where it is not this process.
fn elsewhere(node: &Node, route: Route) -> Option<Problem> {
    let role = ProcessRole::answering(route)?;
    let roles = &node.config.server.roles;
    let detail = || format!("this process has the roles {}: ask one with the role {}", roles.text(), role.name());
    (!roles.include(role)).then(|| Problem::new(Code::AnotherRole, detail()))
}

fn route_of(path: Option<&MatchedPath>) -> Route {
    match path.map_or("", MatchedPath::as_str) {
        "/v1/decisions" => Route::Decisions,
        "/v1/decisions/{id}" | "/v1/line_items/{id}/why-not" => Route::Explanation,
        path if path.starts_with("/v1/accounts/") => Route::Accounts,
        "/v1/reports" | "/v1/events/export" => Route::Reports,
        "/rank_ads" => Route::RankAds,
        "/v1/events" => Route::Events,
        "/v1/users/{id}" | "/v1/users/{id}/opt-out" => Route::Users,
        "/v1/audit" => Route::Audit,
        "/login" | "/logout" => Route::Session,
        "/v1/keys" | "/v1/keys/{id}" => Route::Keys,
        "/t/i/{token}" | "/t/v/{token}" | "/t/c/{token}" => Route::Tracking,
        "/" => Route::Page,
        path if operator::is_here(path) => Route::OperatorPage,
        "/v1/live" => Route::Live,
        "/decisions/{id}" => Route::DecisionPage,
        "/healthz" | "/readyz" => Route::Health,
        "/metrics" => Route::Metrics,
        path if catalog::is_here(path) => Route::Catalog,
        _ => Route::Other,
    }
}

async fn unknown_address() -> Problem {
    Problem::new(Code::NotFound, "see docs/specs/http.md for the addresses there are")
}

async fn wrong_method() -> Problem {
    Problem::new(Code::MethodNotAllowed, "see docs/specs/http.md for what this address takes")
}

/// Runs what waits for the disk on a thread of its own; what fails there is the server's fault.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?;
    done.map_err(Problem::internal)
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response {
    status.into_response()
}

/// Whether the parameter `format` asks for comma-separated values.
fn is_csv(format: &str) -> Option<bool> {
    match format {
        "json" => Some(false),
        "csv" => Some(true),
        _ => None,
    }
}
