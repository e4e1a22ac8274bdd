//! Examples from a log that was written through the log's own door.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use std::path::Path;
use std::sync::Arc;

use litfass_decide::{AdRequest, Context, DecisionRecord, Inputs, Market, ShownRecord, WorldVersion};
use litfass_events::{Billable, Conversion, Delivery, EventKind, PartitionKey, Token};
use litfass_features::{AdRows, FeatureSet, RowNumber};
use litfass_market::PricedBy;
use litfass_store::log::{Clock, EventLog, LogOptions, SegmentLog, Until};
use litfass_store::storage::SimDisk;
use litfass_store::wire::{self, Body};
use litfass_train::from_log::{Counts, FromLog, Window, read};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CatalogVersion, CreativeId, Day, DecisionId, EventId, LeaseId, LineItemId,
    PlacementId, Price, Probability, Row, Seed, TenantId, Timestamp, Unit, UserHash, Value,
};

use crate::synthetic;

const WINDOW: Window = Window { from: Timestamp(0), until: Timestamp(1_000_000), decisions_max: 100 };

fn user() -> UserHash {
    UserHash { key_version: 1, hash: 99 }
}

fn decision_id(time: i64) -> DecisionId {
    DecisionId::new(Timestamp(time), 0, 5)
}

/// Four ads in slots 0 to 3.
fn record(time: i64) -> DecisionRecord {
    let synthetic::Shown { block, rows, slots, .. } =
        synthetic::request(&FeatureSet::v1(), Seed(time.unsigned_abs()), Timestamp(time));
    let request = AdRequest {
        request_id: None,
        tenant: TenantId(1),
        user: Some(user()),
        personalise: true,
        traffic: litfass_types::Traffic::Human,
        placements: Vec::new(),
        context: Context::default(),
    };
    let catalog = CatalogVersion { timeline: 1, sequence: 1 };
    let world =
        WorldVersion { catalog, profile: [0; 32], rules: [0; 32], pacing: 0, signals: 0, time_zones: String::new() };
    DecisionRecord {
        id: decision_id(time),
        inputs: Inputs {
            request,
            now: Timestamp(time),
            seed: Seed(1),
            world,
            degraded: Vec::new(),
            viewer_as_of: None,
            caps_as_of: None,
        },
        market: Market {
            exploration_ppm: 0,
            placements: Vec::new(),
            entrants: [].into_iter().collect(),
            predictions: Vec::new(),
        },
        refused: Vec::new(),
        viewer: block,
        shown: slots.into_iter().map(shown).collect(),
        rows,
        counts: Vec::new(),
        full: None,
        timings: Vec::new(),
    }
}

fn shown(slot: u8) -> ShownRecord {
    ShownRecord {
        row: Row(u16::from(slot)),
        placement: 0,
        placement_id: PlacementId(1),
        slot,
        ad: AdId(1),
        creative: CreativeId(1),
        line_item: LineItemId(1),
        campaign: CampaignId(1),
        advertiser: AdvertiserId(1),
        value: Value(1),
        price: Price { micros: 1, per: Unit::Click },
        priced_by: PricedBy::Floor,
        explored: false,
        propensity: Probability::from_bits(u32::MAX),
        click_in_slot: Probability::from_f64(0.1),
        lease: LeaseId(1),
        hold_expires: Timestamp(time_far()),
    }
}

const fn time_far() -> i64 {
    1 << 40
}

fn token(time: i64, slot: u8) -> Token {
    Token {
        decision: decision_id(time),
        slot,
        traffic: litfass_types::Traffic::Human,
        rank: slot,
        tenant: TenantId(1),
        advertiser: AdvertiserId(1),
        campaign: CampaignId(1),
        line_item: LineItemId(1),
        ad: AdId(1),
        creative: CreativeId(1),
        placement: PlacementId(1),
        geo: String::new(),
        price: Price { micros: 1, per: Unit::Click },
        billable: Billable::Impression,
        lease: LeaseId(1),
        budget_day: Day(0),
        hold_expires: Timestamp(time_far()),
        expires: Timestamp(time_far()),
        user: Some(user()),
        item: None,
        category: None,
        click: Probability::from_f64(0.1),
    }
}

fn delivery(kind: EventKind, time: i64, slot: u8) -> Body {
    Body::Delivery(Box::new(Delivery { kind, token: token(time, slot) }))
}

fn order(order_id: &str) -> Body {
    Body::Conversion(Box::new(Conversion {
        tenant: TenantId(1),
        user: Some(user()),
        click: None,
        order_id: order_id.to_owned(),
        value_micros: 1,
        items: Vec::new(),
    }))
}

/// A log of these entries, in their order, and what is learned from it.
fn learned(bodies: &[Body], window: Window) -> FromLog {
    let options = LogOptions { heartbeat: None, ..LogOptions::new(&[("server", 2)]) };
    let clock = Clock::new(|| Timestamp(500));
    let log = SegmentLog::open(Arc::new(SimDisk::new()), Path::new("/log"), &options, &clock).unwrap().log;
    let key = PartitionKey::of_user(user());
    let partition = log.partition("server", key).unwrap();
    for (body, n) in bodies.iter().zip(1..) {
        let entry = wire::entry(partition, EventId(n), Timestamp(500), key, body);
        log.append(vec![entry], Until::Committed).wait().remove(0).unwrap();
    }
    read(&log, window).unwrap()
}

fn decided(time: i64) -> Body {
    Body::Decision(Box::new(record(time)))
}

/// Slot, click, conversion of every example.
fn labels(from: &FromLog) -> Vec<(u8, bool, bool)> {
    let all = (0..from.examples.requests()).flat_map(|n| from.examples.of(n));
    all.map(|e| (e.label.slot, e.label.click, e.label.conversion)).collect()
}

#[test]
fn rendered_rows_are_the_examples_with_what_came_of_them() {
    let from = learned(
        &[
            decided(100),
            delivery(EventKind::Impression, 100, 0),
            delivery(EventKind::Impression, 100, 2),
            delivery(EventKind::Click, 100, 2),
            order("A"),
        ],
        WINDOW,
    );
    assert_eq!(labels(&from), [(0, false, false), (2, true, true)]);
    let expected = Counts { decisions: 1, rendered: 2, clicked: 1, converted: 1, not_rendered: 2, ..Counts::default() };
    assert_eq!(from.counts, expected);
    let (record, example) = (record(100), from.examples.of(0).nth(1).unwrap());
    assert_eq!((example.numbers, example.ids), (record.rows.numbers_of(2), record.rows.ids_of(2)), "the logged bytes");
    assert_eq!(*example.block, record.viewer);
    assert_eq!(from.positions.len(), 2, "every partition's end is kept");
}

#[test]
fn repeated_and_reordered_events_change_nothing() {
    let straight =
        [decided(100), delivery(EventKind::Impression, 100, 1), delivery(EventKind::Click, 100, 1), order("A")];
    let twisted = [
        delivery(EventKind::Click, 100, 1),
        delivery(EventKind::Impression, 100, 1),
        delivery(EventKind::Impression, 100, 1),
        order("A"),
        order("A"),
        delivery(EventKind::Click, 100, 1),
        decided(100),
    ];
    let (straight, twisted) = (learned(&straight, WINDOW), learned(&twisted, WINDOW));
    assert_eq!((straight.examples, straight.counts), (twisted.examples, twisted.counts));
}

#[test]
fn a_click_without_an_impression_is_counted_and_left_out() {
    let from = learned(&[decided(100), delivery(EventKind::Click, 100, 3)], WINDOW);
    assert_eq!((from.examples.rows(), from.counts.clicked_unrendered, from.counts.not_rendered), (0, 1, 4));
}

#[test]
fn decisions_outside_the_window_or_beyond_the_youngest_are_not_learned_from() {
    let impressions = [100, 200, 300].map(|time| delivery(EventKind::Impression, time, 0));
    let bodies: Vec<Body> = [100, 200, 300].map(decided).into_iter().chain(impressions).collect();
    let rows = |window| learned(&bodies, window).examples.rows();
    assert_eq!(rows(WINDOW), 3);
    assert_eq!(rows(Window { from: Timestamp(101), ..WINDOW }), 2);
    assert_eq!(rows(Window { until: Timestamp(300), ..WINDOW }), 2);
    assert_eq!(
        learned(&bodies, Window { decisions_max: 2, ..WINDOW }).examples.window(),
        Some((Timestamp(200), Timestamp(300)))
    );
}

#[test]
fn rows_of_another_feature_set_are_counted_and_left_out() {
    let mut old = record(100);
    old.rows = AdRows { numbers: vec![0.0; 4 * (RowNumber::COUNT - 1)], ids: old.rows.ids };
    let from = learned(&[Body::Decision(Box::new(old)), delivery(EventKind::Impression, 100, 0)], WINDOW);
    assert_eq!((from.examples.rows(), from.counts.misfits), (0, 4));
}
