//! Pacing over HTTP: bids per action, shares of requests, curves, and what the pages say of them.

use serde_json::json;

use crate::caller::{Ad, Caller, ads, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, wait_for};

fn by_the_action(credit_micros: i64) -> Seller {
    Seller { bid_micros: 20_000_000, per: "action", credit_micros, ..Seller::by_the_mille(1) }
}

fn rendered(caller: &mut Caller) -> Ad {
    let ad = caller.decide_filled(&page(HOME, 1, "jane")).remove(0);
    assert_eq!(caller.get(&ad.impression).status, 200);
    ad
}

#[test]
fn an_action_is_billed_when_its_order_comes_and_not_before() {
    let home = Home::new();
    let seller = by_the_action(1_000_000_000);
    home.load(&catalog(std::slice::from_ref(&seller)));
    let server = home.serve();
    let mut caller = server.caller();
    let ad = rendered(&mut caller);
    let explanation = caller.explanation(&ad.decision);
    let price = &explanation["placements"][0]["shown"][0]["price"];
    assert_eq!(price["per"], "action", "{explanation}");
    let price = price["micros"].as_i64().unwrap();
    caller.get(&ad.click);
    assert_eq!(caller.spent_micros(seller.campaign_id()), 0);
    let order =
        json!({ "type": "conversion", "token": Ad::token(&ad.click), "order_id": "o-1", "value_micros": 90_000_000 });
    caller.events(&[order.clone(), order]);
    wait_for("the order to be billed once", || (caller.spent_micros(seller.campaign_id()) == price).then_some(()));
}

/// What one impression may come to cost is more than the two hundredths by which its credit exceeds one action.
#[test]
fn a_line_item_whose_money_is_owed_to_conversions_to_come_stops() {
    let home = Home::new();
    home.load(&catalog(&[by_the_action(20_020_000)]));
    let server = home.serve();
    let mut caller = server.caller();
    rendered(&mut caller);
    let mut visitor = 0;
    // A page may be empty before for want of a lease.
    wait_for("it to stop for want of funds", || {
        visitor += 1;
        let answer = caller.decide(&page(HOME, 1, &format!("visitor {visitor}")));
        let explained = ads(&answer).is_empty().then(|| caller.explanation(answer["decision_id"].as_str().unwrap()));
        explained.filter(|explanation| explanation.to_string().contains("funds")).map(drop)
    });
}

#[test]
fn a_curve_of_its_own_is_kept_and_one_that_falls_is_refused() {
    let home = Home::new();
    let curve =
        json!([{ "traffic_ppm": 300_000, "budget_ppm": 500_000 }, { "traffic_ppm": 600_000, "budget_ppm": 550_000 }]);
    let fields = json!({ "pacing": "custom", "pacing_curve": curve, "paced_by": "requests" });
    let seller = Seller { line_item: fields, ..Seller::by_the_mille(1) };
    home.load(&catalog(std::slice::from_ref(&seller)));
    let server = home.serve();
    let mut caller = server.caller();
    let path = format!("/v1/line_items/{}", seller.line_item_id());
    let kept = caller.get(&path).json();
    assert_eq!((&kept["pacing_curve"], &kept["paced_by"]), (&curve, &json!("requests")), "{kept}");
    let falls = json!({ "pacing_curve": [curve[0], { "traffic_ppm": 600_000, "budget_ppm": 400_000 }] });
    let answer = caller.send("PATCH", &path, &falls.to_string());
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status >= 400 && said.contains("pacing_curve[1].budget_ppm"), "{} {said}", answer.status);
}
