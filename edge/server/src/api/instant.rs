//! Instants as texts: RFC 3339 in UTC on the way out; on the way in also with an offset.

use litfass_types::Timestamp;

use super::invalid::Invalid;

/// Like `2026-11-21T15:00:00.123Z`.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.3}"))
}

/// # Errors
/// When the text is no instant of RFC 3339.
pub fn parsed(field: &str, text: &str) -> Result<Timestamp, Invalid> {
    let invalid = |_| Invalid::new(field, "is an instant such as 2026-11-21T15:00:00Z");
    text.parse::<jiff::Timestamp>().map(|at| Timestamp(at.as_millisecond())).map_err(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_survives_its_text() {
        let at = Timestamp(1_795_273_200_123);
        assert_eq!(instant(at), "2026-11-21T15:00:00.123Z");
        assert_eq!(parsed("from", &instant(at)), Ok(at));
        assert_eq!(parsed("from", "2026-11-21T16:00:00.123+01:00"), Ok(at));
        assert_eq!(parsed("from", "yesterday").unwrap_err().field, "from");
    }
}
