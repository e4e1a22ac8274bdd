//! The catalog over HTTP: one set of addresses for every kind of object.

pub(super) mod call;
pub(super) mod moves;
mod preview;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_store::catalog::{Answer, RowResult, Target, View, section};
use litfass_store::keys::Scope;
use litfass_types::TenantId;
use serde_json::{Map, Value};

use crate::access::{Action, Caller};
use crate::api::catalog::{
    BULK_BYTES_MAX, Bulk, BulkAnswer, ListAnswer, ListOptions, Options, object_answer, row_edit,
};
use crate::http::blocking;
use crate::node::Node;
use crate::problem::{Code, Params, Problem, read_json};
use call::{Call, rendered, writing};

type Answered = Result<Response, Problem>;

/// Addresses of every kind.
pub(super) fn routes() -> Router<Arc<Node>> {
    let objects = ObjectKind::ALL.into_iter().fold(Router::new(), |router, kind| {
        let list = format!("/v1/{}", section(kind));
        router
            .route(
                &list,
                get(move |node, caller, params| listed(kind, node, caller, params))
                    .post(move |call| created(kind, call)),
            )
            .route(&format!("{list}/{{id}}"), one(kind))
            .route(
                &format!("{list}/bulk"),
                post(move |call| upserted(kind, call)).layer(DefaultBodyLimit::max(BULK_BYTES_MAX)),
            )
    });
    objects.merge(moves::routes()).merge(preview::routes())
}

/// Whether the path of a route is one of these.
pub(super) fn is_here(path: &str) -> bool {
    kind_of(path).is_some()
}

fn kind_of(path: &str) -> Option<ObjectKind> {
    let list = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next())?;
    ObjectKind::ALL.into_iter().find(|kind| section(*kind) == list)
}

/// The right that sending something to that address takes at least.
pub(super) fn sending(path: &str) -> Option<Action> {
    kind_of(path).map(|kind| if path.ends_with("/preview") { Action::ReadCatalog } else { writing(kind) })
}

fn one(kind: ObjectKind) -> MethodRouter<Arc<Node>> {
    get(move |node, caller, path, params| shown(kind, node, caller, path, params))
        .patch(move |path, call| changed(kind, path, call))
}

/// What the caller reaches, narrowed to the tenant that the address names.
fn scope(caller: &Caller, tenant: Option<u64>) -> Result<Scope, Problem> {
    let Some(tenant) = tenant.map(TenantId) else { return Ok(caller.scope) };
    caller.tenant(tenant).map_err(|problem| problem.at("tenant"))?;
    Ok(Scope::Tenant(tenant))
}

// ── reading ──

async fn listed(
    kind: ObjectKind,
    State(node): State<Arc<Node>>,
    caller: Caller,
    params: Params<ListOptions>,
) -> Answered {
    caller.may(Action::ReadCatalog)?;
    let Params(options) = params;
    let (scope, after, limit) = (scope(&caller, options.tenant)?, options.after()?, options.limit());
    let filter = options.filter();
    let page = blocking(move || Ok(node.editor.reading().list(scope, kind, &filter, after, limit))).await??;
    let next_cursor = page.next_after.map(|id| id.to_string());
    let objects = page.objects.iter().map(|view| object_answer(&seen_by(&caller, view.clone()))).collect();
    let answer = ListAnswer { objects, next_cursor };
    Ok(axum::Json(answer).into_response())
}

async fn shown(
    kind: ObjectKind,
    State(node): State<Arc<Node>>,
    caller: Caller,
    Path(id): Path<String>,
    Params(options): Params<Options>,
) -> Answered {
    caller.may(Action::ReadCatalog)?;
    let (object, scope) = (reference(kind, &id)?, scope(&caller, options.tenant)?);
    let found = blocking(move || Ok(node.editor.reading().view(scope, object))).await??;
    let view = found.ok_or_else(|| Problem::new(Code::UnknownObject, format!("there is no {object}")))?;
    let view = seen_by(&caller, view);
    let body = object_answer(&view).to_string();
    Ok(rendered(kind, Answer { status: 200, version: Some(view.version), body }))
}

/// Whom a site blocks is no business of its advertisers: to them the list is empty.
fn seen_by(caller: &Caller, mut view: View) -> View {
    if caller.scope.advertiser().is_some() && view.object.kind == ObjectKind::Placement {
        view.members.insert("blocked_advertisers".to_owned(), Value::Array(Vec::new()));
    }
    view
}

fn reference(kind: ObjectKind, id: &str) -> Result<ObjectRef, Problem> {
    let unknown = || Problem::new(Code::UnknownObject, format!("there is no {} {id:?}", kind.name()));
    Ok(ObjectRef { kind, id: id.parse().map_err(|_| unknown())? })
}

// ── changing ──

async fn created(kind: ObjectKind, call: Call) -> Answered {
    let members: Map<String, Value> = read_json(&call.body)?;
    call.edit_one(kind, row_edit(Target::New, members)?).await
}

async fn changed(kind: ObjectKind, Path(id): Path<String>, call: Call) -> Answered {
    let members: Map<String, Value> = read_json(&call.body)?;
    let row = row_edit(Target::Existing(reference(kind, &id)?.id), members)?;
    call.edit_one(kind, row).await
}

async fn upserted(kind: ObjectKind, mut call: Call) -> Answered {
    let bulk: Bulk = read_json(&call.body)?;
    call.options.dry_run |= bulk.dry_run;
    let (dry_run, rows) = (call.options.dry_run, bulk.into_rows()?);
    let answer = move |rows: &[RowResult]| Answer {
        status: 200,
        version: None,
        body: serde_json::to_string(&BulkAnswer::of(rows, dry_run)).unwrap_or_default(),
    };
    Ok(rendered(kind, call.edit(kind, rows, answer).await?))
}
