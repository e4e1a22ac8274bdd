//! From an empty server to the last charge, over HTTP alone: two tenants, three advertisers, ten thousand line items, edits while ads
//! are asked for, and books that agree at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use litfass_types::Seed;
use serde_json::{Value, json};

use crate::books::{self, Logged};
use crate::caller::{Ad, Caller, ads};
use crate::catalogs::FLOOR_MICROS;
use crate::dice::Dice;
use crate::kill::{ledger_and_log_agree, reports_agree, the_command_line_verifies};
use crate::process::{Home, Litfass, wait_for};

/// Line items of the larger tenant; the smaller one has a tenth of them.
const LINE_ITEMS: usize = 10_000;
/// Each line item is targeted at one shelf of the shop; the first two share the first shelf with nobody.
const SHELVES: usize = 1_000;
/// So many of them are looked at: what is asked for again and again has budget set aside.
const VISITED: u64 = 8;
/// What each caller sees at least, however slow the machine is.
const IMPRESSIONS_MIN: u64 = 30;
const OWN_SHELF: usize = 0;
/// A tenant with its keys, its one placement and its advertisers.
struct Tenant {
    admin: String,
    serving: String,
    placement: u64,
    advertisers: Vec<u64>,
    line_items: usize,
}

fn made(caller: &mut Caller, list: &str, body: &Value) -> u64 {
    let response = caller.send("POST", &format!("/v1/{list}"), &body.to_string());
    assert_eq!(response.status, 201, "{list}: {}", String::from_utf8_lossy(&response.body));
    response.json()["id"].as_u64().unwrap()
}

fn key(platform: &mut Caller, role: &str, tenant: u64) -> String {
    let ask = json!({ "role": role, "tenant": tenant });
    let response = platform.send("POST", "/v1/keys", &ask.to_string());
    response.json()["key"].as_str().unwrap().to_owned()
}

/// Every row must be taken.
fn bulk(caller: &mut Caller, section: &str, rows: &[Value]) {
    let response = caller.send("POST", &format!("/v1/{section}/bulk"), &json!({ "rows": rows }).to_string());
    let answer = response.json();
    assert_eq!((response.status, &answer["created"]), (200, &json!(rows.len())), "{section}: {}", answer["results"][0]);
}

/// Made by the tenant's own admin, with money on every account.
fn tenant(server: &Litfass, platform: &mut Caller, name: &str, advertisers: &[&str], line_items: usize) -> Tenant {
    let id = made(platform, "tenants", &json!({ "name": name }));
    let (admin, serving) = (key(platform, "admin", id), key(platform, "serving", id));
    let mut own = server.caller().with_key(&admin);
    let placement =
        made(&mut own, "placements", &json!({ "name": "shelf", "slots_max": 2, "floor_micros": FLOOR_MICROS }));
    let advertisers = advertisers.iter().map(|name| advertiser(&mut own, name)).collect::<Vec<_>>();
    let names: Vec<String> = (0..advertisers.len()).map(|n| format!("campaign-{n}")).collect();
    for (name, advertiser) in names.iter().zip(&advertisers) {
        made(&mut own, "campaigns", &json!({ "advertiser": advertiser, "name": name, "external_id": name }));
        let creative = json!({ "advertiser": advertiser, "external_id": format!("creative of {name}"), "format": "sponsored_item",
                               "title": name, "text": "", "landing_url": "https://shop.example/", "review": "approved" });
        made(&mut own, "creatives", &creative);
    }
    let rows = |row: &dyn Fn(usize, &str) -> Value| {
        (0..line_items).map(|n| row(n, &names[n % names.len()])).collect::<Vec<_>>()
    };
    bulk(&mut own, "line_items", &rows(&line_item));
    bulk(
        &mut own,
        "ads",
        &rows(
            &|n, campaign| json!({ "external_id": format!("ad-{n}"), "line_item": format!("line-{n}"), "creative": format!("creative of {campaign}"), "item": format!("SKU-{n}") }),
        ),
    );
    let tenant = Tenant { admin, serving, placement, advertisers, line_items };
    let (mut app, page) = (tenant.caller(server), tenant.page(1, 1, "u").to_string());
    wait_for("the placement to be served", || (app.send("POST", "/v1/decisions", &page).status == 200).then_some(()));
    tenant
}

fn advertiser(own: &mut Caller, name: &str) -> u64 {
    let id = made(own, "advertisers", &json!({ "name": name }));
    let paid = own.send("POST", &format!("/v1/accounts/{id}/deposits"), r#"{"amount_micros":500000000}"#);
    assert_eq!(paid.json()["outcome"], "applied");
    id
}

fn line_item(n: usize, campaign: &str) -> Value {
    let shelf = if n < 2 { OWN_SHELF } else { 1 + n % (SHELVES - 1) };
    json!({ "external_id": format!("line-{n}"), "campaign": campaign, "name": format!("Line {n}"), "pacing": "asap",
            "bid": { "micros": FLOOR_MICROS * (2 + i64::try_from(n % 7).unwrap()), "per": "mille" },
            "targeting": on(shelf) })
}

fn on(shelf: usize) -> Value {
    json!({ "key_value": { "shelf": [shelf.to_string()] } })
}

impl Tenant {
    fn caller(&self, server: &Litfass) -> Caller {
        server.caller().with_key(&self.serving)
    }

    fn page(&self, shelf: usize, slots: u64, user: &str) -> Value {
        json!({ "user_id": user, "placements": [{ "id": self.placement, "slots": slots }],
                "context": { "key_values": { "shelf": [shelf.to_string()] } } })
    }

    /// What this tenant's admin is told by line item; its own only.
    fn report(&self, server: &Litfass) -> Value {
        let mut own = server.caller().with_key(&self.admin);
        let response = own.get("/v1/reports?from=2020-01-01&dimensions=advertiser,line_item");
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        response.json()
    }
}

/// What callers were told is on disk: by line item, how many impressions.
type Counted = BTreeMap<u64, u64>;

/// Asks for a page of some shelf and reports what is shown, by beacon or in a batch, some of it twice.
fn visit(caller: &mut Caller, tenant: &Tenant, dice: &mut Dice, counted: &mut Counted) {
    let (shelf, user) = (usize::try_from(dice.below(VISITED)).unwrap(), dice.below(50));
    for ad in ads(&caller.decide(&tenant.page(shelf, 2, &format!("user {user}")))) {
        see(caller, dice, &ad);
        *counted.entry(ad.line_item).or_default() += 1;
    }
}

fn see(caller: &mut Caller, dice: &mut Dice, ad: &Ad) {
    let batch = dice.percent(30);
    if batch {
        let told = caller.events(&[json!({ "type": "impression", "token": Ad::token(&ad.impression) })]);
        assert_eq!(told[0]["status"], "accepted");
    }
    if !batch || dice.percent(30) {
        assert_eq!(caller.get(&ad.impression).status, 200);
    }
    if dice.percent(10) {
        assert_eq!(caller.get(&ad.click).status, 302);
    }
}

/// One caller at work until it is told to stop and has seen something.
fn load(server: &Litfass, tenant: &Tenant, seed: u64, stop: &AtomicBool) -> Counted {
    let (mut caller, mut dice, mut counted) = (tenant.caller(server), Dice::new(Seed(seed)), Counted::new());
    while !stop.load(Ordering::Relaxed) {
        visit(&mut caller, tenant, &mut dice, &mut counted);
    }
    wait_for("enough impressions", || {
        visit(&mut caller, tenant, &mut dice, &mut counted);
        (counted.values().sum::<u64>() >= IMPRESSIONS_MIN).then_some(())
    });
    counted
}

/// Tells callers to stop when the edits are over, also where one of them fails.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The two line items that have a shelf for themselves, while they are edited under load.
struct Edits<'a> {
    tenant: &'a Tenant,
    admin: Caller,
    app: Caller,
    /// As numbers: `line-0` bids twice the floor, `line-1` three times.
    first: u64,
    second: u64,
    counted: Counted,
}

impl<'a> Edits<'a> {
    fn new(server: &Litfass, tenant: &'a Tenant) -> Self {
        let mut admin = server.caller().with_key(&tenant.admin);
        let mut numbered = |name: &str| {
            let found = admin.get(&format!("/v1/line_items?external_id={name}")).json();
            found["objects"][0]["id"].as_u64().unwrap()
        };
        let (first, second) = (numbered("line-0"), numbered("line-1"));
        Self { tenant, admin, app: tenant.caller(server), first, second, counted: Counted::new() }
    }

    /// The line item that the shelf's first slot shows; what is shown is seen.
    fn shown(&mut self, shelf: usize) -> Option<u64> {
        let ad = ads(&self.app.decide(&self.tenant.page(shelf, 1, "editor"))).into_iter().next()?;
        assert_eq!(self.app.get(&ad.impression).status, 200);
        *self.counted.entry(ad.line_item).or_default() += 1;
        Some(ad.line_item)
    }

    fn until_shown(&mut self, what: &str, line_item: u64) {
        wait_for(what, || (self.shown(OWN_SHELF) == Some(line_item)).then_some(()));
    }

    fn change(&mut self, line_item: u64, members: &Value) {
        let changed = self.admin.send("PATCH", &format!("/v1/line_items/{line_item}"), &members.to_string());
        assert_eq!(changed.status, 200, "{}", String::from_utf8_lossy(&changed.body));
    }

    fn spent_nanos(&mut self, line_item: u64) -> i64 {
        let report = self.admin.get(&format!("/v1/reports?from=2020-01-01&line_item={line_item}")).json();
        report["totals"]["spent_nanos"].as_str().unwrap().parse().unwrap()
    }

    /// Gets a budget for some more impressions, is shown until less than a bid is left of it, and never beyond.
    fn spend_a_budget(&mut self, line_item: u64, bid_micros: i64) {
        let budget_micros = self.spent_nanos(line_item) / 1_000 + 3 * bid_micros;
        self.change(line_item, &json!({ "budget_micros": budget_micros }));
        wait_for("the budget to be spent", || {
            self.shown(SHELVES);
            let spent = self.spent_nanos(line_item);
            assert!(spent <= budget_micros * 1_000, "{spent} of {budget_micros} micros");
            (spent > (budget_micros - bid_micros) * 1_000).then_some(())
        });
    }

    fn make(mut self) -> Counted {
        let (first, second) = (self.first, self.second);
        self.until_shown("the higher bid", second);
        self.change(second, &json!({ "status": "paused" }));
        self.until_shown("the other one while it is paused", first);
        self.change(second, &json!({ "status": "active" }));
        self.until_shown("the higher bid again", second);
        self.change(first, &json!({ "bid": { "micros": 9 * FLOOR_MICROS, "per": "mille" } }));
        self.until_shown("the raised bid", first);
        self.change(first, &json!({ "targeting": on(SHELVES) }));
        self.until_shown("who is left on the shelf", second);
        wait_for("the one that moved", || (self.shown(SHELVES) == Some(first)).then_some(()));
        self.spend_a_budget(first, 9 * FLOOR_MICROS / 1_000);
        self.counted
    }
}

/// Everybody's counts together.
fn summed(counts: impl IntoIterator<Item = Counted>) -> Counted {
    let mut sum = Counted::new();
    for (line_item, n) in counts.into_iter().flatten() {
        *sum.entry(line_item).or_default() += n;
    }
    sum
}

/// What was told to be on disk is reported, to its tenant, and charged to its advertiser's account; and nothing else is.
fn told_its_own(server: &Litfass, tenant: &Tenant, counted: &Counted) {
    let report = wait_for("the report to hold every impression", || {
        let report = tenant.report(server);
        (report["totals"]["impressions"] == counted.values().sum::<u64>()).then_some(report)
    });
    let rows = report["rows"].as_array().unwrap();
    let figure = |row: &Value, name: &str| row[name].as_str().unwrap().parse::<i128>().unwrap();
    let seen: Counted =
        rows.iter().map(|row| (row["line_item"].as_u64().unwrap(), row["impressions"].as_u64().unwrap())).collect();
    assert_eq!(seen, *counted);
    let mut own = server.caller().with_key(&tenant.admin);
    for advertiser in &tenant.advertisers {
        let rows = rows.iter().filter(|row| row["advertiser"] == *advertiser);
        let spent: i128 = rows.map(|row| figure(row, "spent_nanos")).sum();
        assert!(spent > 0, "{advertiser}");
        let account = own.get(&format!("/v1/accounts/{advertiser}")).json();
        assert_eq!(figure(&account, "spent_nanos"), spent, "{account}");
    }
    let advertisers: BTreeSet<u64> = rows.iter().map(|row| row["advertiser"].as_u64().unwrap()).collect();
    assert_eq!(advertisers, tenant.advertisers.iter().copied().collect(), "nobody else's");
}

/// Every page of the list of line items is of this tenant alone.
fn lists_its_own(server: &Litfass, tenant: &Tenant) -> BTreeSet<u64> {
    let mut own = server.caller().with_key(&tenant.admin);
    let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let answer = own.get(&format!("/v1/line_items?limit=1000{cursor}")).json();
        seen.extend(answer["objects"].as_array().unwrap().iter().map(|object| object["id"].as_u64().unwrap()));
        let Some(next) = answer["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), tenant.line_items);
    seen
}

/// Neither asks for the other's placement, nor reads the other's line items and accounts.
fn reaches_nothing_of(server: &Litfass, tenant: &Tenant, other: &Tenant, theirs: u64) {
    let mut app = tenant.caller(server);
    assert_eq!(app.send("POST", "/v1/decisions", &other.page(1, 1, "u").to_string()).status, 404);
    let mut own = server.caller().with_key(&tenant.admin);
    for path in [format!("/v1/line_items/{theirs}"), format!("/v1/accounts/{}", other.advertisers[0])] {
        assert_eq!(own.get(&path).status, 404, "{path}");
    }
}

#[test]
fn a_marketplace_is_made_edited_and_billed_over_http_and_its_books_agree() {
    let home = Home::new();
    let platform = home.key(&["--role", "admin"]);
    let server = home.serve();
    let mut caller = server.caller().with_key(&platform);
    let large = tenant(&server, &mut caller, "Lamp shop", &["Lumen", "Watt"], LINE_ITEMS);
    let small = tenant(&server, &mut caller, "Book shop", &["Folio"], LINE_ITEMS / 10);
    let stop = AtomicBool::new(false);
    let (of_large, of_small) = thread::scope(|scope| {
        let asker = |tenant, seed| {
            let (server, stop) = (&server, &stop);
            scope.spawn(move || load(server, tenant, seed, stop))
        };
        let (one, two, three) = (asker(&large, 1), asker(&large, 2), asker(&small, 3));
        let edited = {
            let _stops = Stops(&stop);
            Edits::new(&server, &large).make()
        };
        (summed([edited, one.join().unwrap(), two.join().unwrap()]), three.join().unwrap())
    });
    told_its_own(&server, &large, &of_large);
    told_its_own(&server, &small, &of_small);
    let (theirs, others) = (lists_its_own(&server, &large), lists_its_own(&server, &small));
    assert!(theirs.is_disjoint(&others));
    reaches_nothing_of(&server, &small, &large, *theirs.first().unwrap());
    reaches_nothing_of(&server, &large, &small, *others.first().unwrap());
    wait_for("every lease to be closed", || (!books::is_leased(&*books::open_ledger(&home.data()))).then_some(()));
    assert!(server.stop().success());
    let logged = Logged::read(&home.data());
    println!(
        "{} decisions, {} impressions",
        logged.decisions.len(),
        of_large.values().chain(of_small.values()).sum::<u64>()
    );
    ledger_and_log_agree(&home, &logged);
    reports_agree(&home, &logged);
    the_command_line_verifies(&home);
}
