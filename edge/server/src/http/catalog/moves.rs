//! What is done to an object as a whole: paused, resumed, archived, killed, approved, rejected.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::post;
use litfass_catalog::ObjectKind;
use litfass_store::catalog::{Answer, RowEdit, Target, section};
use serde_json::{Map, Value, json};

use super::call::{Call, one_answer, rendered};
use super::{Answered, blocking, reference};
use crate::access::Action;
use crate::api::catalog::{KillAnswer, Rejection, row_edit};
use crate::node::Node;
use crate::problem::{Problem, read_json};
use crate::world::Halted;

/// What has a status can be stopped and started.
const MOVES: [(&str, &str); 3] = [("pause", "paused"), ("resume", "active"), ("archive", "archived")];
const WITH_STATUS: [ObjectKind; 4] =
    [ObjectKind::Advertiser, ObjectKind::Campaign, ObjectKind::LineItem, ObjectKind::Ad];

pub(super) fn routes() -> Router<Arc<Node>> {
    let mut router = Router::new();
    for kind in WITH_STATUS {
        for (verb, status) in MOVES {
            let handler = move |path, call| set(kind, verb, json!({ "status": status }), path, call);
            router = router.route(&address(kind, verb), post(handler));
        }
    }
    for kind in [ObjectKind::Advertiser, ObjectKind::Campaign] {
        router = router.route(&address(kind, "kill"), post(move |path, call| killed(kind, path, call)));
    }
    let approved = |path, call| reviewed("approve", json!({ "review": "approved" }), path, call);
    router
        .route(&address(ObjectKind::Creative, "approve"), post(approved))
        .route(&address(ObjectKind::Creative, "reject"), post(rejected))
}

fn address(kind: ObjectKind, verb: &str) -> String {
    format!("/v1/{}/{{id}}/{verb}", section(kind))
}

async fn set(kind: ObjectKind, verb: &'static str, members: Value, path: Path<String>, call: Call) -> Answered {
    let row = moved(kind, members, &path)?;
    Call { action: verb, ..call }.edit_one(kind, row).await
}

fn moved(kind: ObjectKind, members: Value, Path(id): &Path<String>) -> Result<RowEdit, Problem> {
    Ok(row_edit(Target::Existing(reference(kind, id)?.id), object(members))?)
}

/// What the buttons of a campaign's page do.
pub(in crate::http) async fn pressed(verb: &'static str, path: Path<String>, call: Call) -> Result<Answer, Problem> {
    let kind = ObjectKind::Campaign;
    let Some((_, status)) = MOVES.iter().find(|(name, _)| *name == verb) else { return kill(kind, &path, call).await };
    let row = moved(kind, json!({ "status": status }), &path)?;
    Call { action: verb, ..call }.edit(kind, vec![row], |rows| one_answer(rows, false)).await
}

fn object(members: Value) -> Map<String, Value> {
    if let Value::Object(members) = members { members } else { Map::new() }
}

// ── reviews ──

async fn reviewed(verb: &'static str, members: Value, path: Path<String>, call: Call) -> Answered {
    call.caller.may(Action::WriteInventory)?;
    set(ObjectKind::Creative, verb, members, path, call).await
}

async fn rejected(path: Path<String>, call: Call) -> Answered {
    let Rejection { reason } = read_json(&call.body)?;
    reviewed("reject", json!({ "review": "rejected", "review_reason": reason }), path, call).await
}

// ── the kill switch ──

async fn killed(kind: ObjectKind, path: Path<String>, call: Call) -> Answered {
    let (node, object) = (Arc::clone(&call.node), reference(kind, &path)?);
    let answer = kill(kind, &path, call).await?;
    if answer.status != 200 {
        return Ok(rendered(kind, answer));
    }
    let outstanding_micros = blocking(move || node.outstanding_micros(&*node.ledger, object)).await?;
    let object = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(axum::Json(KillAnswer { object, outstanding_micros }).into_response())
}

/// Paused in the catalog, and out of every auction that begins after this: the catalog that says so may take a moment longer.
async fn kill(kind: ObjectKind, path: &Path<String>, call: Call) -> Result<Answer, Problem> {
    let row = moved(kind, json!({ "status": "paused" }), path)?;
    let (node, dry_run, object) = (Arc::clone(&call.node), call.options.dry_run, reference(kind, path)?);
    let call = Call { action: "kill", ..call };
    let answer = call.edit(kind, vec![row], move |rows| one_answer(rows, dry_run)).await?;
    if let Some(until) = answer.version.filter(|_| answer.status == 200 && !dry_run) {
        let halted = move || {
            node.world.halt(Halted { object, until });
            Ok(())
        };
        blocking(halted).await?;
    }
    Ok(answer)
}
