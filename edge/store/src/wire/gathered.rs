//! What was known of a viewer.

use litfass_catalog::CapScope;
use litfass_decide::Gathered;
use litfass_features::{
    CATEGORIES_MAX, CategoryTally, ITEMS_MAX, Interaction, InteractionKind, ItemTally, RECENT_MAX, Viewer,
};
use litfass_policy::{CapCounts, CapKey};
use litfass_types::{AdId, AdvertiserId, CampaignId, Duration, LineItemId, Timestamp};

use super::field::{WireError, Within, at_most, each, unknown};
use super::proto;

/// Counts of one viewer, at most.
const COUNTS_MAX: usize = 10_000;

pub(super) fn to_proto(gathered: &Gathered) -> proto::Gathered {
    let counts = |caps: &CapCounts| caps.iter().map(|(key, count)| count_to_proto(key, count)).collect();
    proto::Gathered {
        viewer: gathered.viewer.as_ref().map(viewer_to_proto),
        caps: gathered.caps.as_ref().map(|caps| proto::CapCounts { counts: counts(caps), unknown: caps.are_unknown() }),
    }
}

pub(super) fn from_proto(message: proto::Gathered) -> Result<Gathered, WireError> {
    Ok(Gathered {
        viewer: message.viewer.map(viewer).transpose().within("viewer")?,
        caps: message.caps.map(caps).transpose().within("caps")?,
    })
}

fn viewer_to_proto(viewer: &Viewer) -> proto::ViewerProfile {
    proto::ViewerProfile {
        recent: viewer.recent.iter().map(interaction_to_proto).collect(),
        items: viewer.items.iter().map(item_to_proto).collect(),
        categories: viewer.categories.iter().map(category_to_proto).collect(),
        interactions: viewer.interactions,
        purchases: viewer.purchases,
        orders: viewer.orders,
        last_order_ms: viewer.last_order.map(|at| at.0),
    }
}

fn viewer(message: proto::ViewerProfile) -> Result<Viewer, WireError> {
    at_most(&message.recent, RECENT_MAX, "recent")?;
    at_most(&message.items, ITEMS_MAX, "items")?;
    at_most(&message.categories, CATEGORIES_MAX, "categories")?;
    Ok(Viewer {
        recent: each(message.recent, "recent", interaction)?,
        items: message.items.into_iter().map(item).collect(),
        categories: message.categories.into_iter().map(category).collect(),
        interactions: message.interactions,
        purchases: message.purchases,
        orders: message.orders,
        last_order: message.last_order_ms.map(Timestamp),
    })
}

const fn interaction_to_proto(interaction: &Interaction) -> proto::Interaction {
    let Interaction { time, kind, item, category } = *interaction;
    proto::Interaction { time_ms: time.0, kind: kind.number() as u32, item, category }
}

fn interaction(message: proto::Interaction) -> Result<Interaction, WireError> {
    let kind = u8::try_from(message.kind).ok().and_then(InteractionKind::from_number);
    let kind = kind.ok_or_else(|| unknown(message.kind).named("kind"))?;
    Ok(Interaction { time: Timestamp(message.time_ms), kind, item: message.item, category: message.category })
}

fn item_to_proto(tally: &ItemTally) -> proto::ItemTally {
    proto::ItemTally {
        item: tally.item,
        views: tally.views,
        clicks: tally.clicks,
        purchases: tally.purchases,
        last_ms: tally.last.0,
        last_purchase_ms: tally.last_purchase.map(|at| at.0),
        first_order: tally.first_order,
        last_order: tally.last_order,
    }
}

fn item(message: proto::ItemTally) -> ItemTally {
    ItemTally {
        item: message.item,
        views: message.views,
        clicks: message.clicks,
        purchases: message.purchases,
        last: Timestamp(message.last_ms),
        last_purchase: message.last_purchase_ms.map(Timestamp),
        first_order: message.first_order,
        last_order: message.last_order,
    }
}

const fn category_to_proto(tally: &CategoryTally) -> proto::CategoryTally {
    let CategoryTally { category, interactions, last } = *tally;
    proto::CategoryTally { category, interactions, last_ms: last.0 }
}

const fn category(message: proto::CategoryTally) -> CategoryTally {
    let proto::CategoryTally { category, interactions, last_ms } = message;
    CategoryTally { category, interactions, last: Timestamp(last_ms) }
}

fn caps(message: proto::CapCounts) -> Result<CapCounts, WireError> {
    at_most(&message.counts, COUNTS_MAX, "counts")?;
    if message.unknown {
        return Ok(CapCounts::unknown());
    }
    Ok(each(message.counts, "counts", count)?.into_iter().collect())
}

const fn count_to_proto(key: CapKey, count: u32) -> proto::CapCount {
    let (scope, id) = match key.scope {
        CapScope::Ad(id) => (proto::CapScope::Ad, id.0),
        CapScope::LineItem(id) => (proto::CapScope::LineItem, id.0),
        CapScope::Campaign(id) => (proto::CapScope::Campaign, id.0),
        CapScope::Advertiser(id) => (proto::CapScope::Advertiser, id.0),
    };
    proto::CapCount { scope: scope as i32, id, window_ms: key.window.0, count }
}

fn count(message: proto::CapCount) -> Result<(CapKey, u32), WireError> {
    let id = message.id;
    let scope = match proto::CapScope::try_from(message.scope) {
        Ok(proto::CapScope::Ad) => CapScope::Ad(AdId(id)),
        Ok(proto::CapScope::LineItem) => CapScope::LineItem(LineItemId(id)),
        Ok(proto::CapScope::Campaign) => CapScope::Campaign(CampaignId(id)),
        Ok(proto::CapScope::Advertiser) => CapScope::Advertiser(AdvertiserId(id)),
        Ok(proto::CapScope::Unspecified) | Err(_) => return Err(unknown(message.scope).named("scope")),
    };
    Ok((CapKey { scope, window: Duration(message.window_ms) }, message.count))
}
