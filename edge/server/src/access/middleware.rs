//! Finds out who calls before any handler runs.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::node::Node;

/// Addresses that take no key: what viewers' browsers call, and what probes ask. Everything else does.
const PUBLIC: &[&str] = &["/t/i/{token}", "/t/v/{token}", "/t/c/{token}", "/healthz", "/readyz", "/console/{file}"];

/// Puts the `Caller` into the request, or refuses it. An address that is not there is left to the router's 404.
pub(crate) async fn identified(State(node): State<Arc<Node>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if path.is_none_or(|path| PUBLIC.contains(&path)) {
        return next.run(request).await;
    }
    match node.keys.caller(bearer(request.headers()), node.clock.now()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The text after `Bearer`; anything else in the header is a key that nobody knows.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let (scheme, key) = value.split_once(' ').unwrap_or(("", value));
    Some(if scheme.eq_ignore_ascii_case("bearer") { key.trim() } else { "" })
}
