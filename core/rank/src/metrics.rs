//! How good predictions are: order (AUC), probability (log loss, normalised entropy), level (calibration), and how sure
//! one may be of a difference (bootstrap by group).

use litfass_features::exact::ln;
use litfass_types::Seed;

/// A prediction, what happened, and for how many rows it stands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scored {
    /// A probability, except for `auc`, which takes any order.
    pub score: f64,
    pub positive: bool,
    pub weight: f64,
}

impl Scored {
    #[must_use]
    pub const fn new(score: f64, positive: bool) -> Self {
        Self { score, positive, weight: 1.0 }
    }
}

/// The probability that a positive scores above a negative, ties counted half (Mann–Whitney). `None` without both kinds.
/// Sorts the rows.
#[must_use]
pub fn auc(sorted: &mut [Scored]) -> Option<f64> {
    sorted.sort_unstable_by(|a, b| a.score.total_cmp(&b.score));
    let (mut below, mut positives, mut wins) = (0.0, 0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.score.total_cmp(&b.score).is_eq()) {
        let up: f64 = ties.iter().filter(|r| r.positive).map(|r| r.weight).sum();
        let down: f64 = ties.iter().filter(|r| !r.positive).map(|r| r.weight).sum();
        wins += up * (below + down / 2.0);
        below += down;
        positives += up;
    }
    (positives > 0.0 && below > 0.0).then(|| wins / (positives * below))
}

/// −mean of ln p of what happened; p is clamped to 10⁻⁷ … 1 − 10⁻⁷. `None` without rows.
#[must_use]
pub fn log_loss(rows: &[Scored]) -> Option<f64> {
    let weight: f64 = rows.iter().map(|r| r.weight).sum();
    let loss: f64 = rows.iter().map(|r| r.weight * loss_of(r.score, r.positive)).sum();
    (weight > 0.0).then(|| loss / weight)
}

/// −ln of the probability given to what happened.
#[must_use]
pub fn loss_of(p: f64, positive: bool) -> f64 {
    let p = p.clamp(1e-7, 1.0 - 1e-7);
    -ln(if positive { p } else { 1.0 - p })
}

/// Log loss over that of always predicting the base rate (He et al. 2014). `None` without both kinds.
#[must_use]
pub fn normalised_entropy(rows: &[Scored]) -> Option<f64> {
    let base = base_rate(rows)?;
    let entropy = -(base * ln(base) + (1.0 - base) * ln(1.0 - base));
    (base > 0.0 && base < 1.0).then(|| log_loss(rows).map(|loss| loss / entropy)).flatten()
}

/// Σp / Σy: 1 where the level is right. `None` without positives.
#[must_use]
pub fn calibration_ratio(rows: &[Scored]) -> Option<f64> {
    let predicted: f64 = rows.iter().map(|r| r.weight * r.score).sum();
    let happened: f64 = rows.iter().filter(|r| r.positive).map(|r| r.weight).sum();
    (happened > 0.0).then(|| predicted / happened)
}

/// Σ over bins of equal mass |Σp − Σy|, relative to Σy. `None` without positives. Sorts the rows.
#[must_use]
pub fn relative_calibration_error(sorted: &mut [Scored], bins: u32) -> Option<f64> {
    sorted.sort_unstable_by(|a, b| a.score.total_cmp(&b.score));
    let mass: f64 = sorted.iter().map(|r| r.weight).sum();
    let happened: f64 = sorted.iter().filter(|r| r.positive).map(|r| r.weight).sum();
    let (mut error, mut gap, mut seen, mut next) = (0.0, 0.0, 0.0, 1.0);
    for row in &*sorted {
        gap += row.weight * (row.score - f64::from(u8::from(row.positive)));
        seen += row.weight;
        if seen >= mass * next / f64::from(bins.max(1)) {
            error += f64::abs(gap);
            gap = 0.0;
            next += 1.0;
        }
    }
    (happened > 0.0).then(|| (error + f64::abs(gap)) / happened)
}

fn base_rate(rows: &[Scored]) -> Option<f64> {
    let weight: f64 = rows.iter().map(|r| r.weight).sum();
    let happened: f64 = rows.iter().filter(|r| r.positive).map(|r| r.weight).sum();
    (weight > 0.0).then(|| happened / weight)
}

/// A figure and the 95 % percentile interval of its bootstrap.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Interval {
    pub low: f64,
    pub point: f64,
    pub high: f64,
}

/// Resamples whole groups with replacement. `statistic` gets how often each group was drawn; all ones give the point.
/// The same seed draws the same resamples, so that two statistics of one seed are paired.
#[must_use]
pub fn bootstrap(groups: usize, resamples: u32, seed: Seed, mut statistic: impl FnMut(&[u32]) -> f64) -> Interval {
    let point = statistic(&vec![1; groups]);
    let mut values: Vec<f64> =
        (0..resamples).map(|n| statistic(&resample(groups, seed.derive(u64::from(n))))).collect();
    values.sort_unstable_by(f64::total_cmp);
    Interval { low: quantile(&values, 25), point, high: quantile(&values, 975) }
}

fn resample(groups: usize, seed: Seed) -> Vec<u32> {
    let mut drawn = vec![0; groups];
    for n in 0..groups as u64 {
        let pick = usize::try_from(seed.derive(n).below(groups as u64)).unwrap_or(0);
        if let Some(count) = drawn.get_mut(pick) {
            *count += 1;
        }
    }
    drawn
}

/// By nearest rank, `per_mille` of 1,000; not a number where there are no values.
fn quantile(sorted: &[f64], per_mille: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * per_mille + 500) / 1_000).copied().unwrap_or(f64::NAN)
}
