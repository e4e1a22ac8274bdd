//! What the live page shows of the decisions and events as they pass: a ring of seconds, click-through rates predicted and
//! observed, the last decisions.
//!
//! It is fed after the fact and feeds nothing back: losing it loses a picture. Totals are a fold over the log and outlive a
//! restart. Money is not counted here; the page reads it from the ledger.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use hdrhistogram::Histogram;
use litfass_events::{EventKind, Token};
use litfass_store::fold::{BadState, Fact, Fold};
use litfass_store::wire::Body;
use litfass_types::{CampaignId, DecisionId, Timestamp};

use crate::console::view::{CtrPoint, CtrView, Decile, DecisionRow, Second, Totals};
use crate::metrics::Metrics;

/// Seconds shown.
const SECONDS_MAX: usize = 120;
/// Decisions listed.
const DECISIONS_MAX: usize = 20;
/// A row of the list stands at least that long before the next one is made.
const DECISION_GAP_MS: i64 = 100;
/// Impressions that deciles are made of.
const RENDERED_MAX: usize = 20_000;
/// Fewer make no deciles.
const DECILES_MIN: usize = 100;
/// Points of the history, and how many impressions each stands for.
const HISTORY_MAX: usize = 60;
const POINT_IMPRESSIONS: u64 = 500;

/// The known probability of a click on what a decision shows at a placement's slot, where somebody knows it.
pub type Truth = dyn Fn(DecisionId, u64, u8) -> Option<f64> + Send + Sync;

pub struct Live {
    state: Mutex<State>,
    truth: Option<Box<Truth>>,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    seconds: VecDeque<Second>,
    current: Option<(i64, Second, Option<Histogram<u64>>)>,
    decisions: VecDeque<DecisionRow>,
    rendered: VecDeque<Rendered>,
    history: VecDeque<CtrPoint>,
    point: Sums,
    all: Sums,
    totals: Totals,
    campaigns: BTreeMap<CampaignId, CampaignCounts>,
}

/// What one campaign delivered since the process started.
#[derive(Clone, Copy, Default, Debug)]
pub struct CampaignCounts {
    pub impressions: u64,
    pub clicks: u64,
}

/// One rendered impression.
#[derive(Clone, Copy)]
struct Rendered {
    decision: DecisionId,
    slot: u8,
    predicted: f64,
    truth: Option<f64>,
    clicked: bool,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    rendered: u64,
    clicks: u64,
    predicted: f64,
    truth: f64,
    with_truth: u64,
}

impl Sums {
    fn add(&mut self, row: &Rendered) {
        self.rendered += 1;
        self.predicted += row.predicted;
        if let Some(truth) = row.truth {
            self.truth += truth;
            self.with_truth += 1;
        }
    }

    fn truth(&self) -> Option<f64> {
        (self.with_truth > 0).then(|| self.truth / as_f64(self.with_truth))
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
const fn as_f64(n: u64) -> f64 {
    n as f64
}

fn rate(sum: f64, of: u64) -> Option<f64> {
    (of > 0).then(|| sum / as_f64(of))
}

impl Live {
    #[must_use]
    pub fn new(truth: Option<Box<Truth>>, metrics: Arc<Metrics>) -> Self {
        Self { state: Mutex::default(), truth, metrics }
    }

    /// Whether the page would notice another row: at most ten a second are worth making.
    #[must_use]
    pub fn wants_decision(&self, now: Timestamp) -> bool {
        let state = self.lock();
        state.decisions.front().is_none_or(|newest| now.0 - newest.time_ms >= DECISION_GAP_MS)
    }

    pub fn decided(&self, now: Timestamp, took_us: u32, row: Option<DecisionRow>) {
        let mut state = self.lock();
        let (_, second, latencies) = state.second(now);
        second.decisions += 1;
        let latencies = latencies.get_or_insert_with(latency_histogram);
        latencies.saturating_record(u64::from(took_us));
        if let Some(row) = row {
            state.decisions.truncate(DECISIONS_MAX - 1);
            state.decisions.push_front(row);
        }
    }

    fn delivered(&self, now: Timestamp, kind: EventKind, token: &Token) {
        let truth = self.truth.as_ref().and_then(|t| t(token.decision, token.placement.0, token.rank));
        let mut state = self.lock();
        match kind {
            EventKind::Impression => {
                self.metrics.rendered.add((), 1);
                let billionths = (u128::from(token.click.bits()) * 1_000_000_000) >> 32;
                self.metrics.predicted_clicks.add_billionths((), u64::try_from(billionths).unwrap_or(0));
                state.totals.impressions += 1;
                state.campaigns.entry(token.campaign).or_default().impressions += 1;
                state.rendered(token, truth, now);
            }
            EventKind::Viewable => state.totals.viewables += 1,
            EventKind::Click => {
                self.metrics.observed_clicks.add((), 1);
                state.totals.clicks += 1;
                state.campaigns.entry(token.campaign).or_default().clicks += 1;
                state.clicked(token);
            }
            EventKind::Conversion | EventKind::View => {}
        }
    }

    #[must_use]
    pub fn campaign(&self, campaign: CampaignId) -> CampaignCounts {
        self.lock().campaigns.get(&campaign).copied().unwrap_or_default()
    }

    /// Without what the ledger knows.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.lock().totals.clone()
    }

    #[must_use]
    pub fn seconds(&self, now: Timestamp) -> Vec<Second> {
        let mut state = self.lock();
        state.second(now);
        state.seconds.iter().cloned().collect()
    }

    #[must_use]
    pub fn decisions(&self) -> Vec<DecisionRow> {
        self.lock().decisions.iter().cloned().collect()
    }

    #[must_use]
    pub fn ctr(&self) -> CtrView {
        let (mut view, rows) = self.ctr_and_rows();
        // Sorted after the lock is given back: every decision takes it.
        view.deciles = deciles(rows);
        view
    }

    fn ctr_and_rows(&self) -> (CtrView, Vec<Rendered>) {
        let state = self.lock();
        let view = CtrView {
            rendered: state.all.rendered,
            clicks: state.all.clicks,
            predicted: rate(state.all.predicted, state.all.rendered),
            observed: rate(as_f64(state.all.clicks), state.all.rendered),
            truth: state.all.truth(),
            history: state.history.iter().cloned().collect(),
            deciles: Vec::new(),
        };
        (view, state.rendered.iter().copied().collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Microseconds up to a minute, three significant digits.
fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap_or_else(|_| unreachable!("constant bounds are valid"))
}

impl State {
    /// The second at hand; finished ones are closed, idle ones between them are filled in.
    fn second(&mut self, now: Timestamp) -> &mut (i64, Second, Option<Histogram<u64>>) {
        let this = now.0.div_euclid(1_000);
        let (mut at, second, latencies) = self.current.take().unwrap_or((this, Second::default(), None));
        if at >= this {
            return self.current.insert((at, second, latencies));
        }
        self.close(second, latencies.as_ref());
        at += 1;
        let idle = usize::try_from(this - at).unwrap_or(SECONDS_MAX).min(SECONDS_MAX);
        for _ in 0..idle {
            self.close(Second::default(), None);
        }
        self.current.insert((this, Second::default(), None))
    }

    fn close(&mut self, mut second: Second, latencies: Option<&Histogram<u64>>) {
        let quantile = |q: f64| latencies.map(|h| u32::try_from(h.value_at_quantile(q)).unwrap_or(u32::MAX));
        second.p50_us = quantile(0.5);
        second.p99_us = quantile(0.99);
        self.seconds.push_back(second);
        if self.seconds.len() > SECONDS_MAX {
            self.seconds.pop_front();
        }
    }

    fn rendered(&mut self, token: &Token, truth: Option<f64>, now: Timestamp) {
        let predicted = token.click.to_f64();
        let row = Rendered { decision: token.decision, slot: token.slot, predicted, truth, clicked: false };
        self.all.add(&row);
        self.point.add(&row);
        self.rendered.push_back(row);
        if self.rendered.len() > RENDERED_MAX {
            self.rendered.pop_front();
        }
        if self.point.rendered >= POINT_IMPRESSIONS {
            self.close_point(now);
        }
    }

    /// A click follows its impression by moments: the search from the newest end is short.
    fn clicked(&mut self, token: &Token) {
        let row = self.rendered.iter_mut().rev().find(|r| r.decision == token.decision && r.slot == token.slot);
        if let Some(row) = row
            && !row.clicked
        {
            row.clicked = true;
            self.all.clicks += 1;
            self.point.clicks += 1;
        }
    }

    fn close_point(&mut self, now: Timestamp) {
        let point = std::mem::take(&mut self.point);
        self.history.push_back(CtrPoint {
            time_ms: now.0,
            predicted: rate(point.predicted, point.rendered).unwrap_or(0.0),
            observed: rate(as_f64(point.clicks), point.rendered).unwrap_or(0.0),
            truth: point.truth(),
        });
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
    }
}

fn deciles(mut rows: Vec<Rendered>) -> Vec<Decile> {
    if rows.len() < DECILES_MIN {
        return Vec::new();
    }
    rows.sort_unstable_by(|a, b| a.predicted.total_cmp(&b.predicted));
    rows.chunks(rows.len().div_ceil(10)).map(decile).collect()
}

fn decile(rows: &[Rendered]) -> Decile {
    let mut sums = Sums::default();
    rows.iter().for_each(|row| sums.add(row));
    let clicks = rows.iter().filter(|row| row.clicked).count() as u64;
    Decile {
        rows: sums.rendered,
        predicted: rate(sums.predicted, sums.rendered).unwrap_or(0.0),
        observed: rate(as_f64(clicks), sums.rendered).unwrap_or(0.0),
        truth: sums.truth(),
    }
}

impl Fold for Live {
    fn name(&self) -> &'static str {
        "live"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        if !fact.is_first() {
            return;
        }
        let now = fact.logged.envelope.append_time;
        match &fact.logged.body {
            Body::Outline(decision) => {
                let totals = &mut self.lock().totals;
                totals.decisions += 1;
                totals.slots_asked += decision.placements.iter().map(|p| u64::from(p.slots)).sum::<u64>();
                totals.slots_filled += decision.shown.len() as u64;
                totals.degraded += u64::from(decision.degraded);
            }
            Body::Delivery(delivery) => {
                self.lock().second(now).1.events += 1;
                self.delivered(now, delivery.kind, &delivery.token);
            }
            Body::Conversion(order) => {
                let mut state = self.lock();
                state.second(now).1.events += 1;
                if matches!(fact.attributed, Some(litfass_events::Attributed::Click(_))) {
                    state.totals.conversions += 1;
                    state.totals.sales_micros = state.totals.sales_micros.saturating_add(order.value_micros);
                }
            }
            Body::ItemView(_) => self.lock().second(now).1.events += 1,
            Body::Decision(_)
            | Body::Command(_)
            | Body::Pacing(_)
            | Body::Privacy(_)
            | Body::Heartbeat
            | Body::Unknown => {}
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        // Plain numbers always serialise.
        serde_json::to_vec(&self.totals()).unwrap_or_default()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        let totals = serde_json::from_slice(bytes).map_err(|_| BadState::OutOfRange("the totals"))?;
        self.lock().totals = totals;
        Ok(())
    }

    fn clear(&self) {
        *self.lock() = State::default();
    }
}
