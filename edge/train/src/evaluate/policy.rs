//! Who ranks: the rules that Litfass is compared with.

use litfass_types::Seed;

use super::replay::{Basket, State};

/// A rule that orders the pool for one basket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    Random,
    /// Orders of the last 30 days.
    Popularity,
    /// Each product's share of the baskets since its first sale, smoothed.
    AdClickRate,
    /// What the customer bought most, then popularity; ties by popularity.
    RepeatPurchase,
}

impl Rule {
    pub const ALL: [Self; 4] = [Self::Random, Self::Popularity, Self::AdClickRate, Self::RepeatPurchase];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Popularity => "popularity, 30 days",
            Self::AdClickRate => "per-ad CTR",
            Self::RepeatPurchase => "repeat purchase",
        }
    }

    /// The first `slots` of the pool by this rule.
    #[must_use]
    pub fn top(self, state: &State<'_>, basket: &Basket, slots: usize, seed: Seed) -> Vec<usize> {
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
#[must_use]
pub fn repeat_probability(state: &State<'_>, basket: &Basket, product: usize, m: f64) -> f64 {
    let times = state.bought(basket).get(&product).copied().unwrap_or(0);
    let popularity = (state.popularity(product) + 1e-5).min(1.0);
    (f64::from(times) + m * popularity) / (f64::from(state.orders(basket)) + m)
}
