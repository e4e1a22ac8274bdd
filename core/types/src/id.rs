//! Ids. Stable ids name catalog objects for ever and stand in records, tokens and URLs; dense indices (`…Ix`) name a row of
//! one catalog version and never leave the process.

use std::fmt;
use std::str::FromStr;

use crate::time::Timestamp;

macro_rules! stable_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u64);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

stable_id! {
    /// Owns advertisers, placements and keys; nothing crosses it.
    TenantId;
    /// Also the account that pays: one advertiser, one account.
    AdvertiserId;
    CampaignId;
    LineItemId;
    AdId;
    CreativeId;
    PlacementId;
    SegmentId;
}

/// Dense index of an ad in one `Catalog`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AdIx(pub u32);

/// Dense index of a line item in one `Catalog`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LineItemIx(pub u32);

/// A candidate's row in one request's columns. A row is marked, never removed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Row(pub u16);

/// 128 bits as 32 lower-case hexadecimal digits.
fn parse_hex128(text: &str) -> Option<u128> {
    let canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if canonical { u128::from_str_radix(text, 16).ok() } else { None }
}

/// What is not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an id is 32 lower-case hexadecimal digits")]
pub struct MalformedId;

macro_rules! wide_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u128);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }
        impl FromStr for $name {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                parse_hex128(text).map(Self).ok_or(MalformedId)
            }
        }
    )*};
}

wide_id! {
    /// time (48 bits, ms) ‖ log partition (16) ‖ random (64): a record is found by its id without an index.
    DecisionId;
    /// Names one log entry; what is sent twice carries the same id.
    EventId;
    /// Chosen at random by the holder, so that a retried grant changes nothing.
    LeaseId;
}

impl DecisionId {
    /// `time` must lie in 0 … 2⁴⁸−1 ms (until the year 10889); what lies outside is clamped.
    #[must_use]
    pub fn new(time: Timestamp, partition: u16, random: u64) -> Self {
        let ms = u128::from(time.0.clamp(0, (1 << 48) - 1).unsigned_abs());
        Self(ms << 80 | u128::from(partition) << 64 | u128::from(random))
    }

    #[must_use]
    pub fn time(self) -> Timestamp {
        Timestamp(i64::try_from(self.0 >> 80).unwrap_or(i64::MAX))
    }

    #[must_use]
    pub fn partition(self) -> u16 {
        u16::try_from(self.0 >> 64 & 0xffff).unwrap_or(u16::MAX)
    }
}

/// A keyed hash of (tenant, user id) under a per-tenant secret, with the version of the key that made it. The raw id is
/// stored nowhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserHash {
    pub key_version: u8,
    pub hash: u128,
}

impl fmt::Display for UserHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:032x}", self.key_version, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_id_gives_back_its_time_and_partition() {
        let id = DecisionId::new(Timestamp(1_700_000_000_123), 513, u64::MAX);
        assert_eq!((id.time(), id.partition()), (Timestamp(1_700_000_000_123), 513));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn an_id_in_another_spelling_is_refused() {
        assert_eq!("0A".repeat(16).parse::<EventId>(), Err(MalformedId));
        assert_eq!("+".repeat(32).parse::<EventId>(), Err(MalformedId));
        assert_eq!("0".parse::<EventId>(), Err(MalformedId));
    }
}
