//! Ad requests: who is shown, what an answer holds, and what is told about it afterwards.

use serde_json::json;

use crate::caller::{ads, page};
use crate::catalogs::{GAME_PAGE, HOME, Seller, catalog};
use crate::process::Home;

#[test]
fn the_highest_bidders_are_shown_in_the_order_of_their_bids() {
    let home = Home::new();
    let sellers: Vec<Seller> =
        (1..=4).map(|n| Seller { bid_micros: 1_000_000 * (n as i64 + 1), ..Seller::by_the_mille(n) }).collect();
    home.load(&catalog(&sellers));
    let server = home.serve();
    let mut caller = server.caller();
    // Until every seller has a lease, others stand in its slot.
    let shown = crate::process::wait_for("three slots filled by the three highest", || {
        let shown: Vec<u64> = ads(&caller.decide(&page(HOME, 3, "u"))).iter().map(|ad| ad.line_item).collect();
        (shown == [1_004, 1_003, 1_002]).then_some(shown)
    });
    assert_eq!(shown.len(), 3);
}

#[test]
fn an_answer_holds_assets_and_tracking_but_never_the_user() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "jane@example.com"));
    let answer = caller.decide(&page(HOME, 1, "jane@example.com"));
    let ad = &answer["placements"][0]["ads"][0];
    assert_eq!(ad["creative"]["title"], "Lamp 1-0");
    assert_eq!(ad["creative"]["text"], "Bright & <small>");
    assert_eq!((&ad["item"], &ad["slot"]), (&json!("SKU-1-0"), &json!(0)));
    assert_eq!(answer["decision_id"].as_str().unwrap().len(), 32);
    assert!(answer["user_id"].as_str().unwrap().bytes().all(|digit| digit.is_ascii_hexdigit()), "{answer}");
    assert!(!answer.to_string().contains("jane"), "{answer}");
    assert_eq!(answer["degraded"], json!([]));
}

#[test]
fn targeting_decides_who_may_be_shown() {
    let home = Home::new();
    let phones = Seller { line_item: json!({ "targeting": { "device": ["mobile"] } }), ..Seller::by_the_mille(1) };
    let not_phones =
        Seller { line_item: json!({ "targeting": { "not": { "device": ["mobile"] } } }), ..Seller::by_the_mille(2) };
    home.load(&catalog(&[phones, not_phones]));
    let server = home.serve();
    let mut caller = server.caller();
    for (device, expected) in [("mobile", 1_001), ("desktop", 1_002)] {
        let request = json!({ "placements": [{ "id": HOME, "slots": 5 }], "context": { "device": device } });
        let shown = caller.decide_filled(&request);
        assert!(shown.iter().all(|ad| ad.line_item == expected), "{device}: {shown:?}");
    }
}

#[test]
fn several_placements_of_one_page_are_decided_together() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1), Seller::by_the_mille(2)]));
    let server = home.serve();
    let mut caller = server.caller();
    let request = json!({ "placements": [{ "id": HOME, "slots": 1 }, { "id": GAME_PAGE, "slots": 2 }] });
    let answer = crate::process::wait_for("both placements filled", || {
        let answer = caller.decide(&request);
        (ads(&answer).len() >= 2).then_some(answer)
    });
    assert_eq!((&answer["placements"][0]["id"], &answer["placements"][1]["id"]), (&json!(HOME), &json!(GAME_PAGE)));
    let mut shown: Vec<u64> = ads(&answer).iter().map(|ad| ad.id).collect();
    let all = shown.len();
    shown.sort_unstable();
    shown.dedup();
    assert_eq!(shown.len(), all, "no ad stands twice on a page");
}

#[test]
fn the_short_form_finds_its_placement_by_page_type() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1), Seller::by_the_mille(2)]));
    let server = home.serve();
    let mut caller = server.caller();
    caller.decide_filled(&page(GAME_PAGE, 2, "123"));
    let body = json!({ "user_id": 123, "context": { "page_type": "game_page", "device": "mobile", "geo": "US" }, "num_ads": 2 });
    let response = caller.send("POST", "/rank_ads", &body.to_string());
    let answer = response.json();
    assert_eq!(response.status, 200, "{answer}");
    let ranked = answer["ranked_ads"].as_array().unwrap();
    assert!(!ranked.is_empty(), "{answer}");
    assert!(
        ranked.iter().all(|ad| ad["ad_id"].is_u64() && ad["score"].as_f64().is_some_and(|score| score > 0.0)),
        "{answer}"
    );
    assert!(ranked[0]["assets"]["title"].is_string() && ranked[0]["tracking"]["click"].is_string(), "{answer}");
}

#[test]
fn an_explanation_gives_each_candidate_one_fate_per_placement() {
    let home = Home::new();
    let sellers: Vec<Seller> = (1..=8).map(|n| Seller { ads: 3, ..Seller::by_the_mille(n) }).collect();
    home.load(&catalog(&sellers));
    let server = home.serve();
    let mut caller = server.caller();
    let decision = caller.decide_filled(&page(HOME, 5, "u"))[0].decision.clone();
    let explanation = caller.explanation(&decision);
    assert_eq!(explanation["id"], decision.as_str());
    let candidates = explanation["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 24, "{explanation}");
    let page = caller.get(&format!("/decisions/{decision}"));
    let html = String::from_utf8(page.body).unwrap();
    assert!(html.contains("id=\"fates\"") && html.contains("Lamp 1-0"), "{html}");
}

#[test]
fn health_and_metrics_answer() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    assert_eq!(caller.get("/healthz").json()["status"], "ok");
    caller.decide_filled(&page(HOME, 1, "u"));
    let metrics = caller.metrics();
    assert!(metrics["litfass_decisions_total{result=\"filled\"}"] >= 1.0, "{metrics:?}");
    assert!((metrics["litfass_candidates_unmarked_total"]).abs() < f64::EPSILON);
    let page = String::from_utf8(caller.get("/").body).unwrap();
    assert!(page.contains("decisions-total"), "{page}");
}

#[test]
fn it_stops_cleanly_and_finds_its_state_again() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let decision = server.caller().decide_filled(&page(HOME, 1, "u"))[0].decision.clone();
    assert!(server.stop().success());
    let server = home.serve();
    assert_eq!(server.caller().explanation(&decision)["id"], decision.as_str());
}

#[test]
fn an_empty_directory_serves_and_knows_no_placement() {
    let home = Home::new();
    let server = home.serve();
    let mut caller = server.caller();
    let response = caller.send("POST", "/v1/decisions", &page(HOME, 1, "u").to_string());
    assert_eq!((response.status, &response.json()["field"]), (404, &json!("placements[0].id")));
}
