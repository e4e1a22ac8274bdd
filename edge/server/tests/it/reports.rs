//! Reports over HTTP and from the command line: every figure once, in the hour where it happened, and as much money as the
//! ledger charged.

use serde_json::{Value, json};

use crate::caller::{Ad, Caller, page};
use crate::catalogs::{FLOOR_MICROS, HOME, Seller, catalog};
use crate::process::{Home, Litfass, now_ms, wait_for};

const HOUR_MS: i64 = 3_600_000;
/// What one impression costs where nobody competes, in nanos.
const PRICE: i64 = FLOOR_MICROS;

fn shop() -> (Home, Litfass) {
    let home = Home::new();
    home.load(&catalog(&[Seller { bid_micros: FLOOR_MICROS, ..Seller::by_the_mille(1) }]));
    let server = home.serve();
    (home, server)
}

fn report(caller: &mut Caller, parameters: &str) -> Value {
    let response = caller.get(&format!("/v1/reports?from=2020-01-01{parameters}"));
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    response.json()
}

/// The totals once they show that many of one figure.
fn settled(caller: &mut Caller, figure: &str, count: u64) -> Value {
    wait_for(figure, || Some(report(caller, "")["totals"].clone()).filter(|totals| totals[figure] == count))
}

fn shown(caller: &mut Caller, user: &str, country: &str) -> Ad {
    let mut request = page(HOME, 1, user);
    request["context"] = json!({ "country": country });
    caller.decide_filled(&request).remove(0)
}

fn impression(ad: &Ad) -> Value {
    json!({ "type": "impression", "token": Ad::token(&ad.impression) })
}

fn click(ad: &Ad) -> Value {
    json!({ "type": "click", "token": Ad::token(&ad.click) })
}

#[test]
fn every_figure_counts_once_and_the_spend_is_the_ledgers() {
    let (home, server) = shop();
    let mut caller = server.caller();
    let (de, us) = (shown(&mut caller, "anna", "DE"), shown(&mut caller, "ben", "US"));
    let events =
        [impression(&de), impression(&us), json!({ "type": "viewable", "token": Ad::token(&de.viewable) }), click(&de)];
    for _ in 0..3 {
        caller.events(&events);
    }
    let order =
        json!({ "type": "conversion", "tenant": 1, "user_id": "anna", "order_id": "7", "value_micros": 19_990_000 });
    let nobodys = json!({ "type": "conversion", "tenant": 1, "user_id": "carl", "order_id": "8", "value_micros": 1 });
    caller.events(&[order.clone(), nobodys]);
    caller.events(&[order]);
    let totals = settled(&mut caller, "conversions", 1);
    let expected = [("impressions", 2), ("viewables", 1), ("clicks", 1), ("filled", 2)];
    for (figure, count) in expected {
        assert_eq!(totals[figure], count, "{figure} of {totals}");
    }
    assert_eq!((&totals["ctr"], &totals["cvr"]), (&json!(0.5), &json!(1.0)));
    assert_eq!(totals["conversion_value_micros"], "19990000");
    assert_eq!(totals["spent_nanos"], (2 * PRICE).to_string());
    assert_eq!(totals["ecpm_micros"], json!(PRICE as f64));
    let account = caller.get("/v1/accounts/11").json();
    assert_eq!(totals["spent_nanos"], account["spent_nanos"]);
    let by_country = report(&mut caller, "&dimensions=country,placement");
    let rows = by_country["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{by_country}");
    assert_eq!((&rows[0]["country"], &rows[0]["clicks"]), (&json!("DE"), &json!(1)));
    assert_eq!((&rows[1]["country"], &rows[1]["clicks"], &rows[1]["filled"]), (&json!("US"), &json!(0), &json!(1)));
    wait_for("every partition to have been read", || report(&mut caller, "")["complete_until"].as_str().map(drop));
    let by_ad = report(&mut caller, &format!("&dimensions=campaign,line_item,ad,creative&ad={}", de.id));
    assert_eq!((&by_ad["rows"][0]["campaign"], &by_ad["rows"][0]["requests"]), (&json!(101), &Value::Null), "{by_ad}");
    command_line_says_the_same(&home, &totals);
}

fn command_line_says_the_same(home: &Home, totals: &Value) {
    let (status, json) = home.command(&["report", "--from", "2020-01-01", "--format", "json"]);
    assert!(status.success(), "{json}");
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(&told["totals"], totals);
    let (_, csv) = home.command(&["report", "--from", "2020-01-01", "--dimensions", "line_item", "--format", "csv"]);
    assert!(csv.starts_with("line_item,requests,") && csv.lines().count() == 2, "{csv}");
    let (_, table) =
        home.command(&["report", "--from", "2020-01-01", "--dimensions", "line_item", "--line-item", "1001"]);
    assert!(table.contains("1001") && table.contains("complete until"), "{table}");
}

#[test]
fn a_late_event_counts_in_the_hour_in_which_it_happened() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let ad = shown(&mut caller, "anna", "DE");
    // An event cannot come before its decision: what says so is counted with the decision.
    let long_ago =
        json!({ "type": "impression", "token": Ad::token(&ad.impression), "time": now_ms() - 90 * 24 * HOUR_MS });
    caller.events(&[long_ago]);
    settled(&mut caller, "impressions", 1);
    let hours = report(&mut caller, "&granularity=hour");
    let rows = hours["rows"].as_array().unwrap();
    assert!(rows.len() <= 2, "in the hour of the decision, or of the one before: {hours}");
    let kolkata = report(&mut caller, "&granularity=hour&time_zone=Asia/Kolkata");
    let time = kolkata["rows"][0]["time"].as_str().unwrap();
    assert!(time.ends_with(":00:00+05:30"), "{time}");
    let days = report(&mut caller, "&granularity=day&time_zone=Pacific/Auckland");
    assert_eq!(days["rows"][0]["time"].as_str().unwrap().len(), 10, "{days}");
    assert_eq!(days["totals"], hours["totals"]);
    let empty = caller.get("/v1/reports?from=2020-01-01&to=2020-02-01").json();
    assert_eq!(empty["rows"], json!([]));
}

#[test]
fn a_refund_shows_in_the_report_as_on_the_account() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let ad = shown(&mut caller, "anna", "DE");
    caller.events(&[impression(&ad)]);
    settled(&mut caller, "impressions", 1);
    let ask = json!({ "reason": "bot", "event": { "decision_id": ad.decision, "slot": ad.index } });
    let refunded = caller.send("POST", "/v1/accounts/11/refunds", &ask.to_string());
    assert_eq!(refunded.status, 200);
    let totals = report(&mut caller, "&dimensions=line_item")["totals"].clone();
    assert_eq!(
        (&totals["spent_nanos"], &totals["refunded_nanos"]),
        (&json!(PRICE.to_string()), &json!(PRICE.to_string()))
    );
    assert_eq!(caller.get("/v1/accounts/11").json()["refunds_nanos"], totals["refunded_nanos"]);
}

#[test]
fn an_advertisers_key_sees_its_own_rows_and_no_requests() {
    let home = Home::new();
    let seller = |number| Seller { bid_micros: FLOOR_MICROS, ..Seller::by_the_mille(number) };
    home.load(&catalog(&[seller(1), seller(2)]));
    let server = home.serve();
    let admin = home.key(&["--role", "admin"]);
    let mut app = server.caller().with_key(&admin);
    wait_for("the key to be known", || (app.get("/v1/keys").status == 200).then_some(()));
    let mut request = page(HOME, 2, "anna");
    request["placements"][0]["slots"] = json!(2);
    let ads = wait_for("both to be shown", || Some(app.decide_filled(&request)).filter(|ads| ads.len() == 2));
    app.events(&ads.iter().map(impression).collect::<Vec<_>>());
    settled(&mut app, "impressions", 2);
    let key = home.key(&["--role", "advertiser", "--tenant", "1", "--advertiser", "12"]);
    let mut own = server.caller().with_key(&key);
    wait_for("the key to be known", || (own.get("/v1/accounts/12").status == 200).then_some(()));
    let seen = report(&mut own, "&dimensions=advertiser");
    assert_eq!(seen["rows"].as_array().unwrap().len(), 1, "{seen}");
    assert_eq!((&seen["rows"][0]["advertiser"], &seen["rows"][0]["impressions"]), (&json!(12), &json!(1)));
    assert_eq!(report(&mut own, "&advertiser=11")["rows"], json!([]), "another's rows, whatever is asked for");
    assert_eq!(report(&mut own, "&dimensions=placement")["totals"]["requests"], Value::Null);
    let serving = home.key(&["--role", "serving", "--tenant", "1"]);
    let mut serving = server.caller().with_key(&serving);
    wait_for("the key to be known", || (serving.get("/v1/reports?from=2020-01-01").status == 403).then_some(()));
}

#[test]
fn events_are_exported_as_they_were_recorded_within_the_keys_scope() {
    let (home, server) = shop();
    let mut caller = server.caller();
    let ad = shown(&mut caller, "anna", "DE");
    let view = json!({ "type": "view", "user_id": "anna", "tenant": 1, "item": "SKU-1" });
    caller.events(&[impression(&ad), click(&ad), view]);
    settled(&mut caller, "clicks", 1);
    let lines = |caller: &mut Caller, parameters: &str| {
        let response = caller.get(&format!("/v1/events/export?from=2020-01-01T00:00:00Z{parameters}"));
        assert_eq!(response.status, 200);
        String::from_utf8(response.body).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let found = lines(&mut caller, "");
    let rows: Vec<Value> = found.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<_> = rows.iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["impression", "click", "view"], "a viewer's events keep their order");
    assert_eq!((&rows[0]["decision_id"], &rows[0]["bills"]), (&json!(ad.decision), &json!(true)));
    assert_eq!((&rows[1]["line_item_id"], &rows[1]["geo"]), (&json!(ad.line_item), &json!("DE")));
    let csv = lines(&mut caller, "&format=csv");
    assert!(csv.len() == 4 && csv[0].starts_with("type,event_id,"), "{csv:?}");
    assert!(lines(&mut caller, "&to=2020-02-01T00:00:00Z").is_empty());
    let (status, said) = home.command(&["export", "events"]);
    assert!(status.success());
    assert_eq!(said.lines().collect::<Vec<_>>(), found);
    let key = home.key(&["--role", "advertiser", "--tenant", "1", "--advertiser", "11"]);
    let mut own = server.caller().with_key(&key);
    wait_for("the key to be known", || (own.get("/v1/accounts/11").status == 200).then_some(()));
    let told = lines(&mut own, "");
    assert_eq!(told.len(), 2, "views are the tenant's");
    assert!(rows[0]["user_id"].is_string() && told.iter().all(|line| line.contains("\"user_id\":null")), "{told:?}");
}
