//! What cannot be served is refused with a problem of RFC 9457 that names the field, and changes nothing.

use serde_json::{Value, json};

use crate::catalogs::{ELSEWHERE, HOME, Seller, catalog};
use crate::process::Home;

/// What is sent, and the status and field that come back; no field where the body as a whole is wrong.
type Case = (&'static str, String, u16, Option<&'static str>);

fn decision(change: impl FnOnce(&mut Value)) -> String {
    let mut request = json!({ "user_id": "u", "placements": [{ "id": HOME, "slots": 1 }], "context": {} });
    change(&mut request);
    request.to_string()
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn decision_cases() -> Vec<Case> {
    let path = "/v1/decisions";
    let texts = |count: usize| vec!["a"; count];
    let long = |length: usize| "x".repeat(length);
    vec![
        (path, String::new(), 400, None),
        (path, "{".into(), 400, None),
        (path, "[]".into(), 400, None),
        (path, "null".into(), 400, None),
        (path, decision(|_| ()) + " {}", 400, None),
        (path, format!("{{\"deep\":{}", "[".repeat(100_000)), 400, Some("deep")),
        (path, "\u{1}".into(), 400, None),
        (path, json!({ "user_id": "u" }).to_string(), 400, Some("placements")),
        (path, decision(|r| r["user_id"] = json!(7)), 400, Some("user_id")),
        (path, decision(|r| r["user_id"] = json!(long(129))), 400, Some("user_id")),
        (path, decision(|r| r["request_id"] = json!(long(65))), 400, Some("request_id")),
        (path, decision(|r| r["unknown"] = json!(1)), 400, Some("unknown")),
        (path, decision(|r| r["placements"] = json!("home")), 400, Some("placements")),
        (path, decision(|r| r["placements"] = json!([])), 400, Some("placements")),
        (
            path,
            decision(|r| r["placements"] = json!(vec![json!({ "id": HOME, "slots": 1 }); 9])),
            400,
            Some("placements"),
        ),
        (path, decision(|r| r["placements"][0]["slots"] = json!(0)), 400, Some("placements[0].slots")),
        (path, decision(|r| r["placements"][0]["slots"] = json!(-1)), 400, Some("placements[0].slots")),
        (path, decision(|r| r["placements"][0]["slots"] = json!(6)), 400, Some("placements[0].slots")),
        (path, decision(|r| r["placements"][0]["slots"] = json!(1e99)), 400, Some("placements[0].slots")),
        (path, decision(|r| r["placements"][0]["slots"] = json!("1")), 400, Some("placements[0].slots")),
        (path, decision(|r| r["placements"][0]["id"] = json!(777)), 404, Some("placements[0].id")),
        (path, decision(|r| r["placements"][0]["id"] = json!(1.5)), 400, Some("placements[0].id")),
        (path, decision(|r| r["placements"][0]["floor_micros"] = json!(-1)), 400, Some("placements[0].floor_micros")),
        (
            path,
            decision(|r| r["placements"][0]["floor_micros"] = json!(1_u64 << 60)),
            400,
            Some("placements[0].floor_micros"),
        ),
        (
            path,
            decision(|r| r["placements"] = json!([{ "id": HOME, "slots": 1 }, { "id": ELSEWHERE, "slots": 1 }])),
            400,
            Some("placements[1].id"),
        ),
        (
            path,
            decision(|r| r["placements"] = json!([{ "id": HOME, "slots": 1 }, { "id": HOME, "slots": 1 }])),
            400,
            Some("placements[1].id"),
        ),
        (path, decision(|r| r["context"] = json!([])), 400, Some("context")),
        (path, decision(|r| r["context"]["device"] = json!("toaster")), 400, Some("context.device")),
        (path, decision(|r| r["context"]["country"] = json!("Germany")), 400, Some("context.country")),
        (path, decision(|r| r["context"]["url"] = json!(long(2_049))), 400, Some("context.url")),
        (path, decision(|r| r["context"]["city"] = json!(long(129))), 400, Some("context.city")),
        (path, decision(|r| r["context"]["categories"] = json!(texts(65))), 400, Some("context.categories")),
        (path, decision(|r| r["context"]["keywords"] = json!([long(129)])), 400, Some("context.keywords[0]")),
        (path, decision(|r| r["context"]["segments"] = json!([1])), 400, Some("context.segments[0]")),
        (path, decision(|r| r["context"]["key_values"] = json!({ "k": texts(65) })), 400, Some("context.key_values.k")),
        (path, decision(|r| r["context"]["key_values"] = json!({ "k": "v" })), 400, Some("context.key_values.k")),
        (path, decision(|r| r["personalise"] = json!("no")), 400, Some("personalise")),
        (path, decision(|r| r["user_id"] = json!(long(3 << 20))), 413, None),
    ]
}

fn other_cases() -> Vec<Case> {
    let rank = |change: &dyn Fn(&mut Value)| {
        let mut request = json!({ "user_id": 1, "context": { "page_type": "game_page" }, "num_ads": 2 });
        change(&mut request);
        request.to_string()
    };
    let event = |event: &Value, count: usize| json!({ "events": vec![event; count] }).to_string();
    vec![
        ("/rank_ads", "nonsense".into(), 400, None),
        ("/rank_ads", rank(&|r| r["num_ads"] = json!(0)), 400, Some("num_ads")),
        ("/rank_ads", rank(&|r| r["num_ads"] = json!("five")), 400, Some("num_ads")),
        ("/rank_ads", rank(&|r| r["user_id"] = json!([1])), 400, Some("user_id")),
        ("/rank_ads", rank(&|r| r["context"]["page_type"] = json!("no such page")), 404, Some("context.page_type")),
        ("/rank_ads", rank(&|r| r["context"]["device"] = json!(3)), 400, Some("context.device")),
        ("/v1/events", "{\"events\":".into(), 400, None),
        ("/v1/events", json!({ "events": {} }).to_string(), 400, Some("events")),
        ("/v1/events", json!({ "events": [] }).to_string(), 400, Some("events")),
        ("/v1/events", event(&json!({ "type": "click", "token": "x" }), 1_001), 400, Some("events")),
        ("/v1/nothing", "{}".into(), 404, None),
    ]
}

#[test]
fn every_refusal_is_a_problem_that_names_its_field() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    for (path, body, status, field) in decision_cases().into_iter().chain(other_cases()) {
        let shown = &body[..body.len().min(200)];
        let response = caller.send("POST", path, &body);
        let problem = response.json();
        assert_eq!(response.status, status, "{path} {shown}: {problem}");
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{path} {shown}");
        assert_eq!(problem["status"], status, "{path} {shown}: {problem}");
        assert_eq!(problem["field"].as_str(), field, "{path} {shown}: {problem}");
        assert!(problem["type"].as_str().is_some_and(|name| name.starts_with("/problems/")), "{problem}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    }
    assert_eq!(caller.get("/healthz").status, 200, "and it still serves");
}

#[test]
fn what_is_asked_of_an_address_that_is_not_there_is_refused_too() {
    let home = Home::new();
    let server = home.serve();
    let mut caller = server.caller();
    let unknown = "0123456789abcdef".repeat(2);
    let cases = [
        ("GET", "/nothing".to_owned(), 404),
        ("GET", format!("/v1/decisions/{unknown}"), 404),
        ("GET", "/v1/decisions/nonsense".to_owned(), 404),
        ("GET", format!("/v1/decisions/{}", "9".repeat(4_000)), 404),
        ("GET", "/t/i/".to_owned(), 404),
        ("GET", format!("/t/i/{}", "A".repeat(8_000)), 404),
        ("GET", "/t/x/AAAA".to_owned(), 404),
        ("GET", "/v1/events".to_owned(), 405),
        ("DELETE", "/v1/decisions".to_owned(), 405),
    ];
    for (method, path, status) in cases {
        let response = caller.send(method, &path, "");
        assert_eq!(response.status, status, "{method} {path}: {}", String::from_utf8_lossy(&response.body));
        assert_eq!(response.header("content-type"), Some("application/problem+json"), "{method} {path}");
    }
}

#[test]
fn a_catalog_with_mistakes_is_refused_whole_with_every_mistake_named() {
    let home = Home::new();
    let good = catalog(&[Seller::by_the_mille(1)]);
    let mut bad = good;
    bad["line_items"][0]["bid"]["micros"] = json!(-5);
    bad["line_items"][0]["targeting"] = json!({ "any": [{ "device": ["toaster"] }] });
    bad["ads"][0]["creative"] = json!(424_242);
    let file = home.write("bad.json", &bad.to_string());
    let (status, said) = home.command(&["catalog", "load", file.to_str().unwrap()]);
    assert!(!status.success(), "{said}");
    for named in ["bad.json", "line_items[0].bid", "line_items[0].targeting", "ads[0].creative"] {
        assert!(said.contains(named), "{named} is not in: {said}");
    }
    let server = home.serve();
    let response = server.caller().send("POST", "/v1/decisions", &decision(|_| ()));
    assert_eq!(response.status, 404, "nothing of it was stored");
}

#[test]
fn files_that_are_no_catalog_are_named() {
    let home = Home::new();
    let cases = [
        ("empty.json", String::new()),
        ("cut.json", catalog(&[Seller::by_the_mille(1)]).to_string()[..300].to_owned()),
        ("list.json", "[]".to_owned()),
        ("typo.json", json!({ "tenant": [] }).to_string()),
    ];
    for (name, text) in cases {
        let file = home.write(name, &text);
        let (status, said) = home.command(&["catalog", "load", file.to_str().unwrap()]);
        assert!(!status.success() && said.contains(name), "{name}: {said}");
        assert!(!said.contains("panicked"), "{name}: {said}");
    }
    let (status, said) = home.command(&["catalog", "load", "nowhere.json"]);
    assert!(!status.success() && said.contains("nowhere.json"), "{said}");
}

#[test]
fn only_loopback_is_listened_on_while_there_are_no_keys() {
    let home = Home::new();
    let (status, said) = home.command(&["run", "--listen", "0.0.0.0:0"]);
    assert!(!status.success() && said.contains("loopback"), "{said}");
}

#[test]
fn a_directory_of_another_format_or_in_use_is_named() {
    let home = Home::new();
    let server = home.serve();
    let (status, said) = home.command(&["run", "--listen", "127.0.0.1:0"]);
    assert!(!status.success() && said.contains("data"), "a second process is refused: {said}");
    drop(server);
    std::fs::write(home.data().join("FORMAT"), "999\n").unwrap();
    let (status, said) = home.command(&["run", "--listen", "127.0.0.1:0"]);
    assert!(!status.success() && said.contains("FORMAT") && said.contains("999"), "{said}");
}
