//! The last phase: hashed logistic regression with two heads, pCTR and pCVR given a click.
//!
//! Invariants: sums run in one fixed order in double precision; the request's part is summed once; a prediction is made for
//! slot 0 and calibrated before it leaves as an integer. Both heads share a table row, so one look-up serves both.

use litfass_features::exact::{logit, sigmoid};
use litfass_features::{AdRows, RequestNumber, RowNumber, ViewerBlock, request_hashes, row_hashes};
use litfass_types::{Prediction, Probability};

use crate::calibration::Calibration;

/// Slots whose effect a model knows; a later slot counts as the last of them.
pub const SLOTS: usize = 20;

/// The two things that are predicted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Head {
    Click,
    /// Given a click.
    Conversion,
}

impl Head {
    pub const ALL: [Self; 2] = [Self::Click, Self::Conversion];

    #[must_use]
    pub const fn column(self) -> usize {
        self as usize
    }
}

/// One weight per head.
pub type Weights = [f32; 2];

#[derive(Clone, PartialEq, Debug)]
pub struct Model {
    pub bias: Weights,
    pub request: [Weights; RequestNumber::COUNT],
    pub row: [Weights; RowNumber::COUNT],
    /// Log-odds that a slot adds; slot 0 adds nothing.
    pub slots: [Weights; SLOTS],
    /// By the low bits of a feature's hash; the length is a power of two.
    pub hashed: Vec<Weights>,
    pub calibration: [Calibration; 2],
}

impl Model {
    /// All weights 0, with 2^`bits` hashed ones.
    #[must_use]
    pub fn zero(bits: u8) -> Self {
        Self {
            bias: [0.0; 2],
            request: [[0.0; 2]; RequestNumber::COUNT],
            row: [[0.0; 2]; RowNumber::COUNT],
            slots: [[0.0; 2]; SLOTS],
            hashed: vec![[0.0; 2]; 1 << bits.min(30)],
            calibration: [Calibration::default(), Calibration::default()],
        }
    }

    /// The ad's smoothed rates and nothing else.
    #[must_use]
    pub fn prior() -> Self {
        let mut model = Self::zero(0);
        model.row[RowNumber::ClickRate.column()] = [2.0, 0.0];
        model.row[RowNumber::ConversionRate.column()] = [0.0, 2.0];
        model
    }

    /// The calibrated prediction of every row for slot 0.
    #[must_use]
    pub fn predict(&self, block: &ViewerBlock, rows: &AdRows) -> Vec<Prediction> {
        let request = self.request_part(block);
        let mut places = Vec::new();
        let row = |row| self.with_row(request, block, rows.numbers_of(row), rows.ids_of(row), &mut places);
        (0..rows.len()).map(row).map(|log_odds| self.prediction(log_odds)).collect()
    }

    /// Log-odds of both heads before calibration, from bias and request.
    #[must_use]
    pub fn request_part(&self, block: &ViewerBlock) -> [f64; 2] {
        let mut sum = self.bias.map(f64::from);
        add_numbers(&mut sum, &self.request, &block.numbers);
        for hash in request_hashes(block) {
            add(&mut sum, self.hashed_weights(hash), 1.0);
        }
        sum
    }

    /// The request's part and one row's.
    #[must_use]
    pub fn row_part(&self, request: [f64; 2], block: &ViewerBlock, numbers: &[f32], ids: &[u64]) -> [f64; 2] {
        self.with_row(request, block, numbers, ids, &mut Vec::new())
    }

    /// The places of all weights first, then the weights: they lie scattered over a table larger than any cache, and only so
    /// are many of them fetched at the same time. `places` is memory that rows use again.
    fn with_row(
        &self,
        request: [f64; 2],
        block: &ViewerBlock,
        numbers: &[f32],
        ids: &[u64],
        places: &mut Vec<usize>,
    ) -> [f64; 2] {
        let mut sum = request;
        add_numbers(&mut sum, &self.row, numbers);
        places.clear();
        let rows = self.hashed.len().max(1);
        row_hashes(block, ids, |hash| places.push(Self::index(hash, rows)));
        for place in places {
            add(&mut sum, self.hashed.get(*place).copied().unwrap_or_default(), 1.0);
        }
        sum
    }

    /// The calibrated click probability at another slot than the first: what was predicted, shifted by the slot's log-odds.
    #[must_use]
    pub fn click_at(&self, click: Probability, slot: u8) -> f64 {
        let shift = self.slots[usize::from(slot).min(SLOTS - 1)][Head::Click.column()];
        sigmoid(logit(click.to_f64()) + f64::from(shift))
    }

    /// Which table row a hash reads.
    #[must_use]
    pub const fn index(hash: u64, rows: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits are wanted")]
        let low = hash as usize;
        low & (rows - 1)
    }

    fn hashed_weights(&self, hash: u64) -> Weights {
        self.hashed.get(Self::index(hash, self.hashed.len().max(1))).copied().unwrap_or_default()
    }

    fn prediction(&self, log_odds: [f64; 2]) -> Prediction {
        let [click, conversion] = Head::ALL.map(|head| {
            let calibrated = self.calibration[head.column()].apply(log_odds[head.column()]);
            Probability::from_f64(sigmoid(calibrated))
        });
        Prediction { click, conversion }
    }
}

fn add(sum: &mut [f64; 2], weights: Weights, x: f64) {
    sum[0] += f64::from(weights[0]) * x;
    sum[1] += f64::from(weights[1]) * x;
}

fn add_numbers(sum: &mut [f64; 2], weights: &[Weights], numbers: &[f32]) {
    for (weight, number) in weights.iter().zip(numbers) {
        add(sum, *weight, f64::from(*number));
    }
}
