//! Frequency caps: counts against a naive list of times, holds that cannot both win, and renders that make counts of them.

use litfass_catalog::CapScope;
use litfass_events::EventKind;
use litfass_policy::{CapKey, CapLimit};
use litfass_store::caps::{CapsReached, Confirmed, Counted, EXACT_MAX, HOLD_TTL, HOLDS_MAX, Render, Wanted};
use litfass_store::fold::{CapCounters, LateRender};
use litfass_store::storage::SimDisk;
use litfass_types::{AdId, AdvertiserId, CampaignId, DecisionId, Duration, LineItemId, Timestamp};
use proptest::prelude::*;

use super::shop::{Folds, START, Shop, record, token, user};

fn key(scope: CapScope, window: Duration) -> CapKey {
    CapKey { scope, window }
}

fn limit(scope: CapScope, window: Duration, max: u32) -> CapLimit {
    CapLimit { key: key(scope, window), max }
}

fn wanted(ad: u64, limits: Vec<CapLimit>) -> Wanted {
    Wanted { counted: counted(ad), limits }
}

fn counted(ad: u64) -> Counted {
    let (line_item, campaign) = (LineItemId(ad / 10), CampaignId(ad / 100));
    Counted { ad: AdId(ad), line_item, campaign, advertiser: AdvertiserId(1) }
}

fn render(decision: u128, ad: u64, at: Timestamp) -> Render {
    Render { decision: DecisionId(decision), slot: 0, counted: counted(ad), at }
}

/// A decision that is rendered at once.
fn show(shop: &Shop, number: u64, ad: u64) {
    let record = record(number, user(1), shop.now(), &[ad]);
    shop.decide(&record);
    assert!(shop.deliver(EventKind::Impression, &token(&record, 0)));
}

fn count(caps: &CapCounters, scope: CapScope, window: Duration, now: Timestamp) -> u32 {
    let key = key(scope, window);
    caps.counts(user(1), &[key], now).count(key)
}

#[test]
fn a_shown_ad_counts_for_itself_and_all_that_is_above_it() {
    let shop = Shop::open(&SimDisk::new());
    shop.decide(&record(1, user(1), START, &[110, 111]));
    let caps = Folds::from_scratch(&shop).caps;
    let above = [CapScope::LineItem(LineItemId(11)), CapScope::Campaign(CampaignId(1))];
    let scopes = [CapScope::Ad(AdId(110)), above[0], above[1], CapScope::Advertiser(AdvertiserId(1))];
    assert_eq!(scopes.map(|scope| count(&caps, scope, Duration::hours(1), START)), [1, 2, 2, 2]);
    assert!(caps.counts(user(2), &[key(scopes[0], Duration::hours(1))], START).is_empty());
}

#[test]
fn a_window_slides_and_ends_to_the_millisecond() {
    let shop = Shop::open(&SimDisk::new());
    show(&shop, 1, 7);
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
fn a_hold_becomes_one_count_when_it_is_rendered() {
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
    assert_eq!(count(caps, scope, window, START + HOLD_TTL + Duration(1)), 0, "held, not counted");
    assert!(shop.deliver(EventKind::Impression, &token(&decision, 0)));
    runner.catch_up().unwrap();
    assert_eq!(count(caps, scope, window, START), 1);
    assert_eq!(count(caps, scope, window, START + HOLD_TTL + Duration(1)), 1, "counted, not held");
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
    assert!(hold(3, START + HOLD_TTL).is_err());
    assert!(hold(3, START + HOLD_TTL + Duration(1)).is_ok());
}

#[test]
fn the_counts_of_a_catalog_are_those_of_the_caps_it_has() {
    let file = serde_json::json!({
        "tenants": [{"id": 1, "name": "t"}],
        "advertisers": [{"id": 1, "tenant": 1, "name": "a", "frequency_caps": [{"max": 9, "window_minutes": 2}]}],
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
    let keys = [
        key(CapScope::Ad(AdId(110)), Duration::hours(1)),
        key(CapScope::Campaign(CampaignId(1)), Duration::days(1)),
        key(CapScope::Advertiser(AdvertiserId(1)), Duration::minutes(2)),
    ];
    assert_eq!(counts.iter().collect::<Vec<_>>(), keys.map(|key| (key, 1)));
}

#[test]
fn what_is_rendered_after_its_hold_counts_and_is_told() {
    let (shop, folds) = (Shop::open(&SimDisk::new()), Folds::new());
    let mut runner = folds.runner(&shop);
    let decision = record(1, user(1), START, &[7]);
    shop.decide(&decision);
    runner.catch_up().unwrap();
    shop.pass(HOLD_TTL.0 + 1);
    assert!(shop.deliver(EventKind::Impression, &token(&decision, 0)));
    runner.catch_up().unwrap();
    assert_eq!(count(&folds.caps, CapScope::Ad(AdId(7)), Duration::minutes(1), shop.now()), 1);
    assert_eq!(folds.caps.take_late(), [LateRender { user: user(1), ad: AdId(7) }]);
    assert!(folds.caps.take_late().is_empty(), "told once");
}

#[test]
fn a_slot_that_is_reported_twice_counts_once() {
    let caps = CapCounters::new(100);
    caps.hold(user(1), DecisionId(1), &[wanted(7, Vec::new())], START).unwrap();
    let confirm = || caps.confirm(user(1), &render(1, 7, START));
    assert_eq!([confirm(), confirm()], [Confirmed::Held, Confirmed::Before]);
    assert_eq!(count(&caps, CapScope::Ad(AdId(7)), Duration::minutes(1), START), 1);
}

#[test]
fn of_too_many_holds_the_oldest_counts_as_rendered() {
    let caps = CapCounters::new(100);
    for decision in 0..=HOLDS_MAX as u128 {
        caps.hold(user(1), DecisionId(decision), &[wanted(7, Vec::new())], START).unwrap();
    }
    let later = START + HOLD_TTL + Duration(1);
    assert_eq!(count(&caps, CapScope::Ad(AdId(7)), Duration::hours(1), later), 1);
}

/// What happens to one viewer and one ad.
#[derive(Clone, Copy, Debug)]
enum Step {
    Decide,
    /// One of the decisions before, by the order they were made in.
    Render(usize),
    GiveBack(usize),
    Pass(i64),
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![4 => 0..60_000_i64, 2 => 0..400_000_i64, 1 => 0..90_000_000_i64];
    let step = prop_oneof![
        4 => Just(Step::Decide),
        4 => (0_usize..20).prop_map(Step::Render),
        1 => (0_usize..20).prop_map(Step::GiveBack),
        4 => gap.prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..most)
}

/// A decision as the naive twin remembers it.
#[derive(Clone, Copy)]
struct Told {
    made: Timestamp,
    rendered: Option<Timestamp>,
    given_back: bool,
}

fn naive(told: &[Told], window: Duration, now: Timestamp) -> u32 {
    let counts = |decision: &&Told| match decision.rendered {
        Some(at) => at > now - window,
        None => !decision.given_back && now <= decision.made + HOLD_TTL,
    };
    u32::try_from(told.iter().filter(counts).count()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_history_counts_as_a_list_of_decisions_does(steps in steps(40), max in 1_u32..6, minutes in 1_i64..3_000) {
        let caps = CapCounters::new(100);
        let (scope, window) = (CapScope::Ad(AdId(7)), Duration::minutes(minutes));
        let (mut now, mut told) = (START, Vec::<Told>::new());
        for step in steps {
            match step {
                Step::Pass(ms) => now = now + Duration(ms),
                Step::Decide => {
                    let page = [wanted(7, vec![limit(scope, window, max)])];
                    let granted = caps.hold(user(1), DecisionId(told.len() as u128), &page, now).is_ok();
                    prop_assert_eq!(granted, naive(&told, window, now) < max);
                    let given_back = !granted;
                    told.push(Told { made: now, rendered: None, given_back });
                }
                Step::Render(nth) => if let Some(decision) = told.get_mut(nth).filter(|d| !d.given_back && d.rendered.is_none()) {
                    caps.confirm(user(1), &render(nth as u128, 7, now));
                    decision.rendered = Some(now);
                },
                Step::GiveBack(nth) => if let Some(decision) = told.get_mut(nth).filter(|d| d.rendered.is_none()) {
                    caps.release(user(1), DecisionId(nth as u128), now);
                    decision.given_back = true;
                },
            }
            if told.iter().filter(|d| d.rendered.is_some()).count() <= EXACT_MAX {
                prop_assert_eq!(count(&caps, scope, window, now), naive(&told, window, now));
            }
        }
    }

    /// Wherever the window is put, as long as nothing is rendered after its hold.
    #[test]
    fn no_window_ever_holds_more_than_the_cap(
        gaps in prop::collection::vec((0_i64..240_000, prop::option::of(0..=HOLD_TTL.0)), 1..120),
        max in 1_u32..20,
        minutes in 1_i64..240,
    ) {
        let caps = CapCounters::new(100);
        let (scope, window) = (CapScope::Ad(AdId(7)), Duration::minutes(minutes));
        let (mut now, mut waiting, mut rendered) = (START, Vec::<(Timestamp, u128)>::new(), Vec::<Timestamp>::new());
        let mut render_until = |until: Timestamp, waiting: &mut Vec<(Timestamp, u128)>| {
            waiting.sort_unstable();
            while waiting.first().is_some_and(|(at, _)| *at <= until) {
                let (at, decision) = waiting.remove(0);
                caps.confirm(user(1), &render(decision, 7, at));
                rendered.push(at);
            }
        };
        for (number, (gap, delay)) in (0..).zip(gaps) {
            now = now + Duration(gap);
            render_until(now, &mut waiting);
            let page = [wanted(7, vec![limit(scope, window, max)])];
            if caps.hold(user(1), DecisionId(number), &page, now).is_ok() {
                waiting.extend(delay.map(|delay| (now + Duration(delay), number)));
            }
        }
        render_until(now + HOLD_TTL, &mut waiting);
        for start in &rendered {
            let within = rendered.iter().filter(|at| *at >= start && **at < *start + window).count();
            prop_assert!(within <= max as usize, "{within} from {start:?}");
        }
    }
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
            show(&shop, number, 7);
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
