//! On the real shop's log, where it is there: all of it imported, and Litfass judged on it.
//!
//! The log is read from `data/online_retail` of the folder that `LITFASS_SHARED` names, or of `../shared` beside the project.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use std::path::{Path, PathBuf};

use litfass_train::dataset::Dataset;
use litfass_train::import::online_retail::import;

fn shared(name: &str) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("LITFASS_SHARED").map_or(beside, PathBuf::from);
    let file = root.join("data").join(name);
    assert!(file.exists(), "{} is not there: set LITFASS_SHARED to the folder that has data/{name}", file.display());
    file
}

fn imported(dir: &Path) -> litfass_train::dataset::Manifest {
    let bid_requests = shared("bid_requests/datacratic-20000.sanitised.ndjson.zst");
    import(&shared("online_retail/online_retail.csv.zst"), dir, Some(&bid_requests)).unwrap()
}

#[test]
fn every_line_of_the_real_log_is_accounted_for() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = imported(dir.path());
    assert_eq!(manifest.lines_read, 370_931);
    assert_eq!(manifest.lines_imported + manifest.excluded.values().sum::<u64>(), manifest.lines_read);
    assert_eq!(manifest.excluded["no_customer"], 98_056);
    assert_eq!(manifest.requests, Dataset::read(dir.path()).unwrap().requests.len() as u64);
}

/// Minutes without optimisation, so it is there in release builds only.
#[cfg(not(debug_assertions))]
#[test]
fn litfass_beats_the_rules_on_the_real_shop() {
    use litfass_rank::metrics::Interval;
    use litfass_train::evaluate::{Options, evaluate};

    let dir = tempfile::tempdir().unwrap();
    imported(dir.path());
    let report = evaluate(&Dataset::read(dir.path()).unwrap(), &Options::default()).unwrap();
    let above_zero = |interval: &Interval| interval.low > 0.0;
    let ahead_of = |rule: &str| report.ranker(rule).unwrap().litfass_ahead.unwrap()[0];
    for rule in ["random", "popularity, 30 days", "per-ad CTR"] {
        assert!(above_zero(&ahead_of(rule)), "{rule}\n{report}");
    }
    assert!(ahead_of("repeat purchase").low >= -0.01, "{report}");
    for rule in ["per-ad CTR", "repeat purchase"] {
        let [auc, loss] = report.predictor(rule).unwrap().litfass_minus.unwrap();
        assert!(above_zero(&auc) && loss.high < 0.0, "{rule}\n{report}");
    }
}
