//! Money over HTTP: a budget is spent to its last impression and not beyond, a cap holds, a restart forgets neither.

use serde_json::json;

use crate::caller::{Ad, Caller, ads, page};
use crate::catalogs::{FLOOR_MICROS, HOME, Seller, catalog};
use crate::process::{Home, wait_for};

/// What one impression costs on the home page when nobody competes: the floor, as micros, times a thousand in nanos.
const PRICE_MICROS: i64 = FLOOR_MICROS / 1_000;

/// Shows ads and reports their impressions until `count` have been reported.
fn deliver(caller: &mut Caller, count: usize) -> Vec<Ad> {
    let mut delivered = Vec::new();
    while delivered.len() < count {
        let ad = caller.decide_filled(&page(HOME, 1, &format!("user {}", delivered.len()))).remove(0);
        assert_eq!(caller.get(&ad.impression).status, 200);
        delivered.push(ad);
    }
    delivered
}

/// Asks for an ad so often that one would have been shown had anything been left.
fn nothing_is_shown(caller: &mut Caller) {
    for n in 0..50 {
        let shown = ads(&caller.decide(&page(HOME, 1, &format!("late {n}"))));
        assert!(shown.is_empty(), "{shown:?}");
    }
}

/// A budget of `limits` that pays for seven impressions pays for exactly seven.
fn seven_fit(home: &Home, seller: &Seller) {
    home.load(&catalog(std::slice::from_ref(seller)));
    let server = home.serve();
    let mut caller = server.caller();
    let delivered = deliver(&mut caller, 7);
    wait_for("seven to be billed", || (caller.spent_micros(seller.campaign_id()) == 7 * PRICE_MICROS).then_some(()));
    nothing_is_shown(&mut caller);
    for ad in &delivered {
        assert_eq!(caller.get(&ad.impression).status, 200, "a repeat is answered");
    }
    drop(server);
    let server = home.serve();
    let mut caller = server.caller();
    nothing_is_shown(&mut caller);
    assert_eq!(caller.spent_micros(seller.campaign_id()), 7 * PRICE_MICROS);
}

#[test]
fn a_line_items_budget_is_spent_to_the_last_impression_and_not_beyond() {
    let seller = Seller {
        line_item: json!({ "pacing": "asap", "budget_micros": 7 * PRICE_MICROS }),
        bid_micros: FLOOR_MICROS,
        ..Seller::by_the_mille(1)
    };
    seven_fit(&Home::new(), &seller);
}

#[test]
fn a_campaigns_lifetime_budget_is_spent_to_the_last_impression_and_not_beyond() {
    let seller = Seller {
        campaign: json!({ "lifetime_budget_micros": 7 * PRICE_MICROS }),
        bid_micros: FLOOR_MICROS,
        ..Seller::by_the_mille(1)
    };
    seven_fit(&Home::new(), &seller);
}

#[test]
fn an_accounts_credit_is_spent_to_the_last_impression_and_not_beyond() {
    let seller = Seller { credit_micros: 7 * PRICE_MICROS, bid_micros: FLOOR_MICROS, ..Seller::by_the_mille(1) };
    seven_fit(&Home::new(), &seller);
}

#[test]
fn what_is_shown_but_never_rendered_gives_its_budget_back() {
    let home = Home::new();
    let seller = Seller {
        line_item: json!({ "budget_micros": 2 * PRICE_MICROS }),
        bid_micros: FLOOR_MICROS,
        ..Seller::by_the_mille(1)
    };
    home.load(&catalog(std::slice::from_ref(&seller)));
    let server = home.serve();
    let mut caller = server.caller();
    let lost = [(); 2].map(|()| caller.decide_filled(&page(HOME, 1, "never renders")).remove(0));
    // Both prices are held until the holds expire; then the budget is free again.
    let ad = caller.decide_filled(&page(HOME, 1, "renders")).remove(0);
    caller.get(&ad.impression);
    wait_for("it to be billed", || (caller.spent_micros(seller.campaign_id()) == PRICE_MICROS).then_some(()));
    // One of the two that come late still fits; the other is beyond the budget.
    lost.iter().for_each(|ad| assert_eq!(caller.get(&ad.impression).status, 200));
    wait_for("the first to be billed", || {
        (caller.spent_micros(seller.campaign_id()) == 2 * PRICE_MICROS).then_some(())
    });
    nothing_is_shown(&mut caller);
    assert_eq!(caller.spent_micros(seller.campaign_id()), 2 * PRICE_MICROS);
}

#[test]
fn a_click_is_billed_at_the_price_that_was_recorded() {
    let home = Home::new();
    let seller = Seller::by_the_click(1);
    home.load(&catalog(std::slice::from_ref(&seller)));
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    let explanation = caller.explanation(&ad.decision);
    let price = &explanation["placements"][0]["shown"][0]["price"];
    assert_eq!(price["per"], "click", "{explanation}");
    let price = price["micros"].as_i64().unwrap();
    assert!((1..=seller.bid_micros).contains(&price));
    caller.get(&ad.impression);
    for _ in 0..3 {
        caller.get(&ad.click);
    }
    wait_for("the click to be billed", || (caller.spent_micros(seller.campaign_id()) == price).then_some(()));
}

#[test]
fn a_frequency_cap_holds_per_user_and_after_a_crash() {
    let home = Home::new();
    let seller = Seller {
        campaign: json!({ "frequency_caps": [{ "max": 2, "window_minutes": 60 }] }),
        ..Seller::by_the_mille(1)
    };
    home.load(&catalog(&[seller]));
    let server = home.serve();
    let mut caller = server.caller();
    for _ in 0..2 {
        caller.decide_filled(&page(HOME, 1, "jane"));
    }
    let capped = |caller: &mut Caller| {
        let answer = caller.decide(&page(HOME, 1, "jane"));
        assert!(ads(&answer).is_empty(), "{answer}");
        let explanation = caller.explanation(answer["decision_id"].as_str().unwrap());
        assert!(explanation["placements"][0]["fates"].to_string().contains("capped"), "{explanation}");
    };
    capped(&mut caller);
    caller.decide_filled(&page(HOME, 1, "somebody else"));
    server.kill();
    let server = home.serve();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "a third"));
    capped(&mut caller);
}
