//! Frequency caps as callers meet them: whose they are, what counts, and who is nobody.

use serde_json::{Value, json};

use crate::caller::{Caller, ads, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, wait_for};

/// A seller whose advertiser may show a viewer one ad a day.
fn once_a_day() -> Value {
    let mut catalog = catalog(&[Seller::by_the_mille(1)]);
    catalog["advertisers"][0]["frequency_caps"] = json!([{ "max": 1, "window_minutes": 1440 }]);
    catalog
}

fn is_filled(caller: &mut Caller, user: &str) -> bool {
    !ads(&caller.decide(&page(HOME, 1, user))).is_empty()
}

fn fates(caller: &mut Caller, ask: &Value) -> String {
    let answer = caller.decide(ask);
    assert!(ads(&answer).is_empty(), "{answer}");
    caller.explanation(answer["decision_id"].as_str().unwrap())["placements"][0]["fates"].to_string()
}

#[test]
fn an_advertisers_cap_counts_what_was_rendered_and_gives_back_what_was_not() {
    let home = Home::new();
    home.configure("[caps]\nhold_ttl = \"4s\"\n");
    home.load(&once_a_day());
    let server = home.serve();
    let mut caller = server.caller();
    let seen = caller.decide_filled(&page(HOME, 1, "ada"));
    caller.get(&seen[0].impression);
    assert!(fates(&mut caller, &page(HOME, 1, "ada")).contains("capped"));
    // Nobody renders what is shown to Bob, so he is shown it again, and again; Ada's hold would have ended before his.
    assert!(is_filled(&mut caller, "bob"));
    wait_for("Bob's hold to end", || is_filled(&mut caller, "bob").then_some(()));
    assert!(fates(&mut caller, &page(HOME, 1, "ada")).contains("capped"));
}

#[test]
fn what_is_rendered_too_late_counts_and_is_told_where_it_goes_above_a_cap() {
    let home = Home::new();
    home.configure("[caps]\nhold_ttl = \"1s\"\n");
    home.load(&once_a_day());
    let server = home.serve();
    let mut caller = server.caller();
    let early = caller.decide_filled(&page(HOME, 1, "ada"));
    let late = wait_for("the hold to end", || {
        let shown = ads(&caller.decide(&page(HOME, 1, "ada")));
        shown.into_iter().next()
    });
    for shown in [&late, &early[0]] {
        caller.get(&shown.impression);
    }
    wait_for("the impression above the cap to be counted", || {
        (caller.metrics()["litfass_caps_exceeded_total"] >= 1.0).then_some(())
    });
}

#[test]
fn who_has_no_id_sees_what_has_a_cap_only_where_that_is_the_policy() {
    let home = Home::new();
    home.configure("[caps]\nwithout_id = \"skip_capped\"\n");
    home.load(&once_a_day());
    let server = home.serve();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "ada"));
    let nobody = json!({ "placements": [{ "id": HOME, "slots": 1 }] });
    assert!(fates(&mut caller, &nobody).contains("caps_unknown"));
    let mut unwilling = page(HOME, 1, "bob");
    unwilling["personalise"] = json!(false);
    assert!(fates(&mut caller, &unwilling).contains("caps_unknown"));
    server.stop();
    home.configure("[caps]\nwithout_id = \"serve\"\n");
    let server = home.serve();
    server.caller().decide_filled(&nobody);
}
