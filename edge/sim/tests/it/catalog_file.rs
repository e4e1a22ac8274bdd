use std::collections::BTreeSet;

use litfass_sim::{Shop, Size};
use litfass_store::catalog::CatalogStore;
use litfass_types::{Price, Timestamp};
use serde_json::Value;

fn catalog() -> Value {
    Shop::new(1, Size::DEMO).catalog(Timestamp(1_750_000_000_000))
}

fn rows<'a>(catalog: &'a Value, kind: &str) -> &'a [Value] {
    catalog[kind].as_array().unwrap()
}

fn ids(catalog: &Value, kind: &str) -> BTreeSet<u64> {
    rows(catalog, kind).iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

#[test]
fn the_demo_has_the_size_it_promises() {
    let catalog = catalog();
    let count = |kind| rows(&catalog, kind).len();
    assert_eq!((count("tenants"), count("advertisers"), count("campaigns"), count("placements")), (1, 12, 30, 5));
    assert!(count("line_items") >= 60 && (1_900..2_100).contains(&count("ads")), "{} ads", count("ads"));
}

#[test]
fn ids_are_unique_within_their_kind_and_fit_into_53_bits() {
    let catalog = catalog();
    for kind in ["tenants", "advertisers", "campaigns", "line_items", "creatives", "ads", "placements"] {
        let ids = ids(&catalog, kind);
        assert_eq!(ids.len(), rows(&catalog, kind).len(), "{kind}");
        assert!(ids.iter().all(|id| (1..1 << 53).contains(id)), "{kind}");
    }
}

#[test]
fn everything_refers_to_something_that_is_there() {
    let catalog = catalog();
    let refers = |kind: &str, field: &str, to: &str| {
        let known = ids(&catalog, to);
        rows(&catalog, kind).iter().all(|row| known.contains(&row[field].as_u64().unwrap()))
    };
    assert!(refers("advertisers", "tenant", "tenants") && refers("placements", "tenant", "tenants"));
    assert!(refers("campaigns", "advertiser", "advertisers") && refers("creatives", "advertiser", "advertisers"));
    assert!(refers("line_items", "campaign", "campaigns"));
    assert!(refers("ads", "line_item", "line_items") && refers("ads", "creative", "creatives"));
}

#[test]
fn bids_are_of_both_units_and_within_the_limit() {
    let catalog = catalog();
    let units: BTreeSet<&str> = rows(&catalog, "line_items")
        .iter()
        .map(|row| {
            let micros = row["bid"]["micros"].as_i64().unwrap();
            assert!(micros > 0 && micros <= Price::MAX_MICROS);
            row["bid"]["per"].as_str().unwrap()
        })
        .collect();
    assert_eq!(units, BTreeSet::from(["click", "mille"]));
}

#[test]
fn pacing_targeting_caps_and_budgets_come_in_every_kind() {
    let catalog = catalog();
    let has = |kind: &str, test: &dyn Fn(&Value) -> bool| rows(&catalog, kind).iter().any(test);
    for pacing in ["even", "asap"] {
        assert!(has("line_items", &|row| row["pacing"] == pacing));
    }
    for budget in ["lifetime_budget_micros", "daily_budget_micros"] {
        assert!(has("campaigns", &|row| row[budget].as_i64().is_some_and(|micros| micros < 12_000_001)), "{budget}");
        assert!(has("campaigns", &|row| row[budget].as_i64().is_some_and(|micros| micros > 90_000_000)), "{budget}");
    }
    assert!(has("line_items", &|row| !row["frequency_caps"].as_array().unwrap().is_empty()));
    assert!(has("campaigns", &|row| !row["frequency_caps"].as_array().unwrap().is_empty()));
    assert!(has("creatives", &|row| row["format"] == "banner"));
    let targeting: String = rows(&catalog, "line_items").iter().map(|row| row["targeting"].to_string()).collect();
    for kind in
        ["geo", "device", "os", "placement", "category", "segment", "keyword", "key_value", "daypart", "not", "any"]
    {
        assert!(targeting.contains(&format!("\"{kind}\"")), "no line item targets by {kind}");
    }
}

#[test]
fn a_small_shop_keeps_the_same_rules() {
    let catalog = Shop::new(2, Size::SMALL).catalog(Timestamp(0));
    assert_eq!(rows(&catalog, "advertisers").len(), 4);
    assert!(rows(&catalog, "ads").len() >= 120);
    assert_eq!(rows(&catalog, "campaigns")[1]["end"], "1970-01-01T02:00:00Z");
}

#[test]
fn the_catalog_store_loads_it_whole_and_a_second_time_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = CatalogStore::open(&dir.path().join("litfass.db")).unwrap();
    let opens = Timestamp(1_750_000_000_000);
    let file = catalog().to_string();
    let report = store.load_bytes(file.as_bytes(), opens).unwrap();
    let objects: usize = catalog().as_object().unwrap().values().map(|rows| rows.as_array().unwrap().len()).sum();
    assert_eq!((report.inserted, report.changed), (objects as u64, 0));
    let again = store.load_bytes(file.as_bytes(), opens).unwrap();
    assert_eq!((again.inserted, again.changed, again.unchanged), (0, 0, objects as u64));
}
