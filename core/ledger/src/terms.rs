//! The times of the money protocol. None of them carries safety: wrong ones cost unbilled delivery or idle budget only.

use litfass_types::Duration;

/// How long things last. Every process that shares a ledger runs with the same terms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Terms {
    /// A holder makes new holds that long after the first send of the lease's id, by its monotonic clock.
    pub lease_ttl: Duration,
    /// How long a slot sold per mille reserves budget.
    pub hold_ttl_mille: Duration,
    /// How long a slot sold per click reserves budget.
    pub hold_ttl_click: Duration,
    /// Keys of a UTC day are kept until every event partition was read that far past its end. No token lives longer than
    /// that after its decision's day: a longer life is cut to it.
    pub key_life: Duration,
    /// A day leases that long before it begins.
    pub day_lead: Duration,
    /// An order without a token is attributed to a click of at most that long before.
    pub conversion_window: Duration,
    /// An order's name is remembered that long: a copy within it does not count.
    pub order_life: Duration,
    /// Deciding processes among which a scarce budget is shared; at least 1.
    pub holders: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            lease_ttl: Duration::seconds(60),
            hold_ttl_mille: Duration::minutes(5),
            hold_ttl_click: Duration::minutes(2),
            key_life: Duration::days(8),
            day_lead: Duration::minutes(1),
            conversion_window: Duration::days(7),
            order_life: Duration::days(8),
            holders: 1,
        }
    }
}
