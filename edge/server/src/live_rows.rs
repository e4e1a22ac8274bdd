//! One decision in brief, for the list of the last ones.

use litfass_catalog::Catalog;
use litfass_decide::{DecisionRecord, ShownRecord};
use litfass_market::PricedBy;
use litfass_types::Fate;

use crate::console::view::{Count, DecisionRow, WonView};
use crate::explain::{money, names};

#[must_use]
pub fn decision_row(record: &DecisionRecord, catalog: &Catalog, took_us: u32) -> DecisionRow {
    DecisionRow {
        id: record.id.to_string(),
        time_ms: record.inputs.now.0,
        took_us,
        user: record.inputs.request.user.map(|u| u.to_string().chars().take(8).collect()),
        context: context(record),
        candidates: record.counts.first().map_or(0, |counts| counts.iter().map(|(_, n)| n).sum()),
        degraded: record.inputs.degraded.iter().map(|port| port.name().to_owned()).collect(),
        shown: record.shown.iter().map(|shown| won(record, shown, catalog)).collect(),
        fates: losers(record),
    }
}

fn context(record: &DecisionRecord) -> String {
    let context = &record.inputs.request.context;
    let device = context.device.map(|d| d.name().to_owned());
    let topic = context.keywords.first().or(context.categories.first()).cloned();
    [device, context.country.clone(), topic].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// How the others ended, over all placements, most frequent first.
fn losers(record: &DecisionRecord) -> Vec<Count> {
    let of = |fate: Fate| {
        let counts = record.counts.iter().flatten().filter(|(f, _)| *f == fate);
        (fate, counts.map(|(_, n)| u64::from(*n)).sum::<u64>())
    };
    let mut counts: Vec<_> =
        Fate::ALL.iter().filter(|f| **f != Fate::Shown).map(|f| of(*f)).filter(|(_, n)| *n > 0).collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts.into_iter().map(|(fate, n)| Count::of_fate(fate, n)).collect()
}

fn won(record: &DecisionRecord, shown: &ShownRecord, catalog: &Catalog) -> WonView {
    let (title, advertiser) = names(catalog, shown.ad);
    let entrant = record.market.entrants.rows().iter().position(|row| *row == shown.row);
    let bid = entrant.map_or(shown.price, |e| record.market.entrants.bids()[e]);
    let placement = catalog.placement(shown.placement_id);
    WonView {
        placement: placement.map_or_else(|| shown.placement_id.to_string(), |p| p.name.clone()),
        slot: shown.slot,
        ad_id: shown.ad.0,
        title,
        advertiser,
        bid: money(bid),
        price: money(shown.price),
        pctr: shown.click_in_slot.to_f64(),
        why: why(record, shown, catalog),
        explored: shown.explored,
    }
}

fn why(record: &DecisionRecord, shown: &ShownRecord, catalog: &Catalog) -> String {
    if shown.explored {
        return "drawn to explore, at the floor's price".to_owned();
    }
    let PricedBy::Rival(row) = shown.priced_by else { return "nobody else bid above the floor".to_owned() };
    let rival = record.market.entrants.rows().iter().position(|r| *r == row);
    let Some(rival) = rival else { return "worth more than every other".to_owned() };
    let (title, advertiser) = names(catalog, record.market.entrants.ads()[rival]);
    format!("worth more than “{title}” of {advertiser}, which set the price")
}
