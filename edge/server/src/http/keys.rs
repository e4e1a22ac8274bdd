//! API keys: made, listed, revoked. A tenant's admin sees and makes its own tenant's keys only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_store::keys::KeyRow;
use serde::Deserialize;

use super::{blocking, empty};
use crate::access::{Action, Caller, KeyId, Scope};
use crate::api::keys::{KeyAnswer, KeyList, NewKeyAsk};
use crate::node::Node;
use crate::problem::{Body, Code, Params, Problem};

const PAGE: usize = 100;

pub(super) async fn create(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Body(ask): Body<NewKeyAsk>,
) -> Result<Response, Problem> {
    caller.may(Action::ManageKeys)?;
    let now = node.clock.now();
    let wanted = ask.check(now)?;
    let made = blocking(move || match is_within(&node, &caller, wanted.scope)? {
        Ok(()) => node.keys.create(wanted, &caller.who(), now).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    });
    let made = made.await??;
    let answer = KeyAnswer { key: Some(made.text), ..KeyAnswer::of(&made.row) };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// The scope exists, served already or not, and is not wider than the caller's own.
fn is_within(node: &Node, caller: &Caller, scope: Scope) -> anyhow::Result<Result<(), Problem>> {
    let there_is =
        |scope, kind, id| Ok::<_, anyhow::Error>(node.editor.reading().view(scope, ObjectRef { kind, id })?.is_some());
    let (tenant, advertiser) = match scope {
        Scope::Platform => return Ok(caller.platform().map_err(|problem| problem.at("tenant"))),
        Scope::Tenant(tenant) => (tenant, None),
        Scope::Advertiser(tenant, advertiser) => (tenant, Some(advertiser)),
    };
    if !caller.reaches(tenant) || !there_is(Scope::Platform, ObjectKind::Tenant, tenant.0)? {
        return Ok(Err(Problem::new(Code::UnknownTenant, format!("there is no tenant {tenant}")).at("tenant")));
    }
    let Some(advertiser) = advertiser else { return Ok(Ok(())) };
    let its_own = there_is(Scope::Tenant(tenant), ObjectKind::Advertiser, advertiser.0)?;
    let unknown = || Problem::new(Code::NotFound, format!("tenant {tenant} has no advertiser {advertiser}"));
    Ok(if its_own { Ok(()) } else { Err(unknown().at("advertiser")) })
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    cursor: Option<u64>,
}

pub(super) async fn list(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Json<KeyList>, Problem> {
    caller.may(Action::ManageKeys)?;
    let after = page.cursor.unwrap_or(0);
    let rows = node.keys.all().into_iter().filter(|row| row.id.0 > after && may_manage(&caller, row));
    let mut keys: Vec<_> = rows.take(PAGE + 1).map(|row| KeyAnswer::of(&row)).collect();
    let more = keys.len() > PAGE;
    keys.truncate(PAGE);
    let next = keys.last().filter(|_| more).map(|key| key.id.to_string());
    Ok(Json(KeyList { keys, next }))
}

pub(super) async fn revoke(
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.may(Action::ManageKeys)?;
    let row = id.parse().ok().and_then(|id| node.keys.get(KeyId(id))).filter(|row| may_manage(&caller, row));
    let id = row.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no key {id}")).at("id"))?.id;
    let now = node.clock.now();
    blocking(move || Ok(node.keys.revoke(id, &caller.who(), now)?)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn may_manage(caller: &Caller, row: &KeyRow) -> bool {
    match row.scope.tenant() {
        Some(tenant) => caller.reaches(tenant),
        None => caller.scope == Scope::Platform,
    }
}
