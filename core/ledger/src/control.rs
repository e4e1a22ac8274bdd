//! Controls: budgets as limits. A control is not money; it says how much may still be promised and spent at one level.
//!
//! Invariants: **spent + leased ≤ ceiling + restored**, **restored ≤ spent**, spent never falls. What is available is derived,
//! never stored. The four levels of a line item's day overlap, so every operation moves all four or none.
//!
//! A level without a limit (a campaign with no daily or no lifetime budget, a line item without a budget) has a control all the
//! same, with the limit [`UNLIMITED`]: what it leased and spent is then counted like everywhere else, setting a limit later is
//! an ordinary change of limit, and no rule needs a second case. A control that no row exists for is in its first state
//! ([`Control::with_limit`] of the account's, the day's or no limit); the row is written with the first change.

use litfass_types::{AdvertiserId, CampaignId, Day, LineItemId};

use crate::amount::{Amount, Overflow};

/// More than could ever be spent: 4·10³⁶ nanos.
pub const UNLIMITED: Amount = Amount::MAX;

/// Where a budget is kept, from the widest to the narrowest. The order is the order in which rows are locked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ControlId {
    Account(AdvertiserId),
    Campaign(CampaignId),
    CampaignDay(CampaignId, Day),
    LineItem(LineItemId),
}

impl ControlId {
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Account(_) => Level::Account,
            Self::Campaign(_) => Level::Campaign,
            Self::CampaignDay(..) => Level::CampaignDay,
            Self::LineItem(_) => Level::LineItem,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    Account,
    Campaign,
    CampaignDay,
    LineItem,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Account, Self::Campaign, Self::CampaignDay, Self::LineItem];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Campaign => "campaign",
            Self::CampaignDay => "campaign_day",
            Self::LineItem => "line_item",
        }
    }
}

/// One line item's budget day with its ancestors. `day` is the advertiser's calendar day of the decision id's time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Chain {
    pub account: AdvertiserId,
    pub campaign: CampaignId,
    pub line_item: LineItemId,
    pub day: Day,
}

impl Chain {
    #[must_use]
    pub const fn controls(self) -> [ControlId; 4] {
        [
            ControlId::Account(self.account),
            ControlId::Campaign(self.campaign),
            ControlId::CampaignDay(self.campaign, self.day),
            ControlId::LineItem(self.line_item),
        ]
    }
}

/// Nanos at one level.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Control {
    pub limit: Amount,
    /// What refunds gave back; at most `spent`.
    pub restored: Amount,
    /// What open leases still hold.
    pub leased: Amount,
    pub spent: Amount,
    /// max(limit, spent + leased − restored when the limit was last set): lowering a limit takes nothing back.
    pub ceiling: Amount,
}

impl Control {
    #[must_use]
    pub const fn with_limit(limit: Amount) -> Self {
        Self { limit, restored: Amount::ZERO, leased: Amount::ZERO, spent: Amount::ZERO, ceiling: limit }
    }

    /// max(0, limit + restored − leased − spent).
    #[must_use]
    pub fn available(&self) -> Amount {
        let free = self.limit.nanos() + self.restored.nanos() - self.leased.nanos() - self.spent.nanos();
        Amount::new(free.clamp(0, Amount::MAX.nanos())).unwrap_or(Amount::ZERO)
    }

    /// What could be promised at most if nothing were leased or spent: limit + restored.
    #[must_use]
    pub fn total(&self) -> Amount {
        self.limit.plus(self.restored).unwrap_or(Amount::MAX)
    }

    /// The CHECK of every database.
    #[must_use]
    pub const fn holds(&self) -> bool {
        let used = self.spent.nanos() + self.leased.nanos();
        used <= self.ceiling.nanos() + self.restored.nanos() && self.restored.nanos() <= self.spent.nanos()
    }

    pub(crate) fn set_limit(&mut self, limit: Amount) -> Result<(), Overflow> {
        let used = self.spent.plus(self.leased)?.minus(self.restored)?;
        self.limit = limit;
        self.ceiling = limit.max(used);
        Ok(())
    }

    pub(crate) fn lease(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.leased = self.leased.plus(amount)?;
        Ok(())
    }

    pub(crate) fn unlease(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.leased = self.leased.minus(amount)?;
        Ok(())
    }

    /// `leased` of the amount was promised before; the rest comes from what is available.
    pub(crate) fn spend(&mut self, amount: Amount, leased: Amount) -> Result<(), Overflow> {
        self.unlease(leased)?;
        self.spent = self.spent.plus(amount)?;
        Ok(())
    }

    pub(crate) fn can_restore(&self, amount: Amount) -> bool {
        self.restored.plus(amount).is_ok_and(|restored| restored <= self.spent)
    }

    pub(crate) fn restore(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.restored = self.restored.plus(amount)?;
        Ok(())
    }
}
