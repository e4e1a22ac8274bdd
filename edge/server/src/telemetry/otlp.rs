//! Spans on their way to a collector: OTLP over HTTP, in Protobuf, from a thread of its own.
//!
//! Invariant: nothing waits for the collector. The queue is bounded, and what does not fit is dropped and counted in the process's
//! log. Where to send comes from `telemetry.otlp_endpoint`, else from the variables that OpenTelemetry defines; how often, how
//! much, which share and under which name come from those alone.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;

use super::{Lines, spans};
use crate::config::Endpoint;

/// What OpenTelemetry says a program is told by its operator; either of them switches traces on.
const VARIABLES: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const SWITCH: &str = "OTEL_SDK_DISABLED";
const SERVICE: &str = "service.name";
/// How long the end waits for the last spans to be taken.
const LAST: Duration = Duration::from_secs(5);

/// Sends spans until it is dropped.
#[derive(Debug)]
pub(super) struct Sending(SdkTracerProvider);

impl Drop for Sending {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// The layer that makes spans of ours into OpenTelemetry's, and what sends them; none where no endpoint is given.
pub(super) fn sending(endpoint: &Endpoint) -> Result<Option<(Lines, Sending)>> {
    let Some(exporter) = exporter(endpoint)? else { return Ok(None) };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("litfass"))
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(spans::TARGET, Level::TRACE));
    Ok(Some((spans.boxed(), Sending(provider))))
}

fn exporter(endpoint: &Endpoint) -> Result<Option<SpanExporter>> {
    if said(SWITCH).is_some_and(|said| said.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let building = SpanExporter::builder().with_http();
    let building = match (endpoint.traces(), VARIABLES.into_iter().find_map(|name| Some((name, said(name)?)))) {
        (Some(address), _) => building.with_endpoint(address),
        (None, Some((name, address))) if !address.starts_with("http://") => {
            bail!("{name}: must begin with http://: a collector beside this process does the encryption")
        }
        (None, Some(_)) => building,
        (None, None) => return Ok(None),
    };
    Ok(Some(building.build().context("traces cannot be sent")?))
}

fn said(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|said| !said.is_empty())
}

/// Who sends: this program, unless its operator gives it another name.
fn resource() -> Resource {
    let version = || KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let told = || Resource::builder().with_attribute(version());
    let name = told().build().get(&SERVICE.into());
    let unnamed = name.is_none_or(|name| name.as_str().starts_with("unknown_service"));
    if unnamed { told().with_service_name("litfass").build() } else { told().build() }
}

/// Makes the span a child of the one that the request's `traceparent` names.
pub(super) fn belongs(span: &Span, headers: &HeaderMap) {
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    // Refused only where the span has begun to be someone's child, and this is the first time it is asked.
    span.set_parent(context).unwrap_or(());
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
