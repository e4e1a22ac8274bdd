//! What stands between a browser and the server: sessions and their forms, foreign sites, headers, rates, and the audit log.

use litfass_sim::Response;
use serde_json::{Value, json};

use crate::caller::{Caller, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, Litfass, wait_for};

const HOSTILE: &str = "\"><script>alert('x')</script><img src=x onerror=alert(1)>";

fn served(config: &str) -> (Home, Litfass, String) {
    let home = Home::new();
    home.configure(config);
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let key = home.key(&["--role", "admin", "--name", "first"]);
    let server = home.serve();
    (home, server, key)
}

fn shows(caller: &mut Caller, key: &str) -> Response {
    caller.send("POST", "/login?next=/decisions/0", &format!("key={key}"))
}

/// `name=value` of the session's cookie.
fn cookie(response: &Response) -> String {
    response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn form_token(page: &Response) -> String {
    let html = String::from_utf8(page.body.clone()).unwrap();
    let at = html.find("name=\"csrf\" value=\"").unwrap() + "name=\"csrf\" value=\"".len();
    html[at..].split('"').next().unwrap().to_owned()
}

#[test]
fn a_person_is_led_to_the_form_shows_a_key_and_comes_back_with_a_cookie() {
    let (_home, server, key) = served("");
    let mut browser = server.caller().with_header("Accept", "text/html,*/*");
    let led = browser.get("/decisions/0?x=1");
    assert_eq!((led.status, led.header("location")), (303, Some("/login?next=/decisions/0%3Fx%3D1")));
    let form = browser.get("/login?next=/%22%3E%3Cscript%3E");
    assert!(!String::from_utf8(form.body).unwrap().contains("\"><script>"));
    let ask = json!({ "role": "serving", "tenant": 1 }).to_string();
    let serving =
        server.caller().with_key(&key).send("POST", "/v1/keys", &ask).json()["key"].as_str().unwrap().to_owned();
    let machine = shows(&mut browser, &serving);
    assert_eq!((machine.status, machine.header("set-cookie")), (403, None), "a key of machines opens no session");
    let wrong = shows(&mut browser, "lf_wrong");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    let right = shows(&mut browser, &key);
    assert_eq!((right.status, right.header("location")), (303, Some("/decisions/0")));
    let set = right.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(set.contains(part), "{part} is not in {set}");
    }
    assert!(!set.contains("Secure"), "called by a loopback name: {set}");
    let mut session = server.caller().with_header("Cookie", &cookie(&right));
    assert_eq!(session.get("/").status, 200);
    let elsewhere = browser.send("POST", "/login?next=//evil.example", &format!("key={key}"));
    assert_eq!(elsewhere.header("location"), Some("/"), "never led to another site");
}

#[test]
fn a_change_by_cookie_needs_the_form_token_of_that_session() {
    let (_home, server, key) = served("");
    let cookies: Vec<_> = (0..2).map(|_| cookie(&shows(&mut server.caller(), &key))).collect();
    let mut session = server.caller().with_header("Cookie", &cookies[0]);
    let token = form_token(&session.get("/login"));
    let other = form_token(&server.caller().with_header("Cookie", &cookies[1]).get("/login"));
    let ask = json!({ "role": "serving", "tenant": 1 }).to_string();
    assert_eq!(session.send("POST", "/v1/keys", &ask).status, 403, "no token");
    let with = |token: &str| server.caller().with_header("Cookie", &cookies[0]).with_header("X-CSRF-Token", token);
    assert_eq!(with(&other).send("POST", "/v1/keys", &ask).status, 403, "another session's token");
    assert_eq!(with(&token).send("POST", "/v1/keys", &ask).status, 201);
    let mut form = server.caller().with_header("Cookie", &cookies[0]);
    assert_eq!(form.send_form("/logout", &format!("csrf={other}")).status, 403);
    let out = form.send_form("/logout", &format!("a=b&csrf={token}"));
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert_eq!(session.get("/v1/keys").status, 401, "the session is over");
    let mut second = server.caller().with_header("Cookie", &cookies[1]);
    assert_eq!(second.get("/v1/keys").status, 200, "and the other goes on");
    assert_eq!(server.caller().with_key(&key).send("DELETE", "/v1/keys/1", "").status, 204);
    assert_eq!(second.get("/v1/keys").status, 401, "until its key is revoked");
}

#[test]
fn another_site_can_neither_log_in_nor_use_an_open_server() {
    let (_home, server, key) = served("");
    let mut foreign = server.caller().with_header("Origin", "https://evil.example");
    let refused = shows(&mut foreign, &key);
    assert_eq!((refused.status, refused.header("set-cookie")), (403, None));
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let open = home.serve();
    let ask = page(HOME, 1, "u").to_string();
    let mut foreign = open.caller().with_header("Sec-Fetch-Site", "cross-site");
    assert_eq!(foreign.send("POST", "/v1/decisions", &ask).status, 401);
    assert_eq!(open.caller().send("POST", "/v1/decisions", &ask).status, 200);
    assert_eq!(open.caller_of("rebound.example").get("/v1/live").status, 401, "a name that was made to point here");
    assert_eq!(open.caller_of("localhost").get("/v1/live").status, 200);
}

#[test]
fn pages_carry_their_headers_and_hostile_names_stay_text() {
    let home = Home::new();
    let mut hostile = catalog(&[Seller::by_the_mille(1)]);
    for list in ["tenants", "advertisers", "campaigns", "line_items", "placements"] {
        hostile[list][0]["name"] = json!(HOSTILE);
    }
    for field in ["title", "text"] {
        hostile["creatives"][0][field] = json!(HOSTILE);
    }
    home.load(&hostile);
    let server = home.serve();
    let mut caller = server.caller();
    let decision = caller.decide_filled(&page(HOME, 1, "u"))[0].decision.clone();
    caller.explanation(&decision);
    for path in [
        "/".to_owned(),
        format!("/decisions/{decision}"),
        "/login".to_owned(),
        "/decisions/%22%3E%3Cscript%3Ealert(1)".to_owned(),
    ] {
        let page = caller.get(&path);
        let csp = page.header("content-security-policy").unwrap();
        assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"), "{path}: {csp}");
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin"), ("x-frame-options", "DENY")]
        {
            assert_eq!(page.header(name), Some(value), "{path}");
        }
        let html = String::from_utf8(page.body).unwrap();
        assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "{path}: {html}");
    }
    assert_eq!(caller.get("/v1/live").header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn only_configured_sites_may_ask_from_a_browser_and_only_for_ads() {
    let (_home, server, key) = served("[access]\ncors_origins = \"https://shop.example\"\n");
    let from = |origin: &str| server.caller().with_header("Origin", origin);
    let asked = from("https://shop.example").send("OPTIONS", "/v1/decisions", "");
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, Some("https://shop.example")));
    assert_eq!(asked.header("access-control-allow-methods"), Some("POST"));
    assert!(asked.header("access-control-allow-credentials").is_none());
    let ask = page(HOME, 1, "u").to_string();
    let answered = from("https://shop.example").with_key(&key).send("POST", "/v1/decisions", &ask);
    assert_eq!((answered.status, answered.header("access-control-allow-origin")), (200, Some("https://shop.example")));
    assert_eq!(answered.header("vary"), Some("Origin"));
    let other = from("https://evil.example").send("OPTIONS", "/v1/decisions", "");
    assert_eq!(other.header("access-control-allow-origin"), None);
    let keys = from("https://shop.example").with_key(&key).get("/v1/keys");
    assert_eq!((keys.status, keys.header("access-control-allow-origin")), (200, None));
}

#[test]
fn a_key_that_sends_too_much_is_told_when_to_come_back_and_others_are_not_touched() {
    let (_home, server, key) = served("[access]\nburst = \"1m\"\n");
    let mut admin = server.caller().with_key(&key);
    let ask = json!({ "role": "serving", "tenant": 1, "rate": 1 }).to_string();
    let slow = admin.send("POST", "/v1/keys", &ask).json()["key"].as_str().unwrap().to_owned();
    let mut slow = server.caller().with_key(&slow);
    let ask = page(HOME, 1, "u").to_string();
    let mut passed = 0;
    let refused = wait_for("a refusal", || {
        let response = slow.send("POST", "/v1/decisions", &ask);
        passed += usize::from(response.status == 200);
        (response.status == 429).then_some(response)
    });
    assert!(passed >= 60, "a minute's worth at once: {passed}");
    assert_eq!(refused.json()["type"], "/problems/too-many-requests");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let metrics = admin.metrics();
    assert!(metrics["litfass_rate_limited_total"] >= 1.0, "{metrics:?}");
}

#[test]
fn the_audit_log_says_who_did_what_and_to_a_tenant_only_its_own() {
    let (home, server, key) = served("");
    let mut admin = server.caller().with_key(&key);
    let made =
        admin.send("POST", "/v1/keys", &json!({ "role": "admin", "tenant": 1, "name": "own" }).to_string()).json();
    admin.send("POST", "/v1/keys", &json!({ "role": "serving", "tenant": 2 }).to_string());
    let id = made["id"].as_u64().unwrap();
    let mut tenant = server.caller().with_key(made["key"].as_str().unwrap());
    let entries = |caller: &mut Caller, query: &str| -> Vec<Value> {
        let response = caller.get(&format!("/v1/audit{query}"));
        assert_eq!(response.status, 200, "{query}: {}", String::from_utf8_lossy(&response.body));
        response.json()["entries"].as_array().unwrap().clone()
    };
    let all = entries(&mut admin, "");
    let who: Vec<_> = all.iter().map(|entry| entry["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["key 1", "key 1", "command line", "command line"], "newest first; the catalog's file is the last");
    assert_eq!(
        (&all[1]["action"], &all[1]["kind"], &all[1]["after"]["name"]),
        (&json!("create"), &json!("key"), &json!("own"))
    );
    assert!(!json!(all).to_string().contains("lf_"), "no key is in the log");
    admin.send("DELETE", &format!("/v1/keys/{}", id + 1), "");
    let revoked = &entries(&mut admin, "?action=revoke")[0];
    assert_eq!((&revoked["before"]["revoked_ms"], revoked["after"]["revoked_ms"].is_i64()), (&Value::Null, true));
    assert_eq!(entries(&mut tenant, "").len(), 1, "what concerns its own tenant");
    assert_eq!(tenant.get("/v1/audit?tenant=2").json()["field"], "tenant");
    let first = admin.get("/v1/audit?limit=3").json();
    let next = first["next"].as_str().unwrap();
    assert_eq!(entries(&mut admin, &format!("?limit=3&cursor={next}")).len(), 2);
    assert_eq!(admin.get("/v1/audit?limit=0").status, 400);
    drop(home);
}
