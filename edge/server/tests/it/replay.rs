//! Looking back: what a record tells, and that what was decided can be decided again.

use litfass_decide::{DecisionRecord, Market};
use litfass_server::replay::{Replayed, Window, replay};
use litfass_types::Nanos;
use serde_json::{Value, json};

use crate::books;
use crate::caller::page;
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::Home;

fn sellers() -> Vec<Seller> {
    let seller = |n| Seller { bid_micros: 1_000_000 * (n as i64 + 1), ads: 2, ..Seller::by_the_mille(n) };
    (1..=4).map(seller).collect()
}

/// Serves a page of four sellers some twenty times; the id of a filled decision.
fn served(home: &Home) -> String {
    let sellers: Vec<Seller> =
        (1..=4).map(|n| Seller { bid_micros: 1_000_000 * (n as i64 + 1), ads: 2, ..Seller::by_the_mille(n) }).collect();
    home.load(&catalog(&sellers));
    let server = home.serve();
    let mut caller = server.caller();
    let decision = crate::process::wait_for("three slots filled", || {
        Some(caller.decide_filled(&page(HOME, 3, "u"))).filter(|ads| ads.len() == 3)
    })[0]
        .decision
        .clone();
    (0..20).for_each(|n| drop(caller.decide(&page(HOME, 3, &format!("user {n}")))));
    caller.explanation(&decision);
    assert!(server.stop().success());
    decision
}

#[test]
fn what_was_served_is_settled_again_to_the_same_page() {
    let home = Home::new();
    served(&home);
    let (status, said) = home.command(&["replay", "--json"]);
    let found: Value = serde_json::from_str(&said).unwrap();
    assert!(status.success(), "{said}");
    assert!(found["decisions"].as_u64().unwrap() > 20, "{said}");
    assert_eq!((&found["identical"], &found["differing"]), (&found["decisions"], &json!(0)));
    let (status, said) = home.command(&["replay", "--to", "1971-01-01"]);
    assert!(status.success() && said.contains("0 decisions settled again"), "{said}");
}

fn replayed_with(home: &Home, change: impl Fn(Market) -> Market) -> Replayed {
    let log = books::open_log(&home.data());
    let settle = |record: &DecisionRecord| {
        let changed = DecisionRecord { market: change(record.market.clone()), ..record.clone() };
        changed.replay()
    };
    replay(&*log, Window::default(), settle, |_, _| ()).unwrap()
}

#[test]
fn a_changed_auction_shows_in_the_decisions_that_it_changes() {
    let home = Home::new();
    let decision = served(&home);
    assert!(replayed_with(&home, |market| market).is_identical());
    let dearer = replayed_with(&home, |mut market| {
        market.placements.iter_mut().for_each(|placement| placement.floor = Nanos(3_500_000));
        market
    });
    assert!(!dearer.is_identical());
    let listed = dearer.listed.iter().find(|differing| differing.id.to_string() == decision).unwrap();
    let said: Vec<String> = listed.differences.iter().map(ToString::to_string).collect();
    assert!(
        said.iter().any(|line| line.contains("outbid → below_floor") || line.contains("shown → below_floor")),
        "{said:?}"
    );
    assert!(said.iter().any(|line| line.contains("slot 1 price: ")), "{said:?}");
}

#[test]
fn an_explanation_tells_the_operator_everything_and_an_advertiser_its_own() {
    let home = Home::new();
    let decision = served(&home);
    let told = |more: &[&str]| {
        let (status, said) = home.command(&[&["explain", &decision], more].concat());
        assert!(status.success(), "{said}");
        said
    };
    let all: Value = serde_json::from_str(&told(&["--json"])).unwrap();
    assert_eq!(all["candidates"].as_array().unwrap().len(), 8, "{all}");
    assert_eq!(all["placements"][0]["shown"][0]["runner_up"]["advertiser"], "Seller 3");
    let text = told(&[]);
    assert!(text.contains("Lamp 4-0") && text.contains("outbid") && text.contains("runner-up"), "{text}");
    let own = told(&["--json", "--advertiser", "14"]);
    let view: Value = serde_json::from_str(&own).unwrap();
    assert_eq!(view["candidates"].as_array().unwrap().len(), 2, "{own}");
    assert_eq!((&view["user"], &view["ineligible"]), (&Value::Null, &json!([])));
    for other in ["Seller 1", "Seller 2", "Seller 3", "Lamp 3", "100300", "1003"] {
        assert!(!own.contains(other), "{other}: {own}");
    }
    let again: Value = serde_json::from_str(&told(&["--json", "--recompute"])).unwrap();
    let with_features = |view: &Value| {
        view["candidates"].as_array().unwrap().iter().filter(|c| !c["features"].as_array().unwrap().is_empty()).count()
    };
    assert_eq!((with_features(&all), with_features(&again)), (3, 8), "those shown, and all that entered");
    assert!(again["recomputed"][0].as_str().unwrap().contains("features"), "{again}");
    let nobody = told(&["--advertiser", "999"]);
    assert!(!nobody.contains("Seller") && !nobody.contains("Lamp"), "{nobody}");
}

fn report(home: &Home, arguments: &[&str]) -> Value {
    let (status, said) = home.command(&[&["replay", "--json"], arguments].concat());
    assert!(status.success(), "{said}");
    serde_json::from_str(&said).unwrap()
}

/// Viewers who looked, clicked and were shown the same again, in a catalog that changes meanwhile and afterwards.
#[test]
fn what_was_recorded_in_full_is_decided_again_after_the_catalog_has_moved_on() {
    let home = Home::new();
    let capped = json!({ "frequency_caps": [{ "max": 2, "window_minutes": 60 }] });
    let shop = |cap: &Value, bid: i64| {
        let mut sellers = sellers();
        sellers[1].line_item = cap.clone();
        sellers[2].bid_micros = bid;
        catalog(&sellers)
    };
    home.load(&shop(&capped, 4_000_000));
    let server = home.serve();
    let mut caller = server.caller();
    let mut last = String::new();
    for round in 0..3 {
        for user in ["anna", "ben"] {
            let shown = caller.decide_filled(&page(HOME, 3, user));
            assert_eq!(caller.get(&shown[0].click).status, 302);
            let view = json!({ "type": "view", "tenant": 1, "user_id": user, "item": "SKU-2-1", "category": "lamps" });
            assert_eq!(caller.events(&[view])[0]["status"], "accepted");
            last.clone_from(&shown[0].decision);
            caller.explanation(&last);
        }
        home.load(&shop(&json!({}), 4_000_000 + round));
        crate::process::wait_for("the edit to be served", || {
            let decision = decided(&mut caller);
            let said = caller.explanation(&decision);
            let bids = said["candidates"].as_array().unwrap().iter().map(|c| c["bid"]["micros"].as_i64());
            bids.flatten().any(|bid| bid == 4_000_000 + round).then_some(())
        });
    }
    assert!(server.stop().success());
    home.load(&shop(&capped, 9_000_000));
    let found = report(&home, &["--recompute"]);
    assert!(found["decisions"].as_u64().unwrap() >= 9, "{found}");
    assert_eq!((&found["differing"], &found["scores"]["beyond_tolerance"]), (&json!(0), &json!(0)), "{found}");
    assert_eq!((&found["not_full"], &found["not_gathered"]), (&json!(0), &json!(0)));
    assert_eq!(report(&home, &[])["differing"], json!(0));
    let beside = report(&home, &["--diff", &last]);
    assert_eq!(beside["not_recomputed"], Value::Null);
    let rows = beside["rows"].as_array().unwrap();
    assert!(rows.len() > 8 && rows.iter().all(|row| row["recorded"] == row["recomputed"]), "{beside}");
}

fn decided(caller: &mut crate::caller::Caller) -> String {
    caller.decide(&page(HOME, 3, "someone"))["decision_id"].as_str().unwrap().to_owned()
}

#[test]
fn looking_back_at_what_is_not_there_says_so_and_makes_nothing() {
    let home = Home::new();
    let unknown = "0".repeat(32);
    let (status, said) = home.command(&["explain", &unknown]);
    assert!(!status.success() && said.contains("is no data directory"), "{said}");
    assert!(!home.data().exists());
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let (status, said) = home.command(&["explain", &unknown]);
    assert!(!status.success() && said.contains("there is no record of decision"), "{said}");
}

#[test]
fn an_advertisers_key_is_told_of_its_own_ads_over_http() {
    let home = Home::new();
    let decision = served(&home);
    let admin = home.key(&["--role", "admin"]);
    let server = home.serve();
    let key = |advertiser: u64| {
        let ask = json!({ "role": "advertiser", "tenant": 1, "advertiser": advertiser });
        let made = server.caller().with_key(&admin).send("POST", "/v1/keys", &ask.to_string());
        made.json()["key"].as_str().unwrap().to_owned()
    };
    let path = format!("/v1/decisions/{decision}");
    let all = server.caller().with_key(&admin).get(&path).json();
    assert_eq!(all["candidates"].as_array().unwrap().len(), 8, "{all}");
    let own = server.caller().with_key(&key(12)).get(&path).json();
    assert_eq!(own["candidates"].as_array().unwrap().len(), 2, "{own}");
    assert!(!own.to_string().contains("Seller 4"), "{own}");
}
