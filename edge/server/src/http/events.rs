//! Batches of events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::access::{Action, Caller};
use crate::api::events::{EventBatch, EventResults};
use crate::node::Node;
use crate::problem::{Body, Problem};

pub(super) async fn batch(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Body(batch): Body<EventBatch>,
) -> Result<Json<EventResults>, Problem> {
    caller.may(Action::ReportEvents)?;
    batch.check()?;
    Ok(Json(EventResults { results: node.ingest.batch(batch.events, &caller).await? }))
}
