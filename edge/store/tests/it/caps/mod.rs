//! What every store of frequency caps promises: one suite, run on the embedded one and on a real Redis server.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

#[cfg(feature = "redis")]
mod real_redis;
#[cfg(feature = "redis")]
pub(crate) mod server;

use litfass_catalog::Catalog;
use litfass_policy::{CapKey, caps_of};
use litfass_store::caps::{
    CapCounters, CapStore, Confirmed, Counted, HOLD_TTL, HOLDS_MAX, NotHeld, Render, SCOPES_MAX, Wanted,
};
use litfass_types::{AdId, DecisionId, Duration, Timestamp, UserHash};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;

pub(crate) const START: Timestamp = Timestamp(1_790_000_000_000);
/// Two ads of line item 11, one of line item 12; all of campaign 1.
pub(crate) const ADS: [u64; 3] = [110, 111, 120];

pub(crate) fn user(n: u8) -> UserHash {
    UserHash { key_version: 1, hash: u128::from(n) * 0x0101_0101_0101_0101_0101 }
}

/// The campaign may be seen three times an hour, line item 11 twice a day.
pub(crate) fn catalog() -> Catalog {
    let bid = json!({"micros": 1, "per": "mille"});
    let ad = |id: u64| json!({"id": id, "line_item": id / 10, "creative": 1});
    let line_item = |id: u64, caps| json!({"id": id, "campaign": 1, "name": "l", "bid": bid, "frequency_caps": caps});
    let file = json!({
        "tenants": [{"id": 1, "name": "t"}],
        "advertisers": [{"id": 1, "tenant": 1, "name": "a"}],
        "campaigns": [{"id": 1, "advertiser": 1, "name": "c", "frequency_caps": [{"max": 3, "window_minutes": 60}]}],
        "line_items": [line_item(11, json!([{"max": 2, "window_minutes": 1440}])), line_item(12, json!([]))],
        "creatives": [{"id": 1, "advertiser": 1, "format": "sponsored_item", "title": "t", "text": "", "landing_url": "https://a.example"}],
        "ads": ADS.map(ad),
    });
    let dir = tempfile::tempdir().unwrap();
    let mut store = litfass_store::catalog::CatalogStore::open(&dir.path().join("litfass.db")).unwrap();
    store.load_bytes(&serde_json::to_vec(&file).unwrap(), START).unwrap();
    store.read_catalog().unwrap()
}

pub(crate) fn wanted(catalog: &Catalog, ad: u64) -> Wanted {
    let ix = catalog.ad_by_id(AdId(ad)).unwrap();
    let line_item = catalog.line_item(catalog.line_item_of(ix));
    let (campaign, advertiser) = (line_item.campaign, line_item.advertiser);
    let counted = Counted { ad: AdId(ad), line_item: line_item.id, campaign, advertiser };
    Wanted { counted, limits: caps_of(catalog, ix).collect() }
}

/// As a decision does it: looks, and holds what it saw room for.
pub(crate) fn show(
    store: &dyn CapStore,
    catalog: &Catalog,
    who: UserHash,
    decision: DecisionId,
    ads: &[u64],
    now: Timestamp,
) -> Result<(), NotHeld> {
    let (_, looked) = store.look(who, catalog, now).map_err(|_| NotHeld::Away)?;
    let page: Vec<Wanted> = ads.iter().map(|ad| wanted(catalog, *ad)).collect();
    store.hold(who, looked, decision, &page, now)
}

pub(crate) fn render(catalog: &Catalog, decision: DecisionId, slot: u8, ad: u64, at: Timestamp) -> Render {
    Render { decision, slot, counted: wanted(catalog, ad).counted, at }
}

fn decision(n: u64) -> DecisionId {
    DecisionId::new(START, 0, n)
}

fn used(store: &dyn CapStore, catalog: &Catalog, who: UserHash, now: Timestamp) -> Vec<(CapKey, u32)> {
    store.look(who, catalog, now).unwrap().0.iter().collect()
}

/// Everything, each on viewers of its own.
pub(crate) fn keeps_the_contract(store: &(dyn CapStore + Sync)) {
    the_last_impression_goes_to_one(store, user(1));
    a_page_is_held_whole_or_not_at_all(store, user(2));
    what_is_rendered_counts_once_and_the_rest_is_given_back(store, user(3));
    what_is_given_back_or_erased_is_free(store, user(4));
    a_record_stays_within_its_bounds(store, user(5));
}

fn the_last_impression_goes_to_one(store: &(dyn CapStore + Sync), who: UserHash) {
    let catalog = &catalog();
    let granted: usize = std::thread::scope(|scope| {
        let ask =
            |n: u64| scope.spawn(move || usize::from(show(store, catalog, who, decision(n), &[120], START).is_ok()));
        let asked: Vec<_> = (0..12).map(ask).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 3);
}

fn a_page_is_held_whole_or_not_at_all(store: &dyn CapStore, who: UserHash) {
    let catalog = catalog();
    let refused = show(store, &catalog, who, decision(1), &[110, 111, 110], START);
    assert!(matches!(refused, Err(NotHeld::Reached(reached)) if reached.refused == [2]));
    assert!(used(store, &catalog, who, START).is_empty());
    show(store, &catalog, who, decision(1), &[110, 111], START).unwrap();
    assert_eq!(used(store, &catalog, who, START).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [2, 2]);
}

fn what_is_rendered_counts_once_and_the_rest_is_given_back(store: &dyn CapStore, who: UserHash) {
    let catalog = catalog();
    show(store, &catalog, who, decision(1), &[110, 120], START).unwrap();
    let confirm = |slot, ad, at| store.confirm(who, &render(&catalog, decision(1), slot, ad, at)).unwrap();
    assert_eq!([confirm(0, 110, START), confirm(0, 110, START)], [Confirmed::Held, Confirmed::Before]);
    let later = START + HOLD_TTL + Duration(1);
    let counts: Vec<u32> = used(store, &catalog, who, later).iter().map(|(_, n)| *n).collect();
    assert_eq!(counts, [1, 1], "line item 11 and the campaign");
    assert_eq!(confirm(1, 120, later), Confirmed::Late);
    assert_eq!(used(store, &catalog, who, later).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 2]);
}

fn what_is_given_back_or_erased_is_free(store: &dyn CapStore, who: UserHash) {
    let catalog = catalog();
    let full = || (0..3).for_each(|n| show(store, &catalog, who, decision(n), &[120], START).unwrap());
    full();
    assert!(show(store, &catalog, who, decision(9), &[120], START).is_err());
    store.release(who, decision(1), START);
    show(store, &catalog, who, decision(9), &[120], START).unwrap();
    store.erase(who).unwrap();
    full();
}

fn a_record_stays_within_its_bounds(store: &dyn CapStore, who: UserHash) {
    let catalog = catalog();
    for n in 0..2 * SCOPES_MAX as u64 {
        let shown = Counted { ad: AdId(1_000 + n), ..wanted(&catalog, 120).counted };
        store.confirm(who, &Render { decision: decision(n), slot: 0, counted: shown, at: START }).unwrap();
    }
    let free = Wanted { limits: Vec::new(), ..wanted(&catalog, 110) };
    for n in 0..2 * HOLDS_MAX as u64 {
        let (_, looked) = store.look(who, &catalog, START).unwrap();
        store.hold(who, looked, decision(n), std::slice::from_ref(&free), START).unwrap();
    }
    let refused = show(store, &catalog, who, decision(9_999), &[110], START);
    assert!(matches!(refused, Err(NotHeld::Reached(_))), "what was counted last is not what is forgotten");
}

#[test]
fn the_embedded_store_keeps_the_contract() {
    keeps_the_contract(&CapCounters::new(1_000));
}

/// What happens to one viewer.
#[derive(Clone, Copy, Debug)]
enum Step {
    Show(usize),
    /// One of the decisions before.
    Render(usize),
    GiveBack(usize),
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![4 => 0..60_000_i64, 2 => 0..400_000_i64, 1 => 0..90_000_000_i64];
    let step = prop_oneof![
        4 => (0..ADS.len()).prop_map(Step::Show),
        4 => (0_usize..20).prop_map(Step::Render),
        1 => (0_usize..20).prop_map(Step::GiveBack),
        3 => gap.prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..40)
}

/// A shown ad as the naive twin remembers it.
struct Told {
    ad: u64,
    made: Timestamp,
    rendered: Option<Timestamp>,
}

/// Random histories on two stores at once: what they say and grant is the same.
pub(crate) fn agree(one: &dyn CapStore, other: &dyn CapStore, cases: u32) {
    let catalog = catalog();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let outcome = TestRunner::new(config).run(&(any::<u8>(), steps()), |(who, steps)| {
        let (who, stores) = (user(who), [one, other]);
        stores.iter().for_each(|store| store.erase(who).unwrap());
        let (mut now, mut told) = (START, Vec::<Told>::new());
        for step in steps {
            match step {
                Step::Pass(ms) => now = now + Duration(ms),
                Step::Show(ad) => {
                    let id = DecisionId::new(now, 0, told.len() as u64);
                    let held = stores.map(|store| show(store, &catalog, who, id, &[ADS[ad]], now));
                    prop_assert_eq!(&held[0], &held[1]);
                    if held[0].is_ok() {
                        told.push(Told { ad: ADS[ad], made: now, rendered: None });
                    }
                }
                Step::Render(nth) => {
                    let Some((n, shown)) = nth_of(&told, nth) else { continue };
                    let render = render(&catalog, DecisionId::new(shown.made, 0, n), 0, shown.ad, now);
                    let met = stores.map(|store| store.confirm(who, &render).unwrap());
                    prop_assert_eq!(met[0] == Confirmed::Before, met[1] == Confirmed::Before);
                    told[nth].rendered = Some(now);
                }
                Step::GiveBack(nth) => {
                    let Some((n, shown)) = nth_of(&told, nth) else { continue };
                    stores.iter().for_each(|store| store.release(who, DecisionId::new(shown.made, 0, n), now));
                }
            }
            let counts = stores.map(|store| used(store, &catalog, who, now));
            prop_assert_eq!(&counts[0], &counts[1]);
        }
        Ok(())
    });
    outcome.unwrap();
}

fn nth_of(told: &[Told], nth: usize) -> Option<(u64, &Told)> {
    Some((nth as u64, told.get(nth).filter(|shown| shown.rendered.is_none())?))
}
