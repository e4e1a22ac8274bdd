//! The tables, as they stand in docs/benchmarks.md.

use std::fmt::Write;
use std::time::Duration;

use crate::edits::Edited;
use crate::generator::Run;

/// What a catalog of a size costs.
pub(crate) struct Catalogued {
    pub(crate) ads: u64,
    pub(crate) loaded_s: f64,
    pub(crate) started_s: f64,
    pub(crate) bytes: u64,
    pub(crate) base_bytes: u64,
}

/// What was served from it.
pub(crate) struct Served {
    pub(crate) ads: u64,
    pub(crate) trained: String,
    pub(crate) most: Run,
    pub(crate) steady: Run,
    pub(crate) filled: f64,
    pub(crate) events: Run,
    pub(crate) beacons: Run,
    pub(crate) edited: Edited,
}

pub(crate) fn catalogs(rows: &[Catalogued]) -> String {
    let head = ["ads", "file → SQLite s", "SQLite → served s", "RSS MB", "without catalog MB", "B per ad"];
    table(
        &head,
        rows.iter().map(|row| {
            let per_ad = row.bytes.saturating_sub(row.base_bytes) / row.ads.max(1);
            vec![
                row.ads.to_string(),
                format!("{:.1}", row.loaded_s),
                format!("{:.1}", row.started_s),
                megabytes(row.bytes),
                megabytes(row.base_bytes),
                per_ad.to_string(),
            ]
        }),
    )
}

pub(crate) fn decisions(rows: &[Served]) -> String {
    let head = [
        "ads",
        "decisions/s at most",
        "server core",
        "generator core",
        "at 70 %: decisions/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "server core",
        "generator core",
        "refused",
        "slots filled",
        "model",
    ];
    table(
        &head,
        rows.iter().map(|row| {
            let (most, steady) = (&row.most, &row.steady);
            let mut cells = vec![
                row.ads.to_string(),
                format!("{:.0}", most.per_second()),
                share(most.server_cpu),
                share(most.generator_cpu),
            ];
            cells.push(format!("{:.0}", steady.per_second()));
            cells.extend([0.5, 0.99, 0.999].map(|quantile| milliseconds(steady, quantile)));
            cells.extend([
                share(steady.server_cpu),
                share(steady.generator_cpu),
                (most.refused + steady.refused).to_string(),
            ]);
            cells.extend([share(row.filled), row.trained.clone()]);
            cells
        }),
    )
}

pub(crate) fn events(rows: &[Served]) -> String {
    let head = ["ads", "how", "events/s acknowledged", "p50 ms", "p99 ms", "server core", "generator core", "refused"];
    let runs = rows
        .iter()
        .flat_map(|row| [(row.ads, "batches of 200", &row.events), (row.ads, "single beacons", &row.beacons)]);
    table(
        &head,
        runs.map(|(ads, how, run)| {
            let mut cells = vec![ads.to_string(), how.to_owned(), format!("{:.0}", run.per_second())];
            cells.extend([0.5, 0.99].map(|quantile| milliseconds(run, quantile)));
            cells.extend([share(run.server_cpu), share(run.generator_cpu), run.refused.to_string()]);
            cells
        }),
    )
}

pub(crate) fn edits(rows: &[Served]) -> String {
    let head = [
        "ads",
        "single changes/s",
        "rows/s in bulk",
        "change → served ms: median",
        "worst",
        "right after the bulk: median",
        "worst",
        "kill ms: median",
        "worst",
    ];
    table(
        &head,
        rows.iter().map(|Served { ads, edited, .. }| {
            let mut cells = vec![ads.to_string()];
            cells.extend([edited.singles_per_second, edited.rows_per_second].map(|rate| format!("{rate:.0}")));
            let times = [&edited.served, &edited.served_after_bulk, &edited.killed];
            cells.extend(times.into_iter().flat_map(|times| median_and_worst(times)));
            cells
        }),
    )
}

fn median_and_worst(ascending: &[Duration]) -> [String; 2] {
    let (median, worst) = (ascending.get(ascending.len() / 2), ascending.last());
    [median, worst].map(|time| time.map_or_else(String::new, |time| format!("{:.0}", time.as_secs_f64() * 1_000.0)))
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).unwrap_or(());
    }
    text
}

fn megabytes(bytes: u64) -> String {
    (bytes / 1_000_000).to_string()
}

fn share(of_one: f64) -> String {
    format!("{:.0} %", of_one * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn milliseconds(run: &Run, quantile: f64) -> String {
    format!("{:.2}", run.latency_us.value_at_quantile(quantile) as f64 / 1_000.0)
}
