//! Numbers as people read them.

use super::view::{Money, Per};

/// Nanos as whole micros, which is what is shown.
#[must_use]
pub fn micros(nanos: i128) -> i64 {
    i64::try_from(nanos / 1_000).unwrap_or(i64::MAX)
}

/// Micros as units with two digits, thousands apart: `1,234.50`.
#[must_use]
pub fn amount(micros: i64) -> String {
    let cents = (micros.unsigned_abs() + 5_000) / 10_000;
    let sign = if micros < 0 { "−" } else { "" };
    format!("{sign}{}.{:02}", grouped(cents / 100), cents % 100)
}

/// A bid or price: `0.21 per click`, `2.5034 per 1,000`. Up to four digits after the point, at least two.
#[must_use]
pub fn price(money: &Money) -> String {
    let per = match money.per {
        Per::Mille => "1,000",
        Per::Click => "click",
        Per::Action => "action",
    };
    format!("{} per {per}", fine(money.micros))
}

fn fine(micros: i64) -> String {
    let tenths_of_mill = (micros.unsigned_abs() + 50) / 100;
    let (whole, mut rest) = (tenths_of_mill / 10_000, tenths_of_mill % 10_000);
    let mut digits = 4;
    while digits > 2 && rest.is_multiple_of(10) {
        rest /= 10;
        digits -= 1;
    }
    let sign = if micros < 0 { "−" } else { "" };
    format!("{sign}{}.{rest:0digits$}", grouped(whole))
}

/// Digits in groups of three: `12,345,678`.
#[must_use]
pub fn grouped(n: u64) -> String {
    if n < 1_000 {
        return n.to_string();
    }
    format!("{},{:03}", grouped(n / 1_000), n % 1_000)
}

/// A probability: `3.21 %`.
#[must_use]
pub fn percent(p: f64) -> String {
    format!("{:.2} %", p * 100.0)
}

/// A span: `840 µs`, `1.25 ms`.
#[must_use]
pub fn span(us: u32) -> String {
    if us < 1_000 { format!("{us} µs") } else { format!("{:.2} ms", f64::from(us) / 1_000.0) }
}

/// A moment: `2026-02-03 14:05:06.789 UTC`.
#[must_use]
pub fn moment(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_two_digits_and_group_thousands() {
        assert_eq!(amount(1_234_500_000_000), "1,234,500.00");
        assert_eq!((amount(0), amount(-1_999_999), amount(4_999)), ("0.00".into(), "−2.00".into(), "0.00".into()));
    }

    #[test]
    fn prices_show_the_digits_they_have() {
        let of = |micros, per| price(&Money { micros, per });
        assert_eq!(of(210_000, Per::Click), "0.21 per click");
        assert_eq!(of(2_503_400, Per::Mille), "2.5034 per 1,000");
        assert_eq!(of(1_000_050_000, Per::Action), "1,000.05 per action");
    }

    #[test]
    fn a_moment_is_in_utc_with_milliseconds() {
        assert_eq!(moment(1_750_000_000_123), "2025-06-15 15:06:40.123 UTC");
    }
}
