//! Which sites' scripts may ask for decisions and report events from a browser: the configured ones. Cookies are never theirs
//! to send, and no other address answers a foreign page.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::node::Node;

const SHARED: &[&str] = &["/v1/decisions", "/rank_ads", "/v1/events"];
const METHODS: HeaderValue = HeaderValue::from_static("POST");
const HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");
/// How long a browser may remember the answer to its question, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

pub(super) async fn shared(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if node.config.access.cors_origins.is_empty() || !path.is_some_and(|path| SHARED.contains(&path)) {
        return next.run(request).await;
    }
    let origin = allowed(&node, request.headers());
    let asks_first = *request.method() == Method::OPTIONS;
    let mut response = if asks_first { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if asks_first {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
        }
    }
    response
}

/// The request's own origin, where it is one of those that may.
fn allowed(node: &Node, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let text = origin.to_str().ok()?;
    node.config.access.cors_origins.iter().any(|known| known == text).then(|| origin.clone())
}
