use crate::shop::{Item, catalog, changed, signals};
use litfass_catalog::{AdOrder, Catalog};
use litfass_features::{AdCounts, AdSignal};
use litfass_retrieval::{AdSignals, Signal};
use litfass_types::{AdId, AdIx};

fn of(catalog: &Catalog, signals: &AdSignals, ad: u64) -> Signal {
    *signals.get(catalog.ad_by_id(AdId(ad)).expect("an ad"))
}

fn items() -> Vec<Item> {
    let mut items: Vec<Item> = (1..=4).map(Item::plain).collect();
    (items[1].orders, items[2].clicks, items[3].item) = (5, 40, 2);
    items
}

#[test]
fn a_signal_is_made_from_the_counts_of_the_ad_and_of_its_item() {
    let items = items();
    let catalog = catalog(&items, 1);
    let signals = signals(&catalog, &items, 1);
    let shop = AdCounts { orders_30d: 5, orders_7d: 5, ..AdCounts::default() };
    let sold = AdCounts { item_orders_30d: 5, item_orders_7d: 5, ..shop };
    let clicked = AdCounts { impressions: 1_000, clicks: 40, ..shop };
    assert_eq!(of(&catalog, &signals, 1).features, AdSignal::new(&shop));
    assert_eq!(of(&catalog, &signals, 2).features, AdSignal::new(&sold));
    assert_eq!(of(&catalog, &signals, 3).features, AdSignal::new(&clicked));
    // Ad 4 is another ad for the item that sold.
    assert_eq!((of(&catalog, &signals, 4).popularity, of(&catalog, &signals, 3).popularity), (5, 40));
    let rate = of(&catalog, &signals, 3).prior.click.to_f64();
    assert!((rate - (40.0 + 2.0) / 1_200.0).abs() < 1e-6, "{rate}");
}

#[test]
fn what_one_tenant_sells_says_nothing_of_anothers_ads() {
    let mut items = items();
    items[2].item = 2; // ad 3 is of the other tenant and has the same key
    items[2].clicks = 0;
    let catalog = catalog(&items, 2);
    let signals = signals(&catalog, &items, 2);
    assert_eq!((of(&catalog, &signals, 2).popularity, of(&catalog, &signals, 3).popularity), (5, 0));
    assert_eq!(of(&catalog, &signals, 3).features, AdSignal::new(&AdCounts::default()));
}

#[test]
fn nothing_is_known_of_an_ad_past_the_end() {
    let catalog = catalog(&items(), 1);
    let signals = AdSignals::default();
    assert!(signals.fits(&catalog));
    assert_eq!(signals.get(AdIx(77)).features, AdSignal::default());
}

#[test]
fn signals_follow_their_ads_into_later_versions_of_the_catalog() {
    let items = items();
    let before = catalog(&items, 1);
    let known = signals(&before, &items, 1);
    let after = changed(&before, &[Item { micros: 7, ..items[2].clone() }, Item::plain(9)], 1);
    assert!(known.fits(&before) && !known.fits(&after));
    let carried = known.carried(&before, &after);
    let merged = after.merged(AdOrder::Listed(&[AdId(9), AdId(4)]));
    let folded = carried.carried(&after, &merged);
    for ad in 1..=4 {
        assert_eq!(of(&after, &carried, ad), of(&before, &known, ad), "ad {ad} in the overlay");
        assert_eq!(of(&merged, &folded, ad), of(&before, &known, ad), "ad {ad} in the new base");
    }
    assert_eq!((of(&after, &carried, 9).popularity, of(&merged, &folded, 9).popularity), (0, 0));
}
