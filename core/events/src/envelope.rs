//! What every entry of the event log says of itself, whatever its body.

use litfass_types::{DecisionId, EventId, FEATURE_HASH_SEED, TenantId, Timestamp, UserHash, xxh64};

/// Entries with the same key are read in the order in which one writer appended them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartitionKey(pub u64);

impl PartitionKey {
    /// A viewer's entries: the user where one is known, else the decision.
    #[must_use]
    pub fn of_viewer(user: Option<UserHash>, decision: DecisionId) -> Self {
        user.map_or_else(|| Self::of_decision(decision), Self::of_user)
    }

    #[must_use]
    pub fn of_user(user: UserHash) -> Self {
        Self(xxh64(&user.hash.to_le_bytes(), FEATURE_HASH_SEED))
    }

    #[must_use]
    pub fn of_decision(decision: DecisionId) -> Self {
        Self(xxh64(&decision.0.to_le_bytes(), FEATURE_HASH_SEED))
    }

    /// An order of which neither user nor click is known.
    #[must_use]
    pub fn of_order(tenant: TenantId, order_id: &str) -> Self {
        Self(xxh64(order_id.as_bytes(), tenant.0))
    }

    /// Which of `partitions` it falls into.
    #[must_use]
    pub fn index(self, partitions: u16) -> u16 {
        u16::try_from(self.0 % u64::from(partitions.max(1))).unwrap_or(0)
    }
}

/// Event id, times and key; the kind is the body's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope {
    pub event_id: EventId,
    /// When it happened, as whoever reported it says.
    pub event_time: Timestamp,
    /// When the log's writer took it: never decreasing within a partition, and what money and expiry go by.
    pub append_time: Timestamp,
    pub partition_key: PartitionKey,
}
