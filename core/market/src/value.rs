//! What a price is worth and which price is worth that much: one function and its exact inverse.
//!
//! The value of a price is a product of rational factors, floored after each one, in this order: unit (exact), conversion
//! (CPA only), pacing, quality. Each step is ⌊x·a/b⌋, and ⌊x·a/b⌋ ≥ t exactly where x ≥ ⌈t·b/a⌉ (a Galois connection), so the
//! smallest price that reaches a value is found by undoing the steps in reverse with ceilings, without search or tolerance.
//!
//! Nothing overflows: a bid is at most 2⁵⁰ micros, an event therefore below 2⁶⁰ nanos, a probability below 2³², a multiplier
//! at most ten million ppm; the largest intermediate is below 2¹²⁴.

use litfass_types::{PPM, Prediction, Price, Unit, Value};

/// The largest pacing or quality multiplier: ten times. A larger one counts as this.
pub const MULTIPLIER_PPM_MAX: u32 = 10 * PPM;

const NANOS_PER_MICRO: u128 = 1_000;
const FRACTION_BITS: u32 = 32;

/// Everything but the amount that a bid's value depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Factors {
    pub per: Unit,
    pub prediction: Prediction,
    /// 0 … `MULTIPLIER_PPM_MAX`.
    pub pacing_ppm: u32,
    /// 0 … `MULTIPLIER_PPM_MAX`.
    pub quality_ppm: u32,
}

impl Factors {
    /// What an impression at that price is expected to bring in, neither paced nor weighted: what a floor is compared with.
    #[must_use]
    pub const fn revenue(per: Unit, prediction: Prediction) -> Self {
        Self { per, prediction, pacing_ppm: PPM, quality_ppm: PPM }
    }

    /// Nanos per impression with 32 fractional bits, at least 0. `micros` outside 0 … `Price::MAX_MICROS` counts as the
    /// nearer bound.
    #[must_use]
    pub fn value(&self, micros: i64) -> Value {
        let micros = micros.clamp(0, Price::MAX_MICROS).unsigned_abs();
        let earned = self.convert(u128::from(micros) * self.per_micro());
        Value(scale(scale(earned, self.pacing_ppm), self.quality_ppm).cast_signed())
    }

    /// The smallest price in micros whose value is at least `target`; `None` where even the largest bid is worth less.
    #[must_use]
    pub fn price_for(&self, target: Value) -> Option<i64> {
        if target > self.value(Price::MAX_MICROS) {
            return None;
        }
        // From here on every divisor is positive (a zero factor makes every value zero) and every step is at most what the
        // largest bid gives at that step, so nothing below overflows.
        let target = u128::try_from(target.0).unwrap_or(0);
        let earned = unscale(unscale(target, self.quality_ppm), self.pacing_ppm);
        i64::try_from(self.unconvert(earned).div_ceil(self.per_micro())).ok()
    }

    /// Value of one micro before conversion, pacing and quality. Exact.
    fn per_micro(&self) -> u128 {
        match self.per {
            Unit::Mille => 1 << FRACTION_BITS,
            Unit::Click | Unit::Action => NANOS_PER_MICRO * u128::from(self.prediction.click.bits()),
        }
    }

    fn convert(&self, value: u128) -> u128 {
        match self.per {
            Unit::Mille | Unit::Click => value,
            Unit::Action => (value * u128::from(self.prediction.conversion.bits())) >> FRACTION_BITS,
        }
    }

    fn unconvert(&self, value: u128) -> u128 {
        match self.per {
            Unit::Mille | Unit::Click => value,
            Unit::Action => (value << FRACTION_BITS).div_ceil(u128::from(self.prediction.conversion.bits())),
        }
    }
}

/// ⌊value · ppm / 10⁶⌋. Most multipliers are one, and a 128-bit division is the dearest thing here: where the value fits 64
/// bits, its whole millions and the rest are multiplied apart.
fn scale(value: u128, ppm: u32) -> u128 {
    if ppm == PPM {
        return value;
    }
    let ppm = ppm.min(MULTIPLIER_PPM_MAX);
    match u64::try_from(value) {
        Ok(value) => {
            let (millions, rest) = (value / u64::from(PPM), value % u64::from(PPM));
            u128::from(millions) * u128::from(ppm) + u128::from(rest * u64::from(ppm) / u64::from(PPM))
        }
        Err(_) => value * u128::from(ppm) / u128::from(PPM),
    }
}

/// The smallest x with `scale(x) ≥ value`, where there is one: 0 for a zero multiplier, which `price_for` lets through only
/// for a target of zero.
fn unscale(value: u128, ppm: u32) -> u128 {
    match ppm.min(MULTIPLIER_PPM_MAX) {
        PPM => value,
        0 => 0,
        ppm => (value * u128::from(PPM)).div_ceil(u128::from(ppm)),
    }
}

/// What `price` is worth per impression: `Factors::value` for a whole price.
#[must_use]
pub fn value(price: Price, prediction: Prediction, pacing_ppm: u32, quality_ppm: u32) -> Value {
    Factors { per: price.per, prediction, pacing_ppm, quality_ppm }.value(price.micros)
}
