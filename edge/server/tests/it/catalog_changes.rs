//! A catalog loaded again, changed, and served while it changes.

use serde_json::json;

use litfass_store::log::Entry;
use litfass_store::wire::{Body, decode};

use crate::books::{each_entry, open_log};
use crate::caller::{Caller, ads, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, wait_for};

/// How far the catalog has come.
fn sequence(caller: &mut Caller) -> f64 {
    caller.metrics().get("litfass_catalog_sequence").copied().unwrap_or(0.0)
}

/// Commands that were ever sent to the ledger.
fn commands(home: &Home) -> usize {
    let mut commands = 0;
    let count = |entry: &Entry| commands += usize::from(matches!(decode(entry).unwrap().body, Body::Command(_)));
    each_entry(&*open_log(&home.data()), count).unwrap();
    commands
}

#[test]
fn loading_the_same_file_twice_changes_nothing() {
    let home = Home::new();
    let file = catalog(&[Seller::by_the_mille(1), Seller::by_the_click(2)]);
    home.load(&file);
    let server = home.serve();
    let before = wait_for("the catalog to be served", || {
        let sequence = sequence(&mut server.caller());
        (sequence > 0.0).then_some(sequence)
    });
    assert!(server.stop().success());
    let sent = commands(&home);
    assert!(sent > 0, "limits were sent");
    home.load(&file);
    let server = home.serve();
    wait_for("a filled decision", || (!server.caller().decide_filled(&page(HOME, 1, "u")).is_empty()).then_some(()));
    assert_eq!(before.to_bits(), sequence(&mut server.caller()).to_bits(), "no object changed");
    assert!(server.stop().success());
    assert_eq!(commands(&home), sent, "no command was sent again");
}

#[test]
fn a_change_is_served_while_the_server_runs() {
    let home = Home::new();
    let first = Seller::by_the_mille(1);
    home.load(&catalog(std::slice::from_ref(&first)));
    let server = home.serve();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "u"));
    home.load(&catalog(&[first, Seller { bid_micros: 9_000_000, ..Seller::by_the_mille(2) }]));
    wait_for("the new seller to win", || {
        ads(&caller.decide(&page(HOME, 1, "u"))).first().is_some_and(|ad| ad.line_item == 1_002).then_some(())
    });
}

#[test]
fn what_is_paused_is_no_longer_shown() {
    let home = Home::new();
    let seller = Seller::by_the_mille(1);
    home.load(&catalog(std::slice::from_ref(&seller)));
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    home.load(&catalog(&[Seller { line_item: json!({ "status": "paused" }), ..seller }]));
    wait_for("nothing to be shown", || ads(&caller.decide(&page(HOME, 1, "u"))).is_empty().then_some(()));
    assert_eq!(caller.get(&ad.click).status, 302, "a shown ad's click still leads on");
}

#[test]
fn a_raised_budget_lets_a_line_item_go_on() {
    let home = Home::new();
    let seller = |budget: i64| Seller {
        bid_micros: 1_000_000,
        line_item: json!({ "budget_micros": budget }),
        ..Seller::by_the_mille(1)
    };
    home.load(&catalog(&[seller(1_000)]));
    let server = home.serve();
    let mut caller = server.caller();
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    assert_eq!(caller.get(&ad.impression).status, 200);
    wait_for("the budget to be spent", || (caller.spent_micros(101) == 1_000).then_some(()));
    home.load(&catalog(&[seller(2_000)]));
    let ad = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    assert_eq!(caller.get(&ad.impression).status, 200);
    wait_for("the raised budget to be spent", || (caller.spent_micros(101) == 2_000).then_some(()));
}
