//! Money and rank as integers.
//!
//! A price in micros per mille is exactly that many nanos per impression, so nothing is rounded until a statement is made.
//! A candidate's `Value` is nanos per impression with 32 fractional bits: the price that keeps a rank is then a number and
//! not a tolerance (`litfass_market` computes it and its inverse).

use std::fmt;
use std::iter::Sum;

/// Parts per million: what weights, multipliers and rates are counted in.
pub const PPM: u32 = 1_000_000;

/// 10⁻⁹ of the settlement currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Nanos(pub i64);

impl Sum<Nanos> for i128 {
    fn sum<I: Iterator<Item = Nanos>>(amounts: I) -> Self {
        amounts.map(|n| Self::from(n.0)).sum()
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0.unsigned_abs() / 1_000_000_000, self.0.unsigned_abs() % 1_000_000_000);
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{whole}.{fraction:09}")
    }
}

/// What a price is paid for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unit {
    /// A thousand impressions (CPM).
    Mille,
    /// A click (CPC).
    Click,
    /// A conversion (CPA).
    Action,
}

impl Unit {
    /// As files and answers spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mille => "mille",
            Self::Click => "click",
            Self::Action => "action",
        }
    }
}

/// What an advertiser bids or pays: integer micros of the settlement currency per unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Price {
    pub micros: i64,
    pub per: Unit,
}

impl Price {
    /// The largest bid: 2⁵⁰ micros, about 1.1 billion currency units.
    pub const MAX_MICROS: i64 = 1 << 50;

    /// What one billable event costs: an impression of a CPM price, a click, an action. At most 2⁶⁰, so it always fits.
    #[must_use]
    pub const fn per_event(self) -> Nanos {
        match self.per {
            Unit::Mille => Nanos(self.micros),
            Unit::Click | Unit::Action => Nanos(self.micros * 1_000),
        }
    }
}

/// A fraction of 2³² in 1 … 2³²−1, made once, where a calibrated prediction enters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Probability(u32);

impl Probability {
    const ONE: f64 = 4_294_967_296.0;

    /// Rounds to nearest and clamps; what is not a number becomes the smallest probability.
    #[must_use]
    pub fn from_f64(p: f64) -> Self {
        let scaled = (p * Self::ONE).round().clamp(1.0, Self::ONE - 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 1 … 2³²−1; NaN becomes 0"
        )]
        let bits = scaled as u32;
        Self(bits.max(1))
    }

    /// Zero becomes the smallest probability.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(if bits == 0 { 1 } else { bits })
    }

    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    #[must_use]
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / Self::ONE
    }
}

/// What a model says of one ad for one request, calibrated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Prediction {
    /// Per rendered impression in the first slot.
    pub click: Probability,
    /// Given a click.
    pub conversion: Probability,
}

/// What a candidate is worth: nanos per impression with 32 fractional bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Value(pub i128);

impl Value {
    #[must_use]
    pub const fn from_nanos(nanos: Nanos) -> Self {
        Self((nanos.0 as i128) << 32)
    }

    /// Rounded down.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_never_zero_one_or_nothing() {
        assert_eq!(Probability::from_f64(0.0).bits(), 1);
        assert_eq!(Probability::from_f64(2.0).bits(), u32::MAX);
        assert_eq!(Probability::from_f64(f64::NAN).bits(), 1);
        assert_eq!(Probability::from_f64(0.5).bits(), 1 << 31);
    }

    #[test]
    fn a_cpm_in_micros_is_that_many_nanos_per_impression() {
        assert_eq!(Price { micros: 2_500_000, per: Unit::Mille }.per_event(), Nanos(2_500_000));
        assert_eq!(Price { micros: Price::MAX_MICROS, per: Unit::Click }.per_event().0, 1_000 << 50);
        assert_eq!(Nanos(-1_500_000_000).to_string(), "-1.500000000");
    }
}
