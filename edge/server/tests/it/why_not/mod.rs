//! Why-not against what a naive evaluator wrote down while the same requests were served.
//!
//! `LITFASS_REQUESTS` says how many; the catalog is edited and budgets run out in between.

mod naive;
mod shop;

use std::collections::BTreeMap;

use litfass_decide::{AdRequest, Context, DecisionRecord, PlacementRequest};
use litfass_server::config::Config;
use litfass_server::data_dir::DataDir;
use litfass_server::decider::Decided;
use litfass_server::node::{Node, Running};
use litfass_server::pacing_tables::PacingHistory;
use litfass_server::replay::{Window, Worlds, recompute_window, replay};
use litfass_server::why_not::{Question, WhyNot, answer};
use litfass_store::catalog::CatalogStore;
use litfass_store::database::Place;
use litfass_types::{Device, Ineligible, LineItemId, Nanos, PlacementId, Seed, TenantId, Timestamp, Traffic, UserHash};
use serde_json::{Value, json};

use crate::books;
use crate::caller::page;
use crate::catalogs::{GAME_PAGE, HOME, Seller, catalog};
use crate::dice::Dice;
use crate::process::{CONFIG, Home, setting, wait_for};
use naive::Notes;
use shop::{LINE_ITEMS, edited, opened};

/// Requests between two edits, at least.
const PHASE_MIN: u64 = 30;

fn requests() -> u64 {
    setting("LITFASS_REQUESTS", 6 * PHASE_MIN)
}

/// Requests between two edits. Each edit waits for the next pacing table, which takes up to a second: forty of them are enough.
fn phase() -> u64 {
    (requests() / 40).max(PHASE_MIN)
}

fn request(dice: &mut Dice) -> AdRequest {
    let user = UserHash { key_version: 1, hash: u128::from(dice.below(25)) };
    let placements = match dice.below(3) {
        0 => vec![HOME],
        1 => vec![GAME_PAGE],
        _ => vec![HOME, GAME_PAGE],
    };
    let asked = |id: &u64| PlacementRequest { id: PlacementId(*id), slots: 2, floor: Nanos(0) };
    AdRequest {
        request_id: None,
        tenant: TenantId(1),
        user: Some(user),
        personalise: dice.below(3) > 0,
        traffic: if dice.below(20) == 0 { Traffic::Crawler } else { Traffic::Human },
        placements: placements.iter().map(asked).collect(),
        context: Context {
            device: dice.pick(&[None, Some(Device::Mobile), Some(Device::Desktop)]),
            country: Some(dice.pick(&["DE", "US", "FR"]).to_owned()),
            keywords: vec![dice.pick(&["lamp", "shade"]).to_owned()],
            ..Context::default()
        },
    }
}

struct Served {
    runtime: tokio::runtime::Runtime,
    running: Running,
}

impl Served {
    fn open(home: &Home) -> Self {
        let config =
            Config::from_text(CONFIG, [("LITFASS_SERVER_DATA_DIR".to_owned(), home.data().display().to_string())]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, running: Running::open(config.unwrap(), None).unwrap() }
    }

    fn node(&self) -> &Node {
        &self.running.node
    }

    /// Decides, and most of what is shown is seen: that is what spends budgets.
    fn decide(&self, dice: &mut Dice) -> Decided {
        let decided = self.runtime.block_on(self.node().decider.decide(request(dice), false)).unwrap();
        for tracking in decided.tracking.iter().filter(|_| dice.below(4) > 0) {
            let token = tracking.impression.rsplit('/').next().unwrap();
            let kind = litfass_events::EventKind::Impression;
            // What a crawler sees is refused or not counted.
            drop(self.runtime.block_on(self.node().ingest.delivered(kind, token, Traffic::Human)));
        }
        decided
    }

    /// Loads the file and waits until it is served and the pacing controller has looked at it.
    fn load(&self, home: &Home, file: &Value) {
        let loaded = CatalogStore::open(&home.data().join("litfass.db"))
            .and_then(|mut store| store.load_bytes(file.to_string().as_bytes(), self.node().clock.now()));
        let version = loaded.unwrap().version;
        wait_for("the edit to be served", || (self.node().world.load().version.catalog == version).then_some(()));
    }

    fn table(&self) -> u64 {
        self.node().world.load().version.pacing
    }
}

/// Serves, edits and writes down; the notes for each line item.
fn serve(home: &Home) -> BTreeMap<LineItemId, Notes> {
    let mut dice = Dice::new(Seed(7));
    let mut file = opened(&mut dice);
    home.load(&file);
    let served = Served::open(home);
    let mut notes = naive::Notebook::new();
    let mut tables = std::collections::BTreeSet::new();
    for number in 0..requests() {
        if number % phase() == 0 && number > 0 {
            edited(&mut file, &mut dice);
            served.load(home, &file);
            let before = served.table();
            wait_for("another pacing table", || (served.table() != before).then_some(()));
        }
        let decided = served.decide(&mut dice);
        tables.insert(decided.record.inputs.world.pacing);
        notes.write_down(&decided);
    }
    served.running.close();
    assert!(tables.len() > 3, "funds came and went: {tables:?}");
    notes.finish()
}

/// In how many cases each obstacle was the first.
fn summed(notes: &BTreeMap<LineItemId, Notes>) -> String {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for notes in notes.values() {
        let ineligible = notes.ineligible.iter().map(|(why, (first, _))| (why.reason().code, *first));
        let fates = notes.fates.iter().map(|(fate, (first, _))| (fate.reason().code, *first));
        for (code, n) in
            ineligible.chain(fates).chain([("absent", notes.absent), ("not_retrieved", notes.not_retrieved)])
        {
            *sums.entry(code).or_default() += n;
        }
    }
    sums.iter().map(|(code, n)| format!("{code} {n}")).collect::<Vec<_>>().join(", ")
}

fn answers(home: &Home) -> impl Fn(LineItemId) -> WhyNot {
    let log = books::open_log(&home.data());
    let database = home.data().join("litfass.db");
    let catalog = CatalogStore::open(&database).unwrap().read_catalog().unwrap();
    move |line_item| {
        let question =
            Question { log: &*log, catalog: &catalog, line_item, window: Window::default(), decisions_max: u64::MAX };
        answer(&question, CatalogStore::open(&database).unwrap(), |_, _| ()).unwrap().unwrap()
    }
}

#[test]
fn why_not_counts_what_a_naive_evaluator_wrote_down_at_serving_time() {
    let home = Home::new();
    let notes = serve(&home);
    assert_eq!(notes.len() as u64, LINE_ITEMS);
    let answer_of = answers(&home);
    for (line_item, noted) in &notes {
        let found = answer_of(*line_item);
        assert_eq!(found.contradicted, 0, "line item {line_item}");
        assert_eq!(Notes::of(&found), *noted, "line item {line_item}");
        assert_eq!(found.full, found.requests);
    }
    let seen = |why: Ineligible| {
        notes.values().filter(|n| n.ineligible.get(&why).is_some_and(|(first, _)| *first > 0)).count()
    };
    for why in [Ineligible::Status, Ineligible::Flight, Ineligible::Targeting, Ineligible::Funds] {
        assert!(seen(why) > 0, "{why:?} never stood in the way");
    }
    let fates: std::collections::BTreeSet<_> = notes.values().flat_map(|n| n.fates.keys()).collect();
    assert!(fates.len() >= 6, "{fates:?}");
    assert!(notes.values().any(|n| n.absent > 0 && n.eligible > 0));
    println!("{} requests, {} line items: {}", requests(), notes.len(), summed(&notes));
    is_made_again(&home, requests());
}

/// Every decision in the log settles and decides again to what it was.
fn is_made_again(home: &Home, decisions: u64) {
    let log = books::open_log(&home.data());
    let settled = replay(&*log, Window::default(), DecisionRecord::replay, |_, _| ()).unwrap();
    assert!(settled.is_identical(), "{:?}", settled.listed.first());
    let database = home.data().join("litfass.db");
    let tables = PacingHistory::read(&*log, Timestamp(0), Timestamp(i64::MAX)).unwrap();
    let mut worlds = Worlds::open(DataDir::open(&home.data()).unwrap(), &Place::from(&database), tables).unwrap();
    let again = recompute_window(&*log, Window::default(), &mut worlds, |_, _| ()).unwrap();
    assert!(again.replayed.is_identical(), "{:?}", again.replayed.listed.first());
    assert_eq!((settled.decisions, again.replayed.decisions, again.scores.beyond), (decisions, decisions, 0));
    println!("{} decisions settled again and decided again, 0 differences", settled.decisions);
}

/// `LITFASS_DECISIONS` says how many.
#[test]
fn every_recorded_decision_is_made_again_to_the_same_page() {
    let decisions = setting("LITFASS_DECISIONS", 150);
    let home = Home::new();
    let (mut dice, phase) = (Dice::new(Seed(8)), (decisions / 10).max(50));
    let mut file = opened(&mut dice);
    home.load(&file);
    let served = Served::open(&home);
    for number in 0..decisions {
        if number % phase == phase - 1 {
            edited(&mut file, &mut dice);
            served.load(&home, &file);
        }
        served.decide(&mut dice);
    }
    served.running.close();
    is_made_again(&home, decisions);
}

#[test]
fn why_not_is_told_to_whoever_owns_the_line_item_and_to_nobody_else() {
    let home = Home::new();
    let phones = Seller { line_item: json!({ "targeting": { "device": ["mobile"] } }), ..Seller::by_the_mille(1) };
    home.load(&catalog(&[phones, Seller { bid_micros: 9_000_000, ..Seller::by_the_mille(2) }]));
    let admin = home.key(&["--role", "admin"]);
    let server = home.serve();
    let mut caller = server.caller().with_key(&admin);
    caller.decide_filled(&page(HOME, 1, "u"));
    let last = caller.decide(&page(HOME, 1, "u"))["decision_id"].as_str().unwrap().to_owned();
    caller.explanation(&last);
    let told = caller.get("/v1/line_items/1001/why-not").json();
    assert_eq!((&told["shown"], &told["predicates"][0]["code"]), (&json!(0), &json!("targeting")), "{told}");
    assert_eq!(
        (&told["predicates"][0]["first"], &told["requests"]),
        (&told["predicates"][0]["only"], &told["requests"])
    );
    let key = |advertiser: u64| {
        let ask = json!({ "role": "advertiser", "tenant": 1, "advertiser": advertiser });
        let made = server.caller().with_key(&admin).send("POST", "/v1/keys", &ask.to_string());
        made.json()["key"].as_str().unwrap().to_owned()
    };
    let path = "/v1/line_items/1001/why-not?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z";
    assert_eq!(server.caller().with_key(&key(11)).get(path).json()["line_item_id"], json!(1001));
    let (other, nothing) = (server.caller().with_key(&key(12)).get(path), caller.get("/v1/line_items/77/why-not"));
    assert_eq!((other.status, nothing.status), (404, 404));
    let wrong = caller.get("/v1/line_items/1001/why-not?from=yesterday");
    assert_eq!((wrong.status, &wrong.json()["field"]), (400, &json!("from")));
    let long = caller.get("/v1/line_items/1001/why-not?from=2020-01-01T00:00:00Z");
    assert_eq!((long.status, &long.json()["field"]), (400, &json!("from")));
    assert!(server.stop().success());
    let (status, said) = home.command(&["why-not", "1001"]);
    assert!(status.success() && said.contains("targeting") && said.contains("worked out again"), "{said}");
}
