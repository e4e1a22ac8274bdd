//! What settling reads and what it showed.

use litfass_decide::{Market, ShownRecord};
use litfass_features::{AdRows, ViewerBlock};
use litfass_market::{AuctionPlacement, Entrant, Entrants, PLACEMENTS_MAX, PricedBy, Refusal};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Fate, LeaseId, LineItemId, Nanos, PlacementId, Prediction, Row,
    Timestamp, Value,
};

use super::field::{
    WireError, Within, as_long, at_most, each, id128, narrow, price, price_of, price_to_proto, probability, required,
    signed128, unit_to_proto, unknown,
};
use super::proto;

/// Entrants of one decision, at most.
const ENTRANTS_MAX: usize = 1_000;
/// Numbers or ids of all feature rows together, at most.
const FEATURES_MAX: usize = 100_000;

pub(super) fn to_proto(market: &Market) -> proto::Market {
    let placements = market.placements.iter().map(|p| proto::AuctionPlacement {
        slots: u32::from(p.slots),
        floor_nanos: p.floor.0,
        max_per_advertiser: u32::from(p.max_per_advertiser),
    });
    proto::Market {
        exploration_ppm: market.exploration_ppm,
        placements: placements.collect(),
        entrants: Some(entrants_to_proto(&market.entrants)),
        click: market.predictions.iter().map(|p| p.click.bits()).collect(),
        conversion: market.predictions.iter().map(|p| p.conversion.bits()).collect(),
    }
}

fn entrants_to_proto(entrants: &Entrants) -> proto::Entrants {
    proto::Entrants {
        row: entrants.rows().iter().map(|row| u32::from(row.0)).collect(),
        ad: entrants.ads().iter().map(|ad| ad.0).collect(),
        line_item: entrants.line_items().iter().map(|line_item| line_item.0).collect(),
        advertiser: entrants.advertisers().iter().map(|advertiser| advertiser.0).collect(),
        bid_micros: entrants.bids().iter().map(|bid| bid.micros).collect(),
        bid_per: entrants.bids().iter().map(|bid| unit_to_proto(bid.per) as i32).collect(),
        pacing_ppm: entrants.iter().map(|entrant| entrant.pacing_ppm).collect(),
        quality_ppm: entrants.iter().map(|entrant| entrant.quality_ppm).collect(),
        exclusions: entrants.exclusions().to_vec(),
        admitted: entrants.admitted().to_vec(),
    }
}

pub(super) fn from_proto(market: proto::Market) -> Result<Market, WireError> {
    at_most(&market.placements, PLACEMENTS_MAX, "placements")?;
    let entrants = entrants(&required(market.entrants, "entrants")?).within("entrants")?;
    as_long(&market.click, entrants.len(), "click")?;
    as_long(&market.conversion, entrants.len(), "conversion")?;
    let clicks = each(market.click, "click", |bits| probability(bits, ""))?;
    let conversions = each(market.conversion, "conversion", |bits| probability(bits, ""))?;
    let predictions = clicks.into_iter().zip(conversions).map(|(click, conversion)| Prediction { click, conversion });
    Ok(Market {
        exploration_ppm: market.exploration_ppm,
        placements: each(market.placements, "placements", placement)?,
        entrants,
        predictions: predictions.collect(),
    })
}

fn placement(message: proto::AuctionPlacement) -> Result<AuctionPlacement, WireError> {
    Ok(AuctionPlacement {
        slots: narrow(message.slots, "slots")?,
        floor: Nanos(message.floor_nanos),
        max_per_advertiser: narrow(message.max_per_advertiser, "max_per_advertiser")?,
    })
}

fn entrants(columns: &proto::Entrants) -> Result<Entrants, WireError> {
    let rows = columns.row.len();
    at_most(&columns.row, ENTRANTS_MAX, "row")?;
    as_long(&columns.ad, rows, "ad")?;
    as_long(&columns.line_item, rows, "line_item")?;
    as_long(&columns.advertiser, rows, "advertiser")?;
    as_long(&columns.bid_micros, rows, "bid_micros")?;
    as_long(&columns.bid_per, rows, "bid_per")?;
    as_long(&columns.pacing_ppm, rows, "pacing_ppm")?;
    as_long(&columns.quality_ppm, rows, "quality_ppm")?;
    as_long(&columns.exclusions, rows, "exclusions")?;
    as_long(&columns.admitted, rows, "admitted")?;
    (0..rows).map(|i| entrant(columns, i).within(&format!("[{i}]"))).collect()
}

/// Every column is as long as the first.
fn entrant(columns: &proto::Entrants, i: usize) -> Result<Entrant, WireError> {
    Ok(Entrant {
        row: Row(narrow(columns.row[i], "row")?),
        ad: AdId(columns.ad[i]),
        line_item: LineItemId(columns.line_item[i]),
        advertiser: AdvertiserId(columns.advertiser[i]),
        bid: price_of(columns.bid_micros[i], columns.bid_per[i]).within("bid")?,
        pacing_ppm: columns.pacing_ppm[i],
        quality_ppm: columns.quality_ppm[i],
        exclusions: columns.exclusions[i],
        admitted: columns.admitted[i],
    })
}

pub(super) fn refusal_to_proto(refusal: &Refusal) -> proto::Refusal {
    proto::Refusal { row: u32::from(refusal.row.0), fate: u32::from(refusal.fate.number()) }
}

pub(super) fn refusal(message: proto::Refusal) -> Result<Refusal, WireError> {
    Ok(Refusal { row: Row(narrow(message.row, "row")?), fate: fate(message.fate).within("fate")? })
}

pub(super) fn fate(number: u32) -> Result<Fate, WireError> {
    u8::try_from(number).ok().and_then(Fate::from_number).ok_or_else(|| unknown(number))
}

pub(super) fn shown_to_proto(shown: &ShownRecord) -> proto::Shown {
    let priced_by = match shown.priced_by {
        PricedBy::Rival(row) => Some(u32::from(row.0)),
        PricedBy::Floor => None,
    };
    proto::Shown {
        row: u32::from(shown.row.0),
        placement: u32::from(shown.placement),
        placement_id: shown.placement_id.0,
        slot: u32::from(shown.slot),
        ad: shown.ad.0,
        creative: shown.creative.0,
        line_item: shown.line_item.0,
        campaign: shown.campaign.0,
        advertiser: shown.advertiser.0,
        value: shown.value.0.to_be_bytes().to_vec(),
        price: Some(price_to_proto(shown.price)),
        priced_by,
        explored: shown.explored,
        propensity: shown.propensity.bits(),
        click_in_slot: shown.click_in_slot.bits(),
        lease: shown.lease.0.to_be_bytes().to_vec(),
        hold_expires_ms: shown.hold_expires.0,
    }
}

pub(super) fn shown(message: &proto::Shown) -> Result<ShownRecord, WireError> {
    let rival = message.priced_by.map(|row| narrow(row, "priced_by")).transpose()?;
    Ok(ShownRecord {
        row: Row(narrow(message.row, "row")?),
        placement: narrow(message.placement, "placement")?,
        placement_id: PlacementId(message.placement_id),
        slot: narrow(message.slot, "slot")?,
        ad: AdId(message.ad),
        creative: CreativeId(message.creative),
        line_item: LineItemId(message.line_item),
        campaign: CampaignId(message.campaign),
        advertiser: AdvertiserId(message.advertiser),
        value: Value(signed128(&message.value).within("value")?),
        price: price(message.price, "price")?,
        priced_by: rival.map_or(PricedBy::Floor, |row| PricedBy::Rival(Row(row))),
        explored: message.explored,
        propensity: probability(message.propensity, "propensity")?,
        click_in_slot: probability(message.click_in_slot, "click_in_slot")?,
        lease: LeaseId(id128(&message.lease).within("lease")?),
        hold_expires: Timestamp(message.hold_expires_ms),
    })
}

pub(super) fn block_to_proto(block: &ViewerBlock) -> proto::ViewerBlock {
    proto::ViewerBlock {
        numbers: block.numbers.clone(),
        ids: block.ids.clone(),
        items: block.items.clone(),
        categories: block.categories.clone(),
    }
}

pub(super) fn block(message: proto::ViewerBlock) -> Result<ViewerBlock, WireError> {
    at_most(&message.numbers, FEATURES_MAX, "numbers")?;
    at_most(&message.ids, FEATURES_MAX, "ids")?;
    at_most(&message.items, FEATURES_MAX, "items")?;
    at_most(&message.categories, FEATURES_MAX, "categories")?;
    let proto::ViewerBlock { numbers, ids, items, categories } = message;
    Ok(ViewerBlock { numbers, ids, items, categories })
}

pub(super) fn rows_to_proto(rows: &AdRows) -> proto::AdRows {
    proto::AdRows { numbers: rows.numbers.clone(), ids: rows.ids.clone() }
}

pub(super) fn rows(message: proto::AdRows) -> Result<AdRows, WireError> {
    at_most(&message.numbers, FEATURES_MAX, "numbers")?;
    at_most(&message.ids, FEATURES_MAX, "ids")?;
    Ok(AdRows { numbers: message.numbers, ids: message.ids })
}
