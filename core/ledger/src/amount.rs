//! Amounts: sums of nanos that are never negative and never wrap.
//!
//! Debits and credits, limits and what was spent of them are kept apart, so nothing that is stored is negative. An amount is
//! an i128 in memory and a pair (hi, lo) with lo in 0 … 10¹⁸−1 in every database; the largest is 4·10³⁶ nanos, so that the sum
//! of two stored `hi` still fits a 64-bit column and can stand in a CHECK.

use std::fmt;

use litfass_types::{Nanos, Price};

const LO: i128 = 1_000_000_000_000_000_000;

/// A sum that would pass [`Amount::MAX`] or fall below zero. Ours to answer for: no operation may lead here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an amount left the range 0 … 4·10³⁶ nanos")]
pub struct Overflow;

/// Nanos, 0 … 4·10³⁶.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Amount(i128);

impl Amount {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(4_000_000_000_000_000_000 * LO);

    /// # Errors
    /// Below zero or above [`Amount::MAX`].
    pub const fn new(nanos: i128) -> Result<Self, Overflow> {
        if nanos < 0 || nanos > Self::MAX.0 { Err(Overflow) } else { Ok(Self(nanos)) }
    }

    /// A negative price is no price: it costs nothing.
    #[must_use]
    pub fn of(price: Price) -> Self {
        Self::from_nanos(price.per_event())
    }

    /// What is negative becomes zero.
    #[must_use]
    pub fn from_nanos(nanos: Nanos) -> Self {
        Self(i128::from(nanos.0.max(0)))
    }

    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.0
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// # Errors
    /// Above [`Amount::MAX`].
    pub const fn plus(self, other: Self) -> Result<Self, Overflow> {
        Self::new(self.0 + other.0)
    }

    /// # Errors
    /// Below zero.
    pub const fn minus(self, other: Self) -> Result<Self, Overflow> {
        Self::new(self.0 - other.0)
    }

    /// What is left after taking `other` away: zero where that is more.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self((self.0 - other.0).max(0))
    }

    /// `times` of it, at most [`Amount::MAX`].
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self(self.0.saturating_mul(i128::from(times)).min(Self::MAX.0))
    }

    /// As stored: (hi, lo) with amount = hi · 10¹⁸ + lo.
    #[must_use]
    pub fn to_pair(self) -> (i64, i64) {
        let part = |n: i128| i64::try_from(n).unwrap_or(i64::MAX); // both fit: see MAX
        (part(self.0 / LO), part(self.0 % LO))
    }

    /// # Errors
    /// Where the pair is no amount: what was read is damaged.
    pub fn from_pair(hi: i64, lo: i64) -> Result<Self, Overflow> {
        if hi < 0 || lo < 0 || i128::from(lo) >= LO {
            return Err(Overflow);
        }
        Self::new(i128::from(hi) * LO + i128::from(lo))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_survives_its_stored_pair() {
        for nanos in [0, 1, LO - 1, LO, LO + 1, Amount::MAX.0] {
            let (hi, lo) = Amount(nanos).to_pair();
            assert_eq!(Amount::from_pair(hi, lo), Ok(Amount(nanos)));
        }
        assert_eq!(Amount::from_pair(0, 1_000_000_000_000_000_000), Err(Overflow));
        assert_eq!(Amount::from_pair(-1, 0), Err(Overflow));
    }

    #[test]
    fn leaving_the_range_is_an_error_and_never_a_wrap() {
        assert_eq!(Amount::MAX.plus(Amount(1)), Err(Overflow));
        assert_eq!(Amount::ZERO.minus(Amount(1)), Err(Overflow));
        assert_eq!(Amount::MAX.times(u32::MAX), Amount::MAX);
        assert_eq!(Amount(1_500_000_000).to_string(), "1.500000000");
    }
}
