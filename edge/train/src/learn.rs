//! From examples to a rank profile: seeded passes of FTRL over the requests before the holdout, calibration on the first
//! half of the holdout, metrics on the rest.

use litfass_features::exact::{sigmoid, single};
use litfass_features::{Phase, RequestNumber, RowNumber, request_hashes, row_hashes};
use litfass_rank::metrics::{Scored, auc, calibration_ratio, log_loss, normalised_entropy, relative_calibration_error};
use litfass_rank::{Calibration, Head, Linear, Model, Outcome, RankProfile, SLOTS};
use litfass_types::{Seed, Timestamp};

use crate::examples::{Example, Examples};
use crate::ftrl::{Coordinate, Ftrl, Rates};

/// How a profile is trained.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// 2^`bits` hashed weights.
    pub bits: u8,
    pub passes: u32,
    pub numbers: Rates,
    pub hashed: Rates,
    pub seed: Seed,
    /// Requests from here on are not trained on: they calibrate and judge. Between the two the time splits in halves.
    pub holdout_from: Timestamp,
}

impl Settings {
    /// The defaults, with the last tenth of the requests held out.
    #[must_use]
    pub fn for_examples(examples: &Examples, seed: Seed) -> Self {
        Self { holdout_from: examples.quantile(900).unwrap_or_default(), ..Self::new(seed) }
    }

    /// The defaults, nothing held out.
    #[must_use]
    pub const fn new(seed: Seed) -> Self {
        Self {
            bits: 20,
            passes: 2,
            numbers: Rates { alpha: 0.3, beta: 1.0, l1: 0.0, l2: 1.0 },
            hashed: Rates { alpha: 0.05, beta: 1.0, l1: 1.0, l2: 20.0 },
            seed,
            holdout_from: Timestamp(i64::MAX),
        }
    }
}

/// How good one head is on rows it never saw. `None` where there is too little to say.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Quality {
    pub rows: usize,
    pub positives: usize,
    pub auc: Option<f64>,
    pub log_loss: Option<f64>,
    pub normalised_entropy: Option<f64>,
    /// Σp / Σy.
    pub calibration_ratio: Option<f64>,
    /// Over 15 bins of equal mass, relative to Σy.
    pub calibration_error: Option<f64>,
}

impl Quality {
    #[must_use]
    pub fn of(rows: &mut [Scored]) -> Self {
        Self {
            rows: rows.len(),
            positives: rows.iter().filter(|r| r.positive).count(),
            auc: auc(rows),
            log_loss: log_loss(rows),
            normalised_entropy: normalised_entropy(rows),
            calibration_ratio: calibration_ratio(rows),
            calibration_error: relative_calibration_error(rows, 15),
        }
    }
}

/// A trained profile, with the quality of each head on the rows that neither trained nor calibrated it.
#[derive(Clone, PartialEq, Debug)]
pub struct Trained {
    pub profile: RankProfile,
    pub quality: [Quality; 2],
    pub rows: usize,
}

/// Trains on `examples`. The same examples and settings give the same profile, bit for bit.
#[must_use]
pub fn learn(examples: &Examples, settings: &Settings) -> Trained {
    let (training, holdout) = examples.split(settings.holdout_from);
    let middle = holdout.len() / 2;
    let (calibrating, judging) = holdout.split_at(middle);
    let mut learner = Learner::new(settings);
    for pass in 0..settings.passes {
        for request in shuffled(&training, settings.seed.derive(u64::from(pass))) {
            examples.of(request).for_each(|example| learner.take(&example));
        }
    }
    let mut profile = learner.profile(settings.bits);
    for head in Head::ALL {
        let outcomes = outcomes(&profile.last, examples, calibrating, head);
        profile.last.calibration[head.column()] = Calibration::fit(outcomes);
    }
    let quality = Head::ALL.map(|head| Quality::of(&mut judged(&profile.last, examples, judging, head)));
    Trained { profile, quality, rows: examples.rows() }
}

/// Fisher–Yates.
fn shuffled(requests: &[usize], seed: Seed) -> Vec<usize> {
    let mut order = requests.to_vec();
    for i in (1..order.len()).rev() {
        let j = usize::try_from(seed.derive(i as u64).below(i as u64 + 1)).unwrap_or(i);
        order.swap(i, j);
    }
    order
}

/// Rows that a head is about: the conversion head knows clicked rows only.
fn concerns(head: Head, example: &Example<'_>) -> Option<bool> {
    match head {
        Head::Click => Some(example.label.click),
        Head::Conversion => example.label.click.then_some(example.label.conversion),
    }
}

/// Log-odds before calibration in the slot where the row was shown.
fn outcomes(model: &Model, examples: &Examples, requests: &[usize], head: Head) -> Vec<Outcome> {
    let rows = requests.iter().flat_map(|request| examples.of(*request));
    let outcome = |example: Example<'_>| {
        let positive = concerns(head, &example)?;
        let request = model.request_part(example.block);
        let log_odds = model.row_part(request, example.block, example.numbers, example.ids)[head.column()];
        let slot = model.slots[usize::from(example.label.slot).min(SLOTS - 1)][head.column()];
        Some(Outcome { log_odds: log_odds + f64::from(slot), positive, weight: f64::from(example.label.weight) })
    };
    rows.filter_map(outcome).collect()
}

fn judged(model: &Model, examples: &Examples, requests: &[usize], head: Head) -> Vec<Scored> {
    let calibration = &model.calibration[head.column()];
    let scored =
        |o: Outcome| Scored { score: sigmoid(calibration.apply(o.log_odds)), positive: o.positive, weight: o.weight };
    outcomes(model, examples, requests, head).into_iter().map(scored).collect()
}

/// Where each kind of weight stands among the coordinates.
const BIAS: usize = 0;
const REQUEST: usize = 1;
const ROW: usize = REQUEST + RequestNumber::COUNT;
const SLOT: usize = ROW + RowNumber::COUNT;
const DENSE: usize = SLOT + SLOTS;

/// Both phases' state while training.
struct Learner {
    /// Numbers only, clicks only.
    first: Ftrl,
    last: [Ftrl; 2],
    hashed: usize,
    row: Vec<Coordinate>,
}

impl Learner {
    fn new(settings: &Settings) -> Self {
        let rates = [settings.numbers, settings.hashed];
        let hashed = 1_usize << settings.bits.min(28);
        let head = || Ftrl::new(coordinate(DENSE), coordinate(hashed), rates);
        Self { first: Ftrl::new(coordinate(DENSE), 0, rates), last: [head(), head()], hashed, row: Vec::new() }
    }

    fn take(&mut self, example: &Example<'_>) {
        self.row.clear();
        push_numbers(&mut self.row, example);
        let weight = f64::from(example.label.weight);
        self.first.learn(&self.row, example.label.click, weight);
        let (row, hashed) = (&mut self.row, self.hashed);
        let mut push = |hash| row.push(Coordinate { at: coordinate(DENSE + Model::index(hash, hashed)), x: 1.0 });
        request_hashes(example.block).for_each(&mut push);
        row_hashes(example.block, example.ids, push);
        for head in Head::ALL {
            if let Some(positive) = concerns(head, example) {
                self.last[head.column()].learn(&self.row, positive, weight);
            }
        }
    }

    fn profile(&self, bits: u8) -> RankProfile {
        let first = |at: usize| single(self.first.weight(coordinate(at)));
        let weights = |at: usize| self.last.each_ref().map(|head| single(head.weight(coordinate(at))));
        let mut last = Model::zero(bits);
        last.bias = weights(BIAS);
        last.request = std::array::from_fn(|i| weights(REQUEST + i));
        last.row = std::array::from_fn(|i| weights(ROW + i));
        last.slots = std::array::from_fn(|i| if i == 0 { [0.0; 2] } else { weights(SLOT + i) });
        last.hashed.iter_mut().enumerate().for_each(|(i, w)| *w = weights(DENSE + i));
        let first = Linear {
            bias: first(BIAS),
            request: std::array::from_fn(|i| first(REQUEST + i)),
            row: std::array::from_fn(|i| first(ROW + i)),
        };
        RankProfile { first, last }
    }
}

fn push_numbers(row: &mut Vec<Coordinate>, example: &Example<'_>) {
    row.push(Coordinate { at: coordinate(BIAS), x: 1.0 });
    for (feature, x) in RequestNumber::ALL.iter().zip(&example.block.numbers) {
        if feature.feature().phase != Phase::LogOnly && *x != 0.0 {
            row.push(Coordinate { at: coordinate(REQUEST + feature.column()), x: *x });
        }
    }
    for (feature, x) in RowNumber::ALL.iter().zip(example.numbers) {
        if feature.feature().phase != Phase::LogOnly && *x != 0.0 {
            row.push(Coordinate { at: coordinate(ROW + feature.column()), x: *x });
        }
    }
    let slot = usize::from(example.label.slot).min(SLOTS - 1);
    if slot > 0 {
        row.push(Coordinate { at: coordinate(SLOT + slot), x: 1.0 });
    }
}

fn coordinate(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
