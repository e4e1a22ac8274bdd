//! Even pacing: how much of its bid a line item may use now, so that its budget lasts as long as its flight.
//!
//! The plan spends a budget in proportion to the time that has passed. Who is behind the plan bids higher, up to the whole
//! bid; who is ahead bids lower, and beyond a small slack not at all until the plan has caught up. The multiplier works
//! where there is competition, the stop where there is none. Integers only, state per line item and budget, never pooled.

use litfass_types::{PPM, Timestamp};

/// One budget over the time it has to last. Amounts in nanos.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    pub budget: i128,
    pub spent: i128,
    pub start: Timestamp,
    /// After `start`.
    pub end: Timestamp,
}

/// Ahead of the plan by more than this share of the budget: stop. Half a percent.
pub const SLACK_PPM: i128 = 5_000;
/// The lowest multiplier short of a stop: one hundredth of the bid.
pub const MULTIPLIER_MIN_PPM: u32 = 10_000;
/// Being one percent of the budget off the plan moves the multiplier by a fifth per update.
const GAIN: i128 = 20;
/// The most one update moves the multiplier by, as a share of itself.
const STEP_MAX_PPM: i128 = 200_000;

const ONE: i128 = PPM as i128;

impl Plan {
    /// What should have been spent by `now`.
    #[must_use]
    pub fn target(&self, now: Timestamp) -> i128 {
        let length = i128::from((self.end - self.start).0.max(1));
        let passed = i128::from((now - self.start).0).clamp(0, length);
        self.budget.max(0).saturating_mul(passed) / length
    }

    /// How far behind the plan, in parts per million of the budget; negative is ahead.
    #[must_use]
    pub fn behind_ppm(&self, now: Timestamp) -> i128 {
        let gap = self.target(now) - self.spent;
        gap.saturating_mul(ONE) / self.budget.max(1)
    }
}

/// The next multiplier, from the one in force and every budget that binds the line item: the one furthest ahead decides.
/// 0 means held back altogether.
#[must_use]
pub fn even(previous_ppm: u32, plans: &[Plan], now: Timestamp) -> u32 {
    let Some(behind) = plans.iter().map(|plan| plan.behind_ppm(now)).min() else { return PPM };
    if behind < -SLACK_PPM {
        return 0;
    }
    let step = (behind * GAIN).clamp(-STEP_MAX_PPM, STEP_MAX_PPM);
    let from = i128::from(previous_ppm.clamp(MULTIPLIER_MIN_PPM, PPM));
    let next = from * (ONE + step) / ONE;
    u32::try_from(next).unwrap_or(PPM).clamp(MULTIPLIER_MIN_PPM, PPM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(spent: i128) -> Plan {
        Plan { budget: 1_000_000, spent, start: Timestamp(0), end: Timestamp(1_000) }
    }

    #[test]
    fn who_is_ahead_beyond_the_slack_stops_until_the_plan_has_caught_up() {
        assert_eq!(even(PPM, &[plan(510_000)], Timestamp(500)), 0);
        assert!(even(0, &[plan(510_000)], Timestamp(506)) > 0);
    }

    #[test]
    fn who_is_behind_rises_to_the_whole_bid_and_no_further() {
        let mut multiplier = MULTIPLIER_MIN_PPM;
        for _ in 0..100 {
            multiplier = even(multiplier, &[plan(0)], Timestamp(500));
        }
        assert_eq!(multiplier, PPM);
    }

    #[test]
    fn the_budget_furthest_ahead_decides() {
        assert_eq!(even(PPM, &[plan(0), plan(600_000)], Timestamp(500)), 0);
        assert_eq!(even(123, &[], Timestamp(500)), PPM);
    }

    #[test]
    fn a_line_item_whose_spend_follows_its_multiplier_keeps_to_the_plan() {
        let (mut multiplier, mut spent) = (PPM, 0_i128);
        for now in 0..10_000_i64 {
            let plan = Plan { budget: 1_000_000_000, spent, start: Timestamp(0), end: Timestamp(10_000) };
            multiplier = even(multiplier, &[plan], Timestamp(now));
            // At the whole bid it would spend four times too fast.
            spent += 400_000 * i128::from(multiplier) / i128::from(PPM);
            assert!(plan.behind_ppm(Timestamp(now)).abs() <= 20_000, "{now}: {}", plan.behind_ppm(Timestamp(now)));
        }
    }
}
