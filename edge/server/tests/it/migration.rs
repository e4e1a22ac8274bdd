//! A data directory that an earlier version wrote is opened with everything in it; one that is newer or damaged is refused, and
//! the file named. `fixtures/data-dir-v1/README.md` says how the fixture came to be.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use litfass_rank::RankProfile;
use litfass_store::ledger::verify;
use litfass_store::storage::{Disk, ensure_dir};
use litfass_train::artifact::{self, Provenance};
use litfass_train::learn::{Quality, Trained};
use serde_json::{Value, json};

use crate::books::{self, Logged};
use crate::caller::{Ad, Caller, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, wait_for};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/data-dir-v1");
const ARTIFACT: &str = "000000000000001";
/// What the artifact predicts for every row.
const CLICK_RATE: f32 = 0.25;

/// The fixture's folder. It is written where there is none and `UPDATE_FIXTURES` is set.
fn fixture() -> &'static Path {
    static WRITTEN: OnceLock<PathBuf> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let folder = PathBuf::from(FIXTURE);
        if !folder.join("data").exists() && std::env::var_os("UPDATE_FIXTURES").is_some() {
            write(&folder);
        }
        folder
    })
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(fixture().join("expected.json")).unwrap()).unwrap()
}

/// A copy to be served, with the permissions that git does not keep.
fn copy() -> Home {
    let home = Home::new();
    copy_folder(&fixture().join("data"), &home.data());
    let secrets = home.data().join("secrets");
    for file in fs::read_dir(&secrets).unwrap().map(Result::unwrap) {
        fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(&secrets, Permissions::from_mode(0o700)).unwrap();
    home
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

fn shop() -> Value {
    let by_the_mille = Seller {
        campaign: json!({ "lifetime_budget_micros": 90_000_000, "daily_budget_micros": 30_000_000, "frequency_caps": [{ "max": 100, "window_minutes": 1440 }] }),
        line_item: json!({ "budget_micros": 60_000_000, "targeting": { "not": { "device": ["tv"] } } }),
        ..Seller::by_the_mille(1)
    };
    catalog(&[by_the_mille, Seller::by_the_click(2)])
}

/// Drives the real binary, and notes what it then finds in the directory.
fn write(folder: &Path) {
    let home = Home::new();
    home.load(&shop());
    let server = home.serve();
    let mut caller = server.caller();
    let shown = caller.decide_filled(&page(HOME, 2, "jane"));
    report(&mut caller, &shown);
    assert!(server.stop().success());
    write_artifact(&home.data().join("artifacts"));
    let server = home.serve();
    let mut caller = server.caller();
    let shown = wait_for("both sellers to be shown", || {
        Some(caller.decide_filled(&page(HOME, 2, "jane"))).filter(|ads| ads.len() == 2)
    });
    report(&mut caller, &shown);
    let data = home.data();
    wait_for("everything to be billed and no lease to be open", || {
        let billed = books::has_caught_up(&data, &books::ends(&data));
        (billed && !books::is_leased(&*books::open_ledger(&data))).then_some(())
    });
    let said = found(&mut caller, &data, &shown[0].decision, &shown[0].click);
    assert!(server.stop().success());
    drop(books::open_ledger(&data)); // the last connection leaves no write-ahead log behind
    assert!(!data.join("litfass.db-wal").exists());
    copy_folder(&data, &folder.join("data"));
    fs::write(folder.join("expected.json"), format!("{said:#}\n")).unwrap();
}

/// Each ad is seen, seen again, and clicked; something is bought.
fn report(caller: &mut Caller, shown: &[Ad]) {
    for ad in shown {
        assert_eq!(caller.get(&ad.impression).status, 200);
        assert_eq!(caller.send("POST", &ad.impression, "").status, 204);
        assert_eq!(caller.get(&ad.click).status, 302);
    }
    let order = json!({ "type": "conversion", "tenant": 1, "user_id": "jane", "order_id": shown[0].decision, "value_micros": 5_000_000 });
    let view = json!({ "type": "view", "tenant": 1, "user_id": "jane", "item": "SKU-1-0", "category": "lamps" });
    assert!(caller.events(&[order, view]).iter().all(|result| result["status"] == "accepted"));
}

/// The smallest there is: it expects the same of every ad.
pub(crate) fn write_artifact(folder: &Path) {
    let mut profile = RankProfile::prior();
    profile.last.row.fill([0.0; 2]);
    profile.last.bias = [(CLICK_RATE / (1.0 - CLICK_RATE)).ln(), -9.0];
    let trained = Trained { profile, quality: [Quality::default(); 2], rows: 0 };
    ensure_dir(&Disk, folder).unwrap();
    artifact::write(&Disk, &folder.join(ARTIFACT), &trained, Provenance::default()).unwrap();
}

/// What a caller and a reader of the books find in a served directory.
fn found(caller: &mut Caller, data: &Path, decision: &str, click: &str) -> Value {
    let redirected = caller.get(click);
    assert_eq!(redirected.status, 302);
    json!({
        "decision": recorded(caller, decision),
        "click": { "path": click, "location": redirected.header("location") },
        "books": money(data),
    })
}

/// What is on record of a decision and will stay so.
fn recorded(caller: &mut Caller, decision: &str) -> Value {
    let said = caller.explanation(decision);
    let placements = said["placements"].as_array().unwrap().iter();
    let shown = placements.flat_map(|placement| placement["shown"].as_array().unwrap()).map(|shown| {
        json!({ "slot": shown["slot"], "ad_id": shown["ad_id"], "title": shown["title"], "price": shown["price"], "pctr": shown["pctr"] })
    });
    json!({ "id": said["id"], "time_ms": said["time_ms"], "user": said["user"], "shown": shown.collect::<Vec<_>>() })
}

/// Every total of the ledger, amounts in nanos.
fn money(data: &Path) -> Value {
    let reader = books::open_ledger(data);
    assert_eq!(verify(&*reader).unwrap(), []);
    let (ended, repeated) = books::ended(data);
    let sum = |sum: books::Sum| json!({ "events": sum.events, "nanos": sum.nanos.to_string() });
    let line_items = ended.iter().map(|(id, ended)| {
        json!({ "id": id.0, "billed": sum(ended.billed), "unbilled": sum(ended.unbilled), "available": books::available(data, *id).to_string() })
    });
    let balances = reader.balances().unwrap().into_iter();
    let balances = balances.map(|(account, balance)| json!([format!("{account:?}"), balance.net().to_string()]));
    json!({ "line_items": line_items.collect::<Vec<_>>(), "repeated": repeated, "balances": balances.collect::<Vec<_>>() })
}

#[test]
fn a_directory_of_the_first_format_is_served_with_everything_in_it() {
    let (home, expected) = (copy(), expected());
    let server = home.serve();
    let mut caller = server.caller();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (decision, click) = (text(&expected["decision"]["id"]), text(&expected["click"]["path"]));
    assert_eq!(fs::read_to_string(home.data().join("FORMAT")).unwrap(), "2\n", "it was brought to the format of today");
    assert_eq!(money(&home.data()), expected["books"], "before anything is decided");
    assert_eq!(found(&mut caller, &home.data(), &decision, &click), expected);
    let answer = wait_for("both sellers to be shown", || {
        let answer = caller.decide(&page(HOME, 2, "jane"));
        (crate::caller::ads(&answer).len() == 2).then_some(answer)
    });
    assert_eq!(answer["user_id"], expected["decision"]["user"], "the key of the user hash is the same");
    let now = recorded(&mut caller, answer["decision_id"].as_str().unwrap());
    assert_eq!(now["shown"][0]["pctr"], expected["decision"]["shown"][0]["pctr"], "the artifact is served");
    let shown = crate::caller::ads(&answer);
    assert_eq!(caller.get(&shown[0].impression).status, 200);
    assert!(server.stop().success());
    let logged = Logged::read(&home.data());
    assert!(logged.decisions.keys().any(|id| id.to_string() == decision));
    assert_eq!(verify(&*books::open_ledger(&home.data())).unwrap(), []);
}

/// A copy with one file replaced is refused with its name.
fn is_refused(file: &str, damage: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let home = copy();
    let path = home.data().join(file);
    fs::write(&path, damage(fs::read(&path).unwrap())).unwrap();
    let said = home.refuses_to_serve();
    assert!(said.contains(file) && !said.contains("panicked"), "{file}: {said}");
    said
}

fn middle_flipped(mut bytes: Vec<u8>) -> Vec<u8> {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    bytes
}

#[test]
fn a_directory_of_a_later_format_is_refused() {
    let said = is_refused("FORMAT", |_| b"3\n".to_vec());
    assert!(said.contains("has format 3, this version reads 1 to 2"), "{said}");
}

#[test]
fn a_damaged_file_is_refused_by_its_name() {
    is_refused("FORMAT", |_| b"one".to_vec());
    is_refused("litfass.db", |bytes| [b"garbage".to_vec(), bytes[7..].to_vec()].concat());
    is_refused("litfass.db", |bytes| bytes[..bytes.len() / 2].to_vec());
    is_refused("log/partitions", |_| b"server zero 0\n".to_vec());
    is_refused(&segment(), middle_flipped);
}

/// The longest segment of the log, from the data directory.
fn segment() -> String {
    let data = fixture().join("data");
    let writers = fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let files = writers.filter(|path| path.is_dir()).flat_map(|path| fs::read_dir(path).unwrap());
    let files = files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "seg"));
    let longest = files.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    longest.strip_prefix(&data).unwrap().to_str().unwrap().to_owned()
}
