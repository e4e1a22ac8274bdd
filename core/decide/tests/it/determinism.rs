//! A decision is a function of its facts.

use std::collections::BTreeSet;
use std::sync::Arc;

use litfass_decide::{Observed, PacingColumns, Rules};
use proptest::prelude::*;

use crate::made::{Decided, decide};
use crate::scene::Scene;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_same_facts_give_the_same_record(seed: u64) {
        let (scene, again) = (Scene::random(seed), Scene::random(seed));
        let cloned = scene.world.clone();
        for n in 0..4 {
            let first = decide(&scene.world, scene.request(n), 30);
            for world in [&scene.world, &cloned, &again.world] {
                let second = decide(world, scene.request(n), 30);
                prop_assert_eq!(&first.shortlist, &second.shortlist);
                prop_assert_eq!(&first.record, &second.record);
            }
        }
    }

    #[test]
    fn another_seed_changes_draws_and_the_order_of_candidates_but_not_who_bids_what(seed: u64) {
        let mut scene = Scene::random(seed);
        let mut rules = Rules::clone(&scene.world.rules);
        rules.sources.candidates_max = 500;
        scene.world.rules = Arc::new(rules);
        // In a share of the requests only: which ones, the seed says.
        scene.world.pacing = Arc::new(PacingColumns { by_requests: Vec::new(), ..PacingColumns::clone(&scene.world.pacing) });
        let observed = scene.request(seed);
        let other = Observed { seed: observed.seed.derive(1), ..observed.clone() };
        let (first, second) = (decide(&scene.world, observed, 0), decide(&scene.world, other, 0));
        let ads = |decided: &Decided| decided.shortlist.candidates.ad.iter().copied().collect::<BTreeSet<_>>();
        prop_assert_eq!(ads(&first), ads(&second));
        prop_assert_eq!(first.market.entrants.ads(), second.market.entrants.ads());
        prop_assert_eq!(first.market.entrants.bids(), second.market.entrants.bids());
        prop_assert_eq!(first.market.predictions, second.market.predictions);
    }
}
