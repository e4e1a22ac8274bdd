//! What rivals bid: the highest of them, per impression.

use std::path::Path;

use serde::Deserialize;

use super::traffic::{Unread, number, text};
use crate::draw::{Draw, Weighted};

/// Nanos per impression of one price unit of the histograms: a hundredth of a currency unit per mille.
const NANOS_PER_STEP: f64 = 10_000.0;
const STEPS_MAX: f64 = 300.0;

#[derive(Clone, Debug)]
pub enum Prices {
    /// Lognormal: mean and deviation of the logarithm of price steps.
    Fitted { mean: f64, deviation: f64 },
    /// Counts by price step.
    Histogram(Steps),
}

/// How often each price was paid.
#[derive(Clone, Debug)]
pub struct Steps(Weighted);

/// Fitted to the public market-price histogram of iPinYou's advertiser 1458: 3.1 million impressions, median 60 of at most 300.
impl Default for Prices {
    fn default() -> Self {
        Self::Fitted { mean: 3.932, deviation: 0.838 }
    }
}

#[derive(Deserialize)]
struct Histogram {
    price_counter_train: Vec<u64>,
}

impl Prices {
    /// One of the histograms of market prices derived from iPinYou's log: JSON with `price_counter_train`.
    ///
    /// # Errors
    /// When the file cannot be read, or says no prices.
    pub fn read(path: &Path) -> Result<Self, Unread> {
        let histogram: Histogram = serde_json::from_str(&text(path)?).map_err(|_| Unread::Histogram)?;
        let counts = &histogram.price_counter_train;
        if counts.iter().all(|count| *count == 0) {
            return Err(Unread::Empty);
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of some millions")]
        let weights = counts.iter().map(|count| *count as f64);
        Ok(Self::Histogram(Steps(Weighted::new(weights))))
    }

    /// Nanos per impression.
    pub(super) fn draw(&self, draw: &mut Draw) -> i64 {
        let steps = match self {
            Self::Fitted { mean, deviation } => (mean + deviation * draw.normal()).exp().min(STEPS_MAX),
            // Somewhere within its step: prices do not tie.
            Self::Histogram(steps) => number(steps.0.draw(draw)) + draw.unit(),
        };
        nanos(steps * NANOS_PER_STEP)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "far below 2⁶³")]
pub(super) fn nanos(amount: f64) -> i64 {
    amount as i64
}
