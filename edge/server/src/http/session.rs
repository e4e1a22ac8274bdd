//! How a person shows a key to the pages: a form, then a cookie.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use litfass_types::Duration;
use serde::Deserialize;

use super::blocking;
use super::pages::page;
use crate::access::middleware::is_loopback;
use crate::access::{Action, Caller, KeyId, Shown, cookie};
use crate::console;
use crate::node::Node;
use crate::problem::{Code, Params, Problem, Raw};

#[derive(Deserialize, Debug)]
pub(super) struct Led {
    /// The page that was asked for before.
    next: Option<String>,
}

impl Led {
    fn target(self) -> String {
        self.next.filter(|path| cookie::is_own_path(path)).unwrap_or_else(|| "/".to_owned())
    }
}

/// The form; for somebody who is in already, who they are and the way out.
pub(super) async fn form(State(node): State<Arc<Node>>, headers: HeaderMap, Params(led): Params<Led>) -> Response {
    let session = cookie::session(&headers).map_or(Shown::Nothing, Shown::Session);
    let html = match node.keys.caller(session, node.clock.now()) {
        Ok(caller) => console::session_page(&named(&node, &caller), caller.csrf.as_deref()),
        Err(_) => console::login_page(&led.target(), None),
    };
    page(StatusCode::OK, html)
}

fn named(node: &Node, caller: &Caller) -> String {
    let row = caller.key.and_then(|id| node.keys.get(id));
    row.map_or_else(
        || "anybody on this machine, while there is no API key".to_owned(),
        |row| format!("key {} ({}), {}", row.id, row.role.name(), row.name),
    )
}

pub(super) async fn log_in(
    State(node): State<Arc<Node>>,
    headers: HeaderMap,
    Params(led): Params<Led>,
    Raw(body): Raw,
) -> Result<Response, Problem> {
    comes_from_here(&headers)?;
    let shown = cookie::form_field(&body, "key").unwrap_or_default();
    let target = led.target();
    let known = node.keys.caller(Shown::Key(shown), node.clock.now());
    let known = known.and_then(|caller| caller.may(Action::LogIn).map(|()| caller.key));
    let key = match known {
        Ok(Some(key)) => key,
        Ok(None) => return Ok(led_to(&target, None)),
        Err(problem) => return Ok(page(problem.code().status(), console::login_page(&target, Some(problem.detail())))),
    };
    let set = begun(node, key, &headers).await?;
    Ok(led_to(&target, Some(set)))
}

async fn begun(node: Arc<Node>, key: KeyId, headers: &HeaderMap) -> Result<String, Problem> {
    let (now, life) = (node.clock.now(), node.config.access.session_ttl);
    let secret = blocking(move || node.keys.begin_session(key, now, life)).await?;
    Ok(cookie::set(&secret, life, is_plain(headers)))
}

/// The middleware has checked the form's token.
pub(super) async fn log_out(State(node): State<Arc<Node>>, _: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(secret) = cookie::session(&headers).map(str::to_owned) {
        blocking(move || Ok(node.keys.end_session(&secret)?)).await?;
    }
    Ok(led_to("/login", Some(cookie::set("", Duration(0), is_plain(&headers)))))
}

fn led_to(target: &str, set_cookie: Option<String>) -> Response {
    let mut response =
        (StatusCode::SEE_OTHER, [(header::LOCATION, target), (header::CACHE_CONTROL, "no-store")]).into_response();
    if let Some(value) = set_cookie.and_then(|text| text.parse().ok()) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// Whether the browser calls this machine by a loopback name: then there is no TLS to insist on.
fn is_plain(headers: &HeaderMap) -> bool {
    host(headers).is_some_and(is_loopback)
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|value| value.to_str().ok())
}

/// Another site's page could otherwise put its visitors into a session of its own.
fn comes_from_here(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    let from = origin.split_once("://").map(|(_, host)| host);
    if from.is_some() && from == host(headers) {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "this form is sent by the page at /login only"))
}
