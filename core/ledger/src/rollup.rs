//! Figures for reports, added up in the transaction that bills: what happened and what it cost, per quarter of an hour.
//!
//! Invariant: over all slices the spend of a line item is what was billed of it, to the nano, and what was refunded likewise; an
//! event counts where its key was taken, so exactly once. A quarter of an hour is UTC, and every time zone in use begins its
//! hours and days on one, so reports in any zone are sums of whole quarters.

use std::collections::BTreeMap;

use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, LineItemId, PlacementId, Position, TenantId, Timestamp, Traffic,
    UserHash,
};

use crate::amount::{Amount, Overflow};
use crate::claim::{Billable, ClaimId};
use crate::control::Chain;

const QUARTER_MS: i64 = 900_000;

/// A quarter of an hour, counted from 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Quarter(pub i64);

impl Quarter {
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        Self(at.0.div_euclid(QUARTER_MS))
    }

    #[must_use]
    pub const fn starts(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(QUARTER_MS))
    }
}

/// ISO 3166-1 alpha-2; nothing where it is unknown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Country(Option<[u8; 2]>);

impl Country {
    pub const UNKNOWN: Self = Self(None);

    /// The country of a place such as `US-CA/Fresno`.
    #[must_use]
    pub fn of(place: &str) -> Self {
        let (head, _) = place.as_bytes().as_chunks::<2>();
        let named = head.first().filter(|letters| letters.iter().all(u8::is_ascii_uppercase));
        Self(named.copied().filter(|_| place.len() == 2 || place.as_bytes().get(2) == Some(&b'-')))
    }

    /// Empty where it is unknown.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_ref().and_then(|letters| std::str::from_utf8(letters).ok()).unwrap_or_default()
    }
}

/// What a report can tell apart besides whose money it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Facet {
    /// Of the event's own time.
    pub quarter: Quarter,
    pub ad: AdId,
    pub creative: CreativeId,
    pub placement: PlacementId,
    pub country: Country,
    pub traffic: Traffic,
}

/// The finest part of a report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slice {
    pub tenant: TenantId,
    pub account: AdvertiserId,
    pub campaign: CampaignId,
    pub line_item: LineItemId,
    pub facet: Facet,
}

impl Slice {
    #[must_use]
    pub const fn new(tenant: TenantId, chain: &Chain, facet: Facet) -> Self {
        let &Chain { account, campaign, line_item, .. } = chain;
        Self { tenant, account, campaign, line_item, facet }
    }

    /// A refund names no ad.
    #[must_use]
    pub(crate) fn of_refund(tenant: TenantId, chain: &Chain, at: Timestamp) -> Self {
        let facet = Facet {
            quarter: Quarter::of(at),
            ad: AdId(0),
            creative: CreativeId(0),
            placement: PlacementId(0),
            country: Country::default(),
            traffic: Traffic::Human,
        };
        Self::new(tenant, chain, facet)
    }
}

/// What happened in one slice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    pub impressions: u64,
    pub viewables: u64,
    pub clicks: u64,
    pub conversions: u64,
    /// Worth of the conversions, in micros; negative where goods came back.
    pub value_micros: i128,
    pub spent: Amount,
    pub refunded: Amount,
}

impl Figures {
    #[must_use]
    pub fn event(kind: Billable) -> Self {
        let none = Self::default();
        match kind {
            Billable::Impression => Self { impressions: 1, ..none },
            Billable::Viewable => Self { viewables: 1, ..none },
            Billable::Click => Self { clicks: 1, ..none },
            // Its order counts, whether it bills or not.
            Billable::Conversion => none,
        }
    }

    /// # Errors
    /// Beyond what can be counted.
    pub fn plus(&self, more: &Self) -> Result<Self, Overflow> {
        let count = |a: u64, b: u64| a.checked_add(b).ok_or(Overflow);
        Ok(Self {
            impressions: count(self.impressions, more.impressions)?,
            viewables: count(self.viewables, more.viewables)?,
            clicks: count(self.clicks, more.clicks)?,
            conversions: count(self.conversions, more.conversions)?,
            value_micros: self.value_micros.checked_add(more.value_micros).ok_or(Overflow)?,
            spent: self.spent.plus(more.spent)?,
            refunded: self.refunded.plus(more.refunded)?,
        })
    }
}

/// Where and when somebody asked for ads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Spot {
    pub tenant: TenantId,
    pub quarter: Quarter,
    pub placement: PlacementId,
    pub country: Country,
    pub traffic: Traffic,
}

/// What was asked for at one spot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// How often the placement was asked for.
    pub requests: u64,
    /// Of these, how often there was at least one candidate.
    pub eligible: u64,
    pub slots: u64,
    pub filled: u64,
}

impl Asked {
    /// # Errors
    /// Beyond what can be counted.
    pub fn plus(&self, more: &Self) -> Result<Self, Overflow> {
        let count = |a: u64, b: u64| a.checked_add(b).ok_or(Overflow);
        Ok(Self {
            requests: count(self.requests, more.requests)?,
            eligible: count(self.eligible, more.eligible)?,
            slots: count(self.slots, more.slots)?,
            filled: count(self.filled, more.filled)?,
        })
    }
}

/// Sums to be added to what is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rollup {
    pub delivered: BTreeMap<Slice, Figures>,
    pub asked: BTreeMap<Spot, Asked>,
}

impl Rollup {
    /// # Errors
    /// Beyond what can be counted.
    pub fn deliver(&mut self, slice: Slice, figures: &Figures) -> Result<(), Overflow> {
        let sum = self.delivered.entry(slice).or_default();
        *sum = sum.plus(figures)?;
        Ok(())
    }

    /// # Errors
    /// Beyond what can be counted.
    pub fn ask(&mut self, spot: Spot, asked: &Asked) -> Result<(), Overflow> {
        let sum = self.asked.entry(spot).or_default();
        *sum = sum.plus(asked)?;
        Ok(())
    }

    /// # Errors
    /// Beyond what can be counted.
    pub fn add(&mut self, more: &Self) -> Result<(), Overflow> {
        more.delivered.iter().try_for_each(|(slice, figures)| self.deliver(*slice, figures))?;
        more.asked.iter().try_for_each(|(spot, asked)| self.ask(*spot, asked))
    }
}

/// An event of a shown ad that costs nothing by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sighting {
    pub position: Position,
    pub appended: Timestamp,
    pub id: ClaimId,
    pub slice: Slice,
    pub viewer: Option<UserHash>,
    pub token_expires: Timestamp,
}

/// Whose clicks and orders belong together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Viewer {
    pub tenant: TenantId,
    pub user: UserHash,
}

/// A viewer's last click: what an order without a token is attributed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastClick {
    pub appended: Timestamp,
    pub slice: Slice,
}

/// Who ordered: a known viewer, or whoever clicked that slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Buyer {
    Viewer(Viewer),
    Slot(TenantId, litfass_types::DecisionId, u8),
}

/// A viewer who is not to be known any more: no later order goes to an earlier click.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forgotten {
    pub position: Position,
    pub appended: Timestamp,
    pub viewer: Viewer,
}

/// Names an order; a copy of it has the same name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OrderId {
    pub buyer: Buyer,
    pub order: String,
}

/// An order as the log has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    pub position: Position,
    pub appended: Timestamp,
    pub id: OrderId,
    /// The slice of the click whose token came with it.
    pub click: Option<Slice>,
    /// When it happened, as its sender says.
    pub at: Timestamp,
    pub value_micros: i64,
}
