use crate::shop::{Asked, Item, NOW, catalog, category, changed, eligible, signals, viewer};
use litfass_features::InteractionKind;
use litfass_retrieval::{Source, SourceIndex, SourceLimits};
use litfass_types::AdIx;
use proptest::collection::vec;
use proptest::prelude::*;

prop_compose! {
    fn item()(
        item in 0_u64..20, category in 0_u64..4, micros in 1_i64..9_000_000, created in 0_i64..50, active in proptest::bool::weighted(0.9),
        orders in prop_oneof![3 => Just(0_u32), 1 => 0_u32..9], clicks in prop_oneof![3 => Just(0_u64), 1 => 0_u64..99],
    ) -> Item {
        Item { id: 0, item, category, micros, created, active, orders, clicks }
    }
}

fn items(max: usize) -> impl Strategy<Value = Vec<Item>> {
    vec(item(), 1..max).prop_map(|items| items.into_iter().zip(1..).map(|(item, id)| Item { id, ..item }).collect())
}

fn past() -> impl Strategy<Value = Vec<(InteractionKind, u64, u64)>> {
    let kind = prop_oneof![Just(InteractionKind::View), Just(InteractionKind::Click), Just(InteractionKind::Purchase)];
    vec((kind, 0_u64..20, 0_u64..4), 0..30)
}

fn limits() -> impl Strategy<Value = SourceLimits> {
    (0_usize..80, vec(0_usize..20, 6)).prop_map(|(candidates_max, q)| SourceLimits {
        candidates_max,
        viewer_items: q[0],
        viewer_categories: q[1],
        request_categories: q[2],
        popularity: q[3],
        bid_times_prior: q[4],
        newest: q[5],
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn candidates_are_eligible_distinct_and_as_many_as_there_is_room_for(
        items in items(60), tenants in 1_u64..3, poor in vec(1_u64..60, 0..20), past in past(), limits in limits(),
        changes in vec((1_u64..80, item()), 0..8), again in any::<bool>(), seed in any::<u64>(),
    ) {
        let before = catalog(&items, tenants);
        let known = signals(&before, &items, tenants);
        let mut index = SourceIndex::build(&before, &known, NOW);
        let mut overlaid: Vec<Item> = changes.into_iter().map(|(id, item)| Item { id, ..item }).collect();
        overlaid.sort_by_key(|item| item.id);
        overlaid.dedup_by_key(|item| item.id);
        let now = if overlaid.is_empty() { before.clone() } else { changed(&before, &overlaid, tenants) };
        if again {
            index = SourceIndex::build(&now, &known.carried(&before, &now), NOW);
        }
        let eligible = eligible(&now, 1, &poor);
        let viewer = viewer(&past);
        let categories = [category(0), category(9)];
        let asked = Asked { catalog: &now, index: &index, eligible: &eligible, viewer: Some(&viewer), categories: &categories, limits, seed };
        let candidates = asked.candidates();

        let mut ads: Vec<AdIx> = candidates.ad.clone();
        prop_assert!(ads.iter().all(|ad| eligible.contains(*ad)));
        ads.sort_unstable();
        ads.dedup();
        prop_assert_eq!(ads.len(), candidates.len(), "each once");
        prop_assert_eq!(candidates.len(), eligible.ads().count().min(asked.limits.candidates_max));
        prop_assert_eq!(candidates.sources.len(), candidates.len());
        for (ad, sources) in candidates.ad.iter().zip(&candidates.sources) {
            let swept = sources.contains(Source::Sweep);
            prop_assert!(sources.0 != 0 && (!swept || sources.iter().count() == 1), "{:?}: {:?}", ad, sources);
        }
        prop_assert_eq!(asked.candidates(), candidates, "the same facts, the same list");
    }
}

#[test]
fn the_sweep_starts_where_the_seed_says_so_that_nobody_is_always_last() {
    let items: Vec<Item> = (1..=1_000).map(Item::plain).collect();
    let catalog = catalog(&items, 1);
    let index = SourceIndex::default();
    let eligible = eligible(&catalog, 1, &[]);
    let limits = SourceLimits { candidates_max: 100, ..SourceLimits::default() };
    let mut seen = vec![false; 1_000];
    for seed in 0..400 {
        let asked = Asked {
            catalog: &catalog,
            index: &index,
            eligible: &eligible,
            viewer: None,
            categories: &[],
            limits: limits.clone(),
            seed,
        };
        asked.candidates().ad.iter().for_each(|ad| seen[ad.0 as usize] = true);
    }
    assert!(seen.into_iter().all(|seen| seen));
}
