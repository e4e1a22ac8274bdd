//! What is found out about who asks: where from, on what, and whether it is people at all.

use std::fs;

use serde_json::{Value, json};

use crate::books;
use crate::caller::{Ad, Caller, ads, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::mmdb;
use crate::process::{Home, Litfass, wait_for};

const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
const PHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1";

/// One seller per targeting, each with a line item of its own.
fn targeted(targetings: &[Value]) -> Value {
    let sellers = (1..).zip(targetings);
    let seller = |(n, targeting): (u64, &Value)| Seller {
        line_item: json!({ "targeting": targeting }),
        ..Seller::by_the_mille(n)
    };
    catalog(&sellers.map(seller).collect::<Vec<_>>())
}

fn served(shop: &Value, config: &str) -> (Home, Litfass) {
    let home = Home::new();
    home.configure(&format!("[gateway]\n{config}\n"));
    home.load(shop);
    let server = home.serve();
    (home, server)
}

/// The line items that such a request is shown, once there is any.
fn shown(caller: &mut Caller, ask: &Value) -> Vec<u64> {
    caller.decide_filled(ask).iter().map(|ad| ad.line_item).collect()
}

#[test]
fn place_device_and_system_are_told_from_address_and_user_agent_unless_the_request_says_them() {
    let home = Home::new();
    let rows = [
        ([198, 51, 100, 0].into(), 24, ["DE", "BE", "Berlin"]),
        ([203, 0, 113, 128].into(), 25, ["US", "CA", "Fresno"]),
    ];
    let file = home.write("places.mmdb", "");
    fs::write(&file, mmdb::database(&rows)).unwrap();
    home.configure(&format!(
        "[gateway]\ndecisions_from = \"viewer\"\ntrusted_proxies = \"127.0.0.0/8\"\ngeo_database = {:?}\n",
        file.display()
    ));
    home.load(&targeted(&[
        json!({ "geo": ["DE-BE/Berlin"] }),
        json!({ "all": [{ "geo": ["US-CA"] }, { "device": ["mobile"] }, { "os": ["ios"] }] }),
    ]));
    let server = home.serve();
    let from = |address: &str| server.caller().with_header("X-Forwarded-For", address);
    assert_eq!(shown(&mut from("198.51.100.7"), &page(HOME, 5, "ada")), [1_001]);
    let mut phone = from("10.9.9.9, 203.0.113.200").with_header("User-Agent", PHONE);
    assert_eq!(shown(&mut phone, &page(HOME, 5, "bob")), [1_002]);
    let none = from("203.0.113.200").decide(&page(HOME, 5, "eve"));
    assert_eq!(ads(&none).len(), 0, "no phone: {none}");
    let mut said = page(HOME, 5, "ada");
    said["context"] = json!({ "country": "FR" });
    assert_eq!(ads(&from("198.51.100.7").decide(&said)).len(), 0, "what the request says goes first");
    said["context"] = json!({ "ip": "198.51.100.7" });
    assert_eq!(shown(&mut server.caller(), &said), [1_001], "a server names its viewer's address");
    said["context"] = json!({ "ip": "nowhere" });
    let refused = server.caller().send("POST", "/v1/decisions", &said.to_string());
    assert_eq!((refused.status, &refused.json()["field"]), (400, &json!("context.ip")));
}

#[test]
fn a_server_that_asks_for_its_viewers_is_not_taken_for_one() {
    let (_home, server) = served(&catalog(&[Seller::by_the_mille(1)]), "");
    let mut backend = server.caller().with_header("User-Agent", CRAWLER);
    let answer = backend.decide(&page(HOME, 1, "u"));
    assert!(answer["traffic"].is_null(), "{answer}");
    let mut ask = page(HOME, 1, "u");
    ask["context"] = json!({ "user_agent": CRAWLER });
    assert_eq!(backend.decide(&ask)["traffic"], "crawler", "unless it says that its viewer is one");
}

/// Waits until everything in the log was looked at by the ledger; how many events were billed.
fn billed(home: &Home) -> u64 {
    let data = home.data();
    let ends = books::ends(&data);
    wait_for("the ledger to catch up", || books::has_caught_up(&data, &ends).then_some(()));
    books::ended(&data).0.values().map(|ended| ended.billed.events + ended.unbilled.events).sum()
}

#[test]
fn what_a_crawler_calls_is_never_billed_and_takes_nothing_from_the_viewer() {
    let (home, server) = served(&catalog(&[Seller::by_the_mille(1)]), "");
    let ad: Ad = server.caller().decide_filled(&page(HOME, 1, "u"))[0].clone();
    let mut crawler = server.caller().with_header("User-Agent", CRAWLER);
    assert_eq!(crawler.get(&ad.impression).status, 200);
    assert_eq!(crawler.get(&ad.click).status, 302);
    assert_eq!(billed(&home), 0);
    assert_eq!(server.caller().with_header("User-Agent", PHONE).get(&ad.impression).status, 200);
    assert_eq!(billed(&home), 1, "the viewer's impression still bills");
    let metrics = server.caller().metrics();
    let counted = |class: &str| metrics[&format!("litfass_event_traffic_total{{class=\"{class}\"}}")];
    assert!((counted("crawler") - 2.0).abs() < f64::EPSILON && (counted("human") - 1.0).abs() < f64::EPSILON);
    let logged = books::Logged::read(&home.data());
    assert_eq!(logged.gross, 3, "all of it is in the log");
}

#[test]
fn staff_and_data_centres_are_served_or_not_and_neither_billed_nor_capped() {
    let home = Home::new();
    let staff = home.write("staff.txt", "# the office\n192.0.2.0/24\n");
    let machines = home.write("machines.txt", "198.51.100.0/24 # a provider\n\n2001:db8::/32\n");
    home.configure(&format!(
        "[gateway]\nstaff_networks = {:?}\ndata_centre_networks = {:?}\ndata_centres = \"refused\"\n",
        staff.display(),
        machines.display()
    ));
    let capped = Seller {
        campaign: json!({ "frequency_caps": [{ "max": 1, "window_minutes": 1440 }] }),
        ..Seller::by_the_mille(1)
    };
    home.load(&catalog(&[capped]));
    let server = home.serve();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "warm"));
    let ask = |ip: &str| {
        let mut ask = page(HOME, 1, "boss");
        ask["context"] = json!({ "ip": ip });
        ask
    };
    for _ in 0..3 {
        let answer = caller.decide(&ask("192.0.2.5"));
        assert_eq!((&answer["traffic"], ads(&answer).len()), (&json!("staff"), 1), "no cap stops it: {answer}");
        assert_eq!(caller.get(&ads(&answer)[0].impression).status, 200);
    }
    assert_eq!(billed(&home), 0);
    let refused = caller.decide(&ask("2001:db8::5"));
    assert_eq!((&refused["traffic"], &refused["decision_id"]), (&json!("data_centre"), &Value::Null), "{refused}");
    assert_eq!((ads(&refused).len(), &refused["placements"][0]["id"]), (0, &json!(HOME)));
    // What staff were shown does not count against the viewer's cap, or nothing would ever be shown.
    caller.decide_filled(&ask("203.0.113.1"));
    let metrics = caller.metrics();
    assert!((metrics["litfass_traffic_refused_total{class=\"data_centre\"}"] - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_list_that_cannot_be_read_is_named() {
    for (setting, text) in [("staff_networks", "10.0.0.0/99\n"), ("geo_database", "no database")] {
        let home = Home::new();
        let file = home.write("list", text);
        home.configure(&format!("[gateway]\n{setting} = {:?}\n", file.display()));
        let said = home.refuses_to_serve();
        assert!(said.contains(file.to_str().unwrap()) && !said.contains("panicked"), "{said}");
    }
}
