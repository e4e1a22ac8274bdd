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
    let k = nearest(x * std::f64::consts::LOG2_E);
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let series = exp_series(r);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "k is a whole number within ±1010")]
    let scale = f64::from_bits(((1_023 + k as i64) as u64) << 52);
    series * scale
}

/// Taylor's series to r¹³/13!, |r| ≤ ln 2 / 2. By pairs (Estrin's scheme), because a chain of thirteen steps that wait for
/// each other is what the first phase would spend most of its time on.
fn exp_series(r: f64) -> f64 {
    let c = &FACTORIAL_RECIPROCALS;
    let (r2, r4) = (r * r, (r * r) * (r * r));
    let pair = |i: usize| c[i] + c[i + 1] * r;
    let four = |i: usize| pair(i) + pair(i + 2) * r2;
    let (low, high) = (four(0) + four(4) * r4, four(8) + pair(12) * r4);
    low + high * (r4 * r4)
}

/// The nearest whole number, halves to even, for |x| < 2⁵¹: there, adding this constant leaves no room for a fraction.
fn nearest(x: f64) -> f64 {
    const ROOM: f64 = 6_755_399_441_055_744.0;
    (x + ROOM) - ROOM
}

/// Natural logarithm; what is not a positive normal number counts as the smallest one.
#[must_use]
pub const fn ln(x: f64) -> f64 {
    let x = if x >= f64::MIN_POSITIVE { x.min(f64::MAX) } else { f64::MIN_POSITIVE };
    let bits = x.to_bits();
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1_023 << 52);
    let upper = mantissa > std::f64::consts::SQRT_2;
    let m = if upper { mantissa / 2.0 } else { mantissa };
    #[expect(clippy::cast_precision_loss, reason = "the exponent has eleven bits")]
    let exponent = (bits >> 52) as f64 - if upper { 1_022.0 } else { 1_023.0 };
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    // 2 artanh s = 2 (s + s³/3 + … + s²¹/21), |s| ≤ 0.172.
    let (mut series, mut term) = (0.0, ODD_RECIPROCALS.len());
    while term > 0 {
        term -= 1;
        series = series * square + ODD_RECIPROCALS[term];
    }
    exponent * LN_2_HIGH + (2.0 * s * series + exponent * LN_2_LOW)
}

/// Natural logarithm of a count, from a table where it is small; 0 counts as the smallest number.
#[must_use]
pub fn ln_count(n: u32) -> f64 {
    static SMALL: [f64; 512] = {
        let mut table = [0.0; 512];
        let mut n = 0;
        while n < table.len() {
            #[expect(clippy::cast_precision_loss, reason = "below 512")]
            let x = n as f64;
            table[n] = ln(x);
            n += 1;
        }
        table
    };
    SMALL.get(n as usize).copied().unwrap_or_else(|| ln(f64::from(n)))
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
    let small = exp(-x.abs());
    (if x >= 0.0 { 1.0 } else { small }) / (1.0 + small)
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
    fn the_table_of_counts_holds_what_the_logarithm_says() {
        for n in [0, 1, 2, 3, 100, 511, 512, 513, u32::MAX] {
            assert_eq!(ln_count(n).to_bits(), ln(f64::from(n)).to_bits(), "{n}");
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
