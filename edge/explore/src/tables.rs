//! The worlds that are explored: small ones with every test, large ones in the long tier.
//!
//! Seconds count from five before midnight. A lease lives ten, a hold twenty, a token sixty, keys sixty past their day's end.

use litfass_types::Unit;

use crate::bounds::{Bounds, Item, Skew, Wish};

const CPM: Item = Item { per: Unit::Mille, bid: 1, price: 1, limit: None };
/// A lease of which two slots can be held, or one and the rest given back.
const WIDE: Item = Item { per: Unit::Mille, bid: 2, price: 1, limit: None };
/// A click costs the whole bid, a slot holds three eighths of it.
const CPC: Item = Item { per: Unit::Click, bid: 2, price: 2, limit: None };

/// Leases are over at 12 and closed by a heartbeat at 31.
const LEASE: &[(i64, bool)] = &[(0, false), (12, false), (31, true)];
/// When leases are over, holds are too.
const LATE: &[(i64, bool)] = &[(0, false), (31, true)];
/// Holds made at the start are over at 22; the lease is not.
const HOLD: &[(i64, bool)] = &[(0, false), (22, false), (31, true)];
/// Within one day: what is leased at 6 is over at 28, where a hold would outlive the lease, which ends at 36.
const WITHIN_DAY: &[(i64, bool)] = &[(6, false), (28, false), (37, true)];
/// Tokens made at the start are dead at 61, their keys dropped by 66.
const TOKEN: &[(i64, bool)] = &[(0, false), (31, true), (66, true)];

const NO_SKEW: Skew = Skew { database: 0, promoted: 0, partitions: [0, 0], holders: [0, 0], slow: 0 };

const SHARED: Bounds = Bounds {
    name: "shared",
    shows: "two holders and two line items share the last coins",
    instants: LEASE,
    items: [WIDE, CPM],
    available: 3,
    campaign: None,
    day: None,
    holders: 2,
    asks: 2,
    unheard: 0,
    slots: 2,
    entries: 2,
    copies: 0,
    wishes: &[],
    repeats: 0,
    crashes: 0,
    late_commits: 0,
    lost: 0,
    messages: false,
    together: false,
    seals: false,
    opens: false,
    behind: false,
    skew: NO_SKEW,
};

const COPIES: Bounds = Bounds {
    name: "copies",
    shows: "events come twice, in one batch or in several, and a reader commits late",
    instants: TOKEN,
    holders: 1,
    asks: 1,
    slots: 2,
    entries: 3,
    copies: 2,
    late_commits: 1,
    together: true,
    ..SHARED
};

const LIMITS: Bounds = Bounds {
    name: "limits",
    shows: "limits are lowered and raised while leases are out; a command comes twice",
    instants: WITHIN_DAY,
    holders: 1,
    asks: 2,
    slots: 2,
    entries: 2,
    campaign: Some(3),
    wishes: &[Wish::Campaign(Some(1)), Wish::Campaign(Some(2))],
    repeats: 1,
    ..SHARED
};

const MONEY: Bounds = Bounds {
    name: "money",
    shows: "funds are taken, added and given back around events that wait",
    available: 2,
    wishes: &[Wish::Adjust(-1), Wish::Refund(0, 1), Wish::Deposit(1)],
    ..LIMITS
};

const CLICKS: Bounds = Bounds {
    name: "clicks",
    shows: "clicks cost more than was held for them, and wait",
    instants: HOLD,
    items: [CPC, CPM],
    holders: 1,
    asks: 2,
    slots: 4,
    entries: 3,
    copies: 1,
    ..SHARED
};

const CRASH: Bounds = Bounds {
    name: "crash",
    shows: "a holder crashes; requests, answers and returns are lost, late or repeated",
    items: [WIDE, CPM],
    holders: 1,
    asks: 2,
    slots: 2,
    entries: 2,
    crashes: 1,
    messages: true,
    ..SHARED
};

const FAILOVER: Bounds = Bounds {
    name: "failover",
    shows: "a failover loses up to three transactions, a limit among them",
    items: [WIDE, CPC],
    holders: 1,
    asks: 1,
    slots: 2,
    entries: 2,
    campaign: Some(3),
    wishes: &[Wish::Campaign(Some(0))],
    lost: 3,
    ..SHARED
};

const AGAIN: Bounds = Bounds {
    name: "again",
    shows: "a failover loses two limits, while a click waits that cost more than was held for it",
    items: [CPC, CPM],
    slots: 1,
    entries: 1,
    campaign: Some(2),
    wishes: &[Wish::Campaign(Some(2)), Wish::Campaign(Some(0))],
    lost: 2,
    ..FAILOVER
};

const FUNDS: Bounds = Bounds {
    name: "funds",
    shows: "a failover loses a deposit and what was taken from an account",
    campaign: None,
    available: 2,
    wishes: &[Wish::Adjust(-2), Wish::Deposit(1)],
    ..FAILOVER
};

const SEAL: Bounds = Bounds {
    name: "seal",
    shows: "a partition's writer goes away for good",
    instants: TOKEN,
    holders: 1,
    asks: 1,
    slots: 2,
    entries: 3,
    copies: 1,
    seals: true,
    ..SHARED
};

const OPEN: Bounds = Bounds {
    name: "open",
    shows: "a partition is opened late, its clock thirty seconds behind",
    seals: false,
    opens: true,
    asks: 2,
    available: 2,
    items: [CPM, CPC],
    skew: Skew { partitions: [0, -30], ..NO_SKEW },
    ..SEAL
};

const BEHIND: Bounds = Bounds {
    name: "behind",
    shows: "the same in a log that dates entries by that clock alone; clicks and copies",
    behind: true,
    asks: 1,
    available: 3,
    items: [CPC, CPM],
    ..OPEN
};

const SKEWED: Bounds = Bounds {
    name: "skew",
    shows: "the clocks of database, partitions and holders disagree by up to thirty seconds",
    asks: 2,
    slots: 2,
    entries: 2,
    skew: Skew { database: 15, promoted: 0, partitions: [-15, 10], holders: [0, 9], slow: 40 },
    ..SHARED
};

/// Seconds each.
pub static SMALL: [Bounds; 13] = [
    SHARED,
    Bounds { instants: &[(0, false), (66, true)], copies: 1, ..COPIES },
    Bounds { slots: 1, entries: 1, wishes: &[Wish::Campaign(Some(1))], ..LIMITS },
    Bounds { asks: 1, slots: 1, entries: 1, wishes: &[Wish::Adjust(-1), Wish::Refund(0, 1)], ..MONEY },
    Bounds { slots: 2, entries: 2, copies: 0, ..CLICKS },
    Bounds { asks: 1, ..CRASH },
    Bounds { slots: 1, entries: 1, ..FAILOVER },
    Bounds { instants: LATE, ..AGAIN },
    Bounds { instants: LATE, slots: 1, entries: 1, ..FUNDS },
    Bounds { entries: 2, ..SEAL },
    Bounds { entries: 2, ..OPEN },
    BEHIND,
    Bounds { instants: &[(0, false), (31, true)], ..SKEWED },
];

/// Minutes each.
pub static LARGE: [Bounds; 13] = [
    Bounds { name: "shared+", slots: 4, entries: 4, ..SHARED },
    Bounds { name: "copies+", ..COPIES },
    Bounds { name: "limits+", ..LIMITS },
    Bounds { name: "money+", ..MONEY },
    Bounds { name: "clicks+", ..CLICKS },
    Bounds { name: "crash+", holders: 2, ..CRASH },
    Bounds { name: "failover+", late_commits: 1, ..FAILOVER },
    Bounds { name: "again+", asks: 2, lost: 3, ..AGAIN },
    Bounds { name: "funds+", ..FUNDS },
    Bounds { name: "seal+", ..SEAL },
    Bounds { name: "open+", entries: 4, copies: 2, ..OPEN },
    Bounds { name: "behind+", entries: 4, copies: 2, ..BEHIND },
    Bounds { name: "skew+", ..SKEWED },
];
