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
        let request = block.numbers.first_chunk().map_or(0.0, |numbers| dot(&self.request, numbers));
        let request = f64::from(self.bias) + request;
        let (rows, _) = rows.numbers.as_chunks();
        out.clear();
        out.extend(rows.iter().map(|row| Probability::from_f64(sigmoid(request + dot(&self.row, row)))));
    }
}

/// In double precision and one fixed order, the same bits everywhere: four sums side by side, so that none waits for the one
/// before it.
fn dot<const N: usize>(weights: &[f32; N], numbers: &[f32; N]) -> f64 {
    let mut sums = [0.0; 4];
    for (i, (weight, number)) in weights.iter().zip(numbers).enumerate() {
        sums[i % 4] += f64::from(*weight) * f64::from(*number);
    }
    let [a, b, c, d] = sums;
    (a + b) + (c + d)
}
