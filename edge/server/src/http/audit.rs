//! Who changed what, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::blocking;
use crate::access::{Action, Caller};
use crate::api::audit::{AuditAsk, AuditEntry, AuditList};
use crate::node::Node;
use crate::problem::{Params, Problem};

pub(super) async fn list(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Params(ask): Params<AuditAsk>,
) -> Result<Json<AuditList>, Problem> {
    caller.may(Action::ReadAudit)?;
    let limit = ask.limit()?;
    let filter = ask.filter(&caller)?;
    let rows = blocking(move || Ok(node.audit.list(&filter, limit + 1)?)).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.get(page).and(rows.get(page - 1)).map(|last| last.id.to_string());
    Ok(Json(AuditList { entries: rows.into_iter().take(page).map(AuditEntry::of).collect(), next }))
}
