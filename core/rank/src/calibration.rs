//! Calibration: from what a model says to how often it comes true.
//!
//! Invariant: strictly increasing, so it changes no order. Between its knots it is linear in log-odds; beyond the first and
//! last knot it shifts by that knot's difference.

use litfass_features::exact::{logit, sigmoid, single};

/// At most so many knots.
pub const KNOTS_MAX: usize = 64;
/// How many positives a knot should rest on: its level is then known to about 7 %.
const POSITIVES_PER_KNOT: f64 = 200.0;

/// Fewer positives say too little about anything.
const POSITIVES_MIN: f64 = 30.0;
/// From so many on the shape is fitted too, below it a straight line in log-odds (Platt).
const POSITIVES_FOR_SHAPE: f64 = 5_000.0;
/// A line is kept as its values here.
const LINE_ENDS: f64 = 16.0;

/// A prediction as log-odds, what happened, and for how many rows it stands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
    pub log_odds: f64,
    pub positive: bool,
    pub weight: f64,
}

/// Knots (log-odds in, log-odds out), increasing in both; none at all is the identity.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Calibration {
    knots: Vec<[f32; 2]>,
}

impl Calibration {
    /// `None` unless both columns increase strictly and all is finite.
    #[must_use]
    pub fn from_knots(knots: Vec<[f32; 2]>) -> Option<Self> {
        let finite = knots.iter().flatten().all(|x| x.is_finite());
        let increasing = knots.is_sorted_by(|a, b| a[0] < b[0] && a[1] < b[1]);
        (finite && increasing && knots.len() <= KNOTS_MAX).then_some(Self { knots })
    }

    #[must_use]
    pub fn knots(&self) -> &[[f32; 2]] {
        &self.knots
    }

    /// Calibrated log-odds.
    #[must_use]
    pub fn apply(&self, log_odds: f64) -> f64 {
        let above = self.knots.partition_point(|knot| f64::from(knot[0]) <= log_odds);
        let at = |i: usize| self.knots.get(i).map(|knot| (f64::from(knot[0]), f64::from(knot[1])));
        match (above.checked_sub(1).and_then(at), at(above)) {
            (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * ((log_odds - x0) / (x1 - x0)),
            (Some((x, y)), None) | (None, Some((x, y))) => log_odds + (y - x),
            (None, None) => log_odds,
        }
    }

    /// Isotonic regression (pool adjacent violators) of outcomes on predictions, over bins of equal expected positives, each
    /// pool a knot; with fewer than 5,000 positives a straight line in log-odds (Platt 1999); with fewer than 30 the identity.
    #[must_use]
    pub fn fit(mut outcomes: Vec<Outcome>) -> Self {
        outcomes.retain(|o| o.log_odds.is_finite() && o.weight > 0.0);
        let positives: f64 = outcomes.iter().filter(|o| o.positive).map(|o| o.weight).sum();
        let knots = match positives {
            ..POSITIVES_MIN => Vec::new(),
            ..POSITIVES_FOR_SHAPE => line(&outcomes),
            _ => shape(outcomes),
        };
        Self::from_knots(knots).unwrap_or_default()
    }
}

fn shape(mut outcomes: Vec<Outcome>) -> Vec<[f32; 2]> {
    outcomes.sort_unstable_by(|a, b| a.log_odds.total_cmp(&b.log_odds));
    let bins = bins_of(&outcomes);
    let rates: Vec<f64> = bins.iter().map(Bin::rate).collect();
    let weights: Vec<f64> = bins.iter().map(|bin| bin.weight).collect();
    let pooled: Vec<(&Bin, f64)> = bins.iter().zip(isotonic(&rates, &weights)).collect();
    let mut knots: Vec<[f32; 2]> = Vec::new();
    for pool in pooled.chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq()) {
        let weight: f64 = pool.iter().map(|(bin, _)| bin.weight).sum();
        let centre = pool.iter().map(|(bin, _)| bin.log_odds_sum).sum::<f64>() / weight;
        let rate = pool.first().map_or(0.5, |(_, rate)| *rate);
        let knot = [single(centre), single(logit(rate))];
        if knots.last().is_none_or(|last| last[0] < knot[0] && last[1] < knot[1]) {
            knots.push(knot);
        }
    }
    knots
}

/// Slope and level of most likelihood by Newton's method, as the line's values at both ends. One row's worth of belief in
/// slope 1 and level 0 keeps it finite where the outcomes are separable.
fn line(outcomes: &[Outcome]) -> Vec<[f32; 2]> {
    let (mut slope, mut level) = (1.0, 0.0);
    for _ in 0..30 {
        let (mut g, mut h) = ([slope - 1.0, level], [1.0, 0.0, 1.0]);
        for o in outcomes {
            let p = sigmoid(slope * o.log_odds + level);
            let error = o.weight * (p - f64::from(u8::from(o.positive)));
            let curve = o.weight * p * (1.0 - p);
            g = [g[0] + error * o.log_odds, g[1] + error];
            h = [h[0] + curve * o.log_odds * o.log_odds, h[1] + curve * o.log_odds, h[2] + curve];
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        slope = (slope - (h[2] * g[0] - h[1] * g[1]) / determinant).clamp(0.05, 5.0);
        level = (level - (h[0] * g[1] - h[1] * g[0]) / determinant).clamp(-10.0, 10.0);
    }
    [-LINE_ENDS, LINE_ENDS].map(|x| [single(x), single(slope * x + level)]).to_vec()
}

#[derive(Clone, Copy, Default)]
struct Bin {
    weight: f64,
    positives: f64,
    expected: f64,
    log_odds_sum: f64,
}

impl Bin {
    fn add(&mut self, outcome: &Outcome) {
        self.weight += outcome.weight;
        self.log_odds_sum += outcome.weight * outcome.log_odds;
        self.expected += outcome.weight * sigmoid(outcome.log_odds);
        self.positives += if outcome.positive { outcome.weight } else { 0.0 };
    }

    /// Half a positive and half a negative keep it off 0 and 1.
    fn rate(&self) -> f64 {
        (self.positives + 0.5) / (self.weight + 1.0)
    }
}

fn bins_of(sorted: &[Outcome]) -> Vec<Bin> {
    let mut all = Bin::default();
    sorted.iter().for_each(|outcome| all.add(outcome));
    let count = (all.positives / POSITIVES_PER_KNOT).clamp(1.0, 64.0).floor();
    let mut bins = Vec::new();
    let mut bin = Bin::default();
    for outcome in sorted {
        bin.add(outcome);
        if bin.expected >= all.expected / count {
            bins.push(std::mem::take(&mut bin));
        }
    }
    if let Some(last) = bins.last_mut() {
        last.weight += bin.weight;
        last.positives += bin.positives;
        last.log_odds_sum += bin.log_odds_sum;
    } else {
        bins.push(bin);
    }
    bins
}

/// The nearest non-decreasing sequence in weighted squares: pool adjacent violators (Ayer et al. 1955). The weighted mean
/// is preserved. `weights` must be positive and as long as `values`.
#[must_use]
pub fn isotonic(values: &[f64], weights: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (value, weight) in values.iter().zip(weights) {
        let mut pool = (*value, *weight, 1);
        while let Some((mean, mass, len)) = pools.pop_if(|last| last.0 >= pool.0) {
            let total = mass + pool.1;
            pool = ((mean * mass + pool.0 * pool.1) / total, total, len + pool.2);
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|(mean, _, len)| std::iter::repeat_n(mean, len)).collect()
}

/// Undoes a model's training on a sample that kept only the share `kept` of the negatives (He et al. 2014):
/// p / (p + (1 − p) / kept), which in log-odds is a shift by ln `kept`.
#[must_use]
pub fn undo_downsampling(p: f64, kept: f64) -> f64 {
    p / (p + (1.0 - p) / kept)
}
