//! A decision asked for twice under one name is made once.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::caller::{Caller, ads, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, Litfass};

/// One seller, who may be shown to a viewer once.
fn served() -> (Home, Litfass) {
    let home = Home::new();
    let capped = Seller {
        campaign: json!({ "frequency_caps": [{ "max": 1, "window_minutes": 1440 }] }),
        ..Seller::by_the_mille(1)
    };
    home.load(&catalog(&[capped]));
    let server = home.serve();
    // Until there is a lease, nothing is shown whoever asks.
    server.caller().decide_filled(&page(HOME, 1, "warm"));
    (home, server)
}

fn named(user: &str, id: &str) -> Value {
    let mut ask = page(HOME, 1, user);
    ask["request_id"] = json!(id);
    ask
}

fn decisions(caller: &mut Caller) -> f64 {
    let metrics = caller.metrics();
    ["filled", "empty"].iter().map(|result| metrics[&format!("litfass_decisions_total{{result=\"{result}\"}}")]).sum()
}

#[test]
fn a_retry_gets_the_same_ads_and_counts_once_against_the_cap() {
    let (_home, server) = served();
    let mut caller = server.caller();
    let first = caller.decide(&named("ada", "r-1"));
    assert_eq!(ads(&first).len(), 1, "{first}");
    assert_eq!(caller.decide(&named("ada", "r-1")), first);
    assert_eq!(
        ads(&caller.decide(&named("ada", "r-2"))).len(),
        0,
        "another request is another decision, and the cap is reached"
    );
    let mut other = named("bob", "r-1");
    let refused = caller.send("POST", "/v1/decisions", &other.to_string());
    assert_eq!((refused.status, &refused.json()["field"]), (409, &json!("request_id")), "one name, two questions");
    other["request_id"] = json!("r-3");
    assert_eq!(ads(&caller.decide(&other)).len(), 1);
}

#[test]
fn who_hangs_up_and_asks_again_is_held_for_once() {
    let (_home, server) = served();
    let mut caller = server.caller();
    let before = decisions(&mut caller);
    let ask = named("ada", "gone");
    for _ in 0..3 {
        let message = caller.message("POST", "/v1/decisions", &ask.to_string());
        TcpStream::connect(server.address).unwrap().write_all(&message).unwrap();
    }
    let answer = caller.decide(&ask);
    assert_eq!(ads(&answer).len(), 1, "the cap of one is not used up by those who hung up: {answer}");
    assert_eq!(caller.decide(&ask), answer);
    assert!((decisions(&mut caller) - before - 1.0).abs() < f64::EPSILON, "made once");
}

#[test]
fn those_who_ask_at_once_under_one_name_get_one_decision() {
    let (_home, server) = served();
    let before = decisions(&mut server.caller());
    let ask = named("ada", "crowd");
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| server.caller().decide(&ask))).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert!((decisions(&mut server.caller()) - before - 1.0).abs() < f64::EPSILON, "made once");
}

#[test]
fn who_may_not_ask_takes_no_room_among_the_remembered() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let [admin, serving, reporting] = ["admin", "serving", "reporting"].map(|role| home.key(&["--role", role]));
    let server = home.serve();
    let [mut admin, mut serving, mut reporting] = [admin, serving, reporting].map(|key| server.caller().with_key(&key));
    let mut remembered = || admin.metrics()["litfass_retry_bytes"];
    let mut unsound = named("ada", "unsound");
    unsound["placements"][0]["id"] = json!(99_999);
    for id in 0..5 {
        let ask = named("ada", &format!("r-{id}")).to_string();
        assert_eq!(reporting.send("POST", "/v1/decisions", &ask).status, 403);
        assert_eq!(serving.send("POST", "/v1/decisions", &unsound.to_string()).status, 404);
    }
    assert!(remembered() < 0.5);
    serving.decide(&named("ada", "r-1"));
    assert!(remembered() > 100.0);
}
