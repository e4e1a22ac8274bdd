//! What events promise: names, dedupe and attribution, each beside a naive twin.

mod attribution;
mod dedupe;
mod id;
mod token;

use litfass_events::{Billable, Token};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, LeaseId, LineItemId, PlacementId, Price, Probability,
    TenantId, Timestamp, Unit, UserHash,
};

pub(crate) const HOUR: i64 = 3_600_000;

pub(crate) fn user(n: u128) -> UserHash {
    UserHash { key_version: 1, hash: n }
}

pub(crate) fn token(decision: DecisionId, slot: u8, user: Option<UserHash>) -> Token {
    Token {
        decision,
        slot,
        traffic: litfass_types::Traffic::Human,
        rank: slot,
        tenant: TenantId(1),
        advertiser: AdvertiserId(2),
        campaign: CampaignId(3),
        line_item: LineItemId(4),
        ad: AdId(5),
        creative: CreativeId(6),
        placement: PlacementId(7),
        geo: String::new(),
        price: Price { micros: 8, per: Unit::Mille },
        billable: Billable::Impression,
        lease: LeaseId(9),
        budget_day: Day(10),
        hold_expires: Timestamp(decision.time().0 + 5 * 60_000),
        expires: Timestamp(decision.time().0 + 24 * HOUR),
        user,
        item: None,
        category: None,
        click: Probability::from_bits(1 << 28),
    }
}

pub(crate) fn decision(n: i64) -> DecisionId {
    DecisionId::new(Timestamp(n * HOUR), 0, n.unsigned_abs())
}
