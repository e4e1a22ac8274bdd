//! How large a world is: what there is to interleave, and how often each fault may strike.

use litfass_ledger::Terms;
use litfass_types::{Duration, Timestamp, Unit};

/// What every amount here is counted in: a thousand nanos, a micro of a click's price.
pub(crate) const COIN: i64 = 1_000;
const DAY_MS: i64 = 86_400_000;
/// Five seconds before midnight: the first instant of every world.
pub(crate) const START: Timestamp = Timestamp(20_000 * DAY_MS - 5_000);

/// Holds live longer than leases make them, tokens longer than holds, keys as long as tokens after their day.
pub(crate) const TERMS: Terms = Terms {
    lease_ttl: Duration::seconds(10),
    hold_ttl_mille: Duration::seconds(20),
    hold_ttl_click: Duration::seconds(20),
    key_life: Duration::seconds(60),
    day_lead: Duration::seconds(2),
    conversion_window: Duration::days(7),
    order_life: Duration::days(8),
    holders: 1,
};
pub(crate) const TOKEN_TTL: Duration = Duration::seconds(60);

/// One of the two line items; both share account, campaign and day.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub per: Unit,
    /// A grant is one bid where little is left, as in every world here.
    pub bid: i64,
    pub price: i64,
    pub limit: Option<i64>,
}

/// An admin command that may be appended at any time, in the order of its list.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    Deposit(i64),
    Adjust(i64),
    Credit(i64),
    /// Of what is spent beyond the amount that was spent before the world began.
    Campaign(Option<i64>),
    /// From the first day on, counted like a campaign's.
    Day(Option<i64>),
    Item(usize, Option<i64>),
    /// Of the first day.
    Refund(usize, i64),
}

/// Clocks, in seconds ahead of the world's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skew {
    pub database: i64,
    /// Of the database that is promoted.
    pub promoted: i64,
    pub partitions: [i64; 2],
    /// What decision ids are made with.
    pub holders: [i64; 2],
    /// How much slower the second holder's monotonic clock runs, in percent.
    pub slow: u64,
}

/// Coins, counts and seconds of one world.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub name: &'static str,
    pub shows: &'static str,
    /// Seconds after the start at which something may happen, and whether every live partition gets a heartbeat then.
    pub instants: &'static [(i64, bool)],
    pub items: [Item; 2],
    /// What the account has left at the start.
    pub available: i64,
    pub campaign: Option<i64>,
    pub day: Option<i64>,
    pub holders: usize,
    /// Grants asked for at most, and how many of the answers may be lost.
    pub asks: usize,
    pub unheard: usize,
    /// Slots shown at most.
    pub slots: usize,
    /// Billable entries appended at most, copies included.
    pub entries: usize,
    /// Copies of one event at most.
    pub copies: usize,
    pub wishes: &'static [Wish],
    /// Commands appended a second time at most.
    pub repeats: usize,
    pub crashes: usize,
    /// Batches that are read, and committed later or never.
    pub late_commits: usize,
    /// Transactions that one failover may lose; none: no failover.
    pub lost: usize,
    /// Requests and answers of grants, and returns, as messages that are delayed, lost or repeated.
    pub messages: bool,
    /// Batches over both partitions.
    pub together: bool,
    /// The second partition's writer may go away for good.
    pub seals: bool,
    /// The second partition is opened during the run.
    pub opens: bool,
    /// Its writer's clock may date its first entries before what was consumed of the other then.
    pub behind: bool,
    pub skew: Skew,
}

impl Bounds {
    /// Whether holders may be exchanged without a difference.
    pub(crate) const fn like_holders(&self) -> bool {
        self.skew.holders[0] == self.skew.holders[1] && self.skew.slow == 0
    }

    /// Whether event partitions may be exchanged without a difference.
    pub(crate) const fn like_partitions(&self) -> bool {
        let same_clock = self.skew.partitions[0] == self.skew.partitions[1];
        same_clock && !self.seals && !self.opens && !self.together
    }

    pub(crate) const fn fails_over(&self) -> bool {
        self.lost > 0
    }
}
