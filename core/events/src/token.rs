//! What a tracking URL carries: every fact that billing, attribution and learning need of one shown slot.

use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, Duration, LeaseId, LineItemId, PlacementId, Price,
    Probability, TenantId, Timestamp, Traffic, Unit, UserHash,
};

use crate::event::EventKind;

/// How long after a click a conversion still belongs to it.
pub const ATTRIBUTION_WINDOW: Duration = Duration::days(7);

/// The longest geo term a token carries, in bytes; what is longer is cut to its country when the token is made.
pub const MAX_GEO_BYTES: usize = 64;

/// Which event of a line item that pays per mille is the one that bills.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Billable {
    Impression,
    Viewable,
}

/// One shown slot. It alone suffices to bill: no decision record and no catalog is needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub decision: DecisionId,
    /// Counts over all ads shown in the decision, across its placements.
    pub slot: u8,
    /// The slot within its placement, from 0: what position effects are learned from.
    pub rank: u8,
    pub tenant: TenantId,
    /// The account that pays.
    pub advertiser: AdvertiserId,
    pub campaign: CampaignId,
    pub line_item: LineItemId,
    pub ad: AdId,
    pub creative: CreativeId,
    pub placement: PlacementId,
    /// The most specific geo term that was known (`US-CA/Fresno`), empty where nothing was; at most `MAX_GEO_BYTES`.
    pub geo: String,
    pub price: Price,
    /// Read only where the price is per mille.
    pub billable: Billable,
    pub lease: LeaseId,
    /// The advertiser's calendar day of the decision's time.
    pub budget_day: Day,
    /// A billable event appended until then is paid from what the lease has left.
    pub hold_expires: Timestamp,
    /// A billable event appended after that is refused as expired.
    pub expires: Timestamp,
    pub user: Option<UserHash>,
    /// Who or what was shown the slot; only people's events bill.
    pub traffic: Traffic,
    /// XXH64, seed 42, of `item=<SKU>` where the ad sells one item.
    pub item: Option<u64>,
    /// The term of the ad's first category.
    pub category: Option<u64>,
    /// The calibrated pCTR at which the slot was priced.
    pub click: Probability,
}

impl Token {
    /// Does an event of this kind cost the advertiser the price?
    #[must_use]
    pub const fn bills(&self, kind: EventKind) -> bool {
        self.traffic.counts()
            && matches!(
                (self.price.per, self.billable, kind),
                (Unit::Mille, Billable::Impression, EventKind::Impression)
                    | (Unit::Mille, Billable::Viewable, EventKind::Viewable)
                    | (Unit::Click, _, EventKind::Click)
                    | (Unit::Action, _, EventKind::Conversion)
            )
    }

    /// At token life's end the event is refused: an instant equal to `expires` still counts.
    #[must_use]
    pub fn is_expired(&self, append_time: Timestamp) -> bool {
        append_time > self.expires
    }

    /// Is a billable event appended then still covered by what was reserved for it?
    #[must_use]
    pub fn is_held(&self, append_time: Timestamp) -> bool {
        append_time <= self.hold_expires
    }
}
