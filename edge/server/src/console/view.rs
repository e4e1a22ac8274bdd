//! What the console shows, as plain structs: the JSON of `GET /v1/live` and what the page of one decision is made from.
//!
//! Units stand in the names: money is micros of the settlement currency (below 2⁵³, so that a script reads it exactly), times
//! are UTC milliseconds, spans are microseconds, rates and probabilities are fractions of one, parts per million say `ppm`.

use litfass_types::{Fate, Ineligible, Reason, Stage};
use serde::{Deserialize, Serialize};

/// Everything the live page polls, once a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveView {
    pub now_ms: i64,
    pub uptime_s: u64,
    pub audience: Audience,
    pub totals: Totals,
    /// One entry per finished second, oldest first, at most the last 120.
    pub seconds: Vec<Second>,
    pub campaigns: Vec<CampaignView>,
    pub ctr: CtrView,
    /// Finished training runs, newest first, at most 12.
    pub training: Vec<TrainingView>,
    /// Absent while nothing is being trained.
    pub training_now: Option<TrainingProgress>,
    /// How all candidates ended since the start, in the order of the table of reasons.
    pub fates: Vec<Count>,
    /// How many line items each predicate removed before the sources (full records only).
    pub ineligible: Vec<Count>,
    /// Newest first, at most 20.
    pub decisions: Vec<DecisionRow>,
}

/// Whose requests these are: the page says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Audience {
    /// Real callers.
    #[default]
    Callers,
    /// A seeded shop whose click probabilities are known. `speed` is simulated seconds per second.
    Shop { seed: u64, shoppers: u64, speed: u32 },
    /// A replayed log: shown products that are in the basket count as clicked and bought.
    Dataset { name: String, synthetic: String, replayed: u64, requests: u64 },
}

/// Sums since the start of the data directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub decisions: u64,
    pub slots_asked: u64,
    pub slots_filled: u64,
    pub impressions: u64,
    pub viewables: u64,
    pub clicks: u64,
    pub conversions: u64,
    /// What advertisers were billed.
    pub billed_micros: i64,
    /// Delivered but not billed, whatever the reason.
    pub unbilled_micros: i64,
    /// Value of attributed conversions.
    pub sales_micros: i64,
    /// Decisions that some port answered late or not at all.
    pub degraded: u64,
}

/// What one second saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    pub decisions: u32,
    pub events: u32,
    /// Absent where the second had no decision.
    pub p50_us: Option<u32>,
    pub p99_us: Option<u32>,
}

/// One campaign's spend against its budgets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignView {
    pub id: u64,
    pub name: String,
    pub advertiser: String,
    /// `even` or `asap`; `mixed` where its line items differ.
    pub pacing: String,
    pub state: CampaignState,
    pub spent_micros: i64,
    /// The budget that binds first: the lifetime's or today's.
    pub budget_micros: Option<i64>,
    pub budget_kind: BudgetKind,
    /// What the plan says should have been spent by now; absent for `asap`.
    pub planned_micros: Option<i64>,
    /// Mean over its line items, 1,000,000 = not held back.
    pub multiplier_ppm: u32,
    pub impressions: u64,
    pub clicks: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    #[default]
    Serving,
    /// Its line items are paced out for now.
    HeldBack,
    Exhausted,
    /// Paused, archived or outside its flight.
    Off,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetKind {
    #[default]
    None,
    Lifetime,
    Day,
}

/// Click-through rate of rendered impressions, three ways.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CtrView {
    pub rendered: u64,
    pub clicks: u64,
    /// Mean of the recorded predictions; absent before the first impression.
    pub predicted: Option<f64>,
    pub observed: Option<f64>,
    /// Mean of the known probabilities; absent where nobody knows them.
    pub truth: Option<f64>,
    /// Over consecutive spans of time, oldest first, at most 60.
    pub history: Vec<CtrPoint>,
    /// Rendered impressions ordered by prediction and cut into ten equal parts, lowest first.
    pub deciles: Vec<Decile>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CtrPoint {
    pub time_ms: i64,
    pub predicted: f64,
    pub observed: f64,
    pub truth: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decile {
    pub rows: u64,
    pub predicted: f64,
    pub observed: f64,
    pub truth: Option<f64>,
}

/// One finished training run; its metrics are on rows it did not learn from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingView {
    pub number: u32,
    pub model: String,
    pub finished_ms: i64,
    pub took_ms: u64,
    pub rows: u64,
    pub clicks: u64,
    /// Absent where the held-out rows are all of one kind.
    pub auc: Option<f64>,
    pub log_loss: f64,
    pub normalised_entropy: Option<f64>,
    /// Σ predicted ÷ Σ observed.
    pub calibration: Option<f64>,
    /// When it began to serve; absent where it never did.
    pub swapped_ms: Option<i64>,
    /// Why it was not swapped in, or anything else worth saying.
    pub note: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingProgress {
    pub step: String,
    pub done: u64,
    pub of: u64,
}

/// How many ended for one reason of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub code: String,
    /// `technical`, `business` or `competition`.
    pub stage: String,
    pub text: String,
    pub count: u64,
}

impl Count {
    #[must_use]
    pub fn of_fate(fate: Fate, count: u64) -> Self {
        Self::of(fate.reason(), count)
    }

    #[must_use]
    pub fn of_ineligible(why: Ineligible, count: u64) -> Self {
        Self::of(why.reason(), count)
    }

    fn of(reason: Reason, count: u64) -> Self {
        let stage = stage_name(reason.stage).to_owned();
        Self { code: reason.code.to_owned(), stage, text: reason.text.to_owned(), count }
    }
}

/// One of the last decisions in brief.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// 32 hexadecimal digits; the page of it is `/decisions/ID`.
    pub id: String,
    pub time_ms: i64,
    pub took_us: u32,
    /// The first digits of the user's hash; absent for an anonymous request.
    pub user: Option<String>,
    /// What was known, in brief: `mobile · DE · running shoes`.
    pub context: String,
    pub candidates: u32,
    pub degraded: Vec<String>,
    pub shown: Vec<WonView>,
    /// How the others ended, most frequent first.
    pub fates: Vec<Count>,
}

/// A shown ad and why it won.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WonView {
    pub placement: String,
    pub slot: u8,
    pub ad_id: u64,
    pub title: String,
    pub advertiser: String,
    pub bid: Money,
    pub price: Money,
    pub pctr: f64,
    /// In a sentence: what it was worth and whom it beat.
    pub why: String,
    /// Shown by exploration, not by auction.
    pub explored: bool,
}

/// Micros per `mille`, `click` or `action`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub micros: i64,
    pub per: Per,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    #[default]
    Mille,
    Click,
    Action,
}

/// One decision in full.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExplanationView {
    pub id: String,
    pub time_ms: i64,
    pub user: Option<String>,
    pub degraded: Vec<String>,
    /// The record holds every candidate; otherwise only the shown ones, and counts of the others.
    pub full: bool,
    /// What was asked and known: (`device`, `mobile`), (`geo`, `DE, DE-BE`), …
    pub request: Vec<Fact>,
    /// With what it was decided: catalog, model, rules, pacing table, seed, …
    pub world: Vec<Fact>,
    /// Time per step in the order they ran.
    pub steps: Vec<Step>,
    /// Line items in the catalog; 0 where the record does not say.
    pub line_items: u64,
    pub ineligible: Vec<Count>,
    pub placements: Vec<PlacementView>,
    /// In row order; all of them in a full record.
    pub candidates: Vec<CandidateView>,
    /// What of it is not from the record but worked out again; empty but where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recomputed: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub took_us: u32,
}

/// One placement of a decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlacementView {
    pub id: u64,
    pub name: String,
    pub slots: u8,
    /// Per thousand impressions.
    pub floor_micros: i64,
    pub shown: Vec<ShownView>,
    /// How all candidates ended here.
    pub fates: Vec<Count>,
}

/// A filled slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShownView {
    pub slot: u8,
    pub ad_id: u64,
    pub title: String,
    pub advertiser: String,
    pub bid: Money,
    pub price: Money,
    pub pctr: f64,
    /// What an impression was worth to rank by, in micros of a thousand.
    pub value_micros: f64,
    pub explored: bool,
    /// Whose value set the price; absent where the floor did.
    pub runner_up: Option<RunnerUp>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunnerUp {
    pub ad_id: u64,
    pub title: String,
    pub advertiser: String,
    pub value_micros: f64,
}

/// One candidate: what the sources, the first phase, the models and the auction made of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CandidateView {
    pub ad_id: u64,
    pub line_item_id: u64,
    pub campaign: String,
    pub advertiser: String,
    pub title: String,
    pub sources: Vec<String>,
    /// The first phase's.
    pub score: Option<f64>,
    pub bid: Option<Money>,
    /// Entrants only, as the next three.
    pub pctr: Option<f64>,
    pub pcvr: Option<f64>,
    pub pacing_ppm: Option<u32>,
    pub value_micros: Option<f64>,
    /// One per placement of the decision, in its order.
    pub fates: Vec<Ending>,
    /// Names and values of what the models read; may be empty.
    pub features: Vec<Fact>,
}

/// How a candidate ended at one placement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub code: String,
    /// `technical`, `business` or `competition`.
    pub stage: String,
    pub text: String,
    pub slot: Option<u8>,
    pub price: Option<Money>,
}

impl Ending {
    /// A rule decided before the auction, and the record does not say which: only full records keep that.
    #[must_use]
    pub fn unrecorded() -> Self {
        let stage = stage_name(Stage::Business).to_owned();
        let text = "a rule left it out before the auction; this record does not say which".to_owned();
        Self { code: "unrecorded".to_owned(), stage, text, slot: None, price: None }
    }

    #[must_use]
    pub fn of(fate: Fate) -> Self {
        let reason = fate.reason();
        let stage = stage_name(reason.stage).to_owned();
        Self { code: reason.code.to_owned(), stage, text: reason.text.to_owned(), slot: None, price: None }
    }
}

const fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Technical => "technical",
        Stage::Business => "business",
        Stage::Competition => "competition",
    }
}
