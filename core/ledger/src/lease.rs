//! Leases: budget promised to one deciding process for one line item's day.
//!
//! granted = spent + returned + left; the sum of what open leases have left is what every level has leased.

use litfass_types::{Calendar, Day, LeaseId, Price, Timestamp, Unit};

use crate::amount::{Amount, Overflow};
use crate::control::{Chain, Level};
use crate::terms::Terms;

/// Which process holds a lease: chosen by the process, named in pages only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HolderId(pub u64);

/// A budget day and the instants it lasts: [starts, ends) by the advertiser's calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BudgetDay {
    pub day: Day,
    pub starts: Timestamp,
    pub ends: Timestamp,
}

impl BudgetDay {
    /// The day that `at` falls on.
    #[must_use]
    pub fn of(calendar: &Calendar, at: Timestamp) -> Self {
        let day = calendar.day(at);
        let next = Day(day.0.saturating_add(1));
        Self { day, starts: calendar.start(day), ends: calendar.start(next) }
    }
}

/// A wish for budget under an id that the holder chose at random; asking again under the same id changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GrantRequest {
    pub lease: LeaseId,
    pub holder: HolderId,
    /// Its day is `window.day`.
    pub chain: Chain,
    pub window: BudgetDay,
    /// The line item's bid: no price exceeds it.
    pub bid: Price,
    /// What the holder expects to hold within one lease_ttl.
    pub demand: Amount,
}

/// The answer to one [`GrantRequest`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GrantAnswer {
    pub lease: LeaseId,
    pub result: Result<Granted, GrantRefusal>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Granted {
    pub amount: Amount,
    /// The database's time of the first grant under this id.
    pub at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum GrantRefusal {
    #[error("less than one unit's bid is left at the level {}", .0.name())]
    NoFunds(Level),
    #[error("the budget day is not open now")]
    DayClosed,
    #[error("another lease has this id")]
    IdTaken,
    #[error("the lease was closed long ago")]
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Lease {
    pub holder: HolderId,
    pub chain: Chain,
    pub granted: Amount,
    pub spent: Amount,
    pub returned: Amount,
    pub granted_at: Timestamp,
    /// The remainder is returned once the watermark is past this.
    pub expires: Timestamp,
    pub closed: bool,
}

impl Lease {
    /// What is still reserved: nothing once it is closed.
    #[must_use]
    pub fn left(&self) -> Amount {
        if self.closed { Amount::ZERO } else { self.granted.less(self.spent).less(self.returned) }
    }

    pub(crate) fn spend(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.spent = self.spent.plus(amount)?;
        Ok(())
    }

    /// Gives back what is missing to `total`, at most what is left; returns how much that was.
    pub(crate) fn give_back(&mut self, total: Amount) -> Result<Amount, Overflow> {
        let more = total.less(self.returned).min(self.left());
        self.returned = self.returned.plus(more)?;
        Ok(more)
    }

    pub(crate) fn close(&mut self) -> Result<Amount, Overflow> {
        let rest = self.left();
        self.returned = self.returned.plus(rest)?;
        self.closed = true;
        Ok(rest)
    }
}

/// What a holder returned of a lease so far, in total. A smaller total than before changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Return {
    pub lease: LeaseId,
    pub total: Amount,
}

/// What one level has left for a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remaining {
    pub level: Level,
    pub available: Amount,
    /// limit + restored.
    pub total: Amount,
}

/// How much to grant: twice the demand; where a level has less than a tenth of its total left, at most its
/// remaining / (holders × 10); always at least the bid for one unit; all of what remains where that is fewer units than there
/// are holders; never more than every level has.
///
/// # Errors
/// The first level that has less than one unit's bid.
pub fn grant_amount(levels: &[Remaining], unit: Amount, demand: Amount, holders: u32) -> Result<Amount, Level> {
    let unit = unit.max(Amount::new(1).unwrap_or_default());
    if let Some(short) = levels.iter().find(|l| l.available < unit) {
        return Err(short.level);
    }
    let remaining = levels.iter().map(|l| l.available).min().unwrap_or_default();
    if remaining < unit.times(holders) {
        return Ok(remaining);
    }
    let wished = levels.iter().filter_map(|l| scarce_share(l, holders)).fold(demand.times(2), Amount::min);
    Ok(wished.max(unit).min(remaining))
}

/// remaining / (holders × 10) where less than a tenth of the level is left.
fn scarce_share(level: &Remaining, holders: u32) -> Option<Amount> {
    let scarce = level.available.times(10) < level.total;
    let share = level.available.nanos() / i128::from(holders.max(1)) / 10;
    scarce.then(|| Amount::new(share).unwrap_or_default())
}

impl Terms {
    /// How long a shown slot of that unit reserves budget; an action reserves none.
    #[must_use]
    pub const fn hold_ttl(&self, unit: Unit) -> litfass_types::Duration {
        match unit {
            Unit::Mille => self.hold_ttl_mille,
            Unit::Click | Unit::Action => self.hold_ttl_click,
        }
    }
}
