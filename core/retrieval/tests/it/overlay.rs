//! An index goes on serving catalogs that came after it.

use crate::shop::{Asked, Item, NONE, NOW, catalog, changed, eligible, signals};
use litfass_catalog::{AdOrder, Catalog};
use litfass_retrieval::{Source, SourceIndex, SourceLimits};

fn by(source: Source, catalog: &Catalog, index: &SourceIndex) -> Vec<u64> {
    let eligible = eligible(catalog, 1, &[]);
    let quota = |of: Source| if of == source { 100 } else { 0 };
    let limits = SourceLimits { popularity: quota(Source::Popularity), newest: quota(Source::Newest), ..NONE };
    let asked = Asked { catalog, index, eligible: &eligible, viewer: None, categories: &[], limits, seed: 0 };
    asked.found().into_iter().filter(|(_, sources)| sources.contains(source)).map(|(ad, _)| ad).collect()
}

fn with_orders() -> Vec<Item> {
    (1..=6).map(|id| Item { orders: u32::try_from(id).expect("small"), ..Item::plain(id) }).collect()
}

#[test]
fn ads_added_after_the_index_was_built_are_brought_as_new() {
    let items = with_orders();
    let before = catalog(&items, 1);
    let index = SourceIndex::build(&before, &signals(&before, &items, 1), NOW);
    let after = changed(&before, &[Item::plain(50), Item::plain(51)], 1);
    assert_eq!(by(Source::Newest, &after, &index)[..2], [51, 50]);
    assert_eq!(by(Source::Popularity, &after, &index), [6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_changed_ad_is_found_where_it_stands_now_and_not_where_it_stood() {
    let items = with_orders();
    let before = catalog(&items, 1);
    let index = SourceIndex::build(&before, &signals(&before, &items, 1), NOW);
    let after = changed(&before, &[Item { micros: 9, ..items[5].clone() }], 1);
    assert_eq!(by(Source::Popularity, &after, &index), [5, 4, 3, 2, 1]);
    assert_eq!(by(Source::Newest, &after, &index)[0], 6);
    let paused = changed(&before, &[Item { active: false, ..items[5].clone() }], 1);
    assert!(!by(Source::Newest, &paused, &index).contains(&6));
}

#[test]
fn numbers_of_an_older_overlay_are_not_mistaken_for_those_of_a_newer_one() {
    let items = with_orders();
    let first = changed(&catalog(&items, 1), &[Item { orders: 99, ..Item::plain(60) }], 1);
    let mut known = items;
    known.push(Item { orders: 99, ..Item::plain(60) });
    let index = SourceIndex::build(&first, &signals(&first, &known, 1), NOW);
    assert_eq!(by(Source::Popularity, &first, &index)[0], 60);
    // Ad 50 takes the number that ad 60 had.
    let second = changed(&first, &[Item::plain(50)], 1);
    assert_eq!(by(Source::Popularity, &second, &index), [6, 5, 4, 3, 2, 1]);
}

#[test]
fn an_index_of_another_base_is_not_read() {
    let items = with_orders();
    let before = changed(&catalog(&items, 1), &[Item::plain(50)], 1);
    let index = SourceIndex::build(&before, &signals(&before, &items, 1), NOW);
    let merged = before.merged(AdOrder::ByLineItem);
    assert!(!index.fits(&merged) && index.fits(&before));
    assert!(by(Source::Popularity, &merged, &index).is_empty());
    assert_eq!(by(Source::Sweep, &merged, &index).len(), 7);
}
