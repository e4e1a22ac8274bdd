//! FTRL-Proximal against the algorithm as it is printed, and the sparsity of λ₁.

use litfass_train::ftrl::{Coordinate, Ftrl, Rates};
use litfass_types::Seed;

const RATES: Rates = Rates { alpha: 0.1, beta: 1.0, l1: 0.4, l2: 0.5 };

/// Algorithm 1 of McMahan et al. 2013, in double precision.
struct Printed {
    z: Vec<f64>,
    n: Vec<f64>,
}

impl Printed {
    fn weight(&self, i: usize) -> f64 {
        if self.z[i].abs() <= RATES.l1 {
            return 0.0;
        }
        let sign = if self.z[i] < 0.0 { -1.0 } else { 1.0 };
        -(self.z[i] - sign * RATES.l1) / ((RATES.beta + self.n[i].sqrt()) / RATES.alpha + RATES.l2)
    }

    fn learn(&mut self, x: &[(usize, f64)], y: f64) -> f64 {
        let w: Vec<f64> = x.iter().map(|(i, _)| self.weight(*i)).collect();
        let margin: f64 = x.iter().zip(&w).map(|((_, x), w)| x * w).sum();
        let p = 1.0 / (1.0 + (-margin).exp());
        for ((i, x), w) in x.iter().zip(w) {
            let g = (p - y) * x;
            let sigma = ((self.n[*i] + g * g).sqrt() - self.n[*i].sqrt()) / RATES.alpha;
            self.z[*i] += g - sigma * w;
            self.n[*i] += g * g;
        }
        p
    }
}

/// Rows over 20 coordinates; only the first three say anything.
fn row(n: u64) -> (Vec<(usize, f64)>, bool) {
    let seed = Seed(9).derive(n);
    let x: Vec<(usize, f64)> = (0..20).filter(|i| seed.derive(*i as u64).below(3) == 0).map(|i| (i, 1.0)).collect();
    let score: i64 = x.iter().map(|(i, _)| [4, -4, 3].get(*i).copied().unwrap_or(0)).sum();
    let noise = i64::try_from(seed.derive(99).below(5)).unwrap_or(0) - 2;
    (x, score + noise > 0)
}

fn coordinates(x: &[(usize, f64)]) -> Vec<Coordinate> {
    x.iter().map(|(i, _)| Coordinate { at: u32::try_from(*i).unwrap_or(0), x: 1.0 }).collect()
}

#[test]
fn it_is_the_printed_algorithm() {
    let mut ftrl = Ftrl::new(10, 10, [RATES, RATES]);
    let mut printed = Printed { z: vec![0.0; 20], n: vec![0.0; 20] };
    for (x, y) in (0..5_000).map(row) {
        let log_odds = ftrl.learn(&coordinates(&x), y, 1.0);
        let p = printed.learn(&x, f64::from(u8::from(y)));
        assert!((1.0 / (1.0 + (-log_odds).exp()) - p).abs() < 1e-3);
    }
    for i in 0..20 {
        let found = ftrl.weight(u32::try_from(i).unwrap());
        assert!((found - printed.weight(i)).abs() < 1e-3, "weight {i}: {found} {}", printed.weight(i));
    }
}

fn weights_left(l1: f64) -> usize {
    let rates = Rates { l1, ..RATES };
    let mut ftrl = Ftrl::new(0, 20, [rates, rates]);
    (0..5_000).map(row).for_each(|(x, y)| {
        ftrl.learn(&coordinates(&x), y, 1.0);
    });
    (0..20).filter(|i| ftrl.weight(*i) != 0.0).count()
}

#[test]
fn more_l1_leaves_fewer_weights_and_those_that_matter() {
    let left = [0.0, 5.0, 30.0, 1e6].map(weights_left);
    assert!(left.is_sorted_by(|a, b| a >= b), "{left:?}");
    assert_eq!((left[0], left[3]), (20, 0));
    assert!((3..20).contains(&left[2]), "{left:?}");
}

#[test]
fn a_weighted_row_pulls_as_far_as_its_gradient_says() {
    let mut once = Ftrl::new(1, 0, [RATES, RATES]);
    let mut heavy = Ftrl::new(1, 0, [RATES, RATES]);
    let row = [Coordinate { at: 0, x: 1.0 }];
    once.learn(&row, true, 1.0);
    heavy.learn(&row, true, 4.0);
    // z = −0.5 w, n = 0.25 w².
    let expected = |w: f64| (0.5 * w - 0.4) / ((1.0 + 0.5 * w) / 0.1 + 0.5);
    assert!((once.weight(0) - expected(1.0)).abs() < 1e-6);
    assert!((heavy.weight(0) - expected(4.0)).abs() < 1e-6);
}
