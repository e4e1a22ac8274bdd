//! FTRL-Proximal (McMahan et al. 2013): online logistic regression with per-coordinate learning rates.
//!
//! For coordinate i with gradient g: σ = (√(n + g²) − √n) / α; z += g − σ w; n += g²; and
//! w = 0 if |z| ≤ λ₁, else −(z − sign(z) λ₁) / ((β + √n) / α + λ₂).

use litfass_features::exact::{sigmoid, single};

/// Learning rate and regularisation of one group of coordinates.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rates {
    pub alpha: f64,
    pub beta: f64,
    pub l1: f64,
    pub l2: f64,
}

/// A row's value at one coordinate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Coordinate {
    pub at: u32,
    pub x: f32,
}

/// One head's state: (z, n) per coordinate. Coordinates below `dense` learn by `Rates` of their own.
#[derive(Clone, Debug)]
pub struct Ftrl {
    dense: u32,
    rates: [Rates; 2],
    state: Vec<[f32; 2]>,
}

impl Ftrl {
    /// `dense` coordinates for numbers, `hashed` behind them.
    #[must_use]
    pub fn new(dense: u32, hashed: u32, rates: [Rates; 2]) -> Self {
        Self { dense, rates, state: vec![[0.0; 2]; dense as usize + hashed as usize] }
    }

    /// The weight of one coordinate.
    #[must_use]
    pub fn weight(&self, at: u32) -> f64 {
        let [z, n] = self.state.get(at as usize).copied().unwrap_or_default().map(f64::from);
        let Rates { alpha, beta, l1, l2 } = self.rates_of(at);
        if z.abs() <= l1 { 0.0 } else { -(z - z.signum() * l1) / ((beta + n.sqrt()) / alpha + l2) }
    }

    /// Log-odds of a row.
    #[must_use]
    pub fn log_odds(&self, row: &[Coordinate]) -> f64 {
        row.iter().fold(0.0, |sum, c| sum + self.weight(c.at) * f64::from(c.x))
    }

    /// Takes in one row that stands for `weight` rows; gives back what was predicted before.
    pub fn learn(&mut self, row: &[Coordinate], positive: bool, weight: f64) -> f64 {
        let log_odds = self.log_odds(row);
        let error = (sigmoid(log_odds) - f64::from(u8::from(positive))) * weight;
        for coordinate in row {
            self.step(coordinate.at, error * f64::from(coordinate.x));
        }
        log_odds
    }

    fn step(&mut self, at: u32, gradient: f64) {
        let w = self.weight(at);
        let alpha = self.rates_of(at).alpha;
        let Some(state) = self.state.get_mut(at as usize) else { return };
        let [z, n] = state.map(f64::from);
        let grown = n + gradient * gradient;
        let sigma = (grown.sqrt() - n.sqrt()) / alpha;
        *state = [single(z + gradient - sigma * w), single(grown)];
    }

    const fn rates_of(&self, at: u32) -> Rates {
        self.rates[if at < self.dense { 0 } else { 1 }]
    }
}
