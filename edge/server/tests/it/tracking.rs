//! Beacons, clicks, batches and conversions: what is answered, and that each counts once.

use serde_json::{Value, json};

use crate::caller::{Ad, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, wait_for};

/// A served directory with one seller who pays by the mille and one who pays by the click.
fn shop() -> Home {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1), Seller::by_the_click(2)]));
    home
}

#[test]
fn beacons_answer_as_browsers_need_them() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    let pixel = caller.get(&ad.impression);
    assert_eq!((pixel.status, pixel.header("content-type")), (200, Some("image/gif")));
    assert!(pixel.header("cache-control").is_some_and(|value| value.contains("no-store")), "{pixel:?}");
    assert!(pixel.body.starts_with(b"GIF8"), "{pixel:?}");
    assert_eq!(caller.get(&ad.viewable).status, 204);
    assert_eq!(caller.send("POST", &ad.impression, "").status, 204);
}

#[test]
fn what_a_crawler_calls_again_and_again_is_kept_once_and_takes_nothing_from_people() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    let mut crawler = server.caller().with_header("User-Agent", "Googlebot/2.1");
    let count = |caller: &mut crate::caller::Caller, result: &str| {
        let name = format!("litfass_events_total{{kind=\"impression\",result=\"{result}\"}}");
        caller.metrics().get(&name).copied().unwrap_or(0.0)
    };
    wait_for("the first call to be known", || {
        assert_eq!(crawler.get(&ad.impression).status, 200);
        (count(&mut caller, "repeated") > 0.0).then_some(())
    });
    let kept = count(&mut caller, "accepted");
    for _ in 0..20 {
        assert_eq!(crawler.get(&ad.impression).status, 200);
    }
    assert_eq!(count(&mut caller, "accepted").to_bits(), kept.to_bits());
    assert_eq!(caller.get(&ad.impression).status, 200);
    assert_eq!(count(&mut caller, "accepted").to_bits(), (kept + 1.0).to_bits(), "a person's is another");
}

#[test]
fn a_click_redirects_to_the_creatives_page_however_often_it_is_made() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    let landing = format!("https://shop.example/item/{}-0", ad.line_item - 1_000);
    for _ in 0..3 {
        let click = caller.get(&ad.click);
        assert_eq!((click.status, click.header("location")), (302, Some(landing.as_str())));
    }
    let elsewhere = caller.get(&format!("{}?to=https://evil.example/", ad.click));
    assert_eq!(elsewhere.header("location"), Some(landing.as_str()), "the target comes from the creative alone");
    assert_eq!(caller.send("POST", &ad.click, "").status, 204);
}

#[test]
fn a_token_of_one_kind_is_nothing_to_another() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    for (kind, path) in [("c", &ad.impression), ("i", &ad.click), ("v", &ad.impression), ("i", &ad.viewable)] {
        let response = caller.get(&format!("/t/{kind}/{}", Ad::token(path)));
        assert_eq!((response.status, response.header("content-type")), (404, Some("application/problem+json")));
    }
}

#[test]
fn a_token_changed_anywhere_is_refused() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    let token = Ad::token(&ad.impression);
    for at in (0..token.len()).step_by(7) {
        let mut changed = token.to_owned().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(caller.get(&format!("/t/i/{changed}")).status, 404, "changed at {at}");
    }
    assert_eq!(caller.get(&format!("/t/i/{}", &token[..token.len() - 4])).status, 404);
    assert_eq!(caller.get("/t/i/x").status, 404);
    assert_eq!(caller.get(&ad.impression).status, 200, "the true one still counts");
}

#[test]
fn a_batch_gives_each_event_its_own_result() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    let impression = json!({ "type": "impression", "token": Ad::token(&ad.impression) });
    let batch = [
        impression.clone(),
        json!({ "type": "viewable", "token": Ad::token(&ad.viewable) }),
        json!({ "type": "click", "token": "forged" }),
        json!({ "type": "dance" }),
        json!({ "type": "impression" }),
        json!({ "type": "view", "tenant": 1, "user_id": "u", "item": "SKU-1-0", "category": "lamps" }),
        json!({ "type": "view", "tenant": 99, "user_id": "u", "item": "SKU-1-0" }),
        json!({ "type": "conversion", "order_id": "o", "value_micros": "much" }),
        impression,
    ];
    let results = caller.events(&batch);
    let statuses: Vec<&str> = results.iter().map(|result| result["status"].as_str().unwrap()).collect();
    let expected =
        ["accepted", "accepted", "rejected", "rejected", "rejected", "accepted", "rejected", "rejected", "repeated"];
    assert_eq!(statuses, expected, "{results:#?}");
    assert_eq!(results[2]["problem"]["field"], "token", "{results:#?}");
    assert_eq!(results[3]["problem"]["field"], "type", "{results:#?}");
    assert_eq!(results[4]["problem"]["field"], "token", "{results:#?}");
    assert_eq!(results[6]["problem"]["field"], "tenant", "{results:#?}");
    assert_eq!(results[7]["problem"]["field"], "value_micros", "{results:#?}");
    assert_eq!(results[0]["event_id"], results[8]["event_id"], "a repeat is told by the same id");
}

#[test]
fn a_batch_sent_again_is_all_repeated() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    let batch = [
        json!({ "type": "impression", "token": Ad::token(&ad.impression) }),
        json!({ "type": "click", "token": Ad::token(&ad.click) }),
        json!({ "type": "conversion", "token": Ad::token(&ad.click), "order_id": "o-1", "value_micros": 19_900_000 }),
    ];
    assert!(all(&caller.events(&batch), "accepted"));
    // Copies are told once the folds have read the log, moments later; before that they are taken and change nothing.
    wait_for("the copies to be told", || all(&caller.events(&batch), "repeated").then_some(()));
    drop(server);
    let server = home.serve();
    assert!(all(&server.caller().events(&batch), "repeated"), "also after a crash");
}

#[test]
fn an_order_without_a_token_is_attributed_to_the_users_last_click() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "jane")).remove(0);
    assert!(all(&caller.events(&[json!({ "type": "impression", "token": Ad::token(&ad.impression) })]), "accepted"));
    assert!(all(&caller.events(&[json!({ "type": "click", "token": Ad::token(&ad.click) })]), "accepted"));
    let order = |user: &str, order: &str| json!({ "type": "conversion", "tenant": 1, "user_id": user, "order_id": order, "value_micros": 5_000_000 });
    assert!(all(&caller.events(&[order("jane", "o-1"), order("somebody else", "o-2")]), "accepted"));
    wait_for("the order to be attributed", || {
        let totals = caller.get("/v1/live").json()["totals"].clone();
        (totals["conversions"] == 1 && totals["sales_micros"] == 5_000_000).then_some(())
    });
}

#[test]
fn what_was_counted_is_on_the_live_page() {
    let home = shop();
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    for _ in 0..3 {
        caller.get(&ad.impression);
        caller.get(&ad.click);
    }
    wait_for("one impression and one click", || {
        let totals = caller.get("/v1/live").json()["totals"].clone();
        (totals["impressions"] == 1 && totals["clicks"] == 1).then_some(())
    });
}

fn all(results: &[Value], status: &str) -> bool {
    results.iter().all(|result| result["status"] == status)
}
