//! The catalog over HTTP: one set of addresses for every kind of object.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_store::catalog::{
    Answer, CatalogError, Done, Edit, Edited, Repeatable, RowEdit, RowResult, Target, section,
};
use litfass_store::keys::Scope;
use litfass_types::TenantId;
use serde_json::{Map, Value, json};

use crate::access::{Action, Caller};
use crate::api::catalog::{
    BULK_BYTES_MAX, Bulk, BulkAnswer, ListAnswer, ListOptions, Options, object_answer, row_edit,
};
use crate::node::Node;
use crate::problem::{self, Code, Params, Problem, etag, read_json};

/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 128;

type Answered = Result<Response, Problem>;

/// Addresses of every kind.
pub(super) fn routes() -> Router<Arc<Node>> {
    ObjectKind::ALL.into_iter().fold(Router::new(), |router, kind| {
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
            .merge(status_routes(kind, &list))
    })
}

/// Whether the path of a route is one of these.
pub(super) fn is_here(path: &str) -> bool {
    let list = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
    list.is_some_and(|list| ObjectKind::ALL.into_iter().any(|kind| section(kind) == list))
}

fn one(kind: ObjectKind) -> axum::routing::MethodRouter<Arc<Node>> {
    get(move |node, caller, path, params| shown(kind, node, caller, path, params))
        .patch(move |path, call| changed(kind, path, call))
}

/// What has a status can be stopped and started.
fn status_routes(kind: ObjectKind, list: &str) -> Router<Arc<Node>> {
    const MOVES: [(&str, &str); 3] = [("pause", "paused"), ("resume", "active"), ("archive", "archived")];
    let moves = if has_status(kind) { &MOVES[..] } else { &[] };
    moves.iter().fold(Router::new(), |router, (verb, status)| {
        let members = json!({ "status": status });
        let handler = move |path, call| set(kind, verb, members.clone(), path, call);
        router.route(&format!("{list}/{{id}}/{verb}"), post(handler))
    })
}

const fn has_status(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Advertiser | ObjectKind::Campaign | ObjectKind::LineItem | ObjectKind::Ad)
}

/// Everything that an edit reads of its request.
struct Call {
    node: Arc<Node>,
    caller: Caller,
    /// What is done to objects that are there, for the audit log.
    action: &'static str,
    options: Options,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
}

impl FromRequest<Arc<Node>> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, node: &Arc<Node>) -> Result<Self, Problem> {
        let (headers, uri) = (request.headers().clone(), request.uri().clone());
        let (mut parts, body) = request.into_parts();
        let Params(options) = Params::from_request_parts(&mut parts, node).await?;
        let caller = Caller::from_request_parts(&mut parts, node).await?;
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, node).await.map_err(|e| problem::unread(&e))?;
        Ok(Self { node: Arc::clone(node), caller, action: "update", options, headers, uri, body })
    }
}

/// What the caller reaches, narrowed to the tenant that the address names.
fn scope(caller: &Caller, tenant: Option<u64>) -> Result<Scope, Problem> {
    let Some(tenant) = tenant.map(TenantId) else { return Ok(caller.scope) };
    caller.tenant(tenant).map_err(|problem| problem.at("tenant"))?;
    Ok(Scope::Tenant(tenant))
}

/// Tenants are the platform's to change, campaigns and what is below them their advertiser's, all else the tenant's.
fn may_write(caller: &Caller, kind: ObjectKind) -> Result<(), Problem> {
    match kind {
        ObjectKind::Campaign | ObjectKind::LineItem | ObjectKind::Creative | ObjectKind::Ad => {
            caller.may(Action::WriteCampaigns)
        }
        ObjectKind::Tenant => caller.may(Action::WriteInventory).and_then(|()| caller.platform()),
        ObjectKind::Advertiser | ObjectKind::Placement => caller.may(Action::WriteInventory),
    }
}

/// Work on the database, off the threads that serve decisions.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Problem::new(Code::Internal, e.to_string()))
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
    let page = blocking(move || node.editor.reading().list(scope, kind, &filter, after, limit)).await??;
    let next_cursor = page.next_after.map(|id| id.to_string());
    let answer = ListAnswer { objects: page.objects.iter().map(object_answer).collect(), next_cursor };
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
    let found = blocking(move || node.editor.reading().view(scope, object)).await??;
    let view = found.ok_or_else(|| Problem::new(Code::UnknownObject, format!("there is no {object}")))?;
    let body = object_answer(&view).to_string();
    Ok(rendered(kind, Answer { status: 200, version: Some(view.version), body }))
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

async fn set(kind: ObjectKind, verb: &'static str, members: Value, Path(id): Path<String>, call: Call) -> Answered {
    let members = serde_json::from_value(members).unwrap_or_default();
    let row = row_edit(Target::Existing(reference(kind, &id)?.id), members)?;
    Call { action: verb, ..call }.edit_one(kind, row).await
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
    call.edit(kind, rows, answer).await
}

impl Call {
    /// One object: the answer is the object, or why it was refused.
    async fn edit_one(self, kind: ObjectKind, mut row: RowEdit) -> Answered {
        row.seen = self.if_match()?.or(row.seen);
        let dry_run = self.options.dry_run;
        self.edit(kind, vec![row], move |rows| one_answer(rows, dry_run)).await
    }

    async fn edit(
        self,
        kind: ObjectKind,
        rows: Vec<RowEdit>,
        answer: impl Fn(&[RowResult]) -> Answer + Send + 'static,
    ) -> Answered {
        may_write(&self.caller, kind)?;
        let (repeatable, scope) = (self.repeatable()?, scope(&self.caller, self.options.tenant)?);
        let (node, dry_run, who, action) = (self.node, self.options.dry_run, self.caller.who(), self.action);
        let outcome = blocking(move || {
            let (now, served) = (node.clock.now(), &node.world.load().catalog);
            let edit = Edit { scope, kind, rows, dry_run, repeatable, now, served, who: &who, action };
            let edited = node.editor.writing().edit(&edit, &answer);
            node.editor.told.tell();
            edited.map(|edited| match edited {
                Edited::Fresh { rows, .. } => Ok(answer(&rows)),
                Edited::Repeated(answer) => Ok(answer),
                Edited::KeyTaken => Err(Problem::new(Code::KeyReused, "send a new key with a new request")),
            })
        });
        Ok(rendered(kind, outcome.await???))
    }

    /// The version in `If-Match`; any version where it is `*` or not there.
    fn if_match(&self) -> Result<Option<u64>, Problem> {
        let Some(value) = self.headers.get(header::IF_MATCH).filter(|value| *value != "*") else { return Ok(None) };
        let version = value.to_str().ok().and_then(|text| text.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
        let malformed = || Problem::invalid("If-Match", "is none that an answer gave as its ETag");
        version.map(Some).ok_or_else(malformed)
    }

    fn repeatable(&self) -> Result<Option<Repeatable>, Problem> {
        let Some(key) = self.headers.get("idempotency-key") else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
        let malformed =
            || Problem::invalid("Idempotency-Key", format!("must be 1 to {KEY_BYTES_MAX} printable characters"));
        let key = key.ok_or_else(malformed)?.to_owned();
        let mut asked = blake3::Hasher::new();
        asked.update(self.uri.to_string().as_bytes()).update(&[0]);
        asked
            .update(self.headers.get(header::IF_MATCH).map_or(&[], |tag| tag.as_bytes()))
            .update(&[0])
            .update(&self.body);
        Ok(Some(Repeatable { sender: self.caller.who(), key, fingerprint: *asked.finalize().as_bytes() }))
    }
}

fn one_answer(rows: &[RowResult], dry_run: bool) -> Answer {
    match rows.first() {
        Some(Ok(row)) => Answer {
            status: if row.done == Done::Created && !dry_run { 201 } else { 200 },
            version: Some(row.view.version),
            body: object_answer(&row.view).to_string(),
        },
        Some(Err(refusal)) => Problem::from(refusal.clone()).into(),
        None => Problem::new(Code::Internal, "an edit without rows").into(),
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self { status: problem.code().status().as_u16(), version: problem.current_version(), body }
    }
}

fn rendered(kind: ObjectKind, answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = if answer.status < 400 { "application/json" } else { problem::CONTENT_TYPE };
    let id = || serde_json::from_str::<Value>(&answer.body).ok()?.get("id")?.as_u64();
    let location = id().filter(|_| answer.status == 201).map(|id| format!("/v1/{}/{id}", section(kind)));
    let mut response = (status, [(header::CONTENT_TYPE, content_type)], answer.body).into_response();
    for (name, value) in [(header::ETAG, answer.version.map(etag)), (header::LOCATION, location)] {
        // Digits and names of lists are always good header values.
        if let Some(value) = value.and_then(|value| value.try_into().ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        let code = if matches!(error, CatalogError::Contended) { Code::RecordNotAppended } else { Code::Internal };
        Self::new(code, error.to_string())
    }
}
