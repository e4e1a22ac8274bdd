//! `cargo xtask verify traces`: the build that sends traces, against a receiver in the test and OpenTelemetry's own collector.
//!
//! The collector is built from its released modules by its own builder, with what the test needs and no more; that takes Go.

use std::fs;

use anyhow::{Context, Result};

use crate::{step, workspace};

/// One release: the builder and every module of the collector below 1.0 have its number.
const RELEASE: &str = "v0.120.0";
/// The same release of modules that are past 1.0.
const STABLE: &str = "v1.26.0";

pub(crate) fn verify() -> Result<()> {
    let collector = workspace::root().join("target/otelcol");
    fs::create_dir_all(&collector).context("a folder for the collector")?;
    fs::write(collector.join("builder.yaml"), builder()).context("the collector's parts")?;
    let mut build = step::command("go");
    build.args(["run", &format!("go.opentelemetry.io/collector/cmd/builder@{RELEASE}"), "--config", "builder.yaml"]);
    step::run(build.current_dir(&collector)).context("OpenTelemetry's collector is built by Go")?;
    let mut tests = step::cargo();
    tests.args(["test", "-p", "litfass-server", "--features", "otel", "--test", "it", "traces", "--", "--nocapture"]);
    step::run(tests.env("LITFASS_OTELCOL", collector.join("out/otelcol")))
}

/// What the collector is made of.
fn builder() -> String {
    let part = |kind: &str, module: &str, version: &str| {
        format!("{kind}:\n  - gomod: go.opentelemetry.io/collector/{module} {version}\n")
    };
    let parts = [
        part("receivers", "receiver/otlpreceiver", RELEASE),
        part("exporters", "exporter/debugexporter", RELEASE),
        part("providers", "confmap/provider/fileprovider", STABLE),
        format!("  - gomod: go.opentelemetry.io/collector/confmap/provider/envprovider {STABLE}\n"),
    ];
    format!("dist:\n  name: otelcol\n  output_path: ./out\n{}", parts.concat())
}
