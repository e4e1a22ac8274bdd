//! Decimal amounts as integers.

/// `12.5` as 12,500,000 micros, exactly. `None` for what is not a plain decimal number of at most six places.
pub(super) fn micros(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > 6 {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction)?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(micros("2.55"), Some(2_550_000));
        assert_eq!(micros("-11062.06"), Some(-11_062_060_000));
        assert_eq!(micros("0.001"), Some(1_000));
        assert_eq!(micros("7"), Some(7_000_000));
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        for text in ["", "-", ".5", "1e3", "1,5", "1.2345678", "9999999999999999", "1.2.3", " 1"] {
            assert_eq!(micros(text), None, "{text:?}");
        }
    }
}
