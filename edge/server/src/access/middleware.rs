//! Finds out who calls before any handler runs, and keeps other sites' pages from calling in somebody's name.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Caller, Shown, cookie};
use crate::node::Node;
use crate::problem::{Code, Problem, in_time};

/// Addresses that take no key: what viewers' browsers call, what probes ask, and where a key is shown. Everything else does.
const PUBLIC: &[&str] = &[
    "/t/i/{token}",
    "/t/v/{token}",
    "/t/c/{token}",
    "/healthz",
    "/openapi.json",
    "/readyz",
    "/console/{file}",
    "/login",
];

/// A form of our pages is no longer.
const FORM_BYTES_MAX: usize = 256 << 10;
const CSRF_HEADER: &str = "x-csrf-token";

/// Puts the `Caller` into the request, or refuses it. An address that is not there is left to the router's 404.
pub(crate) async fn identified(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if path.is_none_or(|path| PUBLIC.contains(&path)) {
        return next.run(request).await;
    }
    match admitted(&node, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal,
    }
}

async fn admitted(node: &Node, mut request: Request) -> Result<Request, Response> {
    let caller = match node.keys.caller(shown(request.headers()), node.clock.now()) {
        Ok(caller) => caller,
        Err(problem) if problem.code() == Code::Unauthenticated && is_a_persons(&request) => {
            return Err(to_login(&request));
        }
        Err(problem) => {
            if problem.code() == Code::TooManyRequests {
                node.metrics.rate_limited.add((), 1);
            }
            return Err(problem.into_response());
        }
    };
    if caller.key.is_none() {
        is_local(request.headers(), request.method()).map_err(IntoResponse::into_response)?;
    }
    if caller.csrf.is_some() && changes(request.method()) {
        request = with_form_token(node, request, &caller).await.map_err(IntoResponse::into_response)?;
    }
    request.extensions_mut().insert(caller);
    Ok(request)
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The text after `Bearer`; anything else in the header is a key that nobody knows. Without the header, the session's cookie.
fn shown(headers: &HeaderMap) -> Shown<'_> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return cookie::session(headers).map_or(Shown::Nothing, Shown::Session);
    };
    let text = value.to_str().unwrap_or_default();
    let (scheme, key) = text.split_once(' ').unwrap_or(("", text));
    Shown::Key(if scheme.eq_ignore_ascii_case("bearer") { key.trim() } else { "" })
}

/// Somebody who opened a page in a browser is better led than refused.
fn is_a_persons(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    *request.method() == Method::GET && accepts.is_some_and(|types| types.contains("text/html"))
}

fn to_login(request: &Request) -> Response {
    let asked = request.uri().path_and_query().map_or("/", |asked| asked.as_str());
    let target = format!("/login?next={}", cookie::escaped(asked));
    (StatusCode::SEE_OTHER, [(header::LOCATION, target), (header::CACHE_CONTROL, "no-store".to_owned())])
        .into_response()
}

// ── an open server ──

/// While there is no key, only this machine's own programs and pages are served: not a page of another site that a browser here
/// has open, nor one whose name was made to point here.
fn is_local(headers: &HeaderMap, method: &Method) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let (host, origin) = (text(header::HOST), text(header::ORIGIN));
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let from_elsewhere = origin.is_some_and(|origin| origin.split_once("://").map(|(_, from)| from) != host);
    let foreign = changes(method) && site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
    // What a page may send anywhere without asking first; no program of ours does.
    let is_plain = text(header::CONTENT_TYPE).is_some_and(|kind| kind.trim_start().starts_with("text/plain"));
    let is_browsers = origin.is_some() || site.is_some();
    let is_pages = from_elsewhere || foreign || (is_browsers && is_plain);
    if host.is_none_or(is_loopback) && !is_pages {
        return Ok(());
    }
    let why = "there is no API key yet, so only this machine is served: make one with `litfass admin create-key`";
    Err(Problem::new(Code::Unauthenticated, why))
}

/// Whether a `Host` names this machine, with or without a port.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let address = name.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
}

// ── forms ──

/// The request, once its form token is found to be the session's: in a header, or in the field `csrf` of a form.
async fn with_form_token(node: &Node, request: Request, caller: &Caller) -> Result<Request, Problem> {
    if let Some(token) = request.headers().get(CSRF_HEADER) {
        let token = token.to_str().unwrap_or_default();
        return if caller.sent_form(token) { Ok(request) } else { Err(forged()) };
    }
    if !is_form(request.headers()) {
        return Err(forged());
    }
    let (head, body) = request.into_parts();
    let read = in_time(&node.config, to_bytes(body, FORM_BYTES_MAX)).await?;
    let bytes = read.map_err(|e| Problem::new(Code::TooLarge, e.to_string()))?;
    let token = cookie::form_field(&bytes, "csrf").unwrap_or_default();
    if caller.sent_form(token) { Ok(Request::from_parts(head, Body::from(bytes))) } else { Err(forged()) }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(HeaderName::from_static("content-type")).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

fn forged() -> Problem {
    Problem::new(Code::Forbidden, "this did not come from a page of this session: open the page again and resend")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_server_takes_nothing_from_pages_of_other_sites() {
        let is_taken = |method: Method, sent: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "localhost:8080".parse().unwrap());
            for (name, value) in sent {
                headers.insert(*name, value.parse().unwrap());
            }
            is_local(&headers, &method).is_ok()
        };
        let (json, plain) = (("content-type", "application/json"), ("content-type", "text/plain;charset=UTF-8"));
        let (own, other) = (("origin", "http://localhost:8080"), ("origin", "http://localhost:3000"));
        assert!(is_taken(Method::POST, &[json]) && is_taken(Method::POST, &[plain]), "a program, such as curl");
        assert!(is_taken(Method::POST, &[json, own]) && is_taken(Method::GET, &[own]), "our pages");
        for from in [other, ("origin", "null"), ("origin", "https://evil.example")] {
            assert!(!is_taken(Method::POST, &[json, from]) && !is_taken(Method::GET, &[from]), "{from:?}");
        }
        assert!(!is_taken(Method::POST, &[plain, own]), "none of our pages sends plain text");
        assert!(!is_taken(Method::POST, &[json, ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn a_host_is_this_machine_by_name_or_address_only() {
        for here in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "127.9.9.9", "[::1]:8080", "[::1]"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "10.0.0.1",
            "0.0.0.0:9",
            "[::2]",
            "",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
