//! One budget over the time it has to last.

use litfass_types::{Duration, Timestamp};

use super::curve::Curve;
use super::fixed::{ONE, part, share};
use super::shape::Shape;

/// A plan is through by this long before its end, or by 1/144 of its time: what was held and not rendered comes back, and
/// what is left is spent.
pub const LEAD_MAX: Duration = Duration::minutes(10);
const LEAD_PART: i64 = 144;

/// Amounts in nanos, or in impressions of a quota.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan<'a> {
    pub budget: i128,
    /// With what is owed to conversions that have not come yet.
    pub spent: i128,
    pub start: Timestamp,
    /// After `start`.
    pub end: Timestamp,
    /// The most that one event costs.
    pub price: i128,
    pub curve: &'a Curve,
    pub shape: &'a Shape,
}

impl Plan<'_> {
    /// What should have been spent by `now`.
    #[must_use]
    pub fn target(&self, now: Timestamp) -> i128 {
        part(self.budget.max(0), i128::from(self.share(now)), i128::from(ONE))
    }

    /// How far behind the plan, in parts per million of the budget; negative is ahead.
    #[must_use]
    pub fn behind_ppm(&self, now: Timestamp) -> i64 {
        (self.behind(now) * 15_625) >> 26
    }

    /// When everything is to be spent.
    #[must_use]
    pub fn through(&self) -> Timestamp {
        let lead = ((self.end - self.start).0 / LEAD_PART).clamp(0, LEAD_MAX.0);
        self.end - Duration(lead)
    }

    /// Whether one more price fits.
    #[must_use]
    pub const fn has_left(&self) -> bool {
        self.budget.saturating_sub(self.spent) >= self.price && self.budget > self.spent
    }

    /// The planned share, of 2³².
    pub(super) fn share(&self, now: Timestamp) -> i64 {
        let until = self.through();
        let whole = self.shape.between(self.start, until).max(1);
        let passed = self.shape.between(self.start, now.clamp(self.start, until.max(self.start)));
        self.curve.spent(share(passed, whole))
    }

    /// How far behind, as a share of the budget.
    pub(super) fn behind(&self, now: Timestamp) -> i64 {
        share(self.target(now).saturating_sub(self.spent), self.budget.max(1))
    }

    /// Prices that the budget is worth, and minutes that it has to last.
    pub(super) fn prices(&self) -> i64 {
        i64::try_from(self.budget / self.price.max(1)).unwrap_or(i64::MAX).max(1)
    }

    pub(super) fn minutes(&self) -> i64 {
        ((self.end - self.start).0 / Duration::minutes(1).0).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::HOURS;
    use super::*;

    #[test]
    fn the_plan_follows_the_traffic_and_not_the_clock() {
        // Twice as much traffic in the second of two hours.
        let shape = Shape::of(&std::array::from_fn::<u64, HOURS, _>(|hour| 1 + (hour % 2) as u64));
        let plan = Plan {
            budget: 3_000,
            spent: 0,
            start: Timestamp(0),
            end: Timestamp(0) + Duration::hours(2),
            price: 1,
            curve: &Curve::Even,
            shape: &shape,
        };
        let half = plan.target(Timestamp(0) + Duration::hours(1));
        assert!((1_000..1_020).contains(&half), "{half}");
        assert_eq!(plan.target(plan.through()), 3_000);
        assert_eq!(plan.target(plan.end + Duration::hours(1)), 3_000);
        assert_eq!(plan.target(Timestamp(-5)), 0);
        assert_eq!(plan.behind_ppm(plan.end), 1_000_000);
    }
}
