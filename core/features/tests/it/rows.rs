//! Extraction: what columns hold, and that phases and crosses agree.

use litfass_features::{
    AdCounts, AdFacts, AdRows, AdSignal, FeatureSet, Interaction, InteractionKind, RequestFacts, RequestId, RowId,
    RowNumber, Viewer, ViewerBlock, ViewerProfile, item_hash, request_hashes, row_hashes,
};
use litfass_types::{AdId, AdvertiserId, Device, Os, PlacementId, Term, TermKind, Timestamp, hash_pair};

const DAY: i64 = 86_400_000;

fn ad(sku: &str) -> AdFacts {
    AdFacts {
        ad: AdId(7),
        advertiser: AdvertiserId(3),
        item: item_hash(sku),
        category: Term::new(TermKind::Category, "lamps").0,
        created: Timestamp(0),
        signal: AdSignal::new(&AdCounts { impressions: 1_000, clicks: 40, ..AdCounts::default() }),
    }
}

fn request(now: Timestamp) -> RequestFacts<'static> {
    RequestFacts {
        now,
        device: Some(Device::Mobile),
        os: Some(Os::Ios),
        country: Some("DE"),
        page_category: None,
        placement: PlacementId(1),
    }
}

/// Bought A on day 0 and day 10, B on day 10.
fn viewer() -> Viewer {
    let mut profile = ViewerProfile::default();
    for (day, sku) in [(0, "A"), (10, "A"), (10, "B")] {
        let category = ad(sku).category;
        let kind = InteractionKind::Purchase;
        profile.apply(Interaction { time: Timestamp(day * DAY), kind, item: item_hash(sku), category });
    }
    profile.as_of(Timestamp(20 * DAY))
}

fn number(rows: &AdRows, row: usize, feature: RowNumber) -> f64 {
    f64::from(rows.numbers_of(row)[feature.column()])
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[test]
fn pair_numbers_say_what_the_viewer_did() {
    let ads = [ad("A"), ad("B"), ad("C")];
    let rows = AdRows::first_phase(Timestamp(20 * DAY), &viewer(), ads.into_iter());
    assert!(close(number(&rows, 0, RowNumber::BoughtCount), 3_f64.ln()));
    assert!(close(number(&rows, 1, RowNumber::BoughtCount), 2_f64.ln()));
    assert!(close(number(&rows, 2, RowNumber::BoughtCount), 0.0));
    assert!(close(number(&rows, 0, RowNumber::BoughtRecency), 0.75), "ten days of thirty");
    assert!(close(number(&rows, 0, RowNumber::BoughtLastOrder), 1.0));
    assert!(close(number(&rows, 0, RowNumber::BoughtGap), 1.0));
    assert!(close(number(&rows, 2, RowNumber::CategoryShare), 1.0));
    assert!(
        number(&rows, 0, RowNumber::BoughtSince) > number(&rows, 1, RowNumber::BoughtSince),
        "bought again once of once"
    );
    assert!(rows.ids_of(0).is_empty(), "the first phase makes no ids");
}

#[test]
fn a_viewer_without_orders_has_the_newcomers_columns() {
    let rows = AdRows::first_phase(Timestamp(DAY), &Viewer::default(), [ad("A")].into_iter());
    assert!(close(number(&rows, 0, RowNumber::NewcomerClickRate), number(&rows, 0, RowNumber::ClickRate)));
    let rows = AdRows::first_phase(Timestamp(20 * DAY), &viewer(), [ad("A")].into_iter());
    assert!(close(number(&rows, 0, RowNumber::NewcomerClickRate), 0.0));
}

#[test]
fn both_phases_give_the_same_numbers() {
    let set = FeatureSet::v1();
    let first = AdRows::first_phase(Timestamp(20 * DAY), &viewer(), [ad("A"), ad("Z")].into_iter());
    let last = AdRows::last_phase(&set, Timestamp(20 * DAY), &viewer(), [ad("A"), ad("Z")].into_iter());
    assert_eq!(first.numbers, last.numbers);
    assert_eq!(last.ids_of(0)[RowId::Item.column()], item_hash("A"));
    assert_eq!(last.len(), 2);
}

#[test]
fn crosses_are_the_pair_hashes_of_their_halves_and_unknown_halves_give_none() {
    let set = FeatureSet::v1();
    let now = Timestamp(20 * DAY);
    let block = ViewerBlock::new(&set, &request(now), &viewer());
    let rows = AdRows::last_phase(&set, now, &viewer(), [ad("C")].into_iter());
    let mut hashes = Vec::new();
    row_hashes(&block, rows.ids_of(0), |hash| hashes.push(hash));
    assert!(hashes.contains(&hash_pair(item_hash("C"), Term::new(TermKind::Device, "mobile").0)));
    assert!(hashes.contains(&hash_pair(item_hash("A"), item_hash("C"))), "history × item");
    assert!(!hashes.contains(&0));
    let known = hashes.len();
    let unknown = ViewerBlock::new(&set, &RequestFacts { device: None, ..request(now) }, &viewer());
    hashes.clear();
    row_hashes(&unknown, rows.ids_of(0), |hash| hashes.push(hash));
    assert_eq!(hashes.len(), known - 2, "item×device and category×device");
}

#[test]
fn the_block_keeps_the_last_distinct_items_newest_first() {
    let block = ViewerBlock::new(&FeatureSet::v1(), &request(Timestamp(20 * DAY)), &viewer());
    assert_eq!(block.items, [item_hash("B"), item_hash("A")]);
    assert_eq!(block.id(RequestId::PageCategory), 0);
    assert!(request_hashes(&block).all(|hash| hash != 0));
    assert_eq!(request_hashes(&block).count(), RequestId::COUNT - 1);
}

#[test]
fn hours_count_from_monday() {
    let set = FeatureSet::v1();
    let hour = |ms: i64| ViewerBlock::new(&set, &request(Timestamp(ms)), &Viewer::default()).id(RequestId::HourOfWeek);
    assert_eq!(hour(0), set.request_id(RequestId::HourOfWeek, 72));
    assert_eq!(hour(4 * DAY), set.request_id(RequestId::HourOfWeek, 0));
    assert_eq!(hour(-1), set.request_id(RequestId::HourOfWeek, 71));
}
