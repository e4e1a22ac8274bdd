//! The spans of a request: the request, the decision in it, the decision's five steps, and the wait for the log.
//!
//! They cost one comparison each where nobody traces. Their names and fields follow OpenTelemetry's conventions for HTTP
//! servers; what is ours begins with `litfass.`. A decision's id leads to its record, which can be erased.

use axum::http::{HeaderMap, Method};
use litfass_decide::DecisionRecord;
use tracing::field::{Empty, display};
use tracing::{Span, trace_span};

use crate::metrics::label::{Label, Step};

/// What no other span of this process has.
#[cfg(feature = "otel")]
pub(super) const TARGET: &str = "litfass::span";

/// A request by its route, never its address, which may hold a token. `headers` say whose trace it belongs to; those of tracking
/// URLs come from anybody and are given as none.
pub(crate) fn request(method: &Method, route: Option<&str>, headers: Option<&HeaderMap>) -> Span {
    let method = known(method);
    let span = trace_span!(
        target: "litfass::span",
        "request",
        otel.name = Empty,
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        "error.type" = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", display(format_args!("{method} {}", route.unwrap_or_default())));
    }
    #[cfg(feature = "otel")]
    headers.into_iter().for_each(|headers| super::otlp::belongs(&span, headers));
    #[cfg(not(feature = "otel"))]
    let _ = headers;
    span
}

/// Methods that exist; whatever else a caller makes up is one.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 8] = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// What the request was answered with.
pub(crate) fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("error.type", status);
    }
}

pub(crate) fn decision() -> Span {
    trace_span!(
        target: "litfass::span",
        "decision",
        litfass.decision.id = Empty,
        litfass.decision.candidates = Empty,
        litfass.decision.shown = Empty,
        litfass.decision.degraded = Empty,
    )
}

/// The decision at hand is this one.
pub(crate) fn decided(record: &DecisionRecord) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    let candidates: u64 = record.counts.iter().flatten().map(|(_, n)| u64::from(*n)).sum();
    let degraded: Vec<_> = record.inputs.degraded.iter().map(|port| port.name()).collect();
    span.record("litfass.decision.id", display(record.id));
    span.record("litfass.decision.candidates", candidates);
    span.record("litfass.decision.shown", record.shown.len());
    span.record("litfass.decision.degraded", degraded.join(","));
}

pub(crate) fn step(step: Step) -> Span {
    trace_span!(target: "litfass::span", "step", otel.name = step.value())
}

/// Events on their way to the disk.
pub(crate) fn append(events: usize) -> Span {
    trace_span!(target: "litfass::span", "append", litfass.events = events)
}
