//! The catalog at rest: what a file may say, what loading it does, and how a served catalog keeps up.

#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use std::path::PathBuf;

use litfass_catalog::model::{Billable, Format, Object, PacingMode, Review, Status};
use litfass_catalog::{Catalog, ObjectKind, ObjectRef, Targeting};
use litfass_store::audit::Filter;
use litfass_store::catalog::{CatalogError, CatalogStore, Follower, Limit, LimitField, Wanted};
use litfass_types::{
    AdId, CampaignId, CatalogVersion, Duration, LineItemId, Nanos, PlacementId, Price, TenantId, TermKind, Timestamp,
    Unit,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::own::{Own, on_every_database};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("litfass.db")
    }

    fn store(&self) -> CatalogStore {
        CatalogStore::open(&self.path()).unwrap()
    }
}

/// One of everything, with every field that there is.
fn everything() -> Value {
    json!({
        "tenants": [{"id": 1, "name": "Shop"}],
        "advertisers": [{"id": 10, "tenant": 1, "name": "Maker", "status": "active", "time_zone": "Europe/Berlin", "credit_limit_micros": 5_000_000}],
        "campaigns": [{
            "id": 100, "advertiser": 10, "name": "Autumn", "start": "2026-09-01T00:00:00+02:00", "end": "2026-12-01T00:00:00Z",
            "lifetime_budget_micros": 900_000_000, "daily_budget_micros": 30_000_000, "frequency_caps": [{"max": 3, "window_minutes": 1440}],
        }],
        "line_items": [{
            "id": 1000, "campaign": 100, "name": "Home", "bid": {"micros": 2_500_000, "per": "mille"}, "billable": "viewable", "pacing": "asap",
            "budget_micros": 100_000_000, "exclusion_groups": ["cola"], "needs_consent": true,
            "targeting": {"all": [{"geo": ["US", "US-CA/Fresno"]}, {"not": {"key_value": {"mood": ["sad"]}}}, {"any": [{"device": ["mobile"]}, {"os": ["ios"]}]},
                {"daypart": {"days": ["tue", "mon"], "hours": [9, 8]}}, {"placement": [7]}]},
        }, {"id": 1001, "campaign": 100, "name": "Run of network", "bid": {"micros": 300_000, "per": "click"}}],
        "creatives": [
            {"id": 50, "advertiser": 10, "format": "sponsored_item", "title": "Mug", "text": "A mug", "landing_url": "https://shop.example/mug"},
            {"id": 51, "advertiser": 10, "format": "banner", "width": 728, "height": 90, "title": "Sale", "text": "", "landing_url": "https://shop.example/",
             "image_url": "https://shop.example/sale.png", "review": "pending"},
        ],
        "ads": [
            {"id": 5000, "line_item": 1000, "creative": 50, "item": "MUG-1", "categories": ["kitchen"], "frequency_caps": [{"max": 1, "window_minutes": 60}]},
            {"id": 5001, "line_item": 1001, "creative": 51, "status": "paused"},
        ],
        "placements": [{
            "id": 7, "tenant": 1, "name": "Home page", "page_type": "home", "formats": [{"format": "sponsored_item"}, {"format": "banner", "width": 728, "height": 90}],
            "slots_max": 4, "floor_micros": 250_000, "blocked_advertisers": [], "blocked_categories": ["weapons"],
        }],
    })
}

fn bytes(file: &Value) -> Vec<u8> {
    serde_json::to_vec(file).unwrap()
}

/// Why the file is refused.
fn refusal(file: &[u8]) -> Vec<String> {
    let folder = Folder::new();
    let mut store = folder.store();
    let CatalogError::Refused(problems) = store.load_bytes(file, NOW).unwrap_err() else {
        panic!("not the file's fault")
    };
    assert_eq!(store.version().unwrap().sequence, 0, "nothing is half loaded");
    assert_eq!(store.read_catalog().unwrap().objects().count(), 0);
    problems
}

/// `everything` with the value at a JSON pointer replaced; `Null` removes an object's field.
fn with(pointer: &str, value: Value) -> Vec<u8> {
    let mut file = everything();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match (file.pointer_mut(parent).unwrap(), value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(key)),
        (Value::Object(fields), value) => drop(fields.insert(key.to_owned(), value)),
        (Value::Array(list), value) => list[key.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{other}"),
    }
    bytes(&file)
}

on_every_database! {
    every_field_of_the_file_arrives_in_the_catalog,
    loading_a_file_twice_changes_nothing,
    a_change_adds_one_row_and_an_ad_keeps_its_age,
    the_audit_log_says_what_a_file_changed,
    changes_in_the_database_are_never_altered,
    an_object_that_is_there_stays_beneath_its_parent,
    a_limit_that_returns_to_an_old_value_is_a_new_command,
    a_limit_that_is_not_stated_stays,
    loads_that_race_are_both_complete,
    a_follower_serves_what_another_process_loaded,
    piled_up_changes_are_merged_while_newer_ones_go_on_arriving,
    every_version_can_be_read_again_whole_or_in_part,
    of_another_timeline_the_whole_catalog_is_read_again,
}

fn of_another_timeline_the_whole_catalog_is_read_again(home: &Own) {
    let mut loader = home.catalog();
    loader.load_bytes(&bytes(&everything()), NOW).unwrap();
    let (mut follower, _) = Follower::open(home.catalog(), 1_000).unwrap();
    loader.load_bytes(&with("/campaigns/0/name", json!("Winter")), NOW).unwrap();
    assert_eq!(follower.poll().unwrap().unwrap().catalog.version().timeline, 1);
    // A standby that lacks the last change was promoted, and something else got its number.
    let lost = "DELETE FROM catalog_changes WHERE sequence = 15; UPDATE catalog_version SET sequence = 14;
                UPDATE catalog_current SET sequence = (SELECT max(c.sequence) FROM catalog_changes AS c
                  WHERE c.kind = catalog_current.kind AND c.id = catalog_current.id) WHERE sequence = 15;";
    home.forge(lost);
    loader.load_bytes(&with("/creatives/0/title", json!("New mug")), NOW).unwrap();
    follower.poll().unwrap();
    let lost = |follower: &Follower| objects(follower.current()) != objects(&loader.read_catalog().unwrap());
    assert!(lost(&follower), "the number alone does not tell");
    home.script("UPDATE catalog_version SET timeline = 2").unwrap();
    if matches!(home, Own::File(_)) {
        let update = follower.poll().unwrap().unwrap();
        assert_eq!((update.catalog.version().timeline, update.limits.len()), (2, 4));
        assert!(!lost(&follower));
    }
}

fn objects(catalog: &Catalog) -> Vec<Object> {
    let mut objects: Vec<_> = catalog.objects().collect();
    objects.sort_by_key(Object::reference);
    objects
}

fn every_field_of_the_file_arrives_in_the_catalog(home: &Own) {
    let mut store = home.catalog();
    let report = store.load_bytes(&bytes(&everything()), NOW).unwrap();
    assert_eq!((report.inserted, report.changed, report.unchanged), (10, 0, 0));

    let catalog = store.read_catalog().unwrap();
    assert_eq!(catalog.version(), report.version);
    let line_item = catalog.line_item_object(catalog.line_item_by_id(LineItemId(1000)).unwrap());
    assert_eq!(line_item.bid, Price { micros: 2_500_000, per: Unit::Mille });
    assert_eq!(
        (line_item.billable, line_item.pacing, line_item.needs_consent),
        (Billable::Viewable, PacingMode::Asap, true)
    );
    assert_eq!(line_item.exclusions, ["cola"]);
    let texts = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
    let expected = Targeting::All(vec![
        Targeting::In(TermKind::Geo, texts(&["US", "US-CA/Fresno"])),
        Targeting::Not(Box::new(Targeting::In(TermKind::KeyValue, texts(&["mood=sad"])))),
        Targeting::Any(vec![
            Targeting::In(TermKind::Device, texts(&["mobile"])),
            Targeting::In(TermKind::Os, texts(&["ios"])),
        ]),
        Targeting::Daypart(vec![8, 9, 32, 33]),
        Targeting::In(TermKind::Placement, texts(&["7"])),
    ]);
    assert_eq!(line_item.targeting, expected);

    let campaign = catalog.campaign_object(catalog.campaign_by_id(CampaignId(100)).unwrap());
    assert_eq!(campaign.flight.start, Some(Timestamp(1_788_213_600_000)));
    assert_eq!(campaign.caps[0].window, Duration::days(1));
    let ad = catalog.ad_object(catalog.ad_by_id(AdId(5000)).unwrap());
    assert_eq!((ad.item.as_deref(), ad.created, ad.caps.len()), (Some("MUG-1"), NOW, 1));
    let paused = catalog.ad(catalog.ad_by_id(AdId(5001)).unwrap());
    let creative = catalog.creative(paused.creative);
    assert_eq!((paused.status, creative.review), (Status::Paused, Review::Pending));
    assert_eq!(creative.format, Format::Banner { width: 728, height: 90 });
    let placement = catalog.placement_by_page_type("home").unwrap();
    assert_eq!((placement.id, placement.floor, placement.max_per_advertiser), (PlacementId(7), Nanos(250_000), 4));
    assert_eq!(placement.formats.len(), 2);
}

fn loading_a_file_twice_changes_nothing(home: &Own) {
    let mut store = home.catalog();
    let first = store.load_bytes(&bytes(&everything()), NOW).unwrap();
    let before = objects(&store.read_catalog().unwrap());
    let again = store.load_bytes(&bytes(&everything()), NOW + Duration::days(1)).unwrap();
    assert_eq!((again.inserted, again.changed, again.unchanged), (0, 0, 10));
    assert_eq!((again.version, &again.limits), (first.version, &first.limits));
    assert_eq!(objects(&store.read_catalog().unwrap()), before);
    let ids: Vec<_> = again.limits.iter().map(|l| l.command_id(1)).collect();
    assert_eq!(ids, first.limits.iter().map(|l| l.command_id(1)).collect::<Vec<_>>());
}

fn a_change_adds_one_row_and_an_ad_keeps_its_age(home: &Own) {
    let mut store = home.catalog();
    let first = store.load_bytes(&bytes(&everything()), NOW).unwrap();
    let later = NOW + Duration::hours(1);
    let change = json!({"ads": [{"id": 5000, "line_item": 1000, "creative": 50, "item": "MUG-2"}]});
    let report = store.load_bytes(&bytes(&change), later).unwrap();
    assert_eq!((report.inserted, report.changed, report.unchanged), (0, 1, 0));
    assert_eq!(report.version.sequence, first.version.sequence + 1);
    let changes = store.changes_since(first.version.sequence).unwrap();
    let [Object::Ad(ad)] = &changes.objects[..] else { panic!("{changes:?}") };
    assert_eq!((ad.item.as_deref(), ad.created), (Some("MUG-2"), NOW));
    assert_eq!(store.changes_since(0).unwrap().objects.len(), 10, "each object once, as it is now");
}

fn the_audit_log_says_what_a_file_changed(home: &Own) {
    let (mut store, audit) = (home.catalog(), home.audit());
    store.load_bytes(&bytes(&everything()), NOW).unwrap();
    let mut file = everything();
    file["campaigns"][0]["name"] = json!("Winter");
    file["line_items"][0]["budget_micros"] = json!(7_000_000);
    store.load_bytes(&bytes(&file), NOW + Duration::hours(1)).unwrap();
    store.load_bytes(&bytes(&file), NOW + Duration::hours(2)).unwrap();
    let rows: Vec<_> = audit.list(&Filter::default(), 100).unwrap().into_iter().map(|row| row.entry).collect();
    let told: Vec<_> = rows.iter().map(|row| (row.action.as_str(), row.kind.as_str(), row.object.as_str())).collect();
    let expected = [
        ("load", "catalog", ""),
        ("update", "line_item", "1000"),
        ("update", "campaign", "100"),
        ("load", "catalog", ""),
    ];
    assert_eq!(told, expected, "newest first; the third file changed nothing");
    assert!(rows.iter().all(|row| row.who == "command line") && rows[1].tenant == Some(TenantId(1)));
    let member = |side: &Option<Value>, name: &str| side.as_ref().unwrap()[name].clone();
    let budget = |side| member(side, "budget_micros");
    assert_eq!((budget(&rows[1].before), budget(&rows[1].after)), (json!(100_000_000), json!(7_000_000)));
    assert_eq!((member(&rows[2].before, "name"), member(&rows[2].after, "name")), (json!("Autumn"), json!("Winter")));
    let counted = |row: usize| (member(&rows[row].after, "new"), member(&rows[row].after, "changed"));
    assert_eq!((counted(0), counted(3)), ((json!(0), json!(1)), (json!(10), json!(0))));
}

fn changes_in_the_database_are_never_altered(home: &Own) {
    home.catalog().load_bytes(&bytes(&everything()), NOW).unwrap();
    for statement in ["UPDATE catalog_changes SET id = 1", "DELETE FROM catalog_changes"] {
        let refused = home.script(statement).unwrap_err();
        assert!(refused.contains("never") || refused.contains("as it was written"), "{statement}: {refused}");
    }
}

#[test]
fn what_a_file_gets_wrong_is_named_by_its_path() {
    let cases = [
        ("/line_items/0/bid/per", json!("week"), "line_items[0].bid.per: unknown variant `week`"),
        ("/line_items/0/bid/micros", json!("much"), "line_items[0].bid.micros: invalid type"),
        ("/line_items/0/bid/micros", json!(0), "line_items[0].bid.micros: 0 is not in"),
        ("/line_items/0/bidd", json!(1), "line_items[0].bidd: unknown field"),
        ("/line_items/1/name", Value::Null, "line_items[1]: missing field `name`"),
        ("/line_items/0/budget_micros", json!(-1), "line_items[0].budget_micros: -1 is not in"),
        ("/line_items/0/targeting/all/0/geo/0", json!(""), "line_items[0].targeting.geo: is empty"),
        (
            "/line_items/0/targeting/all/2/any/0/device",
            json!(["toaster"]),
            "line_items[0].targeting.device: \"toaster\" is not a device",
        ),
        (
            "/line_items/0/targeting/all/1/not/key_value",
            json!({}),
            "line_items[0].targeting.all[1].not.key_value: needs at least one key",
        ),
        (
            "/line_items/0/targeting/all/3/daypart/hours/0",
            json!(24),
            "line_items[0].targeting.all[3].daypart.hours[0]: an hour is",
        ),
        (
            "/line_items/0/targeting/all/3/daypart/days/0",
            json!("someday"),
            "line_items[0].targeting.all[3].daypart.days[0]: unknown variant",
        ),
        ("/line_items/0/targeting", json!({"planet": ["mars"]}), "line_items[0].targeting: unknown variant `planet`"),
        ("/campaigns/0/start", json!("tomorrow"), "campaigns[0].start: \"tomorrow\" is not a time of RFC 3339"),
        ("/campaigns/0/end", json!("2026-08-01T00:00:00Z"), "campaigns[0].end: not after start"),
        ("/campaigns/0/advertiser", json!(77), "campaigns[0].advertiser: there is no advertiser 77"),
        ("/advertisers/0/time_zone", json!("Mars/Olympus"), "advertisers[0].time_zone: unknown time zone"),
        ("/creatives/1/height", Value::Null, "creatives[1].height: a banner needs its height"),
        ("/creatives/0/width", json!(3), "creatives[0].width: a sponsored item has no size"),
        ("/creatives/0/landing_url", json!("javascript:alert(1)"), "creatives[0].landing_url: not an http"),
        ("/ads/1/id", json!(5000), "ads[1].id: ad 5000 is given in ads[0] already"),
        ("/ads/0/id", json!(0), "ads[0].id: 0 is not in"),
        ("/ads/0/frequency_caps/0/max", json!(0), "ads[0].frequency_caps[0].max: not in"),
        ("/placements/0/slots_max", json!(21), "placements[0].slots_max: not in"),
        ("/placements/0/formats/1/width", Value::Null, "placements[0].formats: a banner needs its width"),
        ("/adverts", json!([]), "unknown list `adverts`"),
        ("/ads", json!({}), "ads: invalid type: map, expected a list"),
    ];
    for (pointer, value, expected) in cases {
        let problems = refusal(&with(pointer, value.clone()));
        assert!(
            problems.iter().any(|p| p.starts_with(expected)),
            "{pointer} = {value}: wanted {expected}, got {problems:#?}"
        );
    }
}

#[test]
fn several_problems_are_reported_at_once() {
    let mut file = everything();
    file["line_items"][0]["bid"]["micros"] = json!(0);
    file["ads"][1]["creative"] = json!(99);
    file["placements"][0]["page_type"] = json!("");
    assert_eq!(refusal(&bytes(&file)).len(), 3);
}

#[test]
fn a_file_that_is_not_json_or_not_an_object_is_refused() {
    for file in [&b""[..], b"[]", b"{", b"null", b"{\"ads\":[]} tail", b"\xff", b"{\"ads\":[],\"ads\":[]}"] {
        assert_eq!(refusal(file).len(), 1, "{}", String::from_utf8_lossy(file));
    }
    let deep = format!("{{\"line_items\":[{{\"targeting\":{}", "{\"not\":".repeat(10_000));
    assert!(refusal(deep.as_bytes())[0].contains("recursion limit"));
}

fn an_object_that_is_there_stays_beneath_its_parent(home: &Own) {
    let mut store = home.catalog();
    store.load_bytes(&bytes(&everything()), NOW).unwrap();
    let moved = json!({"ads": [{"id": 5000, "line_item": 1001, "creative": 50}]});
    let error = store.load_bytes(&bytes(&moved), NOW).unwrap_err().to_string();
    assert!(error.contains("ads[0].line_item: stays beneath line_item 1000"), "{error}");
}

#[test]
fn an_unknown_file_and_one_that_is_too_large_are_named() {
    let folder = Folder::new();
    let (missing, large) = (folder.dir.path().join("missing.json"), folder.dir.path().join("large.json"));
    std::fs::File::create(&large).unwrap().set_len(litfass_store::catalog::FILE_BYTES_MAX + 1).unwrap();
    for path in [missing, large] {
        let error = folder.store().load(&path, NOW).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}

fn a_limit_that_returns_to_an_old_value_is_a_new_command(home: &Own) {
    let mut store = home.catalog();
    let mut load = |micros: i64| {
        let mut file = everything();
        file["line_items"][0]["budget_micros"] = json!(micros);
        store.load_bytes(&bytes(&file), NOW).unwrap().limits
    };
    let budget = |limits: &[Limit]| *limits.iter().find(|limit| limit.field == LimitField::Budget).unwrap();
    let (first, second, third, fourth) = (load(1), load(2), load(1), load(1));
    assert_eq!(first.len(), 4);
    assert_eq!((budget(&first).micros, budget(&third).micros), (1, 1));
    assert_ne!(budget(&first).command_id(1), budget(&third).command_id(1));
    assert_ne!(budget(&third).command_id(1), budget(&third).command_id(2), "sequences come again in another timeline");
    assert_eq!(budget(&third), budget(&fourth));
    let untouched = |limits: &[Limit]| {
        limits.iter().filter(|l| l.field != LimitField::Budget).map(|l| l.command_id(1)).collect::<Vec<_>>()
    };
    assert_eq!(untouched(&first), untouched(&second));
    assert_eq!(store.limits().unwrap().len(), 4, "only limits in force");
}

fn a_limit_that_is_not_stated_stays(home: &Own) {
    let mut store = home.catalog();
    store.load_bytes(&bytes(&everything()), NOW).unwrap();
    let report = store.load_bytes(&with("/advertisers/0/credit_limit_micros", Value::Null), NOW).unwrap();
    assert_eq!(report.limits.len(), 3);
    let credit = ObjectRef { kind: ObjectKind::Advertiser, id: 10 };
    assert!(store.limits().unwrap().iter().any(|limit| limit.object == credit && limit.micros == 5_000_000));
}

#[test]
fn a_damaged_row_is_named_and_never_skipped() {
    let folder = Folder::new();
    let mut store = folder.store();
    store.load_bytes(&bytes(&everything()), NOW).unwrap();
    let connection = rusqlite::Connection::open(folder.path()).unwrap();
    for (sequence, kind, payload) in [(900, 6, "x'ff'"), (901, 6, "x'1863'"), (902, 99, "x''")] {
        connection.execute_batch(&format!("INSERT INTO catalog_changes VALUES ({sequence}, {kind}, 1, 0, 0, {payload}); INSERT OR REPLACE INTO catalog_current VALUES ({kind}, 1, {sequence})")).unwrap();
        let error = store.read_catalog().unwrap_err();
        assert!(matches!(&error, CatalogError::Damaged { sequence: found, .. } if *found == sequence), "{error}");
    }
}

fn loads_that_race_are_both_complete(home: &Own) {
    home.catalog().load_bytes(&bytes(&everything()), NOW).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4_u64 {
            scope.spawn(move || {
                let mut store = home.catalog();
                for i in 0..3 {
                    let tenant = json!({"tenants": [{"id": 100 + writer * 10 + i, "name": "t"}]});
                    // Another writer may be quicker every time; a load that gives up has done nothing and is run again.
                    while let Err(e) = store.load_bytes(&bytes(&tenant), NOW) {
                        assert!(matches!(e, CatalogError::Contended), "{e}");
                    }
                }
            });
        }
    });
    let store = home.catalog();
    assert_eq!(store.read_catalog().unwrap().tenants().count(), 13);
    assert_eq!(store.version().unwrap().sequence, 10 + 4 + 12);
}

fn a_follower_serves_what_another_process_loaded(home: &Own) {
    let mut loader = home.catalog();
    loader.load_bytes(&bytes(&everything()), NOW).unwrap();
    let (mut follower, first) = Follower::open(home.catalog(), 1_000).unwrap();
    assert_eq!(first.limits.len(), 4);
    assert!(follower.poll().unwrap().is_none());

    loader.load_bytes(&with("/line_items/1/budget_micros", json!(70)), NOW).unwrap();
    let limited = follower.poll().unwrap().unwrap();
    assert_eq!(limited.limits.iter().map(|limit| limit.micros).collect::<Vec<_>>(), [70]);
    loader.load_bytes(&with("/creatives/0/title", json!("New mug")), NOW).unwrap();
    let update = follower.poll().unwrap().unwrap();
    let ad = update.catalog.ad(update.catalog.ad_by_id(AdId(5000)).unwrap());
    assert_eq!(update.catalog.creative(ad.creative).title, "New mug");
    assert_eq!(update.limits, []);
    assert_eq!(objects(&update.catalog), objects(&loader.read_catalog().unwrap()));
}

fn piled_up_changes_are_merged_while_newer_ones_go_on_arriving(home: &Own) {
    let mut loader = home.catalog();
    loader.load_bytes(&bytes(&everything()), NOW).unwrap();
    let (mut follower, _) = Follower::open(home.catalog(), 1).unwrap();
    for round in 0..20 {
        let title = format!("Mug {round}");
        let budget = json!({"line_items": [{"id": 1001, "campaign": 100, "name": "n", "bid": {"micros": 1, "per": "click"}, "budget_micros": round}]});
        loader.load_bytes(&with("/creatives/0/title", json!(title)), NOW).unwrap();
        loader.load_bytes(&bytes(&budget), NOW).unwrap();
        let update = follower.poll().unwrap().unwrap();
        assert_eq!(objects(&update.catalog), objects(&loader.read_catalog().unwrap()));
        assert_eq!(update.limits.iter().map(|limit| limit.micros).collect::<Vec<_>>(), [round]);
    }
    let version = loader.version().unwrap();
    // Once nothing changes any more the last merge ends, and nothing is left in the overlay.
    let merged = |catalog: &Catalog| catalog.overlay_ads() == 0 && !catalog.wants_merge();
    for _ in 0..10_000_000 {
        if merged(follower.current()) {
            break;
        }
        if let Some(update) = follower.poll().unwrap() {
            assert_eq!((update.catalog.version(), update.limits), (version, Vec::new()));
        }
        std::thread::yield_now();
    }
    assert!(merged(follower.current()));
    assert_eq!(objects(follower.current()), objects(&loader.read_catalog().unwrap()));
    assert_eq!(follower.current().version(), CatalogVersion { timeline: 1, sequence: version.sequence });
}

fn every_version_can_be_read_again_whole_or_in_part(home: &Own) {
    let mut store = home.catalog();
    let mut versions = Vec::new();
    let names = ["first", "second", "third"];
    for (n, name) in names.iter().enumerate() {
        let mut file: Value = serde_json::from_slice(&bytes(&everything())).unwrap();
        file["campaigns"][0]["name"] = json!(name);
        if n > 0 {
            file["line_items"][1]["bid"]["micros"] = json!(1_000 * n);
        }
        store.load_bytes(&bytes(&file), NOW).unwrap();
        versions.push((store.version().unwrap(), objects(&store.read_catalog().unwrap())));
    }
    for (n, (version, then)) in versions.iter().enumerate() {
        let again = store.catalog_at(*version).unwrap();
        assert_eq!((again.version(), objects(&again)), (*version, then.clone()));
        let wanted = Wanted { ads: vec![AdId(5_000), AdId(77)], ..Wanted::default() };
        let part = store.part_at(*version, &wanted).unwrap();
        let line_item = part.line_item(part.line_item_of(part.ad_by_id(AdId(5_000)).unwrap()));
        assert_eq!(part.campaign(line_item.campaign_ix).name, names[n]);
        assert!(part.line_item_by_id(LineItemId(1_001)).is_none() && part.placement(PlacementId(7)).is_some());
        let all = objects(&again);
        assert!(objects(&part).iter().all(|object| all.contains(object)));
    }
    let nothing = CatalogVersion { sequence: 0, ..versions[0].0 };
    assert_eq!(objects(&store.catalog_at(nothing).unwrap()), []);
    let changed = store.changes_between(versions[0].0.sequence, versions[1].0.sequence).unwrap();
    assert_eq!(changed.len(), 2, "{changed:?}");
}

fn any_tree() -> impl Strategy<Value = Value> {
    let values = || prop::collection::vec("[a-z]{1,8}", 0..4);
    let leaf = prop_oneof![
        values().prop_map(|v| json!({"geo": v})),
        values().prop_map(|v| json!({"segment": v})),
        prop::collection::vec(1..9_u64, 0..3).prop_map(|v| json!({"placement": v})),
        ("[a-z]{1,4}", values()).prop_map(|(k, v)| json!({"key_value": {k: v}})),
        prop::collection::vec(0..24_u8, 0..5)
            .prop_map(|hours| json!({"daypart": {"days": ["sat", "sun"], "hours": hours}})),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        let parts = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            parts.clone().prop_map(|p| json!({"all": p})),
            parts.prop_map(|p| json!({"any": p})),
            inner.prop_map(|p| json!({"not": p})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_targeting_is_the_same_after_it_was_stored(tree in any_tree()) {
        let folder = Folder::new();
        let mut store = folder.store();
        let file = with("/line_items/0/targeting", tree);
        if store.load_bytes(&file, NOW).is_ok() {
            let before = objects(&store.read_catalog().unwrap());
            let again = store.load_bytes(&file, NOW).unwrap();
            prop_assert_eq!((again.inserted, again.changed), (0, 0));
            let changes = store.changes_since(0).unwrap();
            let mut stored = changes.objects;
            stored.sort_by_key(Object::reference);
            prop_assert_eq!(stored, before);
        }
    }

    #[test]
    fn a_file_cut_or_altered_anywhere_is_refused_or_loaded_whole(cut in 0.0..1.0_f64, byte in any::<u8>()) {
        let whole = bytes(&everything());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short file")]
        let at = (cut * whole.len() as f64) as usize;
        prop_assert_eq!(refusal(&whole[..at]).len(), 1);
        let mut altered = whole;
        altered[at] = byte;
        let folder = Folder::new();
        let mut store = folder.store();
        let loaded = store.load_bytes(&altered, NOW);
        let count = store.read_catalog().unwrap().objects().count();
        prop_assert_eq!(count, if loaded.is_ok() { 10 } else { 0 });
    }
}
