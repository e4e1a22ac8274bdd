//! An edit over HTTP: what it reads of its request, and how its answer looks.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use litfass_catalog::ObjectKind;
use litfass_store::catalog::{Answer, CatalogError, Done, Edit, Edited, Repeatable, RowEdit, RowResult, section};
use serde_json::Value;

use super::{Answered, blocking, scope};
use crate::access::{Action, Caller};
use crate::api::catalog::{Options, object_answer};
use crate::node::Node;
use crate::problem::{self, Code, Params, Problem, Raw, etag};

/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 128;

/// Everything that an edit reads of its request.
pub(in crate::http) struct Call {
    pub(super) node: Arc<Node>,
    pub(super) caller: Caller,
    /// What is done to objects that are there, for the audit log.
    pub(super) action: &'static str,
    pub(super) options: Options,
    pub(super) headers: HeaderMap,
    pub(super) uri: Uri,
    pub(super) body: Bytes,
}

impl FromRequest<Arc<Node>> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, node: &Arc<Node>) -> Result<Self, Problem> {
        let (headers, uri) = (request.headers().clone(), request.uri().clone());
        let (mut parts, body) = request.into_parts();
        let Params(options) = Params::from_request_parts(&mut parts, node).await?;
        let caller = Caller::from_request_parts(&mut parts, node).await?;
        let request = Request::from_parts(parts, body);
        let Raw(body) = Raw::from_request(request, node).await?;
        Ok(Self { node: Arc::clone(node), caller, action: "update", options, headers, uri, body })
    }
}

impl Call {
    /// One object: the answer is the object, or why it was refused.
    pub(super) async fn edit_one(self, kind: ObjectKind, mut row: RowEdit) -> Answered {
        row.seen = self.if_match()?.or(row.seen);
        let dry_run = self.options.dry_run;
        Ok(rendered(kind, self.edit(kind, vec![row], move |rows| one_answer(rows, dry_run)).await?))
    }

    pub(super) async fn edit(
        self,
        kind: ObjectKind,
        rows: Vec<RowEdit>,
        answer: impl Fn(&[RowResult]) -> Answer + Send + 'static,
    ) -> Result<Answer, Problem> {
        may_write(&self.caller, kind)?;
        let (repeatable, scope) = (self.repeatable()?, scope(&self.caller, self.options.tenant)?);
        let (node, dry_run, who, action) = (self.node, self.options.dry_run, self.caller.who(), self.action);
        let outcome = blocking(move || {
            let edit = Edit { scope, kind, rows, dry_run, repeatable, now: node.clock.now(), who: &who, action };
            let edited = node.editor.writing().edit(&edit, &answer);
            node.editor.told.tell();
            Ok(edited.map(|edited| match edited {
                Edited::Fresh { rows, .. } => Ok(answer(&rows)),
                Edited::Repeated(answer) => Ok(answer),
                Edited::KeyTaken => Err(Problem::new(Code::KeyReused, "send a new key with a new request")),
            }))
        });
        outcome.await??
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

pub(super) fn one_answer(rows: &[RowResult], dry_run: bool) -> Answer {
    match rows.first() {
        Some(Ok(row)) => Answer {
            status: if row.done == Done::Created && !dry_run { 201 } else { 200 },
            version: Some(row.view.version),
            body: object_answer(&row.view).to_string(),
        },
        Some(Err(refusal)) => Problem::from(refusal.clone()).into(),
        None => Problem::internal("an edit without rows").into(),
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self { status: problem.code().status().as_u16(), version: problem.current_version(), body }
    }
}

pub(super) fn rendered(kind: ObjectKind, answer: Answer) -> Response {
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
        if matches!(error, CatalogError::Contended) {
            return Self::new(Code::RecordNotAppended, error.to_string());
        }
        Self::internal(error)
    }
}

/// Tenants are the platform's to change, campaigns and what is below them their advertiser's, all else the tenant's.
fn may_write(caller: &Caller, kind: ObjectKind) -> Result<(), Problem> {
    caller.may(writing(kind))?;
    if kind == ObjectKind::Tenant { caller.platform() } else { Ok(()) }
}

/// The right that changing such objects takes.
pub(super) const fn writing(kind: ObjectKind) -> Action {
    match kind {
        ObjectKind::Campaign | ObjectKind::LineItem | ObjectKind::Creative | ObjectKind::Ad => Action::WriteCampaigns,
        ObjectKind::Tenant | ObjectKind::Advertiser | ObjectKind::Placement | ObjectKind::Segment => {
            Action::WriteInventory
        }
    }
}
