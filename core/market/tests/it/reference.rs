//! Published examples, on the slots' side: who stands where and what a click costs.

use crate::world::{World, entrant, simple};
use litfass_market::{AuctionPlacement, PricedBy};
use litfass_types::{AdvertiserId, Fate, LineItemId, Nanos, Price, Row, Unit};

fn winners(world: &World) -> Vec<(u16, i64)> {
    world.settle().shown.iter().map(|s| (s.row.0, s.price.micros)).collect()
}

const UNIT: i64 = 1_000_000;

/// Ties are broken by a hash: whoever loses them must be beaten by the smallest step.
fn about(expected: i64, micros: i64) -> bool {
    (expected..=expected + 1).contains(&micros)
}

#[test]
fn edelman_ostrovsky_schwarz_prices_are_4_and_2() {
    let shown = winners(&simple(2, &[(10 * UNIT, 0.5), (4 * UNIT, 0.5), (2 * UNIT, 0.5)]));
    assert_eq!((shown[0].0, shown[1].0, shown.len()), (0, 1, 2));
    assert!(about(4 * UNIT, shown[0].1) && about(2 * UNIT, shown[1].1), "{shown:?}");
    // At 200 and 100 clicks that is 800 + 200, up to the smallest step.
    assert!((1000 * UNIT..1000 * UNIT + 300).contains(&(200 * shown[0].1 + 100 * shown[1].1)));
}

#[test]
fn easley_kleinberg_with_a_slot_for_everybody_leaves_the_last_for_the_smallest_amount() {
    let shown = winners(&simple(3, &[(3 * UNIT, 0.1), (2 * UNIT, 0.1), (UNIT, 0.1)]));
    assert!(about(2 * UNIT, shown[0].1) && about(UNIT, shown[1].1), "{shown:?}");
    assert_eq!(shown[2], (2, 1));
}

#[test]
fn quality_weighted_order_is_second_first_third_at_2_and_2_50() {
    let world = simple(2, &[(4 * UNIT, 0.1), (3 * UNIT, 0.2), (5 * UNIT, 0.05)]);
    let shown = winners(&world);
    assert_eq!((shown[0].0, shown[1].0), (1, 0));
    assert!(about(2 * UNIT, shown[0].1) && about(5 * UNIT / 2, shown[1].1), "{shown:?}");
    assert_eq!(world.settle().fates.fate(Row(2), 0), Some(Fate::Outbid));
}

#[test]
fn the_price_of_a_slot_ignores_the_advertisers_own_other_ads() {
    let mut world = simple(1, &[(10 * UNIT, 0.5), (9 * UNIT, 0.5), (4 * UNIT, 0.5)]);
    world.rows[1].0.advertiser = world.rows[0].0.advertiser;
    let shown = world.settle().shown;
    assert!(about(4 * UNIT, shown[0].price.micros));
    assert_eq!(shown[0].priced_by, PricedBy::Rival(Row(2)));
}

#[test]
fn a_floor_above_the_runner_up_sets_the_price_and_below_it_nobody_is_sold() {
    let mut world = simple(2, &[(10 * UNIT, 0.5), (4 * UNIT, 0.5)]);
    world.placements[0].floor = Nanos(2_500_000_000); // 5 units a click at one click in two
    let decision = world.settle();
    assert_eq!(decision.shown.len(), 1);
    assert_eq!((decision.shown[0].price.micros, decision.shown[0].priced_by), (5 * UNIT, PricedBy::Floor));
    assert_eq!(decision.fates.fate(Row(1), 0), Some(Fate::BelowFloor));
}

#[test]
fn a_floor_is_met_in_money_whatever_the_weights() {
    let mut world = simple(1, &[(10 * UNIT, 0.5)]);
    world.placements[0].floor = Nanos(2_500_000_000);
    world.rows[0].0.quality_ppm = 3_000_000;
    world.rows[0].0.pacing_ppm = 900_000;
    assert_eq!(winners(&world), [(0, 5 * UNIT)]);
}

#[test]
fn who_is_paced_bids_a_share_of_its_bid_and_pays_what_the_next_one_is_worth() {
    let mut world = simple(1, &[(10 * UNIT, 0.5), (4 * UNIT, 0.5)]);
    world.rows[0].0.pacing_ppm = 500_000;
    let shown = winners(&world);
    assert!(shown[0].0 == 0 && about(4 * UNIT, shown[0].1), "{shown:?}");
    world.rows[0].0.pacing_ppm = 300_000;
    assert_eq!(winners(&world)[0].0, 1, "three against four");
}

#[test]
fn a_bid_that_is_worth_nothing_is_below_every_floor() {
    let mut world = simple(1, &[(0, 0.5), (UNIT, 0.5)]);
    world.rows[1].0.pacing_ppm = 0;
    let decision = world.settle();
    assert!(decision.shown.is_empty());
    assert_eq!(decision.fates.count_by_fate(0).of(Fate::BelowFloor), 2);
}

#[test]
fn a_line_item_stands_once_on_a_page_and_an_advertiser_as_often_as_the_placement_allows() {
    let mut world = simple(3, &[(10 * UNIT, 0.5), (9 * UNIT, 0.5), (8 * UNIT, 0.5), (7 * UNIT, 0.5)]);
    world.placements[0].max_per_advertiser = 1;
    world.placements.push(AuctionPlacement { slots: 1, floor: Nanos(0), max_per_advertiser: 1 });
    for (e, _) in &mut world.rows[..3] {
        e.advertiser = AdvertiserId(1);
    }
    world.rows[1].0.line_item = LineItemId(100); // the same as row 0
    let decision = world.settle();
    let at: Vec<_> = decision.shown.iter().map(|s| (s.placement, s.slot, s.row.0)).collect();
    assert_eq!(at, [(0, 0, 0), (0, 1, 3), (1, 0, 2)]);
    let fates = |p| [0, 1, 2, 3].map(|r| decision.fates.fate(Row(r), p).unwrap());
    assert_eq!(fates(0), [Fate::Shown, Fate::AlreadyShown, Fate::AdvertiserLimit, Fate::Shown]);
    assert_eq!(fates(1), [Fate::AlreadyShown, Fate::AlreadyShown, Fate::Shown, Fate::AlreadyShown]);
}

#[test]
fn rivals_of_a_shared_group_are_never_on_the_same_page_but_one_advertisers_own_ads_are() {
    let mut world = simple(3, &[(10 * UNIT, 0.5), (9 * UNIT, 0.5), (8 * UNIT, 0.5)]);
    for (e, _) in &mut world.rows {
        e.exclusions = 0b100;
    }
    world.rows[2].0.advertiser = world.rows[0].0.advertiser;
    let decision = world.settle();
    assert_eq!(decision.shown.iter().map(|s| s.row.0).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(decision.fates.fate(Row(1), 0), Some(Fate::ExcludedByRival));
    // It was still in the running for the first slot, so it set that price.
    assert_eq!(decision.shown[0].priced_by, PricedBy::Rival(Row(1)));
    assert_eq!(decision.shown[1].priced_by, PricedBy::Floor);
}

#[test]
fn per_mille_and_per_click_bids_meet_at_what_an_impression_is_worth() {
    let mut world = simple(1, &[(UNIT, 0.02)]); // 0.02 units an impression
    let cpm = Price { micros: 19 * UNIT, per: Unit::Mille }; // 0.019
    world.rows.push((entrant(1, cpm), world.rows[0].1));
    world.candidates = 2;
    let shown = winners(&world);
    assert_eq!(shown[0].0, 0);
    assert!((950_000..=950_001).contains(&shown[0].1), "{shown:?}");
}
