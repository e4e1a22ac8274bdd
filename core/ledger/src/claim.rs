//! Billable events as the ledger sees them: claims, their keys and their outcomes.
//!
//! A claim is what a token says, plus which entry of the log brought it. Every claim has exactly one outcome. What has been
//! billed once is known by its key: (decision, slot, kind), for conversions also the order id.

use std::collections::BTreeMap;
use std::fmt;

use litfass_types::{Day, DecisionId, LeaseId, Position, Price, TenantId, Timestamp, UserHash};

use crate::amount::{Amount, Overflow};
use crate::control::{Chain, Level};
use crate::rollup::{Asked, Facet, Forgotten, Order, Sighting, Slice, Spot};

/// The one kind of event that a shown ad bills for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Billable {
    Impression,
    Viewable,
    Click,
    Conversion,
}

/// Names a billable event; a copy of the event has the same name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClaimId {
    pub decision: DecisionId,
    /// Counts over all ads shown in the decision, across placements: 0 … 255.
    pub slot: u8,
    pub kind: Billable,
    /// The order of a conversion, or the class of traffic where it was not people's; else empty.
    pub order: String,
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of slot {} of decision {}", self.kind, self.slot, self.decision)?;
        if self.order.is_empty() { Ok(()) } else { write!(f, " for order {:?}", self.order) }
    }
}

/// A row of the key tables: the bits of up to fifteen slots of one decision, four kinds each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId {
    pub decision: DecisionId,
    /// slot / 15.
    pub part: u8,
    pub order: String,
}

const SLOTS_PER_PART: u8 = 15;
const KINDS: u8 = 4;

impl ClaimId {
    /// Which key row marks this claim, and with which bit of it (below 2⁶⁰).
    #[must_use]
    pub fn key(&self) -> (KeyId, u64) {
        let bit = self.slot % SLOTS_PER_PART * KINDS + self.kind as u8;
        let part = self.slot / SLOTS_PER_PART;
        (KeyId { decision: self.decision, part, order: self.order.clone() }, 1 << bit)
    }
}

const DAY_MS: i64 = 86_400_000;

/// The UTC day of the decision id's time: which key table marks its claims.
#[must_use]
pub fn key_day(decision: DecisionId) -> Day {
    Day(i32::try_from(decision.time().0.div_euclid(DAY_MS)).unwrap_or(i32::MAX))
}

/// The first instant after that UTC day.
#[must_use]
pub fn key_day_end(day: Day) -> Timestamp {
    Timestamp((i64::from(day.0) + 1) * DAY_MS)
}

/// A billable event: what its token says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Claim {
    pub id: ClaimId,
    pub tenant: TenantId,
    pub chain: Chain,
    pub facet: Facet,
    pub viewer: Option<UserHash>,
    pub price: Price,
    pub lease: LeaseId,
    pub hold_expires: Timestamp,
    pub token_expires: Timestamp,
}

impl Claim {
    #[must_use]
    pub fn amount(&self) -> Amount {
        Amount::of(self.price)
    }

    #[must_use]
    pub const fn slice(&self) -> Slice {
        Slice::new(self.tenant, &self.chain, self.facet)
    }
}

/// A claim and the log entry that brought it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub position: Position,
    pub appended: Timestamp,
    pub claim: Claim,
}

/// A range of one partition that was read to its end, billable or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Consumed {
    pub partition: u16,
    /// The offset the reader continued from.
    pub from: u64,
    /// The first offset that was not read.
    pub next: u64,
    /// The largest append time in the range.
    pub appended: Timestamp,
}

/// One batch of the log: what was read, and the claims in it in the order in which they are to be billed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    pub consumed: Vec<Consumed>,
    pub entries: Vec<Entry>,
    /// Events that bill nothing, for reports.
    pub sightings: Vec<Sighting>,
    pub orders: Vec<Order>,
    pub forgotten: Vec<Forgotten>,
    /// Requests, added up.
    pub asked: BTreeMap<Spot, Asked>,
}

/// Why a claim did not fit: the first level from the account down without enough left, and whether its hold was over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shortage {
    pub level: Level,
    /// Appended after the token's hold had expired, so that nothing was reserved for it any more.
    pub late: bool,
}

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    Billed,
    /// A copy of a claim that has its own outcome.
    Repeated,
    /// Appended past its token's life.
    Expired,
    /// Waits until something raises what is available.
    Pending(Shortage),
    /// Delivered, never billed.
    Unbilled(Shortage),
}

impl Outcome {
    /// The label of metrics and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Billed => "billed",
            Self::Repeated => "repeated",
            Self::Expired => "expired",
            Self::Pending(_) => "pending",
            Self::Unbilled(_) => "delivered_unbilled",
        }
    }
}

/// A claim that did not fit so far.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pending {
    pub position: Position,
    pub tenant: TenantId,
    pub chain: Chain,
    pub facet: Facet,
    pub amount: Amount,
    pub lease: LeaseId,
    pub hold_expires: Timestamp,
    pub token_expires: Timestamp,
    pub shortage: Shortage,
}

/// Events and what they cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    pub events: u64,
    pub amount: Amount,
}

impl Count {
    pub(crate) fn add(&mut self, events: u64, amount: Amount) -> Result<(), Overflow> {
        self.events = self.events.checked_add(events).ok_or(Overflow)?;
        self.amount = self.amount.plus(amount)?;
        Ok(())
    }
}

/// What became of the claims of one line item's day; those that wait are counted nowhere else than among the pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub billed: Count,
    pub repeated: Count,
    pub expired: Count,
    /// At most what was billed.
    pub refunded: Count,
}

impl Tally {
    pub(crate) fn can_refund(&self, amount: Amount) -> bool {
        self.refunded.amount.plus(amount).is_ok_and(|refunded| refunded <= self.billed.amount)
    }
}

/// Names a counter of claims that were delivered and never billed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnbilledId {
    pub chain: Chain,
    pub shortage: Shortage,
}
