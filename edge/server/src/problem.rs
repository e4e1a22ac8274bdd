//! What a caller is told when a request cannot be served: problem details of RFC 9457.
//!
//! Every code is a row of one closed table with its status and title; the type is `/problems/<code>`. Whatever a body can get
//! wrong ends here with the path of the field, e.g. `placements[0].slots`, never in a panic.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::api::invalid::{Invalid, field_path};
use crate::config::Config;
use crate::node::{Node, span};
use crate::secrets::random;

/// The media type of every problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $title:literal;)*) => {
        /// Every way in which a request is refused.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code { $($(#[$doc])* $name),* }
        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name),*];
            /// Last part of the type URI and metric label.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }
            #[must_use]
            pub const fn status(self) -> StatusCode {
                let status = match self { $(Self::$name => StatusCode::from_u16($status)),* };
                match status { Ok(status) => status, Err(_) => StatusCode::INTERNAL_SERVER_ERROR }
            }
        }
    };
}

codes! {
    MalformedJson = 400, "malformed-json", "The body is not JSON";
    /// A value of the wrong type, out of its bounds or of an unknown name; `field` says which.
    InvalidField = 400, "invalid-field", "A field of the request is invalid";
    /// No key, or none that is in force.
    Unauthenticated = 401, "unauthenticated", "An API key is needed";
    /// The key is in force and may not do this.
    Forbidden = 403, "forbidden", "This key may not do that";
    UnknownPlacement = 404, "unknown-placement", "There is no such placement";
    UnknownTenant = 404, "unknown-tenant", "There is no such tenant";
    UnknownDecision = 404, "unknown-decision", "There is no such decision";
    UnknownObject = 404, "unknown-object", "There is no such object";
    UnknownToken = 404, "unknown-token", "This tracking token was not issued here";
    NotFound = 404, "not-found", "There is nothing at this address";
    MethodNotAllowed = 405, "method-not-allowed", "This address does not take that method";
    /// The same idempotency key came with another wish.
    KeyReused = 409, "key-reused", "This idempotency key was used before";
    /// A command that the ledger looked at and did not carry out.
    RefusedByLedger = 409, "refused-by-ledger", "The ledger refused this";
    /// One place states a limit, the account or the catalog.
    StatedByCatalog = 409, "stated-by-catalog", "The catalog states this limit";
    NothingToRefund = 409, "nothing-to-refund", "Nothing of that was charged";
    /// Its `ETag` is that of the object as it is now.
    ChangedMeanwhile = 412, "changed-meanwhile", "The object was changed since it was read";
    /// A name stands for one request.
    RequestIdReused = 409, "request-id-reused", "This request_id stands for another request";
    OptedOut = 409, "opted-out", "This user has opted out";
    TooSlow = 408, "too-slow", "The body took too long to arrive";
    TooLarge = 413, "too-large", "The body is larger than this address takes";
    /// Another process with the role in `detail` answers there.
    AnotherRole = 421, "another-role", "This process does not answer here";
    Expired = 410, "expired", "This can no longer be counted";
    TooManyRequests = 429, "too-many-requests", "This key sends more requests than it may";
    /// Of work that takes long only so much is done at once.
    Busy = 429, "busy", "Too many of these are asked at once";
    /// An object of the catalog that does not fit by itself or beside others; `field` says where.
    InvalidObject = 422, "invalid-object", "The object cannot be taken as it is";
    Internal = 500, "internal", "The server failed";
    /// Other processes should be sent requests for now; this one answers what it can.
    NotReady = 503, "not-ready", "The server should not be sent requests now";
    /// Nothing was promised: the caller may send the same again.
    RecordNotAppended = 503, "record-not-appended", "The request could not be recorded";
}

/// One refusal: a code, what happened in words, and where in the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    field: Option<String>,
    /// In seconds.
    retry_after: Option<u64>,
    version: Option<u64>,
}

/// The members of RFC 9457 §3.1, and `field` and `version` as extension members.
#[derive(Serialize)]
struct Members<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

impl Problem {
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), field: None, retry_after: None, version: None }
    }

    /// A failure of our own. What it was goes to the process's log: it may name files, tables and machines, and the caller can
    /// do nothing about them. The caller gets the id under which it is found there.
    #[must_use]
    pub fn internal(error: impl fmt::Display) -> Self {
        let id = random::<8>().map_or(0, u64::from_be_bytes);
        tracing::error!(id = format_args!("{id:016x}"), error = format_args!("{error:#}"), "a request failed");
        Self::new(Code::Internal, format!("the server's log says why under id={id:016x}"))
    }

    /// An `InvalidField` at `field`, written like `placements[0].slots`.
    #[must_use]
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidField, detail).at(field)
    }

    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// When the same is worth another try.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        self
    }

    /// The object's version as it is now; the answer's `ETag`.
    #[must_use]
    pub const fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    #[must_use]
    pub const fn current_version(&self) -> Option<u64> {
        self.version
    }

    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = Members {
            r#type: format!("/problems/{}", self.code.name()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            field: self.field(),
            version: self.version,
        };
        members.serialize(serializer)
    }
}

/// The entity tag of an object at a version.
#[must_use]
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // A struct of texts and one number always serialises.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.code.status(), [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        if self.code == Code::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(etag) = self.version.and_then(|version| etag(version).try_into().ok()) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        // For whoever tells it to a person instead.
        response.extensions_mut().insert(self);
        response
    }
}

/// Reads a JSON body, whatever its content type says (a browser's beacon sends `text/plain`).
///
/// # Errors
/// `MalformedJson` with line and column, or `InvalidField` with the path of the value that does not fit.
pub fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| misfit(&e))?;
    json.end().map_err(|e| Problem::new(Code::MalformedJson, e.to_string()))?;
    Ok(value)
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let detail = error.inner().to_string();
    match error.inner().classify() {
        Category::Data => Invalid::new(field_path(error), detail).into(),
        Category::Syntax | Category::Eof | Category::Io => Problem::new(Code::MalformedJson, detail),
    }
}

/// A JSON body as an extractor; as `Raw`.
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Node>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, node: &Arc<Node>) -> Result<Self, Problem> {
        let Raw(bytes) = Raw::from_request(request, node).await?;
        read_json(&bytes).map(Self)
    }
}

/// A body as it came, as an extractor; one beyond the route's limit is `TooLarge`, one that does not come in time `TooSlow`.
#[derive(Clone, Debug)]
pub struct Raw(pub Bytes);

impl FromRequest<Arc<Node>> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, node: &Arc<Node>) -> Result<Self, Problem> {
        let read = in_time(&node.config, Bytes::from_request(request, node)).await?;
        read.map(Self).map_err(|e| unread(&e))
    }
}

/// What reading a body gives, where it comes to its end in time.
///
/// # Errors
/// `TooSlow` where it does not: somebody may hold many connections open with a byte now and then.
pub(crate) async fn in_time<T>(config: &Config, read: impl Future<Output = T>) -> Result<T, Problem> {
    let limit = span(config.server.body_timeout);
    let late = |_| Problem::new(Code::TooSlow, format!("a body has {limit:?} to arrive"));
    tokio::time::timeout(limit, read).await.map_err(late)
}

/// The parameters behind the `?` as an extractor.
#[derive(Clone, Copy, Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::try_from_uri(&parts.uri);
        read.map(|Query(value)| Self(value)).map_err(|e| Problem::new(Code::InvalidField, e.body_text()))
    }
}

fn unread(rejection: &BytesRejection) -> Problem {
    let code = if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Code::TooLarge } else { Code::MalformedJson };
    Problem::new(code, rejection.body_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct Slot {
        slots: u8,
    }

    #[derive(serde::Deserialize, PartialEq, Debug)]
    #[serde(deny_unknown_fields)]
    struct Page {
        placements: Vec<Slot>,
    }

    fn refused(body: &str) -> Problem {
        read_json::<Page>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_by_its_path() {
        let problem = refused(r#"{"placements":[{"slots":1},{"slots":"two"}]}"#);
        assert_eq!((problem.code(), problem.field()), (Code::InvalidField, Some("placements[1].slots")));
        assert!(problem.detail().contains("invalid type"), "{problem:?}");
    }

    #[test]
    fn an_unknown_field_and_a_missing_one_are_named() {
        assert_eq!(refused(r#"{"placements":[{"slots":1,"slot":2}]}"#).field(), Some("placements[0].slot"));
        assert_eq!(refused("{}").field(), Some("placements"));
        assert_eq!(refused(r#"{"placements":[{}]}"#).field(), Some("placements[0].slots"));
    }

    #[test]
    fn what_is_not_json_is_malformed_wherever_it_breaks() {
        for body in ["", "{", "{\"placements\":[]} tail", "\u{fffd}", "{\"placements\":[{\"slots\":1}]"] {
            assert_eq!(refused(body).code(), Code::MalformedJson, "{body}");
        }
        assert_eq!(read_json::<Page>(b"\xff\xfe").unwrap_err().code(), Code::MalformedJson);
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_an_overflow() {
        let deep = "[".repeat(100_000);
        assert_eq!(read_json::<serde_json::Value>(deep.as_bytes()).unwrap_err().code(), Code::MalformedJson);
    }

    #[test]
    fn a_problem_has_the_members_of_the_rfc() {
        let problem = Problem::invalid("placements[0].slots", "must be 1 … 20");
        let json = serde_json::to_value(&problem).unwrap();
        let expected = serde_json::json!({
            "type": "/problems/invalid-field", "title": "A field of the request is invalid", "status": 400,
            "detail": "must be 1 … 20", "field": "placements[0].slots",
        });
        assert_eq!(json, expected);
        let response = problem.into_response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[header::CONTENT_TYPE], CONTENT_TYPE);
    }

    #[test]
    fn every_code_has_a_name_and_an_error_status_of_its_own() {
        for (i, code) in Code::ALL.iter().enumerate() {
            assert!(code.status().is_client_error() || code.status().is_server_error());
            assert!(Code::ALL[i + 1..].iter().all(|other| other.name() != code.name()));
        }
    }
}
