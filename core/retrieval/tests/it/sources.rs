//! What each source brings, and in which order.

use crate::shop::{Asked, Item, NONE, NOW, catalog, category, eligible, signals, viewer};
use litfass_catalog::Catalog;
use litfass_features::{InteractionKind, Viewer};
use litfass_retrieval::{AdSignals, Source, SourceIndex, SourceLimits, SourceSet};

/// What one source alone brings.
fn brought(
    items: &[Item],
    source: Source,
    limits: SourceLimits,
    viewer: Option<&Viewer>,
    categories: &[u64],
) -> Vec<u64> {
    let catalog = catalog(items, 1);
    let index = SourceIndex::build(&catalog, &signals(&catalog, items, 1), NOW);
    let eligible = eligible(&catalog, 1, &[]);
    let asked = Asked { catalog: &catalog, index: &index, eligible: &eligible, viewer, categories, limits, seed: 1 };
    asked.found().into_iter().filter(|(_, sources)| sources.contains(source)).map(|(ad, _)| ad).collect()
}

fn items(n: u64, change: impl Fn(&mut Item)) -> Vec<Item> {
    let mut items: Vec<Item> = (1..=n).map(Item::plain).collect();
    items.iter_mut().for_each(change);
    items
}

#[test]
fn popularity_brings_what_sold_and_was_clicked_most_and_nothing_that_never_did() {
    let items = items(9, |i| match i.id {
        3 => i.orders = 5,
        7 => (i.orders, i.clicks) = (4, 9),
        8 => i.clicks = 6,
        _ => (),
    });
    let limits = SourceLimits { popularity: 10, ..NONE };
    assert_eq!(brought(&items, Source::Popularity, limits, None, &[]), [7, 8, 3]);
}

#[test]
fn bid_times_prior_weighs_a_bid_per_click_with_the_click_rate_so_far() {
    let items = items(5, |i| i.micros = [0, 5, 1, 4, 2, 3][usize::try_from(i.id).expect("small")] * 1_000_000);
    let limits = SourceLimits { bid_times_prior: 3, ..NONE };
    assert_eq!(brought(&items, Source::BidTimesPrior, limits, None, &[]), [1, 3, 5]);
}

#[test]
fn newest_brings_the_last_added_first() {
    let items = items(6, |i| i.created = [0, 3, 9, 9, 1, 0, 7][usize::try_from(i.id).expect("small")]);
    let limits = SourceLimits { newest: 4, ..NONE };
    assert_eq!(brought(&items, Source::Newest, limits, None, &[]), [2, 3, 6, 1]);
}

#[test]
fn a_viewers_items_come_by_turns_most_bought_and_last_dealt_with() {
    use InteractionKind::{Click, Purchase, View};
    let viewer =
        viewer(&[(Purchase, 4, 0), (Purchase, 4, 0), (Purchase, 2, 0), (Click, 5, 0), (View, 6, 0), (View, 99, 0)]);
    let limits = SourceLimits { viewer_items: 10, ..NONE };
    // Bought most: 4, 2, 5, …; last: (99 has no ad), 6, 5, …
    assert_eq!(brought(&items(9, |_| ()), Source::ViewerItems, limits.clone(), Some(&viewer), &[]), [4, 2, 6, 5]);
    assert!(brought(&items(9, |_| ()), Source::ViewerItems, limits, None, &[]).is_empty());
}

#[test]
fn all_ads_of_a_viewers_item_are_brought() {
    let items = items(4, |i| i.item = 7);
    let viewer = viewer(&[(InteractionKind::Purchase, 7, 0)]);
    let limits = SourceLimits { viewer_items: 3, ..NONE };
    assert_eq!(brought(&items, Source::ViewerItems, limits, Some(&viewer), &[]).len(), 3);
}

#[test]
fn categories_take_turns_and_bring_their_most_popular_ads_first() {
    let items = items(9, |i| i.orders = if i.id == 6 { 3 } else { 0 });
    let limits = SourceLimits { request_categories: 5, ..NONE };
    // Category 0 holds 3, 6, 9; category 1 holds 1, 4, 7.
    let found = brought(&items, Source::RequestCategories, limits, None, &[category(0), category(1), category(5)]);
    assert_eq!(found, [6, 1, 3, 4, 9]);
}

#[test]
fn a_viewers_categories_come_from_the_profile() {
    let viewer =
        viewer(&[(InteractionKind::View, 50, 2), (InteractionKind::View, 51, 2), (InteractionKind::View, 52, 0)]);
    let limits = SourceLimits { viewer_categories: 3, ..NONE };
    assert_eq!(brought(&items(9, |_| ()), Source::ViewerCategories, limits, Some(&viewer), &[]), [2, 3, 5]);
}

#[test]
fn an_ad_that_several_sources_bring_is_one_candidate_and_names_them_all() {
    let items = items(5, |i| i.orders = if i.id == 2 { 1 } else { 0 });
    let catalog = catalog(&items, 1);
    let index = SourceIndex::build(&catalog, &signals(&catalog, &items, 1), NOW);
    let eligible = eligible(&catalog, 1, &[]);
    let limits = SourceLimits { popularity: 1, newest: 2, ..NONE };
    let asked =
        Asked { catalog: &catalog, index: &index, eligible: &eligible, viewer: None, categories: &[], limits, seed: 0 };
    let found = asked.found();
    assert_eq!(found[0].0, 2);
    assert_eq!(found[0].1.names().collect::<Vec<_>>(), ["popularity", "newest"]);
    assert_eq!(found[1], (1, SourceSet::of(Source::Newest)));
    assert!(found[2..].iter().all(|(_, sources)| *sources == SourceSet::of(Source::Sweep)));
}

#[test]
fn sources_take_turns_when_there_is_not_room_for_all() {
    let items = items(20, |i| {
        let n = i64::try_from(i.id).expect("small");
        (i.micros, i.created) = (1_000_000 * n, 100 - n);
    });
    let catalog = catalog(&items, 1);
    let index = SourceIndex::build(&catalog, &AdSignals::default(), NOW);
    let eligible = eligible(&catalog, 1, &[]);
    let limits = SourceLimits { candidates_max: 5, bid_times_prior: 20, newest: 20, ..NONE };
    let asked =
        Asked { catalog: &catalog, index: &index, eligible: &eligible, viewer: None, categories: &[], limits, seed: 0 };
    assert_eq!(asked.found().into_iter().map(|(ad, _)| ad).collect::<Vec<_>>(), [20, 1, 19, 2, 18]);
}

#[test]
fn another_tenants_ads_take_no_place_in_the_orders() {
    let items = items(10, |i| i.orders = 1);
    let catalog: Catalog = catalog(&items, 2);
    let index = SourceIndex::build(&catalog, &signals(&catalog, &items, 2), NOW);
    let eligible = eligible(&catalog, 1, &[]);
    let limits = SourceLimits { popularity: 5, ..NONE };
    let asked =
        Asked { catalog: &catalog, index: &index, eligible: &eligible, viewer: None, categories: &[], limits, seed: 0 };
    let popular = asked.found().into_iter().filter(|(_, s)| s.contains(Source::Popularity)).map(|(ad, _)| ad);
    assert_eq!(popular.collect::<Vec<_>>(), [2, 4, 6, 8, 10]);
}
