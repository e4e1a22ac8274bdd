//! Killed again and again under load: nothing acknowledged is lost, everything that fits is billed, once.
//!
//! Callers keep their own list of what was acknowledged to them. The process is killed after a random number of answers, or while
//! it starts. At the end the list is held against the log, and the log against the ledger.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use litfass_events::EventKind;
use litfass_types::{DecisionId, EventId, LineItemId, Seed};
use serde_json::{Value, json};

use crate::books::{self, Key, Logged};
use crate::caller::{Ad, Caller, ads, page};
use crate::catalogs::{FLOOR_MICROS, HOME, Seller, catalog};
use crate::dice::Dice;
use crate::process::{Home, Litfass, setting, wait_for};

const CALLERS: u64 = 3;
const USERS: u64 = 40;
/// Shown to one user by the capped seller within the hour.
const CAP: usize = 3;

/// What the callers were promised.
#[derive(Clone, Default)]
pub(crate) struct Promised {
    decisions: BTreeSet<DecisionId>,
    tracked: BTreeSet<Key>,
    events: BTreeSet<EventId>,
}

/// The callers' list, shared by all of them.
#[derive(Default)]
pub(crate) struct Promises {
    pub(crate) list: Mutex<Promised>,
    /// Answers of any kind, so that a kill can wait for the next few.
    pub(crate) answers: AtomicU64,
}

impl Promises {
    fn note(&self, note: impl FnOnce(&mut Promised)) {
        note(&mut self.list.lock().unwrap_or_else(PoisonError::into_inner));
        self.answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// One page view with everything that becomes of it; none where the server went away.
fn visit(caller: &mut Caller, dice: &mut Dice, promises: &Promises) -> Option<()> {
    for ad in look(caller, dice, promises)? {
        if dice.percent(70) {
            report(caller, dice, promises, &ad)?;
        }
    }
    Some(())
}

/// The ads of one page view.
pub(crate) fn look(caller: &mut Caller, dice: &mut Dice, promises: &Promises) -> Option<Vec<Ad>> {
    let request = page(HOME, 1 + dice.below(5), &format!("user {}", dice.below(USERS)));
    let response = caller.try_send("POST", "/v1/decisions", &request.to_string()).ok()?;
    if response.status != 200 {
        return Some(Vec::new());
    }
    let answer = response.json();
    let decision: DecisionId = answer["decision_id"].as_str().unwrap().parse().unwrap();
    promises.note(|promised| promised.decisions.extend([decision]));
    Some(ads(&answer))
}

/// An ad was rendered: some of that by beacons, some in a batch, some of it twice.
pub(crate) fn report(caller: &mut Caller, dice: &mut Dice, promises: &Promises, ad: &Ad) -> Option<()> {
    if dice.percent(40) {
        batch(caller, promises, ad)?;
    }
    let method = if dice.percent(50) { "GET" } else { "POST" };
    beacon(caller, promises, (method, &ad.impression), ad, EventKind::Impression)?;
    if dice.percent(30) {
        beacon(caller, promises, ("GET", &ad.viewable), ad, EventKind::Viewable)?;
    }
    if dice.percent(20) {
        // A redirect promises nothing; a beacon's 204 does.
        let method = if dice.percent(50) { "GET" } else { "POST" };
        beacon(caller, promises, (method, &ad.click), ad, EventKind::Click)?;
    }
    Some(())
}

fn beacon(caller: &mut Caller, promises: &Promises, ask: (&str, &str), ad: &Ad, kind: EventKind) -> Option<()> {
    let response = caller.try_send(ask.0, ask.1, "").ok()?;
    let promised = (200..300).contains(&response.status);
    promises.note(|list| {
        if promised {
            list.tracked.insert(key(ad, kind));
        }
    });
    Some(())
}

fn key(ad: &Ad, kind: EventKind) -> Key {
    (ad.decision.parse().unwrap(), u8::try_from(ad.index).unwrap(), kind)
}

fn batch(caller: &mut Caller, promises: &Promises, ad: &Ad) -> Option<()> {
    let events = json!({ "events": [
        { "type": "impression", "token": Ad::token(&ad.impression) },
        { "type": "click", "token": Ad::token(&ad.click) },
        { "type": "conversion", "token": Ad::token(&ad.click), "order_id": format!("{}-{}", ad.decision, ad.index), "value_micros": 1_000 },
    ] });
    let response = caller.try_send("POST", "/v1/events", &events.to_string()).ok()?;
    let answer = response.json();
    let results = answer["results"].as_array().cloned().unwrap_or_default();
    promises.note(|list| list.events.extend(results.iter().filter_map(kept)));
    Some(())
}

/// The id of an event whose result says that it is on disk.
fn kept(result: &Value) -> Option<EventId> {
    let on_disk = result["status"] == "accepted" || result["status"] == "repeated";
    on_disk.then(|| result["event_id"].as_str().unwrap().parse().unwrap())
}

/// Callers at work until the server is gone.
pub(crate) fn load(address: SocketAddr, seed: Seed, promises: &Promises) {
    let mut caller = Caller::new(address);
    let mut dice = Dice::new(seed);
    while visit(&mut caller, &mut dice, promises).is_some() {}
}

/// Serves, lets the callers in, and kills it after some more answers.
fn killed_under_load(home: &Home, seed: Seed, promises: &Promises) {
    let server = home.serve();
    let more = 1 + seed.derive(1).below(400);
    let until = promises.answers.load(Ordering::Relaxed) + more;
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let address = server.address;
            scope.spawn(move || load(address, seed.derive(100 + caller), promises));
        }
        wait_for("answers under load", || (promises.answers.load(Ordering::Relaxed) >= until).then_some(()));
        server.kill();
    });
}

/// Six sellers, each with one limit of another kind, or none.
pub(crate) fn sellers() -> Vec<Seller> {
    let bid =
        |number: u64, per_floor: i64| Seller { bid_micros: per_floor * FLOOR_MICROS, ..Seller::by_the_mille(number) };
    vec![
        Seller { line_item: json!({ "budget_micros": 60_000 }), ..bid(1, 5) },
        Seller { campaign: json!({ "lifetime_budget_micros": 40_000 }), ..bid(2, 4) },
        Seller { credit_micros: 15_000, ..bid(3, 3) },
        Seller { campaign: json!({ "daily_budget_micros": 20_000 }), ..bid(4, 3) },
        Seller { campaign: json!({ "frequency_caps": [{ "max": CAP, "window_minutes": 60 }] }), ..bid(5, 9) },
        Seller { line_item: json!({ "budget_micros": 5_000_000 }), ..Seller::by_the_click(6) },
        bid(7, 2),
    ]
}

/// Serves without callers until the ledger has read the whole log and every lease is closed; then stops.
pub(crate) fn come_to_rest(home: &Home) -> Value {
    let server = home.serve();
    let ends = books::ends(&home.data());
    wait_for("the ledger to have read the log", || books::has_caught_up(&home.data(), &ends).then_some(()));
    wait_for("every lease to be closed", || (!books::is_leased(&*books::open_ledger(&home.data()))).then_some(()));
    let live = settled_live(&server, &home.data());
    assert!(server.stop().success());
    live
}

/// The live page once it shows what the ledger holds.
fn settled_live(server: &Litfass, data: &std::path::Path) -> Value {
    let billed: i128 = books::ended(data).0.values().map(|ended| ended.billed.nanos).sum();
    wait_for("the live page to agree with the ledger", || {
        let live = server.caller().get("/v1/live").json();
        let shown = live["totals"]["billed_micros"].as_i64()?;
        (i128::from(shown) == billed / 1_000).then_some(live)
    })
}

#[test]
fn killed_at_random_moments_it_loses_and_double_bills_nothing() {
    let kills = setting("LITFASS_KILLS", 50);
    let seed = setting("LITFASS_SEED", rand_seed());
    println!("LITFASS_SEED={seed} LITFASS_KILLS={kills}");
    let (home, promises) = (Home::new(), Promises::default());
    home.load(&catalog(&sellers()));
    for kill in 0..kills {
        let seed = Seed(seed).derive(kill);
        if kill % 5 == 4 {
            home.killed_while_starting(Duration::from_micros(seed.derive(2).below(200_000)));
        }
        killed_under_load(&home, seed, &promises);
    }
    let live = come_to_rest(&home);
    let promised = promises.list.into_inner().unwrap();
    let logged = Logged::read(&home.data());
    println!(
        "{} decisions, {} tracking events and {} ids of batches were acknowledged; the log has {} entries",
        promised.decisions.len(),
        promised.tracked.len(),
        promised.events.len(),
        logged.events.len()
    );
    nothing_promised_is_lost(&promised, &logged);
    ledger_and_log_agree(&home, &logged);
    budgets_are_used_and_kept(&home, &logged);
    caps_hold(&logged);
    counters_agree(&live, &home, &logged);
    reports_agree(&home, &logged);
    the_command_line_verifies(&home);
}

pub(crate) fn rand_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos()) ^ now.as_secs()
}

pub(crate) fn nothing_promised_is_lost(promised: &Promised, logged: &Logged) {
    let lost: Vec<_> = promised.tracked.iter().filter(|key| !logged.deliveries.contains_key(key)).collect();
    assert!(lost.is_empty(), "acknowledged and not in the log: {lost:?}");
    let lost: Vec<_> = promised.events.difference(&logged.events).collect();
    assert!(lost.is_empty(), "acknowledged in a batch and not in the log: {lost:?}");
    let lost: Vec<_> = promised.decisions.iter().filter(|id| !logged.decisions.contains_key(id)).collect();
    assert!(lost.is_empty(), "answered without a record: {lost:?}");
}

/// To the nano, by line item: what the log says was to be billed is what the ledger billed or could not bill.
pub(crate) fn ledger_and_log_agree(home: &Home, logged: &Logged) {
    books::at_rest(&home.data());
    let (ended, repeated) = books::ended(&home.data());
    let claims = logged.claims();
    assert_eq!(claims.keys().collect::<Vec<_>>(), ended.keys().collect::<Vec<_>>());
    for (line_item, claim) in claims {
        let ended = ended[&line_item];
        assert_eq!(ended.billed.events + ended.unbilled.events, claim.events, "{line_item}: {ended:?}");
        assert_eq!(ended.billed.nanos + ended.unbilled.nanos, claim.nanos, "{line_item}: {ended:?}");
    }
    assert_eq!(repeated, logged.repeated, "copies met by the ledger and copies in the log");
}

/// Micros that each limited seller may spend; one limit each, so the sums need no care for overlaps.
pub(crate) const LIMITS: [(u64, i128); 5] =
    [(1_001, 60_000), (1_002, 40_000), (1_003, 15_000), (1_004, 20_000), (1_006, 5_000_000)];

pub(crate) fn budgets_are_used_and_kept(home: &Home, logged: &Logged) {
    let (ended, _) = books::ended(&home.data());
    let mut exhausted = 0;
    for (line_item, ended) in &ended {
        if let Some((_, limit)) = LIMITS.iter().find(|(limited, _)| LineItemId(*limited) == *line_item) {
            assert!(ended.billed.nanos <= limit * 1_000, "{line_item} spent {ended:?} of {limit} micros");
            let left = books::available(&home.data(), *line_item);
            let all_that_fits = ended.unbilled.events == 0 || left < logged.dearest(*line_item);
            assert!(all_that_fits, "{line_item}: {left} nanos left, {ended:?}");
            exhausted += u64::from(left < i128::from(5 * FLOOR_MICROS));
        } else {
            assert_eq!(ended.unbilled.events, 0, "{line_item} has no limit: {ended:?}");
        }
    }
    assert!(exhausted > 0, "the load was enough to exhaust a budget: {ended:?}");
}

fn caps_hold(logged: &Logged) {
    let mut shown: std::collections::BTreeMap<_, usize> = std::collections::BTreeMap::new();
    for record in logged.decisions.values() {
        let capped = record.shown.iter().filter(|shown| shown.line_item == LineItemId(1_005)).count();
        *shown.entry(record.inputs.request.user).or_default() += capped;
    }
    let most = shown.values().max().copied().unwrap_or(0);
    assert_eq!(most, CAP, "the capped seller, by user");
}

fn counters_agree(live: &Value, home: &Home, logged: &Logged) {
    let totals = &live["totals"];
    assert_eq!(totals["impressions"], logged.count(EventKind::Impression), "{totals}");
    assert_eq!(totals["viewables"], logged.count(EventKind::Viewable), "{totals}");
    assert_eq!(totals["clicks"], logged.count(EventKind::Click), "{totals}");
    assert_eq!(totals["decisions"], logged.decisions.len(), "{totals}");
    let (ended, _) = books::ended(&home.data());
    for (line_item, ended) in ended {
        let campaign = line_item.0 - 900;
        let campaigns = live["campaigns"].as_array().unwrap();
        let view = campaigns.iter().find(|view| view["id"] == campaign).unwrap();
        assert_eq!(view["spent_micros"].as_i64().map(i128::from), Some(ended.billed.nanos / 1_000), "{view}");
    }
}

/// The shipped check says the same as this test's own.
pub(crate) fn the_command_line_verifies(home: &Home) {
    let (status, said) = home.command(&["ledger", "verify", "--log"]);
    assert!(status.success() && said.ends_with("verified\n"), "{said}");
}

/// Figures of the reports against the log, and their money against the ledger, to the nano.
pub(crate) fn reports_agree(home: &Home, logged: &Logged) {
    let asked = ["report", "--from", "2020-01-01", "--dimensions", "line_item", "--format", "json"];
    let (status, told) = home.command(&asked);
    assert!(status.success(), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let totals = &told["totals"];
    assert_eq!(totals["impressions"], logged.count(EventKind::Impression), "{totals}");
    assert_eq!(totals["viewables"], logged.count(EventKind::Viewable), "{totals}");
    assert_eq!(totals["clicks"], logged.count(EventKind::Click), "{totals}");
    let (ended, _) = books::ended(&home.data());
    for row in told["rows"].as_array().unwrap() {
        let line_item = LineItemId(row["line_item"].as_u64().unwrap());
        let billed = ended.get(&line_item).map_or(0, |ended| ended.billed.nanos);
        assert_eq!(row["spent_nanos"], billed.to_string(), "{row}");
    }
    let reported =
        |line_item: &LineItemId| told["rows"].as_array().unwrap().iter().any(|row| row["line_item"] == line_item.0);
    assert!(ended.keys().all(reported), "{told}");
    the_same_however_it_is_told_apart(home, totals);
    let (_, requests) =
        home.command(&["report", "--from", "2020-01-01", "--dimensions", "placement", "--format", "json"]);
    let requests: Value = serde_json::from_str(&requests).unwrap();
    assert_eq!(requests["totals"]["requests"], logged.decisions.len(), "one placement each: {requests}");
    let shown: usize = logged.decisions.values().map(|record| record.shown.len()).sum();
    assert_eq!(requests["totals"]["filled"], shown, "{requests}");
}

/// Figures are kept by ad, by line item and by place: each adds up to the same.
fn the_same_however_it_is_told_apart(home: &Home, totals: &Value) {
    for dimensions in ["ad,country", "advertiser", "country", "placement,campaign"] {
        let asked = ["report", "--from", "2020-01-01", "--dimensions", dimensions, "--format", "json"];
        let told: Value = serde_json::from_str(&home.command(&asked).1).unwrap();
        for figure in ["impressions", "viewables", "clicks", "conversions", "conversion_value_micros", "spent_nanos"] {
            assert_eq!(told["totals"][figure], totals[figure], "{figure} by {dimensions}");
        }
    }
}
