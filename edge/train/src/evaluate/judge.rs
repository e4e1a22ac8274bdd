//! Who hit how often, and how good the probabilities are, with intervals by customer.

use litfass_rank::metrics::{Interval, Scored, auc, bootstrap, calibration_ratio, loss_of, normalised_entropy};
use litfass_types::Seed;

/// Hits among the shown of one basket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shown {
    pub(super) customer: usize,
    pub(super) returning: bool,
    pub(super) shown: u32,
    pub(super) hits: u32,
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
    pub(super) const fn has(self, basket: &Shown) -> bool {
        match self {
            Self::All => true,
            Self::Returning => basket.returning,
            Self::FirstTime => !basket.returning,
        }
    }
}

/// How customers are drawn again. The same seed draws the same ones, so that differences are paired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resampling {
    pub resamples: u32,
    pub seed: Seed,
    /// How many customers there are.
    pub customers: usize,
}

/// A sum and how many it is of, per customer.
type Sums = Vec<[f64; 2]>;

/// Click rate of the shown.
#[must_use]
pub(super) fn click_rate(baskets: &[Shown], segment: Segment, by: Resampling) -> Interval {
    let sums = hits(baskets, segment, by.customers);
    mean_interval(&sums, by)
}

/// Difference of two click rates on the same baskets.
#[must_use]
pub(super) fn difference(a: &[Shown], b: &[Shown], segment: Segment, by: Resampling) -> Interval {
    difference_interval(&hits(a, segment, by.customers), &hits(b, segment, by.customers), by)
}

fn hits(baskets: &[Shown], segment: Segment, customers: usize) -> Sums {
    let mut sums = vec![[0.0; 2]; customers];
    for basket in baskets.iter().filter(|b| segment.has(b)) {
        if let Some(sum) = sums.get_mut(basket.customer) {
            sum[0] += f64::from(basket.hits);
            sum[1] += f64::from(basket.shown);
        }
    }
    sums
}

fn mean_interval(sums: &Sums, by: Resampling) -> Interval {
    let present: Sums = sums.iter().copied().filter(|sum| sum[1] > 0.0).collect();
    bootstrap(present.len(), by.resamples, by.seed, |drawn| mean(drawn, &present))
}

/// Customers are drawn once for both.
fn difference_interval(a: &Sums, b: &Sums, by: Resampling) -> Interval {
    let both = a.iter().zip(b).filter(|(a, _)| a[1] > 0.0);
    let (a, b): (Sums, Sums) = both.map(|(a, b)| (*a, *b)).unzip();
    bootstrap(a.len(), by.resamples, by.seed, |drawn| mean(drawn, &a) - mean(drawn, &b))
}

fn mean(drawn: &[u32], sums: &Sums) -> f64 {
    let [sum, count] = drawn
        .iter()
        .zip(sums)
        .fold([0.0; 2], |[sum, count], (n, row)| [sum + f64::from(*n) * row[0], count + f64::from(*n) * row[1]]);
    sum / f64::max(count, 1.0)
}

/// How one predictor did on all products of all judged baskets.
#[derive(Clone, Debug, Default)]
pub(super) struct Predicted {
    rows: Vec<(f32, u32, bool)>,
    losses: Sums,
}

/// The figures of one predictor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Figures {
    pub auc: Interval,
    pub log_loss: Interval,
    pub normalised_entropy: f64,
    /// Σp / Σy.
    pub calibration_ratio: f64,
}

impl Predicted {
    #[must_use]
    pub(super) fn new(customers: usize) -> Self {
        Self { rows: Vec::new(), losses: vec![[0.0; 2]; customers] }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a probability in single precision is enough to order by")]
    pub(super) fn push(&mut self, customer: usize, p: f64, bought: bool) {
        self.rows.push((p as f32, u32::try_from(customer).unwrap_or(u32::MAX), bought));
        if let Some(sum) = self.losses.get_mut(customer) {
            sum[0] += loss_of(p, bought);
            sum[1] += 1.0;
        }
    }

    /// All figures, and what `difference` needs of this predictor.
    #[must_use]
    pub(super) fn finish(mut self, by: Resampling) -> (Figures, Compared) {
        self.rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut scored: Vec<Scored> =
            self.rows.iter().map(|(p, _, bought)| Scored::new(f64::from(*p), *bought)).collect();
        let point = auc(&mut scored).unwrap_or(f64::NAN);
        let compared = Compared { ranks: Ranks::of(&self.rows, by.customers), losses: self.losses };
        let binned = bootstrap(by.customers, by.resamples, by.seed, |drawn| compared.ranks.auc(drawn));
        let figures = Figures {
            auc: Interval { point, ..binned },
            log_loss: mean_interval(&compared.losses, by),
            normalised_entropy: normalised_entropy(&scored).unwrap_or(f64::NAN),
            calibration_ratio: calibration_ratio(&scored).unwrap_or(f64::NAN),
        };
        (figures, compared)
    }
}

/// What is kept of a predictor to compare it with another.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    ranks: Ranks,
    losses: Sums,
}

impl Compared {
    /// AUC of this minus the other's.
    #[must_use]
    pub(super) fn auc_difference(&self, other: &Self, by: Resampling) -> Interval {
        bootstrap(by.customers, by.resamples, by.seed, |drawn| self.ranks.auc(drawn) - other.ranks.auc(drawn))
    }

    /// Log loss of this minus the other's: below 0 where this is better.
    #[must_use]
    pub(super) fn loss_difference(&self, other: &Self, by: Resampling) -> Interval {
        difference_interval(&self.losses, &other.losses, by)
    }
}

const BINS: usize = 1_000;

/// Per customer, how many bought and not bought products fell into each of `BINS` ranges of the score. The ranges hold
/// about equal shares of both kinds, so that the AUC over them is that over the rows to about one in a thousand.
#[derive(Clone, Debug)]
struct Ranks {
    by_customer: Vec<Vec<(u16, [u32; 2])>>,
}

impl Ranks {
    fn of(sorted: &[(f32, u32, bool)], customers: usize) -> Self {
        let bought = sorted.iter().filter(|row| row.2).count().max(1);
        let share = |row: &(f32, u32, bool)| {
            if row.2 { 0.5 / bought as f64 } else { 0.5 / (sorted.len() - bought).max(1) as f64 }
        };
        let mut by_customer: Vec<Vec<(u16, [u32; 2])>> = vec![Vec::new(); customers];
        let mut mass = 0.0;
        for ties in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            let bin = (mass * BINS as f64).min(BINS as f64 - 1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 … BINS − 1")]
            let bin = bin as u16;
            for row in ties {
                mass += share(row);
                let Some(bins) = by_customer.get_mut(row.1 as usize) else { continue };
                match bins.last_mut() {
                    Some((last, counts)) if *last == bin => counts[usize::from(row.2)] += 1,
                    _ => bins.push((bin, [u32::from(!row.2), u32::from(row.2)])),
                }
            }
        }
        Self { by_customer }
    }

    fn auc(&self, drawn: &[u32]) -> f64 {
        let mut bins = vec![[0.0; 2]; BINS];
        for (times, customer) in drawn.iter().zip(&self.by_customer).filter(|(times, _)| **times > 0) {
            for (bin, counts) in customer {
                let bin = &mut bins[usize::from(*bin)];
                bin[0] += f64::from(*times) * f64::from(counts[0]);
                bin[1] += f64::from(*times) * f64::from(counts[1]);
            }
        }
        let [mut below, mut bought, mut wins] = [0.0; 3];
        for [not, yes] in bins {
            wins += yes * (below + not / 2.0);
            below += not;
            bought += yes;
        }
        wins / f64::max(below * bought, 1.0)
    }
}
