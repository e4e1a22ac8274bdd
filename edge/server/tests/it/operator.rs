//! The operator's pages over HTTP: what they say, to whom, and what their buttons do.

use litfass_sim::Response;
use serde_json::json;

use crate::caller::{Ad, Caller, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, Litfass, wait_for};

pub(crate) const HOSTILE: &str = "<script>alert(1)</script>";

/// Two sellers, the first of them with a hostile name on a daily budget, paced evenly.
pub(crate) fn shop() -> Home {
    let home = Home::new();
    let paced = Seller {
        campaign: json!({ "name": HOSTILE, "daily_budget_micros": 90_000_000 }),
        line_item: json!({ "pacing": "even" }),
        ..Seller::by_the_mille(1)
    };
    home.load(&catalog(&[paced, Seller::by_the_mille(2)]));
    home
}

pub(crate) fn html(response: Response) -> String {
    String::from_utf8(response.body).unwrap()
}

fn read(caller: &mut Caller, path: &str) -> String {
    let response = caller.get(path);
    assert_eq!(response.status, 200, "{path}");
    html(response)
}

/// One impression of each seller, reported until the figures show it.
fn delivered(server: &Litfass) -> Caller {
    let mut caller = server.caller();
    let events: Vec<_> = caller
        .decide_filled(&page(HOME, 2, "u"))
        .iter()
        .map(|ad| json!({ "type": "impression", "token": Ad::token(&ad.impression) }))
        .collect();
    assert!(!events.is_empty());
    caller.events(&events);
    let count =
        |caller: &mut Caller| caller.get("/v1/reports?from=2020-01-01").json()["totals"]["impressions"].as_u64();
    wait_for("the report", || (count(&mut caller) == Some(events.len() as u64)).then_some(()));
    caller
}

#[test]
fn a_campaign_is_found_by_its_name_with_todays_figures_and_its_line_items() {
    let home = shop();
    let server = home.serve();
    let mut caller = delivered(&server);
    let list = read(&mut caller, "/campaigns?name=Campaign&status=active");
    assert!(list.contains("href=\"/campaigns/102\"") && !list.contains("/campaigns/101"), "{list}");
    assert!(list.contains("Delivery is "), "{list}");
    let paused = read(&mut caller, "/campaigns?status=paused");
    assert!(paused.contains("There is no such campaign"));
    let one = read(&mut caller, "/campaigns/101");
    assert!(
        one.contains("90.00 a day") && one.contains("polyline") && one.contains("/line-items/1001/why-not"),
        "{one}"
    );
    assert!(one.contains("spread over the traffic that is forecast for the day"));
    let other = read(&mut caller, "/campaigns/102");
    assert!(other.contains("there is no plan to keep to") && !other.contains("line truth"), "{other}");
    assert_eq!(caller.get("/campaigns/999").status, 404);
}

#[test]
fn a_list_of_many_campaigns_goes_on_with_the_next_page() {
    let home = Home::new();
    let sellers: Vec<_> = (1..=60).map(Seller::by_the_mille).collect();
    home.load(&catalog(&sellers));
    let server = home.serve();
    let mut caller = server.caller();
    let first = read(&mut caller, "/campaigns?name=Camp");
    assert_eq!(first.matches("href=\"/campaigns/1").count(), 50);
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = read(&mut caller, &next);
    assert_eq!(second.matches("href=\"/campaigns/1").count(), 10);
    assert!(!second.contains("rel=\"next\""));
}

#[test]
fn hostile_names_stay_text_and_problems_are_pages_for_people() {
    let home = shop();
    let server = home.serve();
    let mut person = server.caller().with_header("Accept", "text/html,*/*");
    for path in
        ["/campaigns", "/campaigns/101", "/campaigns?name=%3Cscript%3Ealert(1)%3C/script%3E&status=%22%3E%3Cscript%3E"]
    {
        let page = read(&mut person, path);
        assert!(!page.contains("<script"), "{path}: {page}");
    }
    let absent = person.get("/campaigns/%3Cscript%3Ealert(1)");
    assert_eq!((absent.status, absent.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(!html(absent).contains("<script"));
    assert_eq!(server.caller().get("/campaigns/7").header("content-type"), Some("application/problem+json"));
}

#[test]
fn the_buttons_of_a_campaign_stop_it_and_start_it_again() {
    let home = shop();
    let server = home.serve();
    let mut caller = delivered(&server);
    let status = |caller: &mut Caller| caller.get("/v1/campaigns/102").json()["status"].as_str().unwrap().to_owned();
    for (button, after) in [("kill", "paused"), ("resume", "active"), ("pause", "paused")] {
        let pressed = caller.send_form(&format!("/campaigns/102/{button}"), "");
        assert_eq!((pressed.status, pressed.header("location")), (303, Some("/campaigns/102")), "{button}");
        assert_eq!(status(&mut caller), after, "{button}");
    }
    let audit = caller.get("/v1/audit?limit=3").json();
    let actions: Vec<_> = (0..3).map(|i| audit["entries"][i]["action"].clone()).collect();
    assert_eq!(actions, ["pause", "resume", "kill"]);
    assert_eq!(caller.send_form("/campaigns/999/kill", "").status, 404);
}

#[test]
fn pages_show_what_a_key_reaches_and_no_more() {
    let home = shop();
    let key = |arguments: &[&str]| home.key(arguments);
    let (admin, other) = (key(&["--role", "admin"]), key(&["--role", "admin", "--tenant", "2"]));
    let own = key(&["--role", "advertiser", "--tenant", "1", "--advertiser", "11"]);
    let reporting = key(&["--role", "reporting", "--tenant", "1"]);
    let server = home.serve();
    let with = |key: &str| server.caller().with_key(key).with_header("Accept", "text/html");
    assert!(read(&mut with(&admin), "/campaigns").contains("/campaigns/102"));
    assert!(!read(&mut with(&other), "/campaigns").contains("/campaigns/1"));
    let list = read(&mut with(&own), "/campaigns");
    assert!(list.contains("/campaigns/101") && !list.contains("/campaigns/102"), "{list}");
    for (key, path) in [(&other, "/campaigns/101"), (&own, "/campaigns/102")] {
        assert_eq!(with(key).get(path).status, 404, "{path}");
        assert_eq!(with(key).send_form(&format!("{path}/kill"), "").status, 404, "{path}");
    }
    assert!(read(&mut with(&own), "/campaigns/101").contains("Kill now"));
    assert!(!read(&mut with(&reporting), "/campaigns/101").contains("Kill now"));
    assert_eq!(with(&reporting).send_form("/campaigns/101/kill", "").status, 403);
    assert_eq!(server.caller().get("/campaigns").status, 401);
}

#[test]
fn the_page_says_why_a_line_item_was_not_shown() {
    let home = shop();
    let server = home.serve();
    let mut caller = delivered(&server);
    assert_eq!(caller.send("POST", "/v1/line_items/1002/pause", "").status, 200);
    wait_for("the pause to be served", || {
        let answer = caller.decide(&page(HOME, 5, "u"));
        crate::caller::ads(&answer).iter().all(|ad| ad.line_item != 1_002).then_some(())
    });
    let said = wait_for("the requests to be in the log", || {
        let page = read(&mut caller, "/line-items/1002/why-not");
        page.contains("paused or archived").then_some(page)
    });
    for part in ["Most often: ", "Line 2", "/campaigns/102", "requests of people", "Worked out again from the record"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(read(&mut caller, "/line-items/1002/why-not?span=day").contains("aria-current=\"true\">the last day"));
    assert_eq!(caller.get("/line-items/9/why-not").status, 404);
}

#[test]
fn an_account_shows_its_balance_and_the_months_statement() {
    let home = shop();
    let server = home.serve();
    let mut caller = delivered(&server);
    let deposit = caller.send(
        "POST",
        "/v1/accounts/12/deposits",
        &json!({ "amount_micros": 12_340_000, "reason": HOSTILE }).to_string(),
    );
    assert_eq!(deposit.status, 200, "{}", String::from_utf8_lossy(&deposit.body));
    assert!(read(&mut caller, "/accounts").contains("href=\"/accounts/12\""));
    assert!(!read(&mut caller, "/accounts?name=Seller+1").contains("href=\"/accounts/12\""));
    let account = read(&mut caller, "/accounts/12");
    for part in
        ["12.34", "deposit: &lt;script&gt;", "charged events of line item 1002", "format=csv", "Closing balance"]
    {
        assert!(account.contains(part), "{part} is not in {account}");
    }
    assert!(!account.contains("<script"));
    assert!(!read(&mut caller, "/accounts/12?month=2001-01").contains("charged events"));
    assert_eq!(caller.get("/accounts/12?month=soon").status, 400);
    assert_eq!(caller.get("/accounts/77").status, 404);
}

#[test]
fn the_health_page_names_every_worker_the_log_and_the_configuration() {
    let home = shop();
    let server = home.serve();
    let mut caller = delivered(&server);
    let health = read(&mut caller, "/health");
    for part in ["Ready", "billing", "pacing", "catalog", "GiB", "exploration_ppm = 0", "Ledger behind"] {
        assert!(health.contains(part), "{part} is not in {health}");
    }
}

#[test]
fn the_last_decisions_lead_to_one_in_full_and_others_are_found_by_id() {
    let home = shop();
    let server = home.serve();
    let mut caller = delivered(&server);
    let list = read(&mut caller, "/decisions");
    let id = list.split("href=\"/decisions/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(
        caller.get(&format!("/decisions?id=+{id}")).header("location"),
        Some(format!("/decisions/{id}").as_str())
    );
    caller.explanation(&id);
    assert!(read(&mut caller, &format!("/decisions/{id}")).contains("How the candidates ended here"));
    let elsewhere = caller.get("/decisions?id=../health");
    assert_eq!(elsewhere.header("location"), Some("/decisions/..%2Fhealth"));
}

#[test]
fn a_narrow_key_starts_at_its_own_campaigns_and_sees_no_ones_health() {
    let home = shop();
    home.key(&["--role", "admin"]);
    let own = home.key(&["--role", "advertiser", "--tenant", "1", "--advertiser", "11"]);
    let server = home.serve();
    let person = || server.caller().with_key(&own).with_header("Accept", "text/html");
    assert_eq!(person().get("/").header("location"), Some("/campaigns"));
    assert_eq!(person().get("/health").status, 403);
    let accounts = read(&mut person(), "/accounts");
    assert!(accounts.contains("/accounts/11") && !accounts.contains("/accounts/12"), "{accounts}");
    assert_eq!(person().get("/accounts/12").status, 404);
    assert_eq!(person().get("/line-items/1002/why-not").status, 404);
    assert_eq!(person().get("/line-items/1001/why-not").status, 200);
    assert!(read(&mut person(), "/decisions").contains("it takes a key of the platform"));
}
