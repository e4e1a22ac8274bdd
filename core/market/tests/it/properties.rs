use crate::world::{World, world};
use litfass_market::{Entrants, Factors, PricedBy, Shown};
use litfass_types::{Fate, Row, Value};
use proptest::prelude::*;

fn spot(shown: &Shown) -> (u8, u8) {
    (shown.placement, shown.slot)
}

fn at(world: &World, place: (u8, u8)) -> Option<Row> {
    world.settle().shown.iter().find(|s| spot(s) == place).map(|s| s.row)
}

/// The market that set a price: without the advertiser's other candidates that did not stand on the page by then.
fn market_of(world: &World, shown: &[Shown], s: &Shown) -> World {
    let advertiser = world.entrant(s.row).advertiser;
    let before: Vec<Row> = shown.iter().filter(|o| spot(o) <= spot(s)).map(|o| o.row).collect();
    world.without(|e| e.advertiser == advertiser && !before.contains(&e.row))
}

/// A floor may ask a paced bidder for more than the share of its bid that it ranks by: with all of that as its bid it would stand
/// elsewhere on the page.
fn asked_more_by_a_floor(world: &World, s: &Shown) -> bool {
    let e = world.entrant(s.row);
    let share = i128::from(e.bid.micros) * i128::from(e.pacing_ppm);
    s.priced_by == PricedBy::Floor && e.pacing_ppm < 1_000_000 && i128::from(s.price.micros) * 1_000_000 > share
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_cell_ends_with_exactly_one_fate_and_shown_is_who_is_shown(world in world()) {
        let decision = world.settle();
        prop_assert_eq!(decision.fates.unmarked(), 0);
        for p in 0..world.placements.len() {
            let shown: Vec<Row> = decision.shown.iter().filter(|s| usize::from(s.placement) == p).map(|s| s.row).collect();
            let counts = decision.fates.count_by_fate(p);
            prop_assert_eq!(counts.total() as usize, world.candidates);
            prop_assert_eq!(counts.of(Fate::Shown) as usize, shown.len());
            prop_assert!(shown.iter().all(|r| decision.fates.fate(*r, p) == Some(Fate::Shown)));
            for other in (world.rows.len()..world.candidates).map(|r| Row(u16::try_from(r).unwrap())) {
                prop_assert_eq!(decision.fates.fate(other, p), Some(Fate::BelowCut));
            }
        }
    }

    #[test]
    fn a_page_breaks_none_of_its_rules(world in world()) {
        let shown = world.settle().shown;
        for (i, s) in shown.iter().enumerate() {
            let e = world.entrant(s.row);
            let here = |o: &&Shown| o.placement == s.placement && world.entrant(o.row).advertiser == e.advertiser;
            let offer = &world.placements[usize::from(s.placement)];
            prop_assert!(shown.iter().filter(here).count() <= usize::from(offer.max_per_advertiser));
            prop_assert!(s.slot < offer.slots && e.admitted >> s.placement & 1 == 1);
            prop_assert!(world.refused.iter().all(|r| r.row != s.row));
            for o in shown[..i].iter().map(|o| world.entrant(o.row)) {
                prop_assert!(o.ad != e.ad && o.line_item != e.line_item);
                prop_assert!(o.advertiser == e.advertiser || o.exclusions & e.exclusions == 0);
            }
        }
    }

    #[test]
    fn a_price_is_between_the_floor_and_the_own_bid(world in world()) {
        for s in world.settle().shown {
            let (e, prediction) = world.rows.iter().find(|(e, _)| e.row == s.row).unwrap();
            prop_assert!(1 <= s.price.micros && s.price.micros <= e.bid.micros && s.price.per == e.bid.per);
            let floor = world.placements[usize::from(s.placement)].floor;
            prop_assert!(Factors::revenue(e.bid.per, *prediction).value(s.price.micros) >= Value::from_nanos(floor));
        }
    }

    #[test]
    fn who_is_held_back_pays_no_more_than_the_share_of_its_bid_unless_a_floor_asks_for_it(world in world()) {
        for s in world.settle().shown.iter().filter(|s| s.priced_by != PricedBy::Floor) {
            let e = world.entrant(s.row);
            let share = i128::from(e.pacing_ppm.min(1_000_000));
            prop_assert!(i128::from(s.price.micros) * 1_000_000 < i128::from(e.bid.micros) * share + 1_000_000, "{s:?}");
        }
    }

    #[test]
    fn the_price_keeps_the_slot_in_the_market_that_set_it_and_one_micro_less_loses_it(world in world()) {
        let shown = world.settle().shown;
        for s in shown.iter().filter(|s| !s.explored && !asked_more_by_a_floor(&world, s)) {
            let market = market_of(&world, &shown, s);
            prop_assert_eq!(at(&market.with_bid(s.row, s.price.micros), spot(s)), Some(s.row), "at its price {:?}", s);
            prop_assert_ne!(at(&market.with_bid(s.row, s.price.micros - 1), spot(s)), Some(s.row), "below {:?}", s);
        }
    }

    #[test]
    fn one_micro_less_loses_the_slot_also_beside_the_advertisers_own_ads(world in world()) {
        let shown = world.settle().shown;
        for s in shown.iter().filter(|s| !s.explored) {
            prop_assert_ne!(at(&world.with_bid(s.row, s.price.micros - 1), spot(s)), Some(s.row), "below {:?}", s);
        }
    }

    #[test]
    fn removing_a_loser_changes_only_its_own_row_and_the_prices_that_it_set(mut world in world()) {
        // Propensities are shares of those who might have been drawn, so they may change; without exploration nothing may.
        world.rules.exploration_ppm = 0;
        let full = world.settle();
        let losers = world.rows.iter().map(|(e, _)| e.row).filter(|r| full.shown.iter().all(|s| s.row != *r));
        for loser in losers {
            let rest = world.without(|e| e.row == loser).settle();
            for (a, b) in full.shown.iter().zip(&rest.shown) {
                let entrant = b.entrant; // positions move up
                let same = *a == Shown { entrant: a.entrant, ..*b };
                prop_assert!(same || a.priced_by == PricedBy::Rival(loser), "{:?} became {:?}", a, b);
                prop_assert_eq!((a.row, spot(a), a.value), (b.row, spot(b), b.value));
                prop_assert!(b.price.micros <= a.price.micros && entrant <= a.entrant);
            }
            prop_assert_eq!(full.shown.len(), rest.shown.len());
            for p in 0..world.placements.len() {
                let others = world.rows.iter().map(|(e, _)| e.row).filter(|r| *r != loser);
                prop_assert!(others.into_iter().all(|r| full.fates.fate(r, p) == rest.fates.fate(r, p)));
            }
        }
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter(world in world(), order in any::<u64>()) {
        let mut shuffled = world.clone();
        let key = |e: &litfass_market::Entrant| litfass_types::Seed(order).derive(e.ad.0);
        shuffled.rows.sort_by_key(|(e, _)| key(e));
        let (a, b) = (world.settle(), shuffled.settle());
        let by_row = |shown: &[Shown]| shown.iter().map(|s| Shown { entrant: 0, ..*s }).collect::<Vec<_>>();
        prop_assert_eq!(by_row(&a.shown), by_row(&b.shown));
        prop_assert_eq!(a.fates, b.fates);
    }

    #[test]
    fn the_same_facts_give_the_same_page(world in world()) {
        prop_assert_eq!(world.settle(), world.settle());
    }

    #[test]
    fn what_the_board_marked_before_does_not_compete_and_keeps_its_mark(world in world(), row in 0_u16..14) {
        let (entrants, predictions): (Entrants, Vec<_>) = world.rows.iter().copied().unzip();
        let auction = litfass_market::Auction {
            rules: &world.rules, placements: &world.placements, entrants: &entrants, predictions: &predictions, seed: world.seed,
        };
        let mut board = litfass_market::FateBoard::new(world.candidates, world.placements.len());
        board.mark_everywhere(Row(row), Fate::ConsentMissing);
        let decision = litfass_market::settle(&auction, &world.refused, board);
        prop_assert!(decision.shown.iter().all(|s| s.row != Row(row)));
        if usize::from(row) < world.candidates {
            prop_assert_eq!(decision.fates.fate(Row(row), 0), Some(Fate::ConsentMissing));
        }
    }
}

#[test]
fn an_entrant_without_a_prediction_is_worth_nothing() {
    let world = crate::world::simple(2, &[(5, 0.5), (5, 0.5)]);
    let (entrants, mut predictions): (Entrants, Vec<_>) = world.rows.iter().copied().unzip();
    predictions.truncate(1);
    let auction = litfass_market::Auction {
        rules: &world.rules,
        placements: &world.placements,
        entrants: &entrants,
        predictions: &predictions,
        seed: world.seed,
    };
    let decision = litfass_market::settle(&auction, &[], litfass_market::FateBoard::new(2, 1));
    assert_eq!(decision.shown.len(), 1);
    assert_eq!(decision.fates.fate(Row(1), 0), Some(Fate::BelowFloor));
}
