//! How campaigns and line items stand, as one word each.

use litfass_catalog::Catalog;
use litfass_catalog::model::Status;
use litfass_store::catalog::View;
use litfass_types::{CampaignId, LineItemId, PPM, Timestamp};

use super::text;
use crate::console::operating::Stand;
use crate::world::Pacing;

/// Of a campaign: what was last said of it, then what serving makes of it.
pub(super) fn of_campaign(view: &View, catalog: &Catalog, left_nanos: Option<i128>, now: Timestamp) -> Stand {
    if let Some(stopped) = stopped(view) {
        return stopped;
    }
    let Some(ix) = catalog.campaign_by_id(CampaignId(view.object.id)) else { return Stand::Unserved };
    let campaign = catalog.campaign(ix);
    if catalog.advertiser(campaign.advertiser).status != Status::Active {
        Stand::PausedAbove
    } else if !campaign.flight.contains(now) {
        Stand::OutsideFlight
    } else if left_nanos.is_some_and(|left| left <= 0) {
        Stand::Exhausted
    } else {
        Stand::Active
    }
}

/// Of a line item of a campaign that stands like `above`.
pub(super) fn of_line_item(view: &View, catalog: &Catalog, above: Stand, pacing: &Pacing, now: Timestamp) -> Stand {
    if let Some(stopped) = stopped(view) {
        return stopped;
    }
    if matches!(above, Stand::Archived | Stand::Paused | Stand::PausedAbove) {
        return Stand::PausedAbove;
    }
    let id = LineItemId(view.object.id);
    let Some(ix) = catalog.line_item_by_id(id) else { return Stand::Unserved };
    if !catalog.flight(ix).contains(now) {
        Stand::OutsideFlight
    } else if !pacing.funded.contains(&id) {
        Stand::Unfunded
    } else if multiplier_ppm(pacing, id) == 0 {
        Stand::HeldBack
    } else {
        Stand::Active
    }
}

pub(super) fn multiplier_ppm(pacing: &Pacing, id: LineItemId) -> u32 {
    pacing.multipliers_ppm.get(&id).copied().unwrap_or(PPM)
}

fn stopped(view: &View) -> Option<Stand> {
    match text(view, "status") {
        "archived" => Some(Stand::Archived),
        "paused" => Some(Stand::Paused),
        _ => None,
    }
}
