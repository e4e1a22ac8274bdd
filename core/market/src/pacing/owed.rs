//! What conversions that have not come yet will cost.
//!
//! Nobody holds budget for a conversion; it is counted as spent instead, so that a line item does not promise more than it
//! can pay. Of the expected cost of each click that may still come, price · pCTR · pCVR, what is left after a time is the
//! share of conversions that come later than that: half of it after each half-life. On top of the sum S comes √(S · price), one
//! standard deviation of a Poisson number of conversions at that price.

use litfass_types::{Duration, Prediction, Price, Timestamp};

use super::fixed::{ONE, times_exp};

/// ln 2 in 2⁻³².
const LN_2: i64 = 2_977_044_471;

/// One line item's conversions that may still come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Owed {
    /// Nanos with 32 fractional bits, as of `at`.
    sum: u128,
    at: Timestamp,
}

impl Owed {
    /// An impression was rendered at that price per action.
    pub fn rendered(&mut self, price: Price, prediction: Prediction, at: Timestamp, half_life: Duration) {
        self.fade(at, half_life);
        let clicks = u128::from(price.per_event().0.unsigned_abs()) * u128::from(prediction.click.bits());
        let expected = (clicks >> 16).saturating_mul(u128::from(prediction.conversion.bits())) >> 16;
        self.sum = self.sum.saturating_add(expected);
    }

    /// What counts as spent at `now`: S + √(S · price), rounded up.
    #[must_use]
    pub fn nanos(mut self, price: Price, now: Timestamp, half_life: Duration) -> i128 {
        self.fade(now, half_life);
        let sum = self.sum.div_ceil(1 << 32);
        let price = u128::from(price.per_event().0.unsigned_abs());
        let deviation = sum.saturating_mul(price).isqrt();
        i128::try_from(sum.saturating_add(deviation)).unwrap_or(i128::MAX)
    }

    /// Both together, as of the later instant.
    #[must_use]
    pub fn with(mut self, mut other: Self, half_life: Duration) -> Self {
        self.fade(other.at, half_life);
        other.fade(self.at, half_life);
        Self { sum: self.sum.saturating_add(other.sum), at: self.at }
    }

    /// The sum in nanos with 32 fractional bits, and as of when: for whoever keeps it.
    #[must_use]
    pub const fn parts(&self) -> (u128, Timestamp) {
        (self.sum, self.at)
    }

    #[must_use]
    pub const fn from_parts(sum: u128, at: Timestamp) -> Self {
        Self { sum, at }
    }

    /// Instants only go forward: an impression of an earlier one counts as one of the last.
    fn fade(&mut self, now: Timestamp, half_life: Duration) {
        let passed = (now - self.at).0.max(0);
        let (halvings, rest) = (passed / half_life.0.max(1), passed % half_life.0.max(1));
        let exponent = i128::from(LN_2) * i128::from(rest) / i128::from(half_life.0.max(1));
        let factor = times_exp(ONE, -i64::try_from(exponent).unwrap_or(0)).unsigned_abs();
        let halved = u32::try_from(halvings).ok().and_then(|n| self.sum.checked_shr(n)).unwrap_or(0);
        self.sum = (halved >> 32).saturating_mul(factor.into()) + (((halved & 0xFFFF_FFFF) * u128::from(factor)) >> 32);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use litfass_types::{Probability, Unit};
    use proptest::collection::vec;
    use proptest::prelude::*;

    const PRICE: Price = Price { micros: 20_000_000, per: Unit::Action };
    const HALF_LIFE: Duration = Duration::hours(6);

    fn prediction(click: f64, conversion: f64) -> Prediction {
        Prediction { click: Probability::from_f64(click), conversion: Probability::from_f64(conversion) }
    }

    #[test]
    fn an_action_of_twenty_at_one_in_a_thousand_counts_two_cents_and_its_deviation() {
        let mut owed = Owed::default();
        owed.rendered(PRICE, prediction(0.02, 0.05), Timestamp(0), HALF_LIFE);
        // S = 0.02; √(0.02 · 20) = 0.6325.
        let nanos = owed.nanos(PRICE, Timestamp(0), HALF_LIFE);
        assert!((652_450_000..652_460_000).contains(&nanos), "{nanos}");
        assert_eq!(Owed::default().nanos(PRICE, Timestamp(0), HALF_LIFE), 0);
    }

    proptest! {
        /// Impression by impression, with floats.
        #[test]
        #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
        fn it_is_the_sum_of_what_each_impression_may_still_cost(
            shown in vec((0_i64..3_600_000, 0.001..0.5_f64, 0.001..0.5_f64), 1..60),
        ) {
            let (mut owed, mut now, mut history) = (Owed::default(), 0, Vec::new());
            for (gap, click, conversion) in shown {
                now += gap;
                owed.rendered(PRICE, prediction(click, conversion), Timestamp(now), HALF_LIFE);
                history.push((now, 20e9 * click * conversion));
            }
            let later = now + 7_200_000;
            let left = |at: i64| 0.5_f64.powf((later - at) as f64 / HALF_LIFE.0 as f64);
            let sum: f64 = history.iter().map(|(at, cost)| cost * left(*at)).sum();
            let expected = sum + (sum * 20e9).sqrt();
            let got = owed.nanos(PRICE, Timestamp(later), HALF_LIFE) as f64;
            prop_assert!((got / expected - 1.0).abs() < 1e-3, "{got} {expected}");
        }
    }
}
