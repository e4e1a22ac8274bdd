//! Who hit how often, and how good the probabilities are, with intervals by customer.

use litfass_rank::metrics::{Interval, Scored, auc, bootstrap, loss_of};
use litfass_types::Seed;

/// Hits among the shown of one basket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    pub customer: usize,
    pub returning: bool,
    pub shown: u32,
    pub hits: u32,
}

/// Whose baskets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segment {
    All,
    /// Customers with a basket before.
    Returning,
    /// Customers without.
    FirstTime,
}

impl Segment {
    pub const ALL: [Self; 3] = [Self::All, Self::Returning, Self::FirstTime];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Returning => "returning",
            Self::FirstTime => "first-time",
        }
    }

    #[must_use]
    pub const fn has(self, basket: &Shown) -> bool {
        match self {
            Self::All => true,
            Self::Returning => basket.returning,
            Self::FirstTime => !basket.returning,
        }
    }
}

/// Hits and shown per customer.
fn by_customer(baskets: &[Shown], segment: Segment, customers: usize) -> Vec<[f64; 2]> {
    let mut sums = vec![[0.0; 2]; customers];
    for basket in baskets.iter().filter(|b| segment.has(b)) {
        if let Some(sum) = sums.get_mut(basket.customer) {
            sum[0] += f64::from(basket.hits);
            sum[1] += f64::from(basket.shown);
        }
    }
    sums
}

fn ratio(drawn: &[u32], sums: &[[f64; 2]]) -> f64 {
    let [hits, shown] = drawn
        .iter()
        .zip(sums)
        .fold([0.0; 2], |[h, s], (n, sum)| [h + f64::from(*n) * sum[0], s + f64::from(*n) * sum[1]]);
    hits / f64::max(shown, 1.0)
}

/// Customers resampled per interval.
#[derive(Clone, Copy, Debug)]
pub struct Resampling {
    pub resamples: u32,
    pub seed: Seed,
}

/// Click rate of the shown, with its interval.
#[must_use]
pub fn click_rate(baskets: &[Shown], segment: Segment, customers: usize, by: Resampling) -> Interval {
    let sums = present(&by_customer(baskets, segment, customers));
    bootstrap(sums.len(), by.resamples, by.seed, |drawn| ratio(drawn, &sums))
}

/// Difference of two click rates on the same baskets: the customers are drawn once for both.
#[must_use]
pub fn difference(a: &[Shown], b: &[Shown], segment: Segment, customers: usize, by: Resampling) -> Interval {
    let (a, b) = (by_customer(a, segment, customers), by_customer(b, segment, customers));
    let both: Vec<([f64; 2], [f64; 2])> = a.into_iter().zip(b).filter(|(a, _)| a[1] > 0.0).collect();
    let (a, b): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    bootstrap(a.len(), by.resamples, by.seed, |drawn| ratio(drawn, &a) - ratio(drawn, &b))
}

fn present(sums: &[[f64; 2]]) -> Vec<[f64; 2]> {
    sums.iter().copied().filter(|sum| sum[1] > 0.0).collect()
}

/// How one predictor did on all products of all judged baskets.
#[derive(Clone, Debug, Default)]
pub struct Predicted {
    rows: Vec<Scored>,
    /// Sum of losses and rows per customer.
    losses: Vec<[f64; 2]>,
}

impl Predicted {
    #[must_use]
    pub fn new(customers: usize) -> Self {
        Self { rows: Vec::new(), losses: vec![[0.0; 2]; customers] }
    }

    pub fn push(&mut self, customer: usize, p: f64, bought: bool) {
        self.rows.push(Scored::new(p, bought));
        if let Some(sum) = self.losses.get_mut(customer) {
            sum[0] += loss_of(p, bought);
            sum[1] += 1.0;
        }
    }

    #[must_use]
    pub fn auc(&mut self) -> Option<f64> {
        auc(&mut self.rows)
    }

    #[must_use]
    pub fn log_loss(&self) -> f64 {
        ratio(&vec![1; self.losses.len()], &self.losses)
    }

    /// Σp / Σy.
    #[must_use]
    pub fn calibration(&self) -> Option<f64> {
        litfass_rank::metrics::calibration_ratio(&self.rows)
    }

    /// Difference of the log losses, this minus the other's.
    #[must_use]
    pub fn loss_difference(&self, other: &Self, by: Resampling) -> Interval {
        let both = self.losses.iter().zip(&other.losses).filter(|(a, _)| a[1] > 0.0);
        let (a, b): (Vec<[f64; 2]>, Vec<[f64; 2]>) = both.map(|(a, b)| (*a, *b)).unzip();
        bootstrap(a.len(), by.resamples, by.seed, |drawn| ratio(drawn, &a) - ratio(drawn, &b))
    }
}
