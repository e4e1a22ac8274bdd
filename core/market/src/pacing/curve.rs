//! How a budget is spread over the traffic of its time.

use litfass_types::PPM;

use super::fixed::{ONE, part};

/// Points of a custom curve, at most.
pub const POINTS_MAX: usize = 64;

/// Which share of the budget is to be spent once a share of the traffic has passed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Curve {
    /// In proportion.
    #[default]
    Even,
    /// Half as fast again at the start, half as fast at the end: 1.5·p − 0.5·p².
    FrontLoaded,
    /// All of it at once.
    Asap,
    Custom(Points),
}

/// A broken line from (0, 0) to (1, 1). Shares in parts per million.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Points(Vec<(u32, u32)>);

/// What is wrong with a custom curve: the caller's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadCurve {
    #[error("has {0} points, at most {POINTS_MAX} are allowed")]
    TooMany(usize),
    #[error("point {0}: shares are above 0 and below {PPM} of the traffic, and at most {PPM} of the budget")]
    Outside(usize),
    #[error("point {0}: the traffic's share must grow from point to point")]
    NotAscending(usize),
    #[error("point {0}: the budget's share must not fall")]
    Falls(usize),
}

impl Points {
    /// From (share of the traffic, share of the budget); the ends need not be said.
    ///
    /// # Errors
    /// The first point that breaks a rule, counted from 0.
    pub fn new(points: Vec<(u32, u32)>) -> Result<Self, BadCurve> {
        if points.len() > POINTS_MAX {
            return Err(BadCurve::TooMany(points.len()));
        }
        let mut last = (0, 0);
        for (at, (traffic, budget)) in points.iter().copied().enumerate() {
            if traffic == 0 || traffic >= PPM || budget > PPM {
                return Err(BadCurve::Outside(at));
            }
            if traffic <= last.0 {
                return Err(BadCurve::NotAscending(at));
            }
            if budget < last.1 {
                return Err(BadCurve::Falls(at));
            }
            last = (traffic, budget);
        }
        Ok(Self(points))
    }

    #[must_use]
    pub fn points(&self) -> &[(u32, u32)] {
        &self.0
    }

    fn spent(&self, passed: i64) -> i64 {
        let passed_ppm = part(i128::from(passed), i128::from(PPM), i128::from(ONE));
        let next = self.0.partition_point(|(traffic, _)| i128::from(*traffic) <= passed_ppm);
        let (from, to) = (next.checked_sub(1).map_or((0, 0), |at| self.0[at]), self.0.get(next).copied());
        let ((from_x, from_y), (to_x, to_y)) = (wide(from), wide(to.unwrap_or((PPM, PPM))));
        let along = i128::from(passed) - from_x;
        let risen = part(along, to_y - from_y, (to_x - from_x).max(1));
        i64::try_from(from_y + risen).unwrap_or(ONE).clamp(0, ONE)
    }
}

/// Parts per million as fractions of 2³².
fn wide((traffic, budget): (u32, u32)) -> (i128, i128) {
    let of = |ppm: u32| part(i128::from(ppm), i128::from(ONE), i128::from(PPM));
    (of(traffic), of(budget))
}

impl Curve {
    /// The share to be spent where `passed`, in 0 … 2³², of the traffic has. Never falls; ends at 2³².
    pub(super) fn spent(&self, passed: i64) -> i64 {
        let passed = passed.clamp(0, ONE);
        match self {
            Self::Even => passed,
            Self::FrontLoaded => {
                let square = part(i128::from(passed), i128::from(passed), i128::from(ONE));
                i64::try_from((3 * i128::from(passed) - square) / 2).unwrap_or(ONE)
            }
            Self::Asap => ONE,
            Self::Custom(points) => points.spent(passed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    fn points() -> impl Strategy<Value = Points> {
        btree_map(1..PPM, 0..=PPM, 0..8).prop_map(|points| {
            let mut most = 0;
            let rising = points.into_iter().map(|(traffic, budget)| {
                most = budget.max(most);
                (traffic, most)
            });
            Points::new(rising.collect()).unwrap()
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
    fn naive(points: &Points, passed: i64) -> f64 {
        let p = passed as f64 / ONE as f64;
        let real = |ppm: u32| f64::from(ppm) / f64::from(PPM);
        let ends = [(0.0, 0.0)].into_iter().chain(points.points().iter().map(|(x, y)| (real(*x), real(*y))));
        let all: Vec<(f64, f64)> = ends.chain([(1.0, 1.0)]).collect();
        let line = all.windows(2).find(|line| p < line[1].0);
        line.map_or(1.0, |line| line[0].1 + (p - line[0].0) * (line[1].1 - line[0].1) / (line[1].0 - line[0].0))
    }

    proptest! {
        #[test]
        #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
        fn a_custom_curve_is_its_broken_line(points in points(), passed in 0..=ONE) {
            // A line may rise by everything within a millionth of the traffic: there only its ends are compared.
            let (before, after) = (naive(&points, passed - 8_000), naive(&points, passed + 8_000));
            let got = Curve::Custom(points).spent(passed) as f64 / ONE as f64;
            prop_assert!((before - 1e-5..after + 1e-5).contains(&got), "{before} {got} {after}");
        }

        #[test]
        fn no_curve_falls_and_every_curve_ends_with_the_budget(points in points(), passed in 0..ONE, more in 0..ONE) {
            for curve in [Curve::Even, Curve::FrontLoaded, Curve::Asap, Curve::Custom(points)] {
                prop_assert!(curve.spent(passed) <= curve.spent(passed + more), "{curve:?}");
                prop_assert_eq!(curve.spent(ONE), ONE);
            }
        }
    }

    #[test]
    fn a_curve_says_which_of_its_points_is_wrong() {
        let bad = |points: &[(u32, u32)]| Points::new(points.to_vec()).unwrap_err();
        assert_eq!(bad(&[(500_000, 1_000_001)]), BadCurve::Outside(0));
        assert_eq!(bad(&[(100, 5), (100, 6)]), BadCurve::NotAscending(1));
        assert_eq!(bad(&[(100, 5), (200, 4)]), BadCurve::Falls(1));
        assert_eq!(bad(&vec![(1, 1); 65]), BadCurve::TooMany(65));
        assert_eq!(Curve::FrontLoaded.spent(ONE / 2), ONE * 5 / 8);
    }
}
