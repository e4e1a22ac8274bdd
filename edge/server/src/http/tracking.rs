//! Tracking URLs: pixels, beacons, redirects. A 2xx says that the event is on disk; a click is redirected whatever happens.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use litfass_events::EventKind;
use litfass_types::Traffic;

use super::empty;
use crate::gateway::Arrival;
use crate::node::Node;
use crate::problem::{Code, Problem};

/// One transparent pixel.
const PIXEL: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

pub(super) async fn impression(
    State(node): State<Arc<Node>>,
    arrival: Arrival,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    node.ingest.delivered(EventKind::Impression, &token, traffic(&node, &arrival)).await?;
    Ok(([(header::CONTENT_TYPE, "image/gif"), (header::CACHE_CONTROL, "no-store")], PIXEL).into_response())
}

pub(super) async fn impression_beacon(
    State(node): State<Arc<Node>>,
    arrival: Arrival,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    node.ingest.delivered(EventKind::Impression, &token, traffic(&node, &arrival)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn viewable(
    State(node): State<Arc<Node>>,
    arrival: Arrival,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    node.ingest.delivered(EventKind::Viewable, &token, traffic(&node, &arrival)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) async fn click_beacon(
    State(node): State<Arc<Node>>,
    arrival: Arrival,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    node.ingest.delivered(EventKind::Click, &token, traffic(&node, &arrival)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Waits for the log up to the deadline, then redirects anyway: the viewer comes first. The target is the creative's.
pub(super) async fn click(
    State(node): State<Arc<Node>>,
    arrival: Arrival,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    let (clicked, recorded) = node.ingest.clicked(&token, traffic(&node, &arrival))?;
    let target = node
        .landing_url(&clicked)
        .ok_or_else(|| Problem::new(Code::UnknownToken, "its creative is not in the catalog"))?;
    recorded.within(node.click_wait()).await;
    Ok((StatusCode::FOUND, [(header::LOCATION, target.as_str()), (header::CACHE_CONTROL, "no-store")]).into_response())
}

/// Who or what calls: a viewer's browser does, or something that is no viewer.
fn traffic(node: &Node, arrival: &Arrival) -> Traffic {
    let traffic = node.gateway.traffic(arrival);
    node.metrics.event_traffic.add(traffic, 1);
    traffic
}

/// A link scanner's look: nothing happened.
pub(super) async fn looked_at() -> Response {
    empty(StatusCode::NO_CONTENT)
}
