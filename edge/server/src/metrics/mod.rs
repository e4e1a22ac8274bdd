//! What can be observed of a running server: one table of metrics, the registry made from it, and its page in the docs.
//!
//! Label values are closed sets, so the number of series is fixed when the program is compiled. `docs/generated/metrics.md` is
//! written from the same table; a test keeps it current.

pub mod instrument;
pub mod label;

use std::fmt::Write;

use litfass_ledger::CatchUp;
use litfass_types::{Fate, Ineligible, Port, Traffic};

use instrument::{Amounts, Counters, Gauges, Instrument, Latencies};
use label::{
    BillingOutcome, Check, DecisionResult, EventKind, EventResult, HoldResult, LeaseStep, LogReader, Route, RunResult,
    StatusClass, Step,
};

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: &'static str,
    pub kind: &'static str,
    pub unit: &'static str,
    /// Each label with all the values it can have.
    pub labels: Vec<(&'static str, Vec<&'static str>)>,
    pub help: &'static str,
}

macro_rules! metrics {
    ($($field:ident: $instrument:ty, $name:literal, $unit:literal, $help:literal;)*) => {
        /// The registry: one family of atomics per row of the table.
        #[derive(Debug)]
        pub struct Metrics { $(#[doc = $help] pub $field: $instrument),* }

        impl Default for Metrics {
            fn default() -> Self {
                Self { $($field: <$instrument>::new()),* }
            }
        }

        impl Metrics {
            /// Prometheus' text format, version 0.0.4.
            #[must_use]
            pub fn render(&self) -> String {
                let mut out = String::new();
                $(render($name, $help, &self.$field, &mut out);)*
                out
            }
        }

        /// Every metric there is, in the order of the docs.
        #[must_use]
        pub fn table() -> Vec<Row> {
            vec![$(Row {
                name: $name, kind: <$instrument>::KIND, unit: $unit, labels: <$instrument>::axes(), help: $help,
            }),*]
        }
    };
}

metrics! {
    decisions: Counters<DecisionResult>, "litfass_decisions_total", "decisions",
        "Decisions by result: filled (at least one ad), empty, or not recorded (the caller got a 503)";
    traffic: Counters<Traffic>, "litfass_traffic_total", "decisions", "Decisions asked for, by who or what asked, refused ones among them";
    traffic_refused: Counters<Traffic>, "litfass_traffic_refused_total", "decisions", "Those of them that got no ads because of it";
    event_traffic: Counters<Traffic>, "litfass_event_traffic_total", "events", "Calls of tracking URLs, by who or what called; only people's bill";
    decision_latency: Latencies<()>, "litfass_decision_duration_seconds", "seconds", "From the parsed request to the recorded decision";
    step_latency: Latencies<Step>, "litfass_decision_step_duration_seconds", "seconds", "Each of a decision's five steps";
    degraded: Counters<Port>, "litfass_degraded_total", "decisions", "Decisions that went on without this port's answer";
    candidates: Counters<Fate>, "litfass_candidates_total", "rows", "How candidates ended, per placement; their sum is all rows";
    unmarked: Counters<()>, "litfass_candidates_unmarked_total", "rows", "Invariant: rows that ended without a fate; must stay 0";
    ineligible: Counters<Ineligible>, "litfass_line_items_ineligible_total", "line items",
        "Line items by the first predicate they failed, in decisions recorded in full";
    slots_asked: Counters<Traffic>, "litfass_slots_asked_total", "slots", "Slots asked for in decisions that were made and recorded, by who or what asked";
    slots_shown: Counters<Traffic>, "litfass_slots_shown_total", "slots", "Those of them that were given to an ad: fill is their share";
    expected: Amounts<Traffic>, "litfass_expected_units_total", "currency units",
        "What the shown slots are expected to earn at their prices, if all are rendered: a thousand times their mean is the eCPM of what is shown";
    holds: Counters<HoldResult>, "litfass_holds_total", "holds", "Budget and cap holds asked for by winners";
    caps_late: Counters<()>, "litfass_caps_late_total", "impressions", "Impressions rendered after their hold on frequency caps had ended; they count all the same";
    caps_exceeded: Counters<()>, "litfass_caps_exceeded_total", "impressions", "Of those, impressions that went above a cap";
    caps_uncertain: Counters<()>, "litfass_caps_uncertain_total", "ads", "Ads with a frequency cap shown while nobody could tell how often their viewer had seen them";
    caps_store_up: Gauges<()>, "litfass_caps_store_up", "0 or 1", "1 while the shared store of frequency caps answers and knows what was counted; always 0 where each process counts for itself";
    caps_rebuilds: Counters<()>, "litfass_caps_rebuilds_total", "rebuilds", "Times that this process filled a shared store of frequency caps that had lost what it knew";
    caps_races: Counters<()>, "litfass_caps_races_total", "changes", "Changes of a viewer's record in the shared store of frequency caps that somebody else was faster than; each was tried again";
    caps_lost_writes: Counters<()>, "litfass_caps_lost_writes_total", "noticings", "Records in the shared store of frequency caps found older than they had been, or without a hold that should have lasted: a failover lost writes";
    leases: Counters<LeaseStep>, "litfass_leases_total", "leases", "Budget leases by what happened to them";
    events: Counters<(EventKind, EventResult)>, "litfass_events_total", "events", "Tracking and shop events by the answer their sender got";
    clicks_unrecorded: Counters<()>, "litfass_clicks_unrecorded_total", "clicks", "Clicks redirected before the log confirmed them in time";
    billing: Counters<BillingOutcome>, "litfass_billing_outcomes_total", "events", "Billable events by their outcome in the ledger";
    billed: Amounts<()>, "litfass_billed_units_total", "currency units", "Billed, in the settlement currency: a thousand times its share of the rendered impressions is the eCPM of what is billed";
    unbilled: Amounts<()>, "litfass_delivered_unbilled_units_total", "currency units", "Delivered but never billed, for want of budget";
    catching_up: Gauges<CatchUp>, "litfass_ledger_catching_up", "0 or 1",
        "1 while the ledger, after a failover of its database, is completed from the log and waits for this: nobody leases budget meanwhile";
    rendered: Counters<()>, "litfass_rendered_impressions_total", "impressions", "First impressions that people's devices reported";
    predicted_clicks: Amounts<()>, "litfass_predicted_clicks_total", "clicks", "Sum of pCTR over rendered impressions: as a share of them, the predicted CTR";
    observed_clicks: Counters<()>, "litfass_observed_clicks_total", "clicks", "People's first clicks on what they were shown: as a share of the rendered impressions, the observed CTR";
    fold_lag: Gauges<()>, "litfass_fold_lag_offsets", "offsets", "Committed offsets that the folds have not passed yet";
    event_lag: Gauges<LogReader>, "litfass_event_lag_seconds", "seconds",
        "How long the oldest committed entry has waited that the folds, or the ledger, have not passed; NaN where that could not be asked";
    catalog_sequence: Gauges<()>, "litfass_catalog_sequence", "changes", "Last change of the catalog that is being served";
    catalog_ads: Gauges<()>, "litfass_catalog_ads", "ads", "Ads in the served catalog";
    training_runs: Counters<RunResult>, "litfass_training_runs_total", "runs", "Training runs by result";
    training_latency: Latencies<()>, "litfass_training_duration_seconds", "seconds", "One training run";
    ready: Gauges<Check>, "litfass_ready", "0 or 1", "1 while the check of `/readyz` passes; the server is ready while all do";
    disk_free: Gauges<()>, "litfass_disk_free_bytes", "bytes", "Free on the disk of the data directory";
    log_retired: Counters<()>, "litfass_log_retired_bytes_total", "bytes", "Removed from the beginning of the event log because of its retention";
    rate_limited: Counters<()>, "litfass_rate_limited_total", "requests", "Requests refused because their key sent more than it may";
    retry_bytes: Gauges<()>, "litfass_retry_bytes", "bytes", "About what the remembered answers to named requests take";
    http_requests: Counters<(Route, StatusClass)>, "litfass_http_requests_total", "requests", "Requests by route and class of status";
    http_latency: Latencies<Route>, "litfass_http_request_duration_seconds", "seconds", "From the parsed request line to the answer";
}

fn render(name: &str, help: &str, instrument: &impl Instrument, out: &mut String) {
    let kind = kind(instrument);
    let written = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    debug_assert!(written.is_ok());
    instrument.render(name, out);
}

const fn kind<I: Instrument>(_: &I) -> &'static str {
    I::KIND
}

/// `docs/generated/metrics.md`.
#[must_use]
pub fn docs() -> String {
    let intro = "# Metrics\n\nWritten from the table in `edge/server/src/metrics/mod.rs`. `GET /metrics` serves them in Prometheus' text format.\n";
    let head = "\n| name | kind | unit | labels | meaning |\n|---|---|---|---|---|\n";
    let rows = table().iter().map(Row::markdown).collect::<String>();
    format!("{intro}{head}{rows}")
}

impl Row {
    fn markdown(&self) -> String {
        let label = |(name, values): &(&str, Vec<&str>)| format!("`{name}`: {}", values.join(", "));
        let labels: Vec<_> = self.labels.iter().map(label).collect();
        format!("| `{}` | {} | {} | {} | {} |\n", self.name, self.kind, self.unit, labels.join("; "), self.help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_docs_is_current() {
        crate::generated::assert_current("metrics.md", &docs());
    }

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let rows = table();
        for (i, row) in rows.iter().enumerate() {
            assert!(row.name.starts_with("litfass_") && row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert_eq!(row.kind == "counter", row.name.ends_with("_total"), "{}", row.name);
            assert_eq!(row.kind == "histogram", row.name.ends_with("_duration_seconds"), "{}", row.name);
            assert!(rows[i + 1..].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(!row.help.contains('\n') && !row.help.contains('|'), "{}", row.name);
        }
    }

    #[test]
    fn a_scrape_holds_every_metric_with_help_and_type() {
        let metrics = Metrics::default();
        metrics.candidates.add(Fate::Outbid, 2);
        metrics.http_requests.add((Route::Tracking, StatusClass::of(302)), 1);
        let text = metrics.render();
        for row in table() {
            assert!(text.contains(&format!("# HELP {} {}\n# TYPE {} {}\n", row.name, row.help, row.name, row.kind)));
        }
        assert!(text.contains("litfass_candidates_total{fate=\"outbid\"} 2\n"));
        assert!(text.contains("litfass_http_requests_total{route=\"/t\",status=\"3xx\"} 1\n"));
    }
}
