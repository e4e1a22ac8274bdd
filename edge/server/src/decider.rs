//! The request path on one screen: gather → shortlist → predict → settle and hold → record.
//!
//! Never fails for want of a dependency: what did not answer is in the record. The one error is that the record could not be
//! appended; then nothing was promised to anybody and the caller may ask again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use litfass_decide::{
    AdRequest, DecisionRecord, Made, Market, Observed, Shortlist, ShownRecord, StageName, Workspace, World, shortlist,
};
use litfass_events::{Billable, EventKind, PartitionKey, Token};
use litfass_store::log::{AppendError, Clock, EventLog, Until};
use litfass_store::wire;
use litfass_types::{Day, DecisionId, Duration, Seed};
use tracing::Instrument;

use crate::api::decisions::Tracking;
use crate::gather::{Gather, Seen};
use crate::live::Live;
use crate::live_rows::decision_row;
use crate::metrics::Metrics;
use crate::metrics::label::{DecisionResult, Step};
use crate::promises::Promises;
use crate::roles::ProcessName;
use crate::secrets::{SecretError, random};
use crate::telemetry::spans;
use crate::tokens::Tokens;
use crate::world::SwappedWorld;

#[derive(Debug)]
pub struct Decider {
    pub world: Arc<SwappedWorld>,
    pub gather: Gather,
    pub promises: Arc<Promises>,
    pub tokens: Arc<Tokens>,
    pub log: Arc<dyn EventLog>,
    /// The log's writer that this process is.
    pub writer: ProcessName,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub live: Arc<Live>,
    /// How long an event of a decision may bill.
    pub token_ttl: Duration,
    /// Idle ones; as many as requests were in progress at once.
    pub workspaces: Mutex<Vec<Workspace>>,
}

/// A decision that is in the log, with the tracking paths of what it shows, in the record's order.
#[derive(Debug)]
pub struct Decided {
    pub world: Arc<World>,
    pub record: Arc<DecisionRecord>,
    pub tracking: Vec<Tracking>,
}

/// Nothing was promised; asking again may help.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    #[error("the decision could not be recorded: {0}")]
    NotAppended(#[from] AppendError),
    #[error("the decision could not be made: {0}")]
    NoRandomness(#[from] SecretError),
}

/// A decision that is not recorded yet.
struct Computed {
    decided: Decided,
    /// Budget days of the shown ads.
    days: Vec<Day>,
    key: PartitionKey,
    watch: Stopwatch,
}

impl Decider {
    /// `explain` records every candidate, whatever the sample says.
    ///
    /// # Errors
    /// When the record could not be appended.
    pub async fn decide(&self, request: AdRequest, explain: bool) -> Result<Decided, Unavailable> {
        self.decided(request, explain).instrument(spans::decision()).await
    }

    async fn decided(&self, request: AdRequest, explain: bool) -> Result<Decided, Unavailable> {
        let Computed { decided, days, key, mut watch } = self.waiting(|| self.compute(request, explain))?;
        spans::decided(&decided.record);
        let appended = self.append(&decided.record, key).instrument(spans::step(Step::Commit)).await;
        watch.lap(Step::Commit, &self.metrics);
        if let Err(error) = appended {
            self.waiting(|| self.promises.break_off(&decided.record, &days));
            self.metrics.decisions.add(DecisionResult::NotRecorded, 1);
            return Err(error.into());
        }
        if !decided.record.inputs.request.traffic.counts() {
            // Its events will never bill, and it counts against no cap.
            self.waiting(|| self.promises.break_off(&decided.record, &days));
        }
        self.count(&decided, watch.began.elapsed());
        Ok(decided)
    }

    /// Where caps are counted outside, other requests go on on another thread meanwhile.
    fn waiting<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.gather.caps_are_remote { tokio::task::block_in_place(work) } else { work() }
    }

    /// Everything up to the record; it waits for nothing but a remote store of caps.
    fn compute(&self, request: AdRequest, explain: bool) -> Result<Computed, Unavailable> {
        let mut watch = Stopwatch::start();
        let drawn = u128::from_le_bytes(random()?);
        let [random, seed] = [drawn, drawn >> 64].map(low_half);
        let (now, seed) = (self.clock.now(), Seed(seed));
        let world = self.world.at(now);
        let key = request.user.map_or(PartitionKey(random), PartitionKey::of_user);
        let partition = self.log.partition(&self.writer, key).unwrap_or_default();
        let seen =
            spans::step(Step::Gather).in_scope(|| self.gather.observe(request, &world.catalog, partition, now, seed));
        watch.lap_stage(StageName::Gather, Step::Gather, &self.metrics);
        let shortlist = spans::step(Step::Shortlist).in_scope(|| self.shortlist(&world, &seen.observed));
        watch.lap_stage(StageName::Shortlist, Step::Shortlist, &self.metrics);
        let market = spans::step(Step::Predict).in_scope(|| predict(&world, &shortlist));
        watch.lap_stage(StageName::Predict, Step::Predict, &self.metrics);
        let id = DecisionId::new(now, partition, random);
        let promised = spans::step(Step::Settle)
            .in_scope(|| self.promises.settle_and_hold(id, &world, &seen, &shortlist, &market));
        watch.lap_stage(StageName::Settle, Step::Settle, &self.metrics);
        let timings = watch.timings.clone();
        self.metrics.unmarked.add((), promised.settled.decision.fates.unmarked() as u64);
        let (settled, holds, days) = (promised.settled, promised.holds, promised.days);
        let Seen { observed, .. } = seen;
        let made = Made { id, world: &world, observed, shortlist, market, settled, holds, explain, timings };
        let record = Arc::new(made.into_record());
        let tracking =
            self.tracking(&record, &world, &days).inspect_err(|_| self.promises.break_off(&record, &days))?;
        Ok(Computed { decided: Decided { world, record, tracking }, days, key, watch })
    }

    fn shortlist(&self, world: &World, observed: &Observed) -> Shortlist {
        let idle = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut workspace = idle.unwrap_or_default();
        let shortlist = shortlist(world, observed, &mut workspace);
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
        shortlist
    }

    async fn append(&self, record: &DecisionRecord, key: PartitionKey) -> Result<(), AppendError> {
        let entry = wire::decision_entry(record, key);
        self.log.append(vec![entry], Until::Written).await.into_iter().try_for_each(|result| result.map(|_| ()))
    }

    // ── tracking ──

    fn tracking(&self, record: &DecisionRecord, world: &World, days: &[Day]) -> Result<Vec<Tracking>, SecretError> {
        let shown = record.shown.iter().zip(days).zip(0_u8..);
        let tokens: Vec<Token> =
            shown.map(|((shown, day), slot)| self.token(record, world, shown, *day, slot)).collect();
        let kinds = [EventKind::Impression, EventKind::Viewable, EventKind::Click];
        let sealed = self.tokens.seal_page(&tokens, kinds)?.into_iter();
        let paths = sealed.map(|[impression, viewable, click]| Tracking {
            impression: format!("/t/i/{impression}"),
            viewable: format!("/t/v/{viewable}"),
            click: format!("/t/c/{click}"),
        });
        Ok(paths.collect())
    }

    fn token(&self, record: &DecisionRecord, world: &World, shown: &ShownRecord, day: Day, slot: u8) -> Token {
        let request = &record.inputs.request;
        let ad = world.catalog.ad_by_id(shown.ad).map(|ix| world.catalog.ad(ix));
        let billable = ad.as_ref().map(|ad| world.catalog.line_item(ad.line_item).billable);
        Token {
            decision: record.id,
            slot,
            rank: shown.slot,
            tenant: request.tenant,
            advertiser: shown.advertiser,
            campaign: shown.campaign,
            line_item: shown.line_item,
            ad: shown.ad,
            creative: shown.creative,
            placement: shown.placement_id,
            geo: request.context.place(),
            price: shown.price,
            billable: match billable {
                Some(litfass_catalog::model::Billable::Viewable) => Billable::Viewable,
                Some(litfass_catalog::model::Billable::Impression) | None => Billable::Impression,
            },
            lease: shown.lease,
            budget_day: day,
            hold_expires: shown.hold_expires,
            expires: record.inputs.now + self.token_ttl,
            user: request.user.filter(|_| request.personalise),
            traffic: request.traffic,
            item: ad.as_ref().and_then(|ad| ad.item),
            category: ad.as_ref().and_then(|ad| ad.category),
            click: shown.click_in_slot,
        }
    }

    // ── counting, after the fact ──

    fn count(&self, decided: &Decided, took: std::time::Duration) {
        let (record, metrics) = (&decided.record, &self.metrics);
        let result = if record.shown.is_empty() { DecisionResult::Empty } else { DecisionResult::Filled };
        metrics.decisions.add(result, 1);
        metrics.decision_latency.observe((), took);
        let request = &record.inputs.request;
        metrics.slots_asked.add(request.traffic, request.placements.iter().map(|p| u64::from(p.slots)).sum());
        metrics.slots_shown.add(request.traffic, record.shown.len() as u64);
        metrics.expected.add_billionths(request.traffic, record.expected_nanos());
        record.inputs.degraded.iter().for_each(|port| metrics.degraded.add(*port, 1));
        for (fate, n) in record.counts.iter().flatten() {
            metrics.candidates.add(*fate, u64::from(*n));
        }
        for (why, n) in record.full.iter().flat_map(|full| &full.ineligible) {
            metrics.ineligible.add(*why, u64::from(*n));
        }
        let took_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let row =
            self.live.wants_decision(record.inputs.now).then(|| decision_row(record, &decided.world.catalog, took_us));
        self.live.decided(record.inputs.now, took_us, row);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is asked for")]
const fn low_half(drawn: u128) -> u64 {
    drawn as u64
}

/// In process: a function call. It ends with calibration, so what it hands on are integers.
fn predict(world: &World, shortlist: &Shortlist) -> Market {
    Market {
        exploration_ppm: world.rules.exploration_ppm,
        placements: shortlist.placements.clone(),
        entrants: shortlist.entrants.clone(),
        predictions: world.profile.last_phase(&shortlist.viewer, &shortlist.rows),
    }
}

/// The time that each step took.
struct Stopwatch {
    began: Instant,
    last: Instant,
    timings: Vec<(StageName, u32)>,
}

impl Stopwatch {
    fn start() -> Self {
        let now = Instant::now();
        Self { began: now, last: now, timings: Vec::with_capacity(StageName::ALL.len()) }
    }

    fn lap(&mut self, step: Step, metrics: &Metrics) -> std::time::Duration {
        let now = Instant::now();
        let took = now - std::mem::replace(&mut self.last, now);
        metrics.step_latency.observe(step, took);
        took
    }

    fn lap_stage(&mut self, stage: StageName, step: Step, metrics: &Metrics) {
        let took = self.lap(step, metrics);
        self.timings.push((stage, u32::try_from(took.as_micros()).unwrap_or(u32::MAX)));
    }
}
