//! The first phase: logistic regression on numbers, cheap enough for every candidate.

use litfass_features::exact::sigmoid;
use litfass_features::{AdRows, RequestNumber, RowNumber, ViewerBlock};
use litfass_types::Probability;

/// Weights as log-odds per unit of a number.
#[derive(Clone, PartialEq, Debug)]
pub struct Linear {
    pub bias: f32,
    pub request: [f32; RequestNumber::COUNT],
    pub row: [f32; RowNumber::COUNT],
}

impl Linear {
    /// The ad's smoothed click rate and nothing else.
    #[must_use]
    pub fn prior() -> Self {
        let mut row = [0.0; RowNumber::COUNT];
        row[RowNumber::ClickRate.column()] = 2.0;
        Self { bias: 0.0, request: [0.0; RequestNumber::COUNT], row }
    }

    /// The click probability of every row, in the order of the rows.
    pub fn score(&self, block: &ViewerBlock, rows: &AdRows, out: &mut Vec<Probability>) {
        let request = f64::from(self.bias) + dot(&self.request, &block.numbers);
        out.clear();
        out.extend(
            (0..rows.len()).map(|row| Probability::from_f64(sigmoid(request + dot(&self.row, rows.numbers_of(row))))),
        );
    }
}

/// In the order of the columns, in double precision: the same bits everywhere.
pub(crate) fn dot(weights: &[f32], numbers: &[f32]) -> f64 {
    weights.iter().zip(numbers).fold(0.0, |sum, (w, x)| sum + f64::from(*w) * f64::from(*x))
}
