//! The shortlist beside its twin.

use std::cmp::Reverse;

use litfass_decide::{Shortlist, Workspace, shortlist};
use litfass_types::{AdId, Fate, Row, Value};
use proptest::prelude::*;

use crate::made::{Decided, decisions};
use crate::naive::Naive;
use crate::scene::Scene;

fn each(seed: u64, check: impl Fn(&Scene, &Decided) -> Result<(), TestCaseError>) -> Result<(), TestCaseError> {
    let (scene, decided) = decisions(seed);
    decided.iter().try_for_each(|decided| check(&scene, decided))
}

fn ads(scene: &Scene, shortlist: &Shortlist) -> Vec<AdId> {
    shortlist.candidates.ad.iter().map(|ix| scene.world.catalog.ad(*ix).id).collect()
}

fn rows(shortlist: &Shortlist) -> impl Iterator<Item = Row> {
    (0..shortlist.candidates.len()).map(|i| Row(u16::try_from(i).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn candidates_are_eligible_each_once_and_all_of_them_where_there_is_room(seed: u64) {
        each(seed, |scene, decided| {
            let naive = Naive::new(scene, &decided.observed);
            let mut found = ads(scene, &decided.shortlist);
            let max = scene.world.rules.sources.candidates_max;
            found.sort_unstable();
            let mut eligible = naive.eligible_ads();
            if eligible.len() > max {
                prop_assert_eq!(found.len(), max);
                eligible.retain(|ad| found.binary_search(ad).is_ok());
            }
            prop_assert_eq!(found, eligible);
            prop_assert_eq!(&decided.shortlist.ineligible, &naive.ineligible());
            Ok(())
        })?;
    }

    #[test]
    fn a_candidate_that_breaks_a_rule_somewhere_is_marked_there_with_the_first_one(seed: u64) {
        each(seed, |scene, decided| {
            let (naive, shortlist) = (Naive::new(scene, &decided.observed), &decided.shortlist);
            let entrants = shortlist.entrants.rows();
            for (row, ad) in rows(shortlist).zip(ads(scene, shortlist)) {
                for (p, asked) in decided.observed.request.placements.iter().enumerate() {
                    let cut = (!entrants.contains(&row)).then_some(Fate::BelowCut);
                    let expected = naive.policy(ad, asked.id).or(cut);
                    prop_assert_eq!(shortlist.board.fate(row, p), expected, "{} at {}", ad, asked.id);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn entrants_are_the_best_by_first_phase_value_of_those_that_may_compete_somewhere(seed: u64) {
        each(seed, |scene, decided| {
            let (naive, shortlist) = (Naive::new(scene, &decided.observed), &decided.shortlist);
            let placements = &decided.observed.request.placements;
            let all = rows(shortlist).zip(ads(scene, shortlist));
            let open = all.filter(|(_, ad)| placements.iter().any(|p| naive.policy(*ad, p.id).is_none()));
            let mut best: Vec<(Reverse<Value>, AdId, Row)> =
                open.map(|(row, ad)| (Reverse(shortlist.values[usize::from(row.0)]), ad, row)).collect();
            best.sort_unstable();
            best.truncate(scene.world.rules.entrants_max);
            prop_assert_eq!(shortlist.entrants.rows(), best.into_iter().map(|(_, _, row)| row).collect::<Vec<_>>());
            Ok(())
        })?;
    }

    #[test]
    fn every_column_says_of_its_row_what_the_objects_say(seed: u64) {
        each(seed, |scene, decided| {
            let (naive, shortlist) = (Naive::new(scene, &decided.observed), &decided.shortlist);
            for ((ad, click), value) in ads(scene, shortlist).iter().zip(&shortlist.clicks).zip(&shortlist.values) {
                let mut alone = Vec::new();
                scene.world.profile.first_phase(&shortlist.viewer, &naive.last_phase_row(*ad), &mut alone);
                prop_assert_eq!(&alone, &[*click]);
                prop_assert_eq!(*value, naive.first_value(*ad, *click));
            }
            for (i, entrant) in shortlist.entrants.iter().enumerate() {
                let line_item = naive.line_item(entrant.ad);
                let row = naive.last_phase_row(entrant.ad);
                prop_assert_eq!(ads(scene, shortlist)[usize::from(entrant.row.0)], entrant.ad);
                prop_assert_eq!((entrant.line_item, entrant.bid), (line_item.id, line_item.bid));
                prop_assert_eq!(entrant.advertiser, naive.advertiser(entrant.ad));
                prop_assert_eq!(entrant.pacing_ppm, naive.pacing_ppm(line_item.id));
                prop_assert_eq!(entrant.admitted, shortlist.board.open_placements(entrant.row));
                prop_assert_eq!(entrant.exclusions != 0, !line_item.exclusions.is_empty());
                prop_assert_eq!(shortlist.rows.numbers_of(i), row.numbers_of(0));
                prop_assert_eq!(shortlist.rows.ids_of(i), row.ids_of(0));
            }
            Ok(())
        })?;
    }

    #[test]
    fn memory_of_earlier_requests_leaves_no_trace(seed: u64) {
        let scene = Scene::random(seed);
        let mut used = Workspace::default();
        for n in 0..4 {
            let observed = scene.request(seed ^ n);
            let fresh = shortlist(&scene.world, &observed, &mut Workspace::default());
            prop_assert_eq!(shortlist(&scene.world, &observed, &mut used), fresh);
        }
    }
}
