use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use litfass_sim::{Counts, Door, HttpDoor, Pace, Shop, Size, Tally, Visitors, drive};
use litfass_types::{DecisionId, Timestamp};
use serde_json::json;

use crate::server;

const FLAT_OUT: Pace = Pace { rate_per_s: f64::INFINITY, speed: 0, opens_minute: 0 };

fn ads(shop: &Shop) -> Vec<u64> {
    shop.catalog(Timestamp(0))["ads"].as_array().unwrap().iter().map(|ad| ad["id"].as_u64().unwrap()).collect()
}

/// Drives two threads until `enough` says so.
fn driven(close_each: bool, enough: impl Fn(Counts) -> bool + Sync) -> (Counts, server::Journal, Tally) {
    let shop = Arc::new(Shop::new(9, Size::SMALL));
    let (address, journal) = server::start(ads(&shop), close_each);
    let seats = Visitors::split(&shop, 2, 1).into_iter().map(|crowd| (HttpDoor::new(address), crowd)).collect();
    let (tally, stop) = (Tally::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !enough(tally.counts()) {
                thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
        });
        drive(FLAT_OUT, seats, &tally, &stop);
    });
    (tally.counts(), journal, tally)
}

#[test]
fn a_drive_reports_what_it_showed_and_its_counts_are_the_servers() {
    let (counts, journal, _) = driven(false, |counts| counts.clicks >= 3 && counts.views >= 3 && counts.viewables >= 3);
    let journal = journal.lock().unwrap();
    let received = |prefix: &str| journal.iter().filter(|r| r.path.starts_with(prefix)).count() as u64;
    let events = |kind: &str| {
        let batches = journal.iter().filter(|r| r.path == "/v1/events");
        batches.flat_map(|r| r.body["events"].as_array().unwrap()).filter(|event| event["type"] == kind).count() as u64
    };
    assert_eq!((counts.unanswered, counts.refused), (0, 0));
    assert_eq!(counts.decisions, received("/v1/decisions"));
    assert_eq!((counts.impressions, counts.clicks), (received("/t/i/I"), received("/t/c/C")));
    assert_eq!(
        (counts.viewables, counts.views, counts.conversions),
        (events("viewable"), events("view"), events("conversion"))
    );
    assert_eq!(counts.impressions, counts.rendered);
    assert!(counts.known == counts.impressions && counts.true_ctr().unwrap() > 0.0);
    assert!(journal.iter().all(|r| r.method == if r.path.starts_with("/t/") { "GET" } else { "POST" }));
}

#[test]
fn the_odds_of_what_was_shown_can_be_looked_up_by_decision_placement_and_slot() {
    let (_, journal, tally) = driven(false, |counts| counts.decisions >= 5);
    let placement = journal.lock().unwrap()[0].body["placements"][0]["id"].as_u64().unwrap();
    let odds = tally.odds(DecisionId(42), placement, 0).unwrap();
    assert!(odds.click > 0.0 && odds.click < 1.0 && odds.conversion < 1.0);
    assert_eq!(tally.odds(DecisionId(43), placement, 0), None);
}

#[test]
fn a_server_that_closes_every_connection_is_driven_all_the_same() {
    let (counts, ..) = driven(true, |counts| counts.decisions >= 20);
    assert_eq!((counts.unanswered, counts.refused), (0, 0));
}

#[test]
fn a_refusal_is_an_answer_and_a_server_that_is_not_there_is_none() {
    let (address, _) = server::start(vec![1], false);
    let refused = HttpDoor::new(address).send("GET", "/nowhere", None).unwrap();
    assert_eq!((refused.status, refused.is_fine(), &refused.body["status"]), (404, false, &json!(404)));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = HttpDoor::new(nobody).decide(&json!({})).unwrap_err();
    assert!(error.to_string().starts_with("POST /v1/decisions: "), "{error}");
}

#[test]
fn a_drive_without_a_server_counts_and_stops_when_told() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shop = Arc::new(Shop::new(9, Size::SMALL));
    let seats = Visitors::split(&shop, 1, 1).into_iter().map(|crowd| (HttpDoor::new(nobody), crowd)).collect();
    let (tally, stop) = (Tally::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while tally.counts().unanswered == 0 {
                thread::yield_now();
            }
            stop.store(true, Ordering::Relaxed);
        });
        drive(FLAT_OUT, seats, &tally, &stop);
    });
    assert_eq!(tally.counts().decisions, 0);
}
