//! Money over HTTP: it comes in, is spent, is given back and stands on a statement, each exactly once.

use std::collections::BTreeMap;

use litfass_server::recount::recount;
use litfass_sim::Response;
use litfass_store::ledger::Accounted;
use serde_json::{Value, json};

use crate::books::{open_ledger, open_log};
use crate::caller::{Ad, Caller, ads, page};
use crate::catalogs::{FLOOR_MICROS, HOME, Seller, catalog};
use crate::process::{Home, Litfass, wait_for};

/// The seller's account.
const ACCOUNT: &str = "/v1/accounts/11";
/// What one impression costs where nobody competes: the floor, as nanos.
const PRICE: i64 = FLOOR_MICROS;

/// One seller who has neither money nor credit.
fn penniless() -> (Home, Litfass) {
    let home = Home::new();
    home.load(&catalog(&[Seller { credit_micros: 0, bid_micros: FLOOR_MICROS, ..Seller::by_the_mille(1) }]));
    let server = home.serve();
    (home, server)
}

fn post(caller: &mut Caller, what: &str, body: &Value) -> Response {
    caller.send("POST", &format!("{ACCOUNT}/{what}"), &body.to_string())
}

fn applied(caller: &mut Caller, what: &str, body: &Value) -> Value {
    let response = post(caller, what, body);
    let answer = response.json();
    assert_eq!((response.status, &answer["outcome"]), (200, &json!("applied")), "{what} {body}: {answer}");
    answer
}

fn deposit(caller: &mut Caller, micros: i64) {
    applied(caller, "deposits", &json!({ "amount_micros": micros, "reason": "invoice 7" }));
}

fn nanos(view: &Value, field: &str) -> i64 {
    view[field].as_str().unwrap_or_else(|| panic!("{field} of {view}")).parse().unwrap()
}

fn balance(caller: &mut Caller) -> Value {
    let response = caller.get(ACCOUNT);
    assert_eq!(response.status, 200);
    response.json()
}

fn wait_until_spent(caller: &mut Caller, spent: i64) -> Value {
    wait_for("the charges", || Some(balance(caller)).filter(|view| nanos(view, "spent_nanos") == spent))
}

/// Shows and reports that many impressions.
fn deliver(caller: &mut Caller, count: usize) -> Vec<Ad> {
    let mut shown = Vec::new();
    while shown.len() < count {
        let ad = caller.decide_filled(&page(HOME, 1, &format!("user {}", shown.len()))).remove(0);
        assert_eq!(caller.get(&ad.impression).status, 200);
        shown.push(ad);
    }
    shown
}

/// This month where the account is.
fn month() -> String {
    jiff::Timestamp::now().to_string()[..7].to_owned()
}

fn statement(caller: &mut Caller) -> Value {
    let response = caller.get(&format!("{ACCOUNT}/statement?month={}", month()));
    assert_eq!(response.status, 200);
    response.json()
}

#[test]
fn without_funds_nothing_serves_and_the_record_says_so_until_money_comes_in() {
    let (_home, server) = penniless();
    let mut caller = server.caller();
    let mut request = page(HOME, 1, "u");
    request["explain"] = json!(true);
    let answer = caller.decide(&request);
    assert!(ads(&answer).is_empty());
    let ineligible = &answer["explain"]["ineligible"];
    assert!(ineligible.to_string().contains("funds"), "{ineligible}");
    deposit(&mut caller, 2 * PRICE / 1_000);
    assert_eq!(deliver(&mut caller, 2).len(), 2);
    let view = wait_until_spent(&mut caller, 2 * PRICE);
    assert_eq!((nanos(&view, "balance_nanos"), nanos(&view, "available_nanos")), (0, 0));
    for n in 0..20 {
        assert!(ads(&caller.decide(&page(HOME, 1, &format!("late {n}")))).is_empty(), "the deposit is spent");
    }
    applied(&mut caller, "credit-limit", &json!({ "limit_micros": PRICE / 1_000 }));
    assert_eq!(deliver(&mut caller, 1).len(), 1, "credit serves too");
    let view = wait_until_spent(&mut caller, 3 * PRICE);
    assert_eq!(nanos(&view, "balance_nanos"), -PRICE, "{view}");
}

#[test]
fn the_same_idempotency_key_is_one_wish_and_never_another() {
    let (_home, server) = penniless();
    let mut caller = server.caller().with_header("Idempotency-Key", "transfer 4711");
    let ask = json!({ "amount_micros": 5_000_000 });
    let first = applied(&mut caller, "deposits", &ask);
    let again = applied(&mut caller, "deposits", &ask);
    assert_eq!(first, again);
    let other = post(&mut caller, "deposits", &json!({ "amount_micros": 6_000_000 }));
    assert_eq!((other.status, &other.json()["type"]), (409, &json!("/problems/key-reused")));
    let command = first["command_id"].as_str().unwrap();
    assert_eq!(caller.get(&format!("{ACCOUNT}/commands/{command}")).json(), first);
    let mut other = server.caller();
    deposit(&mut other, 1);
    deposit(&mut other, 1);
    let view = balance(&mut other);
    assert_eq!(nanos(&view, "deposits_nanos"), 5_000_002_000, "without a key each is a wish of its own");
}

#[test]
fn an_adjustment_takes_no_more_than_is_available() {
    let (_home, server) = penniless();
    let mut caller = server.caller();
    deposit(&mut caller, 3_000);
    let beyond = post(&mut caller, "adjustments", &json!({ "amount_micros": -3_001, "reason": "fee" }));
    assert_eq!((beyond.status, &beyond.json()["type"]), (409, &json!("/problems/refused-by-ledger")));
    applied(&mut caller, "adjustments", &json!({ "amount_micros": -1_000, "reason": "fee" }));
    let view = balance(&mut caller);
    assert_eq!((nanos(&view, "adjustments_nanos"), nanos(&view, "balance_nanos")), (-1_000_000, 2_000_000));
    for (what, body, field) in [
        ("deposits", json!({ "amount_micros": 0 }), "amount_micros"),
        ("deposits", json!({ "amount_micros": -5 }), "amount_micros"),
        ("credit-limit", json!({ "limit_micros": -1 }), "limit_micros"),
        ("adjustments", json!({ "amount_micros": 1, "reason": "" }), "reason"),
        ("refunds", json!({ "reason": "x" }), "event"),
        ("refunds", json!({ "reason": "x", "event": { "decision_id": "abc", "slot": 0 } }), "event.decision_id"),
        ("refunds", json!({ "reason": "x", "period": { "from": "2026-11-02", "to": "2026-11-02" } }), "period.to"),
    ] {
        let refused = post(&mut caller, what, &body);
        assert_eq!((refused.status, &refused.json()["field"]), (400, &json!(field)), "{what} {body}");
    }
    assert_eq!(caller.get("/v1/accounts/999").status, 404);
    assert_eq!(caller.get(&format!("{ACCOUNT}/statement?month=2026-13")).status, 400);
}

#[test]
fn refunds_of_an_event_and_of_a_period_give_back_what_was_charged_once() {
    let (home, server) = penniless();
    let mut caller = server.caller();
    deposit(&mut caller, 3 * PRICE / 1_000);
    let shown = deliver(&mut caller, 3);
    wait_until_spent(&mut caller, 3 * PRICE);
    let event =
        json!({ "reason": "invalid traffic", "event": { "decision_id": shown[1].decision, "slot": shown[1].index } });
    for _ in 0..2 {
        let refunded = post(&mut caller, "refunds", &event).json();
        assert_eq!((nanos(&refunded, "refund_nanos"), &refunded["commands"][0]["outcome"]), (PRICE, &json!("applied")));
    }
    assert_eq!(nanos(&balance(&mut caller), "refunds_nanos"), PRICE);
    let unseen = json!({ "reason": "x", "event": { "decision_id": shown[1].decision, "slot": 4 } });
    assert_eq!(post(&mut caller, "refunds", &unseen).status, 409);
    let period = |line_item: u64| json!({ "reason": "outage", "period": { "line_item_id": line_item, "from": "2020-01-01", "to": "2100-01-01" } });
    assert_eq!(post(&mut caller, "refunds", &period(999)).status, 409, "another line item has no charges");
    let keyed = |caller: &mut Caller, body: &Value| {
        let key = [("Idempotency-Key", "outage-7")];
        caller.send_with("POST", &format!("{ACCOUNT}/refunds"), &key, &body.to_string())
    };
    let rest = keyed(&mut caller, &period(shown[0].line_item)).json();
    assert_eq!(nanos(&rest, "refund_nanos"), 2 * PRICE, "what the event's refund left");
    assert_eq!(keyed(&mut caller, &period(shown[0].line_item)).json(), rest, "the first outcome");
    let other = json!({ "reason": "outage", "period": { "from": "2020-01-01", "to": "2100-01-01" } });
    let reused = keyed(&mut caller, &other);
    assert_eq!((reused.status, &reused.json()["type"]), (409, &json!("/problems/key-reused")), "another period");
    assert_eq!(post(&mut caller, "refunds", &period(shown[0].line_item)).status, 409, "nothing is left");
    let view = balance(&mut caller);
    assert_eq!((nanos(&view, "refunds_nanos"), nanos(&view, "balance_nanos")), (3 * PRICE, 3 * PRICE));
    adds_up(&statement(&mut caller), 3 * PRICE);
    assert!(server.stop().success());
    crate::books::at_rest(&home.data());
    a_recount_finds_what_is_wrong(&home);
}

/// The ledger's account of the log, falsified in one place after the other.
fn a_recount_finds_what_is_wrong(home: &Home) {
    let (status, said) = home.command(&["ledger", "verify", "--log"]);
    assert!(status.success() && said.contains("3 billed"), "{said}");
    let (log, accounted) = (open_log(&home.data()), open_ledger(&home.data()).accounted().unwrap());
    let violated = |falsify: &dyn Fn(&mut Accounted)| {
        let mut accounted = accounted.clone();
        falsify(&mut accounted);
        let found = recount(&*log, &accounted).unwrap().violations;
        found.into_iter().map(|violation| violation.invariant).collect::<Vec<_>>()
    };
    assert_eq!(violated(&|_| ()), Vec::<&str>::new());
    let ends = |of: &Accounted| of.ranges.iter().filter(|range| range.next > range.from).count();
    assert!(ends(&accounted) > 0);
    let billed = "what was billed is what the log says";
    assert_eq!(violated(&|of| of.billed.clear()), [billed]);
    assert_eq!(violated(&|of| of.claims += 1), ["every claim of the log is in a batch"]);
    assert_eq!(violated(&|of| of.commands.clear()).first(), Some(&"the ledger's commands are the log's"));
    assert!(violated(&|of| of.ranges.clear()).contains(&"batches follow each other"));
}

/// Opening, charges, movements and closing balance agree, and with what the account holds.
fn adds_up(statement: &Value, balance: i64) {
    let sum = |list: &str| statement[list].as_array().unwrap().iter().map(|entry| nanos(entry, "nanos")).sum::<i64>();
    let opening = nanos(&statement["opening"], "nanos");
    assert_eq!(nanos(statement, "charged_nanos"), sum("charges"), "{statement}");
    assert_eq!(nanos(statement, "moved_nanos"), sum("movements"), "{statement}");
    assert_eq!(opening + sum("movements") - sum("charges"), nanos(&statement["closing"], "nanos"), "{statement}");
    assert_eq!(nanos(&statement["closing"], "nanos"), balance, "{statement}");
}

#[test]
fn a_statement_is_json_and_csv_with_the_same_entries() {
    let (_home, server) = penniless();
    let mut caller = server.caller();
    applied(&mut caller, "deposits", &json!({ "amount_micros": PRICE / 1_000, "reason": "=SUM(A1), \"paid\"" }));
    deliver(&mut caller, 1);
    wait_until_spent(&mut caller, PRICE);
    let json = statement(&mut caller);
    adds_up(&json, 0);
    assert_eq!(json["movements"][0]["by"], "open", "{json}");
    let csv = caller.get(&format!("{ACCOUNT}/statement?month={}&format=csv", month()));
    let csv = String::from_utf8(csv.body).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 5, "{csv}");
    assert!(lines[2].starts_with("charge,") && lines[2].contains(&format!(",-{PRICE},")), "{csv}");
    assert!(lines[3].ends_with(r#""'=SUM(A1), ""paid""""#), "{csv}");
}

#[test]
fn an_advertisers_key_reads_its_own_account_and_moves_no_money() {
    let (home, server) = penniless();
    let key = home.key(&["--role", "advertiser", "--tenant", "1", "--advertiser", "11"]);
    let mut own = server.caller().with_key(&key);
    wait_for("the key to be known", || (own.get(ACCOUNT).status == 200).then_some(()));
    assert_eq!(own.get("/v1/accounts/12").status, 404);
    let refused = post(&mut own, "deposits", &json!({ "amount_micros": 1_000_000 }));
    assert_eq!(refused.status, 403);
    assert_eq!(server.caller().get(ACCOUNT).status, 401);
}

#[test]
fn money_that_is_moved_stands_in_the_audit_log_and_its_head_is_told() {
    let (home, server) = penniless();
    let mut caller = server.caller();
    deposit(&mut caller, 1_000);
    applied(&mut caller, "credit-limit", &json!({ "limit_micros": 5, "reason": "trusted" }));
    let refused = post(&mut caller, "adjustments", &json!({ "amount_micros": -2_000_000, "reason": "too much" }));
    assert_eq!(refused.status, 409);
    let rows = caller.get("/v1/audit?kind=account&object=11").json();
    let told: Vec<_> = rows["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["action"].clone(), row["after"]["nanos"].clone()))
        .collect();
    let expected = [("adjust", "-2000000000"), ("set_limit", "5000"), ("deposit", "1000000")];
    assert_eq!(told, expected.map(|(action, nanos)| (json!(action), json!(nanos))), "{rows}");
    let (status, said) = home.command(&["ledger", "verify"]);
    assert!(status.success(), "{said}");
    let head = said.lines().find_map(|line| line.split_once(", head ")).unwrap().1.to_owned();
    deposit(&mut caller, 7);
    let (status, said) = home.command(&["ledger", "verify", "--expect-head", &head]);
    assert!(status.success(), "{said}");
    let beyond = format!("9{head}");
    let (status, said) = home.command(&["ledger", "verify", "--expect-head", &beyond]);
    assert!(!status.success() && said.contains("before the head"), "{said}");
}

#[test]
fn an_event_is_refunded_also_where_its_viewer_had_opted_out_when_it_came() {
    let (_home, server) = penniless();
    let mut caller = server.caller();
    deposit(&mut caller, 4 * PRICE / 1_000);
    let mut shown = Vec::new();
    for name in ["eve", "ada", "kim", "joe"] {
        shown.push(caller.decide_filled(&page(HOME, 1, name)).remove(0));
        assert_eq!(caller.send("PUT", &format!("/v1/users/{name}/opt-out?tenant=1"), "").status, 204);
    }
    shown.iter().for_each(|ad| assert_eq!(caller.get(&ad.impression).status, 200));
    wait_until_spent(&mut caller, 4 * PRICE);
    for ad in &shown {
        let event = json!({ "reason": "x", "event": { "decision_id": ad.decision, "slot": ad.index } });
        assert_eq!(nanos(&post(&mut caller, "refunds", &event).json(), "refund_nanos"), PRICE);
    }
}

#[test]
fn a_credit_limit_that_the_catalog_states_is_changed_there_alone() {
    let home = Home::new();
    home.load(&catalog(&[Seller { credit_micros: 70, ..Seller::by_the_mille(1) }]));
    let server = home.serve();
    let mut caller = server.caller();
    let refused = post(&mut caller, "credit-limit", &json!({ "limit_micros": 0 }));
    assert_eq!((refused.status, &refused.json()["type"]), (409, &json!("/problems/stated-by-catalog")));
}

/// Lines of an export that say `what`.
fn told<'a>(lines: &'a [Value], what: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter_map(move |line| line.get(what))
}

#[test]
fn an_export_holds_every_movement_of_money_and_adds_up_to_the_balances() {
    let (home, server) = penniless();
    let mut caller = server.caller();
    deposit(&mut caller, 10 * PRICE / 1_000);
    let shown = deliver(&mut caller, 3);
    wait_until_spent(&mut caller, 3 * PRICE);
    let event = json!({ "decision_id": shown[1].decision, "slot": shown[1].index });
    let refunded = post(&mut caller, "refunds", &json!({ "reason": "invalid traffic", "event": event }));
    assert_eq!(refunded.status, 200, "{}", refunded.json());
    applied(&mut caller, "adjustments", &json!({ "amount_micros": -1_000, "reason": "fee" }));
    let (status, said) = home.command(&["ledger", "export"]);
    assert!(status.success(), "{said}");
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["end"]["rows"], lines.len() - 1, "a whole one says how long it is");

    let mut folded: BTreeMap<String, (i128, i128)> = BTreeMap::new();
    let nanos = |value: &Value| value.as_str().unwrap().parse::<i128>().unwrap();
    for posting in told(&lines, "posting") {
        folded.entry(posting["debit"].to_string()).or_default().0 += nanos(&posting["nanos"]);
        folded.entry(posting["credit"].to_string()).or_default().1 += nanos(&posting["nanos"]);
    }
    let balance = |balance: &Value| {
        (balance["account"].to_string(), (nanos(&balance["debits_nanos"]), nanos(&balance["credits_nanos"])))
    };
    let balances: BTreeMap<_, _> = told(&lines, "balance").map(balance).collect();
    assert_eq!(folded, balances, "every balance is the fold of the postings");
    let funds = balances[&json!({ "kind": "funds", "owner": 11 }).to_string()];
    assert_eq!(funds.1 - funds.0, i128::from(8 * PRICE) - 1_000_000);

    let billed: i128 = told(&lines, "delivery").map(|delivery| nanos(&delivery["billed"]["nanos"])).sum();
    let posted =
        told(&lines, "posting").filter(|posting| posting["kind"] == "bill").map(|posting| nanos(&posting["nanos"]));
    assert_eq!((billed, posted.sum()), (i128::from(3 * PRICE), i128::from(3 * PRICE)));
    let actions: Vec<_> = told(&lines, "command").map(|command| command["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["deposit", "refund", "adjust"]);
    let account = told(&lines, "control").find(|control| control["level"] == "account").unwrap();
    assert_eq!(
        (&account["spent_nanos"], &account["restored_nanos"]),
        (&json!((3 * PRICE).to_string()), &json!(PRICE.to_string()))
    );
    assert!(
        told(&lines, "position").any(|position| position["kind"] == "events" && position["next"].as_u64() > Some(3))
    );
}
