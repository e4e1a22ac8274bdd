//! Who ranks: the rules that Litfass is compared with.

use litfass_rank::metrics::loss_of;
use litfass_types::{Seed, Timestamp};

use super::replay::{Basket, Log, State};

/// A rule that orders the pool for one basket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rule {
    Random,
    /// Orders of the last 30 days.
    Popularity,
    /// Each product's share of the baskets since its first sale, smoothed.
    AdClickRate,
    /// What the customer bought most, then popularity; ties by popularity.
    RepeatPurchase,
}

impl Rule {
    pub(super) const ALL: [Self; 4] = [Self::Random, Self::Popularity, Self::AdClickRate, Self::RepeatPurchase];

    #[must_use]
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Popularity => "popularity, 30 days",
            Self::AdClickRate => "per-ad CTR",
            Self::RepeatPurchase => "repeat purchase",
        }
    }

    /// The first `slots` of the pool by this rule.
    #[must_use]
    pub(super) fn top(self, state: &State<'_>, basket: &Basket, slots: usize, seed: Seed) -> Vec<usize> {
        top(state.pool().iter().map(|p| (self.score(state, basket, *p, seed), *p)), slots)
    }

    fn score(self, state: &State<'_>, basket: &Basket, product: usize, seed: Seed) -> f64 {
        match self {
            Self::Random => f64::from(u32::try_from(seed.derive(product as u64).below(1 << 32)).unwrap_or(0)),
            Self::Popularity => state.popularity(product),
            Self::AdClickRate => state.counts(product).click_rate(),
            Self::RepeatPurchase => {
                let times = state.bought(basket).get(&product).copied().unwrap_or(0);
                f64::from(times) + state.popularity(product) / 2.0
            }
        }
    }
}

/// The products with the highest scores, highest first; ties by number.
pub(super) fn top(scored: impl Iterator<Item = (f64, usize)>, slots: usize) -> Vec<usize> {
    let mut best: Vec<(f64, usize)> = Vec::with_capacity(slots + 1);
    for (score, product) in scored {
        let at =
            best.partition_point(|(s, p)| s.total_cmp(&score).is_gt() || (s.total_cmp(&score).is_eq() && *p < product));
        if at < slots {
            best.insert(at, (score, product));
            best.truncate(slots);
        }
    }
    best.into_iter().map(|(_, product)| product).collect()
}

/// The repeat rule as a probability: (times bought + m × popularity) / (orders + m).
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Repeat {
    m: f64,
}

impl Repeat {
    /// With the m of a grid that has the least log loss over all products of the baskets from `from` until `until`.
    #[must_use]
    pub(super) fn fitted(log: &Log, from: Timestamp, until: Timestamp) -> Self {
        let mut grid = [0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0].map(|m| (Self { m }, 0.0));
        State::replay(log, |state, basket| {
            if basket.time >= from && basket.time < until {
                for product in state.pool() {
                    let popularity = state.popularity(*product);
                    let bought = basket.has(*product);
                    for (rule, loss) in &mut grid {
                        *loss += loss_of(rule.smoothed(state, basket, *product, popularity), bought);
                    }
                }
            }
        });
        let best = grid.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(Self { m: 5.0 }, |(rule, _)| rule)
    }

    #[must_use]
    pub(super) fn probability(self, state: &State<'_>, basket: &Basket, product: usize) -> f64 {
        self.smoothed(state, basket, product, state.popularity(product))
    }

    fn smoothed(self, state: &State<'_>, basket: &Basket, product: usize, popularity: f64) -> f64 {
        let times = state.bought(basket).get(&product).copied().unwrap_or(0);
        // What was not sold for 30 days can still be bought.
        let popularity = (popularity + 1e-5).min(1.0);
        (f64::from(times) + self.m * popularity) / (f64::from(state.orders(basket)) + self.m)
    }
}
