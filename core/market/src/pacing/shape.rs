//! When a line item's traffic comes: a weight for each hour of the week.
//!
//! Weights are positive and sum up as integers, so that any stretch of time has an exact part of any other, and a plan never
//! stands still.

use litfass_types::{Duration, Timestamp};

/// Hours of a week; hour 0 is Monday's first, UTC.
pub const HOURS: usize = 168;

const HOUR: i64 = Duration::hours(1).0;
const WEEK: i64 = Duration::days(7).0;
/// 1970 began on a Thursday.
const BEFORE_EPOCH: i64 = Duration::days(3).0;
/// The heaviest hour has this weight.
const WEIGHT_MAX: u64 = 1 << 16;
/// No hour has less than this part of the mean hour's weight: a forecast may be wrong, and pages do come at night.
const LEAST_PART: u64 = 50;

/// The hour of the week, 0 … 167, UTC.
#[must_use]
pub fn hour_of_week(at: Timestamp) -> usize {
    usize::try_from(within_week(at) / HOUR).unwrap_or(0)
}

fn within_week(at: Timestamp) -> i64 {
    at.0.saturating_add(BEFORE_EPOCH).rem_euclid(WEEK)
}

/// Forecast traffic over the week, scaled: only its shape counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Shape {
    /// Sum of the weights before hour i; the last is the week's.
    before: Box<[u32; HOURS + 1]>,
}

impl Default for Shape {
    fn default() -> Self {
        Self::flat()
    }
}

impl Shape {
    /// Every hour alike: the clock.
    #[must_use]
    pub fn flat() -> Self {
        Self::of(&[1; HOURS])
    }

    /// From counts of requests per hour of the week; nothing counted is flat.
    #[must_use]
    pub fn of(counts: &[u64; HOURS]) -> Self {
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let scaled = counts.map(|count| wide_part(count, WEIGHT_MAX, most));
        let least = (scaled.iter().sum::<u64>() / HOURS as u64 / LEAST_PART).max(1);
        let mut before = Box::new([0; HOURS + 1]);
        for (hour, weight) in scaled.into_iter().enumerate() {
            before[hour + 1] = before[hour] + u32::try_from(weight.max(least)).unwrap_or(u32::MAX / 256);
        }
        Self { before }
    }

    /// Traffic between two instants, in weight · milliseconds; negative where `to` is earlier.
    #[must_use]
    pub fn between(&self, from: Timestamp, to: Timestamp) -> i128 {
        self.until(to) - self.until(from)
    }

    /// The weight of an hour of the week, of at most 2¹⁶.
    #[must_use]
    pub fn weight(&self, hour: usize) -> u32 {
        let hour = hour % HOURS;
        self.before[hour + 1] - self.before[hour]
    }

    /// Since the Monday before 1970.
    fn until(&self, at: Timestamp) -> i128 {
        let weeks = at.0.saturating_add(BEFORE_EPOCH).div_euclid(WEEK);
        let (hour, rest) = (hour_of_week(at), within_week(at) % HOUR);
        let whole = i128::from(self.before[HOURS]) * i128::from(weeks) + i128::from(self.before[hour]);
        whole * i128::from(HOUR) + i128::from(self.weight(hour)) * i128::from(rest)
    }
}

fn wide_part(a: u64, b: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) / u128::from(whole)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_week_begins_on_monday() {
        assert_eq!(hour_of_week(Timestamp(0)), 3 * 24);
        // 2026-11-16 is a Monday.
        assert_eq!(hour_of_week(Timestamp(1_794_787_200_000)), 0);
        assert_eq!(hour_of_week(Timestamp(-1)), 3 * 24 - 1);
    }

    fn counts() -> impl Strategy<Value = [u64; HOURS]> {
        proptest::array::uniform32(0_u64..1_000)
            .prop_map(|few| std::array::from_fn(|hour| few[hour % 32] * u64::from(hour % 7 != 3)))
    }

    proptest! {
        /// Minute by minute.
        #[test]
        fn a_stretch_has_the_sum_of_its_minutes(counts in counts(), from in -20_000_i64..20_000, minutes in 0_i64..15_000) {
            let shape = Shape::of(&counts);
            let minute = |n: i64| Timestamp(n * 60_000);
            let naive: i128 = (from..from + minutes)
                .map(|n| 60_000 * i128::from(shape.weight(hour_of_week(minute(n)))))
                .sum();
            prop_assert_eq!(shape.between(minute(from), minute(from + minutes)), naive);
        }

        #[test]
        fn only_the_proportions_of_the_counts_matter(counts in counts(), times in 1_u64..1_000_000_000) {
            prop_assert_eq!(Shape::of(&counts), Shape::of(&counts.map(|count| count * times)));
        }

        #[test]
        fn no_hour_stands_still(counts in counts()) {
            let shape = Shape::of(&counts);
            prop_assert!((0..HOURS).all(|hour| shape.weight(hour) > 0));
        }
    }
}
