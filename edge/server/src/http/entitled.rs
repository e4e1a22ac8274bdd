//! Rights that follow from the address alone are looked at before a body is read: what somebody may not send takes no memory.
//!
//! The handlers look again, and at what the body names.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::catalog;
use crate::access::{Action, Caller};

/// Addresses that take a body, besides those of the catalog, and the right that sending one takes.
const SENDING: &[(&str, Action)] = &[
    ("/v1/decisions", Action::Decide),
    ("/rank_ads", Action::Decide),
    ("/v1/events", Action::ReportEvents),
    ("/v1/keys", Action::ManageKeys),
    ("/v1/accounts/{id}/deposits", Action::MoveMoney),
    ("/v1/accounts/{id}/credit-limit", Action::MoveMoney),
    ("/v1/accounts/{id}/adjustments", Action::MoveMoney),
    ("/v1/accounts/{id}/refunds", Action::MoveMoney),
    ("/campaigns/{id}/pause", Action::WriteCampaigns),
    ("/campaigns/{id}/resume", Action::WriteCampaigns),
    ("/campaigns/{id}/kill", Action::WriteCampaigns),
];

/// The right that sending something to that address takes at least.
pub(crate) fn sending(path: &str) -> Option<Action> {
    let fixed = SENDING.iter().find(|(address, _)| *address == path);
    fixed.map(|(_, action)| *action).or_else(|| catalog::sending(path))
}

/// Comes after the caller is known.
pub(super) async fn entitled(request: Request, next: Next) -> Response {
    let sends = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let needed = path.filter(|_| sends).and_then(sending);
    let caller = request.extensions().get::<Caller>();
    match needed.zip(caller).map(|(action, caller)| caller.may(action)) {
        Some(Err(refusal)) => refusal.into_response(),
        Some(Ok(())) | None => next.run(request).await,
    }
}
