//! Decisions that an earlier version recorded are made again. `fixtures/replay/README.md` says how they came to be.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::books;
use crate::caller::Caller;
use crate::catalogs::{GAME_PAGE, HOME, Seller, catalog};
use crate::migration::{copy_folder, write_artifact};
use crate::process::{Home, wait_for};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/replay");
/// What replaying reads of a data directory.
const KEPT: [&str; 5] = ["FORMAT", "litfass.db", "log", "rules", "artifacts"];
const DECISIONS: u64 = 24;

/// The fixture's folder. It is written where there is none and `UPDATE_FIXTURES` is set.
fn fixture() -> &'static Path {
    static WRITTEN: OnceLock<PathBuf> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let folder = PathBuf::from(FIXTURE).join("data");
        if !folder.exists() && std::env::var_os("UPDATE_FIXTURES").is_some() {
            write(&folder);
        }
        folder
    })
}

/// Sellers by the mille and by the click, with a cap, an exclusion and a placement of its own among them.
fn shop(bid_micros: i64) -> Value {
    let special = [
        json!({ "frequency_caps": [{ "max": 2, "window_minutes": 60 }] }),
        json!({ "exclusion_groups": ["lamps"], "targeting": { "device": ["mobile"] } }),
        json!({ "exclusion_groups": ["lamps"] }),
        json!({ "needs_consent": true, "targeting": { "placement": [HOME] } }),
    ];
    let sellers = special.into_iter().zip(1..).map(|(line_item, n)| Seller {
        line_item,
        ads: 3,
        bid_micros,
        ..Seller::by_the_mille(n)
    });
    catalog(&sellers.chain((5..9).map(|n| Seller { ads: 2, ..Seller::by_the_click(n) })).collect::<Vec<_>>())
}

fn write(folder: &Path) {
    let home = Home::new();
    home.configure("");
    home.load(&shop(4_000_000));
    let server = home.serve();
    let first = visit(&mut server.caller(), 0..DECISIONS / 3);
    home.load(&shop(4_500_000));
    wait_for("the edit to be served", || {
        let metrics = server.caller().metrics();
        (metrics["litfass_catalog_sequence"] > f64::from(first)).then_some(())
    });
    visit(&mut server.caller(), DECISIONS / 3..2 * DECISIONS / 3);
    assert!(server.stop().success());
    write_artifact(&home.data().join("artifacts"));
    let server = home.serve();
    visit(&mut server.caller(), 2 * DECISIONS / 3..DECISIONS);
    assert!(server.stop().success());
    drop(books::open_ledger(&home.data())); // the last connection leaves no write-ahead log behind
    fs::create_dir_all(folder).unwrap();
    for name in KEPT {
        let (from, to) = (home.data().join(name), folder.join(name));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// Asks once for every number, reports what a viewer does; the catalog's sequence.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
fn visit(caller: &mut Caller, numbers: std::ops::Range<u64>) -> u32 {
    for number in numbers {
        let request = json!({
            "user_id": format!("viewer {}", number % 3), "personalise": number % 4 != 0,
            "placements": [{ "id": HOME, "slots": 3 }, { "id": GAME_PAGE, "slots": 2 }],
            "context": { "device": if number % 2 == 0 { "mobile" } else { "desktop" }, "categories": ["lamps"] },
        });
        let shown = crate::caller::ads(&caller.decide(&request));
        if let Some(ad) = shown.first() {
            assert_eq!(caller.get(&ad.impression).status, 200);
            assert_eq!(caller.get(&ad.click).status, 302);
        }
        let view = json!({ "type": "view", "tenant": 1, "user_id": format!("viewer {}", number % 3), "item": "SKU-2-1", "category": "lamps" });
        assert_eq!(caller.events(&[view])[0]["status"], "accepted");
    }
    caller.metrics()["litfass_catalog_sequence"] as u32
}

fn copy() -> Home {
    let home = Home::new();
    copy_folder(fixture(), &home.data());
    home
}

fn replays(home: &Home) {
    for arguments in [&["replay", "--json"][..], &["replay", "--recompute", "--json"]] {
        let (status, said) = home.command(arguments);
        assert!(status.success(), "{arguments:?}: {said}");
        let found: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&found["decisions"], &found["differing"]), (&json!(DECISIONS), &json!(0)), "{arguments:?}: {said}");
    }
}

#[test]
fn what_an_earlier_version_recorded_comes_out_the_same() {
    let home = copy();
    let recorded = books::Logged::read(&home.data()).decisions;
    assert!(recorded.values().filter(|record| !record.shown.is_empty()).count() > 12, "there is something to replay");
    replays(&home);
}

#[test]
fn edits_of_the_catalog_change_nothing_of_what_was_decided() {
    let home = copy();
    let mut edited = shop(9_000_000);
    edited["line_items"][0]["status"] = json!("paused");
    edited["line_items"][2]["targeting"] = json!({ "geo": ["FR"] });
    edited["placements"][0]["floor_micros"] = json!(7_000_000);
    edited["creatives"][5]["review"] = json!("rejected");
    home.load(&edited);
    replays(&home);
}

#[test]
fn rules_that_are_not_what_their_name_says_are_named() {
    let home = copy();
    let rules = fs::read_dir(home.data().join("rules")).unwrap().next().unwrap().unwrap().path();
    fs::write(&rules, "candidates_max = 1\n").unwrap();
    let (status, said) = home.command(&["replay", "--recompute"]);
    assert!(!status.success() && said.contains("is not what its name says"), "{said}");
    assert!(home.command(&["replay"]).0.success(), "settling again reads no rules");
}
