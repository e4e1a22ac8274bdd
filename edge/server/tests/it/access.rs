//! Keys: who may do what, whose objects they reach, and when a key stops.

use serde_json::{Value, json};

use crate::caller::{Ad, Caller, page};
use crate::catalogs::{ELSEWHERE, HOME, Seller, catalog};
use crate::process::{Home, Litfass, now_ms, wait_for};

fn shop() -> (Home, Litfass) {
    let home = Home::new();
    let mut shop = catalog(&[Seller::by_the_mille(1)]);
    shop["advertisers"].as_array_mut().unwrap().push(json!({ "id": 90, "tenant": 2, "name": "Elsewhere's own" }));
    home.load(&shop);
    let server = home.serve();
    (home, server)
}

/// Until the server has seen what the command line did.
fn wait_until_refused(caller: &mut Caller) {
    wait_for("keys to be asked for", || (caller.get("/v1/keys").status == 401).then_some(()));
}

fn new_key(caller: &mut Caller, ask: &Value) -> (u64, String) {
    let response = caller.send("POST", "/v1/keys", &ask.to_string());
    assert_eq!(response.status, 201, "{ask}: {}", String::from_utf8_lossy(&response.body));
    let made = response.json();
    (made["id"].as_u64().unwrap(), made["key"].as_str().unwrap().to_owned())
}

#[test]
fn the_first_key_closes_an_open_server_and_opens_it_for_its_holder() {
    let (home, server) = shop();
    let mut nobody = server.caller();
    assert_eq!(nobody.get("/v1/keys").json()["keys"], json!([]), "open while there is no key");
    let key = home.key(&["--role", "admin", "--name", "first"]);
    wait_until_refused(&mut nobody);
    for path in ["/v1/keys", "/v1/live", "/metrics", "/", "/decisions/0", "/v1/decisions/0"] {
        let refused = nobody.get(path);
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        assert_eq!(refused.json()["type"], "/problems/unauthenticated", "{path}");
    }
    for path in ["/v1/decisions", "/rank_ads", "/v1/events", "/v1/keys"] {
        assert_eq!(nobody.send("POST", path, "{}").status, 401, "{path}");
    }
    assert_eq!(nobody.get("/healthz").status, 200, "a probe takes no key");
    assert_eq!(server.caller().with_key("lf_nonsense").get("/v1/keys").status, 401);
    assert_eq!(server.caller().with_header("Authorization", &format!("Basic {key}")).get("/v1/keys").status, 401);
    let listed = server.caller().with_key(&key).get("/v1/keys").json();
    assert_eq!((&listed["keys"][0]["role"], &listed["keys"][0]["name"]), (&json!("admin"), &json!("first")));
    assert!(!listed.to_string().contains(&key), "the text of a key is shown once");
}

#[test]
fn a_key_is_on_disk_as_a_hash_only() {
    let home = Home::new();
    let key = home.key(&["--role", "admin"]);
    let found = std::fs::read_dir(home.data()).unwrap().map(|entry| entry.unwrap().path());
    for file in found.filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        let secret = key.strip_prefix("lf_").unwrap().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", file.display());
    }
}

#[test]
fn a_revoked_key_stops_at_the_next_request_and_an_expired_one_too() {
    let (home, server) = shop();
    let mut admin = server.caller().with_key(&home.key(&["--role", "admin"]));
    wait_for("the key to be known", || (admin.get("/v1/keys").status == 200).then_some(()));
    let (id, text) = new_key(&mut admin, &json!({ "role": "serving", "tenant": 1 }));
    let mut app = server.caller().with_key(&text);
    app.decide(&page(HOME, 1, "u"));
    assert_eq!(admin.send("DELETE", &format!("/v1/keys/{id}"), "").status, 204);
    let refused = app.send("POST", "/v1/decisions", &page(HOME, 1, "u").to_string());
    assert_eq!(refused.status, 401, "the next request");
    assert_eq!(admin.send("DELETE", &format!("/v1/keys/{id}"), "").status, 204, "a second time changes nothing");
    assert_eq!(admin.send("DELETE", "/v1/keys/999", "").status, 404);
    let soon = now_ms() + 400;
    let (_, brief) = new_key(&mut admin, &json!({ "role": "serving", "tenant": 1, "expires": soon }));
    let mut brief = server.caller().with_key(&brief);
    wait_for("the key to expire", || {
        (brief.send("POST", "/v1/decisions", &page(HOME, 1, "u").to_string()).status == 401).then_some(())
    });
}

#[test]
fn a_key_revoked_on_the_command_line_stops_too_and_does_not_open_the_server_again() {
    let (home, server) = shop();
    let mut admin = server.caller().with_key(&home.key(&["--role", "admin"]));
    wait_for("the key to be known", || (admin.get("/v1/keys").status == 200).then_some(()));
    let (status, said) = home.command(&["admin", "revoke-key", "1"]);
    assert!(status.success() && said.contains("revoked"), "{said}");
    wait_until_refused(&mut admin);
    assert_eq!(server.caller().get("/v1/keys").status, 401);
    let (_, listed) = home.command(&["admin", "list-keys"]);
    assert!(listed.starts_with("key 1 admin revoked"), "{listed}");
}

#[test]
fn a_server_for_other_machines_wants_a_key_first() {
    let home = Home::new();
    let (status, said) = home.command(&["run", "--listen", "0.0.0.0:0"]);
    assert!(!status.success() && said.contains("create-key"), "{said}");
    let key = home.key(&["--role", "admin"]);
    let server = home.serve_on("0.0.0.0:0");
    assert_eq!(server.caller().get("/v1/keys").status, 401);
    assert_eq!(server.caller().with_key(&key).get("/v1/keys").status, 200);
}

#[test]
fn a_role_does_what_its_table_says_and_no_more() {
    let (home, server) = shop();
    let decision = server.caller().decide_filled(&page(HOME, 1, "u"))[0].decision.clone();
    let mut admin = server.caller().with_key(&home.key(&["--role", "admin"]));
    wait_for("the key to be known", || (admin.get("/v1/keys").status == 200).then_some(()));
    let mut with = |ask: Value| server.caller().with_key(&new_key(&mut admin, &ask).1);
    let mut serving = with(json!({ "role": "serving", "tenant": 1 }));
    let mut reporting = with(json!({ "role": "reporting", "tenant": 1 }));
    let mut tenant = with(json!({ "role": "admin", "tenant": 1 }));
    let mut overview = with(json!({ "role": "reporting" }));
    let explanation = format!("/v1/decisions/{decision}");
    let ask = page(HOME, 1, "u").to_string();
    assert_eq!(serving.send("POST", "/v1/decisions", &ask).status, 200);
    assert_eq!(reporting.send("POST", "/v1/decisions", &ask).status, 403);
    assert_eq!(serving.get(&explanation).status, 403, "a key that lies in an app reads nothing");
    let explaining = json!({ "placements": [{ "id": HOME, "slots": 1 }], "explain": true }).to_string();
    assert_eq!(serving.send("POST", "/v1/decisions", &explaining).json()["field"], "explain");
    assert_eq!(reporting.get(&explanation).status, 200);
    for (caller, status) in [(&mut serving, 403), (&mut reporting, 403), (&mut tenant, 403), (&mut overview, 200)] {
        assert_eq!(caller.get("/v1/live").status, status);
        assert_eq!(caller.get("/metrics").status, status);
    }
    assert_eq!(overview.get("/v1/keys").status, 403);
    assert_eq!(overview.send("POST", "/v1/keys", r#"{"role":"admin"}"#).status, 403);
}

#[test]
fn a_key_that_makes_no_sense_is_refused_with_its_field() {
    let (_home, server) = shop();
    let mut open = server.caller();
    for (ask, status, field) in [
        (json!({ "role": "king" }), 400, "role"),
        (json!({}), 400, "role"),
        (json!({ "role": "advertiser", "tenant": 1 }), 400, "role"),
        (json!({ "role": "serving", "tenant": 1, "advertiser": 11 }), 400, "role"),
        (json!({ "role": "advertiser", "advertiser": 11 }), 400, "tenant"),
        (json!({ "role": "admin", "tenant": 77 }), 404, "tenant"),
        (json!({ "role": "advertiser", "tenant": 2, "advertiser": 11 }), 404, "advertiser"),
        (json!({ "role": "admin", "expires": 5 }), 400, "expires"),
        (json!({ "role": "admin", "rate": 0 }), 400, "rate"),
        (json!({ "role": "admin", "name": "x".repeat(129) }), 400, "name"),
    ] {
        let refused = open.send("POST", "/v1/keys", &ask.to_string());
        assert_eq!((refused.status, refused.json()["field"].as_str()), (status, Some(field)), "{ask}");
    }
    assert_eq!(open.get("/v1/keys").json()["keys"], json!([]), "and none of them was made");
}

/// Method, path and body.
type Ask = (&'static str, String, String);

/// Both answers say the same, but for the id that each was asked for.
fn same_as_missing(caller: &mut Caller, foreign: &Ask, missing: &Ask) {
    let (theirs, none) =
        (caller.send(foreign.0, &foreign.1, &foreign.2), caller.send(missing.0, &missing.1, &missing.2));
    assert_eq!(theirs.status, 404, "{foreign:?}: {}", String::from_utf8_lossy(&theirs.body));
    let members = |name: &str| (theirs.json()[name].clone(), none.json()[name].clone());
    for name in ["type", "title", "status", "field"] {
        let (theirs, none) = members(name);
        assert_eq!(theirs, none, "{foreign:?} {name}");
    }
}

#[test]
fn every_reference_to_another_tenants_object_is_answered_as_if_it_were_not_there() {
    let (home, server) = shop();
    let ad = server.caller().decide_filled(&page(HOME, 1, "u"))[0].clone();
    let platform = home.key(&["--role", "admin"]);
    let mut other = server.caller().with_key(&home.key(&["--role", "admin", "--tenant", "2"]));
    wait_for("the keys to be known", || (other.get("/v1/keys").status == 200).then_some(()));
    let post = |path: &str, body: Value| ("POST", path.to_owned(), body.to_string());
    let decide = |placement: u64| post("/v1/decisions", page(placement, 1, "u"));
    same_as_missing(&mut other, &decide(HOME), &decide(777));
    let rank = |page: &str| post("/rank_ads", json!({ "context": { "page_type": page }, "num_ads": 1 }));
    same_as_missing(&mut other, &rank("home"), &rank("nowhere"));
    let get = |path: String| ("GET", path, String::new());
    let unknown = "0".repeat(32);
    same_as_missing(
        &mut other,
        &get(format!("/v1/decisions/{}", ad.decision)),
        &get(format!("/v1/decisions/{unknown}")),
    );
    assert_eq!(other.get(&format!("/decisions/{}", ad.decision)).status, 404);
    let key = |tenant: u64| post("/v1/keys", json!({ "role": "serving", "tenant": tenant }));
    same_as_missing(&mut other, &key(1), &key(777));
    let advertiser = |id: u64| post("/v1/keys", json!({ "role": "advertiser", "tenant": 2, "advertiser": id }));
    same_as_missing(&mut other, &advertiser(11), &advertiser(777));
    let delete = |id: u64| ("DELETE", format!("/v1/keys/{id}"), String::new());
    same_as_missing(&mut other, &delete(1), &delete(777));
    assert_eq!(other.send("POST", "/v1/keys", r#"{"role":"admin"}"#).status, 403, "no wider key than its own");
    let events = [
        json!({ "type": "impression", "token": Ad::token(&ad.impression) }),
        json!({ "type": "conversion", "token": Ad::token(&ad.click), "order_id": "o" }),
        json!({ "type": "conversion", "tenant": 1, "user_id": "u", "order_id": "o" }),
        json!({ "type": "view", "tenant": 1, "user_id": "u", "item": "SKU" }),
    ];
    let missing = [
        json!({ "type": "impression", "token": "x" }),
        json!({ "type": "conversion", "token": "x", "order_id": "o" }),
        json!({ "type": "conversion", "tenant": 777, "user_id": "u", "order_id": "o" }),
        json!({ "type": "view", "tenant": 777, "user_id": "u", "item": "SKU" }),
    ];
    for (theirs, none) in other.events(&events).iter().zip(other.events(&missing)) {
        assert_eq!((&theirs["status"], &theirs["problem"]["status"]), (&json!("rejected"), &json!(404)), "{theirs}");
        for name in ["type", "field"] {
            assert_eq!(theirs["problem"][name], none["problem"][name], "{theirs}");
        }
    }
    let listed = other.get("/v1/keys").json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1, "its own key only: {listed}");
    assert_eq!(
        other.send("POST", "/v1/decisions", &page(ELSEWHERE, 1, "u").to_string()).status,
        200,
        "its own placement"
    );
    assert_eq!(server.caller().with_key(&platform).get("/v1/keys").json()["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn every_documented_address_but_the_public_ones_asks_for_a_key() {
    let home = Home::new();
    home.key(&["--role", "admin"]);
    let server = home.serve();
    let mut nobody = server.caller();
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let document: Value = serde_json::from_slice(&std::fs::read(document).unwrap()).unwrap();
    let mut asked = 0;
    let paths = document["paths"].as_object().unwrap().iter();
    for (path, methods) in paths.filter(|(path, _)| *path != "/login") {
        let public =
            ["/t/", "/healthz", "/readyz", "/console/", "/openapi.json"].iter().any(|open| path.starts_with(open));
        for method in methods
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| ["get", "post", "put", "patch", "delete"].contains(&name.as_str()))
        {
            let address = path.replace(['{', '}'], "");
            let status = nobody.send(&method.to_uppercase(), &address, "{}").status;
            assert_eq!(status == 401, !public, "{method} {path}: {status}");
            asked += 1;
        }
    }
    assert!(asked > 20, "the document names the addresses: {asked}");
}
