//! Two tenants on one server: whatever the other one owns is answered as what does not exist, at every address that names an
//! object, whoever of them asks.

use serde_json::{Value, json};

use crate::caller::{Ad, Caller, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, Litfass, wait_for};

/// The objects of the first tenant, by section, and one that nobody has.
const THEIRS: [(&str, u64); 8] = [
    ("tenants", 1),
    ("advertisers", 11),
    ("campaigns", 101),
    ("line_items", 1_001),
    ("creatives", 100_100),
    ("ads", 100_100),
    ("placements", HOME),
    ("segments", 70),
];
const NOBODYS: u64 = 777_777;

struct Two {
    home: Home,
    server: Litfass,
    shown: Ad,
    /// Keys of the second tenant: its admin's, its reporting's, and that of its one advertiser.
    keys: Vec<String>,
}

fn two_tenants() -> Two {
    let home = Home::new();
    let mut shop = catalog(&[Seller::by_the_mille(1)]);
    shop["advertisers"].as_array_mut().unwrap().push(json!({ "id": 90, "tenant": 2, "name": "The other one's" }));
    shop["segments"] = json!([{ "id": 70, "tenant": 1, "name": "returning" }]);
    home.load(&shop);
    let server = home.serve();
    let shown = server.caller().decide_filled(&page(HOME, 1, "u"))[0].clone();
    let scopes: [&[&str]; 3] = [
        &["--role", "admin", "--tenant", "2"],
        &["--role", "reporting", "--tenant", "2"],
        &["--role", "advertiser", "--tenant", "2", "--advertiser", "90"],
    ];
    let keys: Vec<_> = scopes.into_iter().map(|arguments| home.key(arguments)).collect();
    let mut last = server.caller().with_key(&keys[2]);
    wait_for("the keys to be known", || (last.get("/v1/campaigns").status == 200).then_some(()));
    Two { home, server, shown, keys }
}

/// Every call that names an object in its address: method, address with `{id}`, body.
fn calls(section: &str) -> Vec<(&'static str, String, Value)> {
    let at = |rest: &str| format!("/v1/{section}/{{id}}{rest}");
    let mut calls = vec![("GET", at(""), Value::Null), ("PATCH", at(""), json!({ "name": "mine" }))];
    calls.extend(["pause", "resume", "archive"].map(|verb| ("POST", at(&format!("/{verb}")), Value::Null)));
    match section {
        "advertisers" | "campaigns" => calls.push(("POST", at("/kill"), Value::Null)),
        "creatives" => {
            calls.push(("POST", at("/approve"), Value::Null));
            calls.push(("POST", at("/reject"), json!({ "reason": "ugly" })));
        }
        "ads" => calls.push(("POST", at("/preview"), Value::Null)),
        "line_items" => calls.push(("GET", at("/why-not"), Value::Null)),
        _ => {}
    }
    calls
}

fn account_calls() -> Vec<(&'static str, String, Value)> {
    let post = |what: &str, body: Value| ("POST", format!("/v1/accounts/{{id}}/{what}"), body);
    vec![
        ("GET", "/v1/accounts/{id}".to_owned(), Value::Null),
        ("GET", "/v1/accounts/{id}/statement?month=2026-01".to_owned(), Value::Null),
        ("GET", format!("/v1/accounts/{{id}}/commands/{}", "0".repeat(32)), Value::Null),
        post("deposits", json!({ "amount_micros": 1 })),
        post("credit-limit", json!({ "limit_micros": 1 })),
        post("adjustments", json!({ "amount_micros": 1, "reason": "r" })),
        post(
            "refunds",
            json!({ "period": { "campaign_id": 101, "from": "2026-01-01", "to": "2026-01-02" }, "reason": "r" }),
        ),
    ]
}

/// What the caller can tell of the answer.
fn told(caller: &mut Caller, (method, address, body): &(&'static str, String, Value), id: u64) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let response = caller.send(method, &address.replace("{id}", &id.to_string()), &body);
    let problem = response.json();
    json!([response.status, problem["type"], problem["title"], problem["field"]])
}

#[test]
fn an_address_that_names_the_other_tenants_object_names_nothing() {
    let two = two_tenants();
    let accounts = account_calls().into_iter().map(|call| (11, call));
    let objects = THEIRS.iter().flat_map(|(section, id)| calls(section).into_iter().map(|call| (*id, call)));
    let all: Vec<_> = objects.chain(accounts).collect();
    for key in &two.keys {
        let mut caller = two.server.caller().with_key(key);
        for (id, call) in &all {
            let (theirs, none) = (told(&mut caller, call, *id), told(&mut caller, call, NOBODYS));
            assert_eq!(theirs, none, "{call:?}");
            let status = theirs[0].as_u64().unwrap();
            assert!((400..500).contains(&status), "{call:?}: {theirs}");
        }
    }
    let admin =
        |call: &(&'static str, String, Value), id| told(&mut two.server.caller().with_key(&two.keys[0]), call, id);
    for (id, call) in all.iter().filter(|(_, (method, ..))| *method == "GET") {
        assert_eq!(admin(call, *id)[0], 404, "{call:?}");
    }
}

#[test]
fn no_list_report_or_export_of_a_tenant_shows_the_other_ones() {
    let two = two_tenants();
    assert_eq!(two.server.caller().get("/healthz").status, 200);
    two.server.caller().get(&two.shown.impression);
    for key in &two.keys {
        let mut caller = two.server.caller().with_key(key);
        for (section, id) in THEIRS {
            let list = caller.get(&format!("/v1/{section}"));
            let ids = list.json()["objects"].as_array().cloned().unwrap_or_default();
            assert!(ids.iter().all(|object| object["id"] != id), "{section}: {ids:?}");
            assert_eq!(caller.get(&format!("/v1/{section}?tenant=1")).status, 404, "{section}");
        }
        let export = caller.get("/v1/events/export?from=2020-01-01T00:00:00Z");
        assert_eq!((export.status, export.body.len()), (200, 0), "{}", String::from_utf8_lossy(&export.body));
        let decision = caller.get(&format!("/v1/decisions/{}", two.shown.decision));
        assert_eq!(decision.status, 404);
        for path in ["/v1/live", "/metrics"] {
            assert_eq!(caller.get(path).status, 403, "{path} is of all tenants together");
        }
    }
}

#[test]
fn a_body_that_names_the_other_tenants_decision_or_account_is_refused_as_if_it_named_none() {
    let two = two_tenants();
    let mut platform = two.server.caller().with_key(&two.home.key(&["--role", "admin"]));
    assert_eq!(platform.get(&two.shown.impression).status, 200);
    let mut charged = |what: &str, is: fn(&Value) -> bool| {
        wait_for(what, || Some(platform.get("/v1/accounts/11").json()).filter(|account| is(&account["spent_nanos"])))
    };
    let before = charged("the charge", |spent| spent.as_str().is_some_and(|spent| spent != "0"));
    let mut caller = two.server.caller().with_key(&two.keys[0]);
    let refund = |decision: &str| json!({ "event": { "decision_id": decision, "slot": 0 }, "reason": "r" }).to_string();
    let (theirs, none) = (two.shown.decision.clone(), format!("{}1", &two.shown.decision[..31]));
    let mut told = |decision: &str| {
        let response = caller.send("POST", "/v1/accounts/90/refunds", &refund(decision));
        let problem = response.json();
        json!([response.status, problem["type"], problem["field"]])
    };
    let (theirs, none) = (told(&theirs), told(&none));
    assert_eq!(theirs, json!([409, "/problems/nothing-to-refund", "event"]));
    assert_eq!(theirs, none);
    assert_eq!(charged("the account", |_| true), before, "nothing was given back");
}
