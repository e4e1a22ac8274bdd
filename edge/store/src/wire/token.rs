//! A token's facts in an event.

use litfass_events::{Billable, MAX_GEO_BYTES, Token};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, LeaseId, LineItemId, PlacementId, TenantId, Timestamp,
};

use super::field::{
    WireError, Within, id128, narrow, optional_user, price, price_to_proto, probability, short, traffic, unknown,
    user_to_proto,
};
use super::proto;

pub(super) fn to_proto(token: &Token) -> proto::Token {
    let billable = match token.billable {
        Billable::Impression => proto::Billable::Impression,
        Billable::Viewable => proto::Billable::Viewable,
    };
    proto::Token {
        decision: token.decision.0.to_be_bytes().to_vec(),
        slot: u32::from(token.slot),
        rank: u32::from(token.rank),
        tenant: token.tenant.0,
        advertiser: token.advertiser.0,
        campaign: token.campaign.0,
        line_item: token.line_item.0,
        ad: token.ad.0,
        creative: token.creative.0,
        placement: token.placement.0,
        geo: token.geo.clone(),
        price: Some(price_to_proto(token.price)),
        billable: billable as i32,
        lease: token.lease.0.to_be_bytes().to_vec(),
        budget_day: token.budget_day.0,
        hold_expires_ms: token.hold_expires.0,
        expires_ms: token.expires.0,
        user: token.user.map(user_to_proto),
        item: token.item,
        category: token.category,
        click: token.click.bits(),
        traffic: token.traffic.number().into(),
    }
}

pub(super) fn from_proto(token: proto::Token) -> Result<Token, WireError> {
    Ok(Token {
        decision: DecisionId(id128(&token.decision).within("decision")?),
        slot: narrow(token.slot, "slot")?,
        rank: narrow(token.rank, "rank")?,
        tenant: TenantId(token.tenant),
        advertiser: AdvertiserId(token.advertiser),
        campaign: CampaignId(token.campaign),
        line_item: LineItemId(token.line_item),
        ad: AdId(token.ad),
        creative: CreativeId(token.creative),
        placement: PlacementId(token.placement),
        geo: short(token.geo, MAX_GEO_BYTES, "geo")?,
        price: price(token.price, "price")?,
        billable: billable(token.billable).within("billable")?,
        lease: LeaseId(id128(&token.lease).within("lease")?),
        budget_day: Day(token.budget_day),
        hold_expires: Timestamp(token.hold_expires_ms),
        expires: Timestamp(token.expires_ms),
        user: optional_user(token.user.as_ref(), "user")?,
        item: token.item,
        category: token.category,
        click: probability(token.click, "click")?,
        traffic: traffic(token.traffic, "traffic")?,
    })
}

fn billable(number: i32) -> Result<Billable, WireError> {
    match proto::Billable::try_from(number) {
        Ok(proto::Billable::Impression) => Ok(Billable::Impression),
        Ok(proto::Billable::Viewable) => Ok(Billable::Viewable),
        Ok(proto::Billable::Unspecified) | Err(_) => Err(unknown(number)),
    }
}
