use std::sync::atomic::AtomicBool;

use litfass_sim::{Crowd, HttpDoor, InBasket, LoggedVisit, Pace, Replay, ShownAd, Tally, drive};
use serde_json::json;

use crate::server;

fn logged(order: &str, items: &[&str]) -> LoggedVisit {
    let line = |item: &&str| InBasket {
        item: (*item).to_owned(),
        category: "c".to_owned(),
        quantity: 2,
        value_micros: 3_000_000,
    };
    LoggedVisit {
        body: json!({"user_id": "u", "placements": [{"id": 1, "slots": 5}]}),
        user: Some("u".to_owned()),
        slots: 5,
        order_id: order.to_owned(),
        basket: items.iter().map(line).collect(),
    }
}

fn shown(item: &str) -> ShownAd {
    ShownAd { placement: 1, slot: 0, ad_id: 1, item: Some(item.to_owned()) }
}

#[test]
fn a_shown_product_in_the_basket_counts_as_clicked_and_bought_and_no_other_does() {
    let mut replay = Replay::new(vec![logged("o1", &["A", "B"])].into_iter(), 7);
    assert_eq!(replay.next().unwrap().slots, 5);
    let reactions = replay.react(&[shown("B"), shown("C")]);
    let bought = reactions[0].bought.as_ref().unwrap();
    assert_eq!((bought.order_id.as_str(), bought.value_micros, bought.items[0].quantity), ("7-o1-B", 3_000_000, 2));
    assert!(reactions[0].clicked && !reactions[1].clicked && reactions[1].bought.is_none() && reactions[1].rendered);
    assert!(reactions.iter().all(|reaction| reaction.odds.is_none()));
    assert_eq!(replay.next(), None);
}

#[test]
fn a_drive_ends_with_the_log() {
    let (address, _) = server::start(vec![1], false);
    let log: Vec<LoggedVisit> =
        (0..20).map(|n| logged(&n.to_string(), if n % 2 == 0 { &["A"] } else { &["B"] })).collect();
    let tally = Tally::default();
    let pace = Pace { rate_per_s: f64::INFINITY, speed: 0, opens_minute: 0 };
    drive(pace, vec![(HttpDoor::new(address), Replay::new(log.into_iter(), 1))], &tally, &AtomicBool::new(false));
    let counts = tally.counts();
    assert_eq!((counts.decisions, counts.impressions, counts.clicks, counts.conversions), (20, 20, 10, 10));
    assert_eq!((counts.sales_micros, counts.true_ctr()), (30_000_000, None));
}

#[test]
fn a_split_log_keeps_every_visit_once_and_a_user_in_one_stream() {
    let by = |user: u32| LoggedVisit { user: Some(format!("u{}", user % 9)), ..logged(&user.to_string(), &["A"]) };
    let mut seen = Vec::new();
    for (stream, mut replay) in Replay::split((0..60).map(by).collect(), 3, 1).into_iter().enumerate() {
        while let Some(visit) = replay.next() {
            seen.push((visit.user.unwrap(), stream));
        }
    }
    assert_eq!(seen.len(), 60);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 9, "each user in one stream");
}
