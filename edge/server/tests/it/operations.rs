//! Readiness, and an orderly end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;

use litfass_types::Seed;
use serde_json::json;

use crate::books::{self, Logged};
use crate::caller::page;
use crate::catalogs::{HOME, Seller, catalog};
use crate::kill::{Promises, load, nothing_promised_is_lost, rand_seed, sellers};
use crate::process::{Home, Litfass, wait_for};

#[test]
fn ready_is_said_without_a_key_and_a_disk_with_too_little_room_is_named() {
    let home = Home::new();
    home.key(&["--role", "admin"]);
    let server = home.serve();
    let answer = server.caller().get("/readyz");
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ready" })));
    drop(server);
    home.configure("[server]\ndisk_free_min = 1099511627776\n");
    let server = home.serve();
    let answer = server.caller().get("/readyz");
    let problem = answer.json();
    assert_eq!((answer.status, &problem["type"]), (503, &json!("/problems/not-ready")));
    assert_eq!(problem["detail"], "failing: disk");
    assert_eq!(server.caller().get("/healthz").status, 200, "it runs all the same");
}

#[test]
fn a_worker_that_cannot_work_makes_the_server_not_ready() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    assert_eq!(caller.get("/readyz").status, 200);
    // The sweep's table is gone: the ledger answers, and what works on it fails.
    let database = rusqlite::Connection::open(home.data().join("litfass.db")).unwrap();
    database.execute_batch("ALTER TABLE ledger_lease RENAME TO elsewhere").unwrap();
    let answer = wait_for("the failing worker to be noticed", || {
        Some(caller.get("/readyz")).filter(|answer| answer.status == 503)
    });
    assert!(answer.json()["detail"].as_str().unwrap().contains("workers"));
    assert!(caller.metrics()["litfass_ready{check=\"workers\"}"] < 0.5);
    database.execute_batch("ALTER TABLE elsewhere RENAME TO ledger_lease").unwrap();
    wait_for("the worker to go on", || (caller.get("/readyz").status == 200).then_some(()));
}

#[test]
fn fill_ecpm_and_click_rates_can_be_read_from_the_metrics() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "warm"));
    let before = caller.metrics();
    let ad = caller.decide_filled(&page(HOME, 4, "u")).remove(0);
    assert_eq!((caller.get(&ad.impression).status, caller.get(&ad.click).status), (200, 302));
    let after = wait_for("the click and the bill", || {
        let metrics = caller.metrics();
        let done = ["litfass_observed_clicks_total", "litfass_billing_outcomes_total{outcome=\"billed\"}"];
        done.iter().all(|name| metrics[*name] > 0.5).then_some(metrics)
    });
    let rose = |name: &str| after[name] - before[name];
    let is = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} for {expected}: {after:?}");
    let [asked, shown] = ["asked", "shown"].map(|what| format!("litfass_slots_{what}_total{{class=\"human\"}}"));
    is(rose(&shown) / rose(&asked), 0.25);
    // The only seller pays the floor of one unit a thousand.
    is(1_000.0 * rose("litfass_expected_units_total{class=\"human\"}") / rose(&shown), 1.0);
    is(1_000.0 * rose("litfass_billed_units_total") / rose("litfass_rendered_impressions_total"), 1.0);
    is(rose("litfass_observed_clicks_total") / rose("litfass_rendered_impressions_total"), 1.0);
    let predicted = rose("litfass_predicted_clicks_total");
    assert!(predicted > 0.0 && predicted < 1.0, "{predicted}");
}

#[test]
fn a_reader_that_stands_still_lags_by_the_age_of_what_it_has_not_passed() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let mut caller = server.caller();
    let mut lag = |reader: &str| caller.metrics()[&format!("litfass_event_lag_seconds{{reader=\"{reader}\"}}")];
    let database = rusqlite::Connection::open(home.data().join("litfass.db")).unwrap();
    database.execute_batch("ALTER TABLE ledger_batch RENAME TO elsewhere").unwrap();
    wait_for("the ledger to fall behind", || (lag("billing") > 2.0).then_some(()));
    wait_for("the folds to go on", || (lag("folds") < 2.0).then_some(()));
    database.execute_batch("ALTER TABLE elsewhere RENAME TO ledger_batch").unwrap();
    wait_for("the ledger to catch up", || (lag("billing") < 2.0).then_some(()));
}

/// Half a request, and the connection on which the other half can follow.
fn half_a_request(server: &Litfass) -> (TcpStream, String) {
    let body = page(HOME, 1, "u").to_string();
    let (sent, kept) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!("POST /v1/decisions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{sent}").as_bytes()).unwrap();
    // On a second connection, so that the first is known to have been taken.
    assert_eq!(server.caller().get("/healthz").status, 200);
    (stream, kept.to_owned())
}

fn no_longer_listens(server: &Litfass) {
    wait_for("the listener to be closed", || TcpStream::connect(server.address).is_err().then_some(()));
}

#[test]
fn a_request_that_was_begun_is_answered_after_the_process_was_asked_to_stop() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let (mut stream, rest) = half_a_request(&server);
    server.ask_to_stop();
    no_longer_listens(&server);
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(server.ended().success());
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_process() {
    let home = Home::new();
    home.configure("[server]\ndrain_timeout = \"50ms\"\n");
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    let (mut stream, _) = half_a_request(&server);
    server.ask_to_stop();
    assert!(server.ended().success());
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "the connection was cut without an answer");
}

#[test]
fn stopped_under_load_nothing_acknowledged_is_lost_and_leases_are_given_back() {
    let seed = Seed(rand_seed());
    println!("LITFASS_SEED={}", seed.0);
    let (home, promises) = (Home::new(), Promises::default());
    home.load(&catalog(&sellers()));
    let server = home.serve();
    let address = server.address;
    std::thread::scope(|scope| {
        for caller in 0..3 {
            let promises = &promises;
            scope.spawn(move || load(address, seed.derive(caller), promises));
        }
        wait_for("answers under load", || (promises.answers.load(Ordering::Relaxed) >= 300).then_some(()));
        assert!(server.stop().success());
    });
    let promised = promises.list.into_inner().unwrap();
    nothing_promised_is_lost(&promised, &Logged::read(&home.data()));
    leases_hold_no_more_than_was_shown(&home);
}

/// What is still leased is what ads that were shown may yet bill; all the rest was given back.
fn leases_hold_no_more_than_was_shown(home: &Home) {
    let logged = Logged::read(&home.data());
    let mut shown: std::collections::BTreeMap<_, i128> = std::collections::BTreeMap::new();
    for ad in logged.decisions.values().flat_map(|record| &record.shown) {
        *shown.entry(ad.line_item).or_default() += litfass_ledger::Amount::of(ad.price).nanos();
    }
    let reader = books::open_ledger(&home.data());
    let leased = books::leased(&*reader);
    assert!(!leased.is_empty());
    for (line_item, nanos) in leased {
        let at_most = shown.get(&line_item).copied().unwrap_or(0);
        assert!(nanos <= at_most, "{line_item}: {nanos} nanos leased, ads worth {at_most} shown");
    }
}

#[test]
fn a_configuration_is_checked_and_printed_with_who_said_what() {
    let home = Home::new();
    home.configure("[access]\nrate = 7\n");
    let file = home.config();
    let ask = |what: &str, file: &std::path::Path| home.say(&["config", what, "--config", file.to_str().unwrap()]);
    let (status, said) = ask("check", &file);
    assert!(status.success() && said == "the configuration is sound\n", "{said}");
    let (_, said) = ask("print", &file);
    assert!(said.contains("\nrate = 7 # file\n") && said.contains("\nburst = \"2s\" # default\n"), "{said}");
    let bad = home.write("bad.toml", "[access]\nrate = 0\n[ledger]\nlease = \"1s\"\n");
    let (status, said) = ask("check", &bad);
    assert!(!status.success());
    assert!(
        said.contains("access.rate: must be 1") && said.contains("ledger.lease: there is no such setting"),
        "{said}"
    );
    let (status, said) = home.say(&["config", "docs"]);
    assert!(status.success() && said.starts_with("# Configuration") && said.contains("| `drain_timeout` |"));
}

#[test]
fn commands_take_the_configuration_and_reading_ones_make_no_folder() {
    let home = Home::new();
    let elsewhere = home.data().with_file_name("elsewhere");
    let file = home.write("own.toml", &format!("[server]\ndata_dir = '{}'\n", elsewhere.display()));
    let config = ["--config", file.to_str().unwrap()];
    for command in [&["train"][..], &["replay"], &["ledger", "verify"]] {
        let (status, said) = home.say(&[command, &config[..]].concat());
        assert!(!status.success() && said.contains("is no data directory"), "{command:?}: {said}");
        assert!(!elsewhere.exists(), "{command:?} made the folder");
    }
    let catalog = home.write("catalog.json", &catalog(&[Seller::by_the_mille(1)]).to_string());
    let (status, said) = home.say(&[&["catalog", "load", catalog.to_str().unwrap()], &config[..]].concat());
    assert!(status.success() && elsewhere.join("FORMAT").exists(), "{said}");
}

#[test]
fn the_process_log_is_json_where_asked_and_names_no_viewer_address_token_or_key() {
    let home = Home::new();
    home.configure("[telemetry]\nlog_format = \"json\"\n");
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let key = home.key(&["--role", "admin"]);
    let server = home.serve();
    let mut caller = server.caller().with_key(&key);
    let (user, address) = ("viewer-5316", "203.0.113.77");
    let mut request = page(HOME, 1, user);
    request["context"] = json!({ "ip": address, "user_agent": "Agent-8841" });
    let ad = caller.decide_filled(&request).remove(0);
    assert_eq!(caller.get(&ad.impression).status, 200);
    assert_eq!(caller.get(&format!("{}x", ad.click)).status, 404);
    assert_eq!(caller.send("POST", "/v1/decisions", &format!("{{\"user_id\":\"{user}\"")).status, 400);
    home.load(&catalog(&[Seller::by_the_mille(1), Seller::by_the_mille(2)]));
    wait_for("a line of the log", || home.process_log().contains("serving a new catalog").then_some(()));
    assert!(server.stop().success());
    let log = home.process_log();
    for line in log.lines() {
        assert!(line.parse::<serde_json::Value>().is_ok_and(|line| line["level"].is_string()), "{line}");
    }
    let token = crate::caller::Ad::token(&ad.impression);
    for secret in [user, address, "Agent-8841", token, &key] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
