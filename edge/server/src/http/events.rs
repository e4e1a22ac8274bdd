//! Batches of events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::api::events::{EventBatch, EventResults};
use crate::node::Node;
use crate::problem::{Body, Problem};

pub(super) async fn batch(
    State(node): State<Arc<Node>>,
    Body(batch): Body<EventBatch>,
) -> Result<Json<EventResults>, Problem> {
    batch.check()?;
    Ok(Json(EventResults { results: node.ingest.batch(batch.events).await? }))
}
