//! Seeded draws. One stream per purpose, so that adding a draw in one place moves none elsewhere.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What a stream of draws is for; with the seed it names the stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Goods,
    Demand,
    Shoppers,
    Walk,
    Behaviour,
    Budget,
    Pacing,
}

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// Stream `number` of a purpose; streams are independent.
    pub(crate) fn new(seed: u64, purpose: Purpose, number: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((purpose as u64) << 32 | u64::from(number));
        Self(rng)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in 0 … n−1; `n` must not be 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// `of` must not be empty.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// `count` different elements in drawn order, all of them where there are fewer.
    pub(crate) fn several<T: Clone>(&mut self, of: &[T], count: usize) -> Vec<T> {
        let mut left = of.to_vec();
        let count = count.min(left.len());
        for i in 0..count {
            let j = i + self.below(left.len() - i);
            left.swap(i, j);
        }
        left.truncate(count);
        left
    }
}

/// Draws indices in proportion to weights.
#[derive(Clone, Debug)]
pub(crate) struct Weighted(Vec<f64>);

impl Weighted {
    /// Weights must be positive and not all absent.
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        Self(
            weights
                .into_iter()
                .map(|w| {
                    sum += w;
                    sum
                })
                .collect(),
        )
    }

    pub(crate) fn draw(&self, draw: &mut Draw) -> usize {
        let at = draw.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum <= at).min(self.0.len().saturating_sub(1))
    }
}

/// The weight of rank `rank` (from 0) under Zipf's law.
pub(crate) fn zipf(rank: u32, exponent: f64) -> f64 {
    (f64::from(rank) + 1.0).powf(-exponent)
}
