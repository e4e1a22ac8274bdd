//! What is done to an object as a whole: paused, resumed, archived, killed, approved, rejected.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::post;
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_ledger::{Chain, ControlId};
use litfass_store::catalog::{Target, section};
use litfass_store::ledger::LedgerReader;
use litfass_types::{AdvertiserId, CampaignId};
use serde_json::{Map, Value, json};

use super::call::{Call, one_answer, rendered};
use super::{Answered, blocking, reference};
use crate::access::Action;
use crate::api::catalog::{KillAnswer, Rejection, row_edit};
use crate::node::Node;
use crate::problem::{Code, Problem, read_json};
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

async fn set(kind: ObjectKind, verb: &'static str, members: Value, Path(id): Path<String>, call: Call) -> Answered {
    let row = row_edit(Target::Existing(reference(kind, &id)?.id), object(members))?;
    Call { action: verb, ..call }.edit_one(kind, row).await
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

/// Paused in the catalog, and out of every auction that begins after this: the catalog that says so may take a moment longer.
async fn killed(kind: ObjectKind, Path(id): Path<String>, call: Call) -> Answered {
    let object = reference(kind, &id)?;
    let row = row_edit(Target::Existing(object.id), self::object(json!({ "status": "paused" })))?;
    let (node, dry_run) = (Arc::clone(&call.node), call.options.dry_run);
    let call = Call { action: "kill", ..call };
    let answer = call.edit(kind, vec![row], move |rows| one_answer(rows, dry_run)).await?;
    let Some(until) = answer.version.filter(|_| answer.status == 200) else { return Ok(rendered(kind, answer)) };
    let outstanding_micros = blocking(move || {
        if !dry_run {
            node.world.halt(Halted { object, until });
        }
        outstanding_micros(&node, object)
    });
    let object = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(axum::Json(KillAnswer { object, outstanding_micros: outstanding_micros.await?? }).into_response())
}

/// What tokens that are out may still bill of what was reserved for them, rounded up: leased by the ledger, less what this
/// process has not held.
fn outstanding_micros(node: &Node, object: ObjectRef) -> Result<i64, Problem> {
    let account = object.kind == ObjectKind::Advertiser;
    let id =
        if account { ControlId::Account(AdvertiserId(object.id)) } else { ControlId::Campaign(CampaignId(object.id)) };
    let beneath = |chain: &Chain| if account { chain.account.0 == object.id } else { chain.campaign.0 == object.id };
    // In this order: what is given back in between is counted as reserved rather than missed.
    let unheld = node.decider.promises.holds().unheld(beneath);
    let controls = node.ledger.controls(&[id]).map_err(|e| Problem::new(Code::Internal, e.to_string()))?;
    let leased = controls.first().map_or(0, |control| control.leased.nanos());
    let nanos = (leased - unheld.nanos()).max(0);
    Ok(i64::try_from((nanos + 999) / 1_000).unwrap_or(i64::MAX))
}
