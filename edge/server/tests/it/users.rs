//! Users who want to be forgotten, or not to be known: nothing is kept, also not after a restart.

use serde_json::{Value, json};

use crate::books::{self, Logged};
use crate::caller::{Ad, Caller, ads, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, Litfass, wait_for};

/// One seller, who may be shown to a viewer once.
fn served() -> (Home, Litfass) {
    let home = Home::new();
    let capped = Seller {
        campaign: json!({ "frequency_caps": [{ "max": 1, "window_minutes": 1440 }] }),
        ..Seller::by_the_mille(1)
    };
    home.load(&catalog(&[capped]));
    let server = home.serve();
    (home, server)
}

fn is_capped(caller: &mut Caller, user: &str) -> bool {
    // Another viewer is shown something, so that it is no want of a lease.
    let stranger = format!("stranger-{}", caller.decide(&page(HOME, 1, user))["decision_id"]);
    caller.decide_filled(&page(HOME, 1, &stranger));
    ads(&caller.decide(&page(HOME, 1, user))).is_empty()
}

#[test]
fn an_erased_users_caps_and_clicks_are_gone_also_after_a_restart() {
    let (home, server) = served();
    let mut caller = server.caller();
    let ad: Ad = caller.decide_filled(&page(HOME, 1, "ada"))[0].clone();
    assert_eq!(caller.get(&ad.click).status, 302);
    assert!(is_capped(&mut caller, "ada"));
    assert_eq!(caller.send("DELETE", "/v1/users/ada?tenant=1", "").status, 204);
    let shown = caller.decide_filled(&page(HOME, 1, "ada"));
    assert_eq!(shown.len(), 1, "the cap is forgotten");
    assert_eq!(caller.send("DELETE", "/v1/users/ada?tenant=1", "").status, 204);
    let entries = caller.get("/v1/audit?kind=user").json()["entries"].as_array().unwrap().clone();
    assert_eq!((entries.len(), &entries[0]["action"]), (2, &json!("erase")));
    assert!(!json!(entries).to_string().contains("ada"), "the id itself is nowhere");
    assert!(server.stop().success());
    // Without snapshots, everything is built anew from the log.
    std::fs::remove_dir_all(home.data().join("snapshots")).unwrap();
    let server = home.serve();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "ada"));
}

#[test]
fn an_order_is_not_credited_to_what_an_erased_user_clicked() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    for user in ["ada", "ben"] {
        let ad = caller.decide_filled(&page(HOME, 1, user))[0].clone();
        assert_eq!(caller.get(&ad.click).status, 302);
    }
    let caught_up = || {
        let ends = books::ends(&home.data());
        wait_for("the ledger to catch up", || books::has_caught_up(&home.data(), &ends).then_some(()));
    };
    caught_up();
    assert_eq!(caller.send("DELETE", "/v1/users/ada?tenant=1", "").status, 204);
    for user in ["ada", "ben"] {
        let order = json!({ "type": "conversion", "tenant": 1, "user_id": user, "order_id": user, "value_micros": 1 });
        assert_eq!(caller.events(&[order])[0]["status"], "accepted");
    }
    caught_up();
    let report = caller.get("/v1/reports?from=2020-01-01").json();
    assert_eq!(report["totals"]["conversions"], 1, "ben's: {report}");
}

/// Whether the record of the decision and each of its events say whose they are.
fn users(home: &Home, decision: &str) -> Vec<bool> {
    // A record need not be on disk when its decision is answered.
    let (logged, record) = wait_for("the record to be committed", || {
        let logged = Logged::read(&home.data());
        let found = logged.decisions.iter().find(|(id, _)| id.to_string() == decision);
        let record = found.map(|(_, record)| record.inputs.request.user.is_some())?;
        Some((logged, record))
    });
    let events = logged.deliveries.iter().filter(|((of, _, _), _)| of.to_string() == decision);
    [record].into_iter().chain(events.map(|(_, delivery)| delivery.token.user.is_some())).collect()
}

fn seen(caller: &mut Caller, ask: &Value) -> String {
    let ad = caller.decide_filled(ask)[0].clone();
    assert_eq!(caller.get(&ad.impression).status, 200);
    ad.decision
}

#[test]
fn who_is_not_to_be_known_is_in_no_record_and_no_token() {
    let (home, server) = served();
    let mut caller = server.caller();
    let known = seen(&mut caller, &page(HOME, 1, "ada"));
    let mut private = page(HOME, 1, "bob");
    private["personalise"] = json!(false);
    assert_eq!(caller.decide(&private)["user_id"], Value::Null);
    let private = seen(&mut caller, &private);
    assert_eq!(caller.send("PUT", "/v1/users/eve/opt-out?tenant=1", "").status, 204);
    let opted_out = seen(&mut caller, &page(HOME, 1, "eve"));
    let view = json!({ "type": "view", "tenant": 1, "user_id": "eve", "item": "SKU-1" });
    let refused = &caller.events(std::slice::from_ref(&view))[0];
    assert_eq!((&refused["status"], &refused["problem"]["type"]), (&json!("rejected"), &json!("/problems/opted-out")));
    assert_eq!(users(&home, &known), [true, true]);
    assert_eq!(users(&home, &private), [false, false]);
    assert_eq!(users(&home, &opted_out), [false, false]);
    assert!(server.stop().success());
    let server = home.serve();
    let mut caller = server.caller();
    assert_eq!(caller.decide(&page(HOME, 1, "eve"))["user_id"], Value::Null, "an opt-out outlives a restart");
    assert_eq!(caller.send("DELETE", "/v1/users/eve/opt-out?tenant=1", "").status, 204);
    assert!(caller.decide(&page(HOME, 1, "eve"))["user_id"].is_string());
    assert_eq!(caller.events(&[view])[0]["status"], "accepted");
}

#[test]
fn what_was_shown_before_an_erasure_comes_back_under_nobodys_name() {
    let (home, server) = served();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "ada"))[0].clone();
    assert_eq!(caller.send("DELETE", "/v1/users/ada?tenant=1", "").status, 204);
    assert_eq!(caller.get(&ad.impression).status, 200);
    assert_eq!(users(&home, &ad.decision), [true, false], "the record was written before, the event after");
}

#[test]
fn a_wish_takes_a_key_of_that_users_tenant() {
    let (home, server) = served();
    let serving = home.key(&["--role", "serving", "--tenant", "1"]);
    let reporting = home.key(&["--role", "reporting", "--tenant", "1"]);
    let platform = home.key(&["--role", "admin"]);
    let with = |key: &str| server.caller().with_key(key);
    wait_for("the keys to be known", || (with(&platform).get("/v1/keys").status == 200).then_some(()));
    let tenant = home.key(&["--role", "admin", "--tenant", "1"]);
    let erased = || with(&tenant).send("DELETE", "/v1/users/ada", "").status;
    wait_for("the tenant's key to be known", || (erased() != 401).then_some(()));
    assert_eq!(erased(), 204, "the tenant follows from the key");
    assert_eq!(with(&serving).send("DELETE", "/v1/users/ada", "").status, 403, "a front end silences nobody");
    assert_eq!(with(&serving).send("PUT", "/v1/users/ada/opt-out", "").status, 403);
    assert_eq!(with(&reporting).send("DELETE", "/v1/users/ada", "").status, 403);
    for path in ["/v1/users/ada?tenant=2", "/v1/users/ada?tenant=777"] {
        let refused = with(&tenant).send("DELETE", path, "");
        assert_eq!((refused.status, &refused.json()["field"]), (404, &json!("tenant")), "{path}");
    }
    let which = with(&platform).send("DELETE", "/v1/users/ada", "");
    assert_eq!((which.status, &which.json()["field"]), (400, &json!("tenant")));
    let long = format!("/v1/users/{}", "x".repeat(129));
    assert_eq!(with(&tenant).send("DELETE", &long, "").status, 400);
}
