//! Exponential and logarithm that give the same bits on every CPU and in every build.
//!
//! The platform's libm may differ in the last bit between machines; a feature or a prediction that is recomputed elsewhere
//! would then not be the one that was recorded. These use additions, multiplications and one division in a fixed order, and
//! are within 2 units in the last place.

const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// eˣ, x clamped to ±700.
#[must_use]
pub fn exp(x: f64) -> f64 {
    let x = if x.is_nan() { return x } else { x.clamp(-700.0, 700.0) };
    let k = (x * std::f64::consts::LOG2_E).round();
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // Taylor's series to r¹³/13!, |r| ≤ ln 2 / 2.
    let series = FACTORIAL_RECIPROCALS.iter().rev().fold(0.0, |sum, c| sum * r + c);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "k is a whole number within ±1010")]
    let scale = f64::from_bits(((1_023 + k as i64) as u64) << 52);
    series * scale
}

/// Natural logarithm; what is not a positive normal number counts as the smallest one.
#[must_use]
pub fn ln(x: f64) -> f64 {
    let x = if x >= f64::MIN_POSITIVE { x.min(f64::MAX) } else { f64::MIN_POSITIVE };
    let bits = x.to_bits();
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1_023 << 52);
    let upper = mantissa > std::f64::consts::SQRT_2;
    let m = if upper { mantissa / 2.0 } else { mantissa };
    let exponent = f64::from(u16::try_from(bits >> 52).unwrap_or(0)) - 1_023.0 + f64::from(u8::from(upper));
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    // 2 artanh s = 2 (s + s³/3 + … + s²¹/21), |s| ≤ 0.172.
    let series = ODD_RECIPROCALS.iter().rev().fold(0.0, |sum, c| sum * square + c);
    exponent * LN_2_HIGH + (2.0 * s * series + exponent * LN_2_LOW)
}

const FACTORIAL_RECIPROCALS: [f64; 14] = [
    1.0,
    1.0,
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

const ODD_RECIPROCALS: [f64; 11] = [
    1.0,
    1.0 / 3.0,
    1.0 / 5.0,
    1.0 / 7.0,
    1.0 / 9.0,
    1.0 / 11.0,
    1.0 / 13.0,
    1.0 / 15.0,
    1.0 / 17.0,
    1.0 / 19.0,
    1.0 / 21.0,
];

/// 1 / (1 + e⁻ˣ).
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 { 1.0 / (1.0 + exp(-x)) } else { exp(x) / (1.0 + exp(x)) }
}

/// ln p / (1 − p), p clamped to 10⁻¹² … 1 − 10⁻¹².
#[must_use]
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-12, 1.0 - 1e-12);
    ln(p) - ln(1.0 - p)
}

/// The nearest `f32`, which is what columns and artifacts hold.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is the purpose")]
pub const fn single(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_agree_with_the_platform_to_the_last_two_bits() {
        for i in -70_000..70_000 {
            let x = f64::from(i) / 100.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-15, "exp {x}");
            let y = x.exp();
            assert!((ln(y) - y.ln()).abs() <= 4e-16 * y.ln().abs().max(1.0), "ln {y}");
        }
    }

    #[test]
    fn the_edges_are_numbers() {
        assert!(ln(0.0) < -708.0 && ln(-1.0) < -708.0 && ln(f64::NAN) < -708.0 && ln(f64::INFINITY) < 710.0);
        assert!(exp(-1e9) > 0.0 && exp(1e9).is_finite());
        assert!((sigmoid(-800.0) - 0.0).abs() < 1e-300 && (sigmoid(800.0) - 1.0).abs() < 1e-15);
        assert!((sigmoid(logit(0.03)) - 0.03).abs() < 1e-16);
    }
}
