//! Frequency caps: counts against a naive list of times, and holds that cannot both win.

use litfass_catalog::CapScope;
use litfass_policy::{CapKey, CapLimit};
use litfass_store::fold::{CapCounters, CapsReached, EXACT_MAX, HOLD_MAX, Wanted};
use litfass_store::storage::SimDisk;
use litfass_types::{AdId, CampaignId, DecisionId, Duration, LineItemId, Timestamp};
use proptest::prelude::*;

use super::shop::{Folds, START, Shop, record, user};

fn key(scope: CapScope, window: Duration) -> CapKey {
    CapKey { scope, window }
}

fn limit(scope: CapScope, window: Duration, max: u32) -> CapLimit {
    CapLimit { key: key(scope, window), max }
}

fn wanted(ad: u64, limits: Vec<CapLimit>) -> Wanted {
    Wanted { ad: AdId(ad), line_item: LineItemId(ad / 10), campaign: CampaignId(ad / 100), limits }
}

fn count(caps: &CapCounters, scope: CapScope, window: Duration, now: Timestamp) -> u32 {
    let key = key(scope, window);
    caps.counts(user(1), &[key], now).count(key)
}

#[test]
fn a_shown_ad_counts_for_itself_its_line_item_and_its_campaign() {
    let shop = Shop::open(&SimDisk::new());
    shop.decide(&record(1, user(1), START, &[110, 111]));
    let caps = Folds::from_scratch(&shop).caps;
    let scopes = [CapScope::Ad(AdId(110)), CapScope::LineItem(LineItemId(11)), CapScope::Campaign(CampaignId(1))];
    assert_eq!(scopes.map(|scope| count(&caps, scope, Duration::hours(1), START)), [1, 2, 2]);
    assert!(caps.counts(user(2), &[key(scopes[0], Duration::hours(1))], START).is_empty());
}

#[test]
fn a_window_slides_and_ends_to_the_millisecond() {
    let shop = Shop::open(&SimDisk::new());
    shop.decide(&record(1, user(1), START, &[7]));
    let caps = Folds::from_scratch(&shop).caps;
    let at = |ms: i64| count(&caps, CapScope::Ad(AdId(7)), Duration::minutes(1), START + Duration(ms));
    assert_eq!((at(0), at(59_999), at(60_000)), (1, 1, 0));
}

#[test]
fn who_asks_first_gets_the_last_impression_of_a_cap() {
    let caps = CapCounters::new(100);
    let scope = CapScope::Campaign(CampaignId(0));
    let granted: Vec<_> = std::thread::scope(|scope_of_threads| {
        let ask = |decision: u128| {
            let caps = &caps;
            scope_of_threads.spawn(move || {
                let wanted = [wanted(7, vec![limit(scope, Duration::days(1), 3)])];
                caps.hold(user(1), DecisionId(decision), &wanted, START).is_ok()
            })
        };
        let asked: Vec<_> = (0..8).map(ask).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(granted.iter().filter(|granted| **granted).count(), 3);
    assert_eq!(count(&caps, scope, Duration::days(1), START), 3);
}

#[test]
fn a_page_that_would_break_a_cap_by_itself_holds_nothing() {
    let caps = CapCounters::new(100);
    let scope = CapScope::LineItem(LineItemId(1));
    let page = [10, 11, 12].map(|ad| wanted(ad, vec![limit(scope, Duration::days(1), 2)]));
    assert_eq!(caps.hold(user(1), DecisionId(1), &page, START), Err(CapsReached { refused: vec![2] }));
    assert_eq!(count(&caps, scope, Duration::days(1), START), 0);
    assert_eq!(caps.hold(user(1), DecisionId(1), &page[..2], START), Ok(()));
    assert_eq!(count(&caps, scope, Duration::days(1), START), 2);
}

#[test]
fn a_hold_becomes_one_count_when_its_record_comes() {
    let shop = Shop::open(&SimDisk::new());
    let folds = Folds::new();
    let mut runner = folds.runner(&shop);
    let (scope, window) = (CapScope::Ad(AdId(7)), Duration::days(1));
    let decision = record(1, user(1), START, &[7]);
    let caps = &folds.caps;
    caps.hold(user(1), decision.id, &[wanted(7, vec![limit(scope, window, 1)])], START).unwrap();
    assert_eq!(count(caps, scope, window, START), 1);
    shop.decide(&decision);
    runner.catch_up().unwrap();
    assert_eq!(count(caps, scope, window, START), 1);
    assert_eq!(count(caps, scope, window, START + HOLD_MAX + Duration(1)), 1, "counted, not held");
    assert!(caps.hold(user(1), DecisionId(2), &[wanted(7, vec![limit(scope, window, 1)])], START).is_err());
}

#[test]
fn a_hold_is_given_back_or_ends_by_itself() {
    let caps = CapCounters::new(100);
    let (scope, window) = (CapScope::Ad(AdId(7)), Duration::days(1));
    let page = [wanted(7, vec![limit(scope, window, 1)])];
    let hold = |decision, now| caps.hold(user(1), DecisionId(decision), &page, now);
    assert!(hold(1, START).is_ok() && hold(2, START).is_err());
    caps.release(user(1), DecisionId(1), START);
    assert!(hold(2, START).is_ok());
    assert!(hold(3, START + HOLD_MAX).is_err());
    assert!(hold(3, START + HOLD_MAX + Duration(1)).is_ok());
}

#[test]
fn the_counts_of_a_catalog_are_those_of_the_caps_it_has() {
    let file = serde_json::json!({
        "tenants": [{"id": 1, "name": "t"}], "advertisers": [{"id": 1, "tenant": 1, "name": "a"}],
        "campaigns": [{"id": 1, "advertiser": 1, "name": "c", "frequency_caps": [{"max": 5, "window_minutes": 1440}]}],
        "line_items": [{"id": 11, "campaign": 1, "name": "l", "bid": {"micros": 1, "per": "mille"}}],
        "creatives": [{"id": 1, "advertiser": 1, "format": "sponsored_item", "title": "t", "text": "", "landing_url": "https://a.example"}],
        "ads": [{"id": 110, "line_item": 11, "creative": 1, "frequency_caps": [{"max": 1, "window_minutes": 60}]}],
    });
    let dir = tempfile::tempdir().unwrap();
    let mut store = litfass_store::catalog::CatalogStore::open(&dir.path().join("litfass.db")).unwrap();
    store.load_bytes(&serde_json::to_vec(&file).unwrap(), START).unwrap();
    let catalog = store.read_catalog().unwrap();
    let shop = Shop::open(&SimDisk::new());
    shop.decide(&record(1, user(1), START, &[110]));
    let counts = Folds::from_scratch(&shop).caps.counts_in(user(1), &catalog, START);
    let keys =
        [key(CapScope::Ad(AdId(110)), Duration::hours(1)), key(CapScope::Campaign(CampaignId(1)), Duration::days(1))];
    assert_eq!(counts.iter().collect::<Vec<_>>(), keys.map(|key| (key, 1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Exact for as many as are kept by the millisecond; beyond that never less, and at most what an hour or a day more holds.
    #[test]
    fn counts_agree_with_a_list_of_times(
        gaps in prop::collection::vec(prop_oneof![0..60_000_i64, 0..7_200_000_i64, 0..200_000_000_i64], 1..120),
        windows in prop::collection::vec(1..60 * 24 * 40_i64, 1..6),
    ) {
        let shop = Shop::open(&SimDisk::new());
        let mut times = Vec::new();
        for (number, gap) in (0..).zip(&gaps) {
            shop.pass(*gap);
            times.push(shop.now());
            shop.decide(&record(number, user(1), shop.now(), &[7]));
        }
        let caps = Folds::from_scratch(&shop).caps;
        for window in windows.into_iter().map(Duration::minutes) {
            let naive = |slack: Duration| {
                let start = shop.now() - window - slack;
                u32::try_from(times.iter().filter(|at| **at > start).count()).unwrap()
            };
            let counted = count(&caps, CapScope::Ad(AdId(7)), window, shop.now());
            prop_assert!(counted >= naive(Duration(0)), "{counted} < {}", naive(Duration(0)));
            prop_assert!(counted <= naive(Duration::days(1)), "{counted} > {}", naive(Duration::days(1)));
            if times.len() <= EXACT_MAX {
                prop_assert_eq!(counted, naive(Duration(0)));
            }
        }
    }
}
