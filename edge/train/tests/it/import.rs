//! Importing the shop's log: every line accounted for, the same bytes each time, errors with file and line.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use std::fs;
use std::path::{Path, PathBuf};

use litfass_train::dataset::{CATALOG, Dataset, Manifest, OUTCOMES, REQUESTS};
use litfass_train::import::online_retail::import;
use tempfile::TempDir;

const HEADER: &str = "Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";
const LINES: &str = "\
WHITE  LANTERN ,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
WHITE LANTERN,2,2010-12-01 08:26:00,2.55,17850,United Kingdom
\"TEA, COFFEE\",1,2010-12-01 08:26:00,0.5,17850,United Kingdom
WHITE LANTERN,1,2010-12-01 09:00:00,2.55,13000,EIRE
WHITE LANTERN,1,2010-12-01 09:00:00,2.55,,United Kingdom
WHITE LANTERN,-1,2010-12-01 09:00:00,2.55,13000,EIRE
WHITE LANTERN,1,2010-12-01 09:00:00,0.0,13000,EIRE
,1,2010-12-01 09:00:00,1.0,13000,EIRE
Postage,1,2010-12-01 09:00:00,18.0,13000,EIRE
";

fn source(lines: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("log.csv");
    fs::write(&file, format!("{HEADER}{lines}")).unwrap();
    (dir, file)
}

fn imported(lines: &str, bid_requests: Option<&Path>) -> (TempDir, Manifest) {
    let (dir, file) = source(lines);
    let manifest = import(&file, &dir.path().join("out"), bid_requests).unwrap();
    (dir, manifest)
}

#[test]
fn every_line_is_imported_or_counted_under_a_reason() {
    let (_dir, manifest) = imported(LINES, None);
    assert_eq!((manifest.lines_read, manifest.lines_imported), (9, 4));
    let reasons = ["no_customer", "return", "non_positive_price", "no_description", "not_goods"];
    assert!(reasons.iter().all(|why| manifest.excluded[*why] == 1), "{:?}", manifest.excluded);
    assert_eq!(manifest.excluded.values().sum::<u64>() + manifest.lines_imported, manifest.lines_read);
    assert_eq!((manifest.requests, manifest.customers, manifest.products, manifest.outcomes), (2, 2, 2, 3));
}

#[test]
fn a_basket_is_a_request_with_its_outcome() {
    let (dir, _) = imported(LINES, None);
    let dataset = Dataset::read(&dir.path().join("out")).unwrap();
    let titles: Vec<&str> = dataset.products.iter().map(|p| p.title.as_str()).collect();
    assert_eq!(titles, ["WHITE LANTERN", "TEA, COFFEE"]);
    let first = &dataset.requests[0];
    assert_eq!(
        (first.time_ms, first.customer.as_str(), first.country.as_deref()),
        (1_291_191_960_000, "17850", Some("GB"))
    );
    let lantern = &dataset.outcomes[0].items[0];
    assert_eq!((lantern.quantity, lantern.value_micros), (8, 20_400_000), "two lines of one product in one basket");
    assert_eq!(dataset.requests[1].country.as_deref(), Some("IE"));
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let bid_requests = r#"{"url":"http://News.example/a?b","userAgent":"Mozilla/5.0 (iPad; CPU OS 5)"}
{"url":"http://shop.example","userAgent":"Mozilla/5.0 (Windows NT 6.1)"}
{"userAgent":"no site"}
"#;
    let (dir, _) = source("");
    let joined = dir.path().join("bids.ndjson");
    fs::write(&joined, bid_requests).unwrap();
    let (one, manifest) = imported(LINES, Some(&joined));
    let (two, again) = imported(LINES, Some(&joined));
    assert_eq!(manifest, again);
    for name in [CATALOG, REQUESTS, OUTCOMES] {
        let bytes = |dir: &TempDir| fs::read(dir.path().join("out").join(name)).unwrap();
        assert!(bytes(&one) == bytes(&two), "{name}");
    }
    let dataset = Dataset::read(&one.path().join("out")).unwrap();
    let sites = dataset.requests.iter().map(|r| r.synthetic.as_ref().unwrap());
    assert!(sites.clone().all(|s| ["news.example", "shop.example"].contains(&s.site.as_str())));
    assert!(sites.clone().all(|s| ["tablet", "desktop"].contains(&s.device.as_str())));
    assert!(manifest.synthetic.iter().any(|what| what.contains("user agent")), "it says so");
}

fn refused(lines: &str) -> String {
    let (dir, file) = source(lines);
    import(&file, &dir.path().join("out"), None).unwrap_err().to_string()
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let good = "A,1,2010-12-01 08:26:00,1.0,1,EIRE\n";
    for (bad, expected) in [
        ("A,1.5,2010-12-01 08:26:00,1.0,1,EIRE\n", "line 3: Quantity: \"1.5\" is not a whole number"),
        ("A,1,01.12.2010,1.0,1,EIRE\n", "line 3: InvoiceDate: \"01.12.2010\" is not"),
        ("A,1,2010-12-01 08:26:00,1e3,1,EIRE\n", "line 3: UnitPrice: \"1e3\" is not"),
        ("A,1,2010-12-01 08:26:00\n", "line 3: "),
        ("A,99999999999999999999,2010-12-01 08:26:00,1.0,1,EIRE\n", "line 3: Quantity"),
    ] {
        let message = refused(&format!("{good}{bad}"));
        assert!(message.contains("log.csv: ") && message.contains(expected), "{message}");
    }
}

#[test]
fn a_file_of_another_kind_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let try_bytes = |name: &str, bytes: &[u8]| {
        let file = dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        import(&file, &dir.path().join("out"), None).unwrap_err().to_string()
    };
    assert!(try_bytes("a.csv", b"x,y\n1,2\n").contains("a.csv: line 1: the header must be Description,"));
    assert!(
        try_bytes("b.csv", &[b"Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n", &[0xff][..]].concat())
            .contains("b.csv: line 2")
    );
    assert!(try_bytes("c.csv.zst", b"not packed").contains("c.csv.zst: not Zstandard"));
    assert!(import(&dir.path().join("gone"), dir.path(), None).unwrap_err().to_string().contains("gone: "));
}

#[test]
fn a_dataset_that_was_changed_is_refused() {
    let (dir, _) = imported(LINES, None);
    let out = dir.path().join("out");
    let file = out.join(OUTCOMES);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"quantity\":8", "\"quantity\":9")).unwrap();
    let message = Dataset::read(&out).unwrap_err().to_string();
    assert!(message.contains("outcomes.jsonl: its BLAKE3 is"), "{message}");
}

/// The catalog is a catalog file: the catalog store takes it.
#[test]
fn the_catalog_is_a_catalog_file() {
    let (dir, _) = imported(LINES, None);
    let bytes = fs::read(dir.path().join("out").join(CATALOG)).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    for kind in ["tenants", "advertisers", "campaigns", "line_items", "creatives", "ads", "placements"] {
        assert!(!file[kind].as_array().unwrap().is_empty(), "{kind}");
    }
    assert!(file["advertisers"][0]["name"].as_str().unwrap().contains("synthetic"));
}
