//! What a page may hold, whatever the world.

use std::collections::BTreeSet;

use litfass_decide::{Market, settle_market};
use litfass_market::{Factors, Refusal, Shown};
use litfass_types::{Fate, Nanos, PlacementId, Price, Row, Value};
use proptest::prelude::*;

use crate::made::{Decided, decisions};
use crate::naive::Naive;
use crate::scene::Scene;

fn each_shown(
    seed: u64,
    check: impl Fn(&Scene, &Decided, &Shown) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let (scene, decided) = decisions(seed);
    let all =
        decided.iter().flat_map(|decided| decided.settled.decision.shown.iter().map(move |shown| (decided, shown)));
    all.into_iter().try_for_each(|(decided, shown)| check(&scene, decided, shown))
}

/// What the auction decided, but for the positions of entrants.
fn told(shown: &Shown) -> (Row, u8, u8, Value, Price, litfass_market::PricedBy, bool, u32) {
    let Shown { row, placement, slot, value, price, priced_by, explored, propensity, .. } = *shown;
    (row, placement, slot, value, price, priced_by, explored, propensity.bits())
}

/// The market as if these rows had never entered it.
fn without(market: &Market, refused: &[Refusal]) -> Market {
    let kept = |i: &usize| refused.iter().all(|r| r.row != market.entrants.rows()[*i]);
    let kept: Vec<usize> = (0..market.entrants.len()).filter(kept).collect();
    Market {
        entrants: kept.iter().map(|i| market.entrants.get(*i)).collect(),
        predictions: kept.iter().map(|i| market.predictions[*i]).collect(),
        ..market.clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_shown_is_eligible_and_breaks_no_rule_of_its_placement(seed: u64) {
        each_shown(seed, |scene, decided, shown| {
            let naive = Naive::new(scene, &decided.observed);
            let entrant = decided.market.entrants.get(shown.entrant);
            let placement = decided.observed.request.placements[usize::from(shown.placement)].id;
            prop_assert_eq!(entrant.row, shown.row);
            prop_assert!(naive.eligible_ads().contains(&entrant.ad));
            prop_assert_eq!(naive.policy(entrant.ad, placement), None);
            Ok(())
        })?;
    }

    #[test]
    fn a_price_lies_between_nothing_and_the_bid_and_a_bid_clears_both_floors(seed: u64) {
        each_shown(seed, |scene, decided, shown| {
            let entrant = decided.market.entrants.get(shown.entrant);
            let asked = decided.observed.request.placements[usize::from(shown.placement)];
            let floor = asked.floor.max(scene.shop.placements[&asked.id].floor);
            let revenue = Factors::revenue(entrant.bid.per, decided.market.predictions[shown.entrant]);
            prop_assert_eq!(shown.price.per, entrant.bid.per);
            prop_assert!((1..=entrant.bid.micros).contains(&shown.price.micros));
            prop_assert!(revenue.value(entrant.bid.micros) >= Value::from_nanos(floor));
            prop_assert!(floor == Nanos(0) || revenue.value(shown.price.micros) >= Value::from_nanos(floor));
            Ok(())
        })?;
    }

    #[test]
    fn slots_advertisers_line_items_and_competitors_keep_to_their_limits(seed: u64) {
        let (scene, decided) = decisions(seed);
        for Decided { observed, market, settled, .. } in &decided {
            let shown = &settled.decision.shown;
            for (p, asked) in (0_u8..).zip(&observed.request.placements) {
                let here: Vec<&Shown> = shown.iter().filter(|s| s.placement == p).collect();
                let rules = scene.shop.placements.get(&asked.id);
                let slots = rules.map_or(0, |rules| asked.slots.min(rules.slots_max));
                prop_assert!(here.len() <= usize::from(slots));
                prop_assert!(here.iter().zip(0_u8..).all(|(s, slot)| s.slot == slot));
                for one in &here {
                    let advertiser = |s: &Shown| market.entrants.advertisers()[s.entrant];
                    let of_one = here.iter().filter(|s| advertiser(s) == advertiser(one)).count();
                    prop_assert!(rules.is_some_and(|rules| of_one <= usize::from(rules.max_per_advertiser)));
                }
            }
            let line_items: BTreeSet<_> = shown.iter().map(|s| market.entrants.line_items()[s.entrant]).collect();
            prop_assert_eq!(line_items.len(), shown.len());
            for (i, a) in shown.iter().enumerate() {
                for b in &shown[i + 1..] {
                    let [a, b] = [a, b].map(|s| market.entrants.get(s.entrant));
                    let groups = |l| scene.shop.line_items[&l].exclusions.iter().collect::<BTreeSet<_>>();
                    let rivals = !groups(a.line_item).is_disjoint(&groups(b.line_item));
                    prop_assert!(a.advertiser == b.advertiser || !rivals);
                }
            }
        }
    }

    #[test]
    fn nothing_that_needs_consent_is_shown_without_it(seed: u64) {
        each_shown(seed, |scene, decided, shown| {
            let line_item = decided.market.entrants.get(shown.entrant).line_item;
            prop_assert!(decided.observed.request.personalise || !scene.shop.line_items[&line_item].needs_consent);
            Ok(())
        })?;
    }

    #[test]
    fn a_page_with_refusals_is_the_page_without_what_was_refused(seed: u64) {
        let (_, decided) = decisions(seed);
        for Decided { observed, shortlist, market, settled, .. } in &decided {
            let other = settle_market(&without(market, &settled.refused), observed.seed, &[], shortlist.board.clone());
            let shown = |d: &litfass_market::Decision| d.shown.iter().map(told).collect::<Vec<_>>();
            prop_assert_eq!(shown(&settled.decision), shown(&other));
            for row in (0..shortlist.candidates.len()).map(|i| Row(u16::try_from(i).unwrap())) {
                let refusal = settled.refused.iter().find(|r| r.row == row);
                for p in 0..market.placements.len() {
                    let expected = match (refusal, shortlist.board.fate(row, p)) {
                        (Some(refusal), None) => Some(refusal.fate),
                        (Some(_), marked) => marked,
                        (None, _) => other.fates.fate(row, p),
                    };
                    prop_assert_eq!(settled.decision.fates.fate(row, p), expected);
                }
            }
        }
    }
}

#[test]
fn random_worlds_show_refuse_explore_and_leave_out_for_every_reason() {
    let mut fates = BTreeSet::new();
    let (mut shown, mut explored, mut refused, mut unknown, mut several) = (0, 0, 0, 0, 0);
    for seed in 0..64 {
        let (scene, decided) = decisions(seed);
        for Decided { observed, settled, record, .. } in &decided {
            shown += settled.decision.shown.len();
            explored += settled.decision.shown.iter().filter(|s| s.explored).count();
            refused += settled.refused.len();
            several += usize::from(observed.request.placements.len() > 1);
            let known = |id: &PlacementId| scene.shop.placements.contains_key(id);
            unknown += observed.request.placements.iter().filter(|p| !known(&p.id)).count();
            fates.extend(record.counts.iter().flatten().map(|(fate, _)| *fate));
        }
    }
    assert!(shown > 300 && explored > 20 && refused > 50, "{shown} {explored} {refused}");
    assert!(unknown > 20 && several > 100, "{unknown} {several}");
    assert_eq!(fates, Fate::ALL.iter().copied().collect());
}
