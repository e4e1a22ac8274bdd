//! Folds are restored one by one, and what users chose is never lost without a word.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use litfass_events::Wish;
use litfass_store::fold::{BadState, Fact, Fold, FoldError, FoldOptions, FoldRunner, LostChoices};
use litfass_store::log::{EventLog, ReadError, Retention};
use litfass_types::Position;

use super::shop::{Folds, Shop, user};
use super::{busy_shop, snapshots};

/// The same fold as the next version of the program has it.
#[derive(Debug)]
struct Newer(Arc<dyn Fold>);

impl Fold for Newer {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn version(&self) -> u32 {
        self.0.version() + 1
    }

    fn apply(&self, fact: &Fact<'_>) {
        self.0.apply(fact);
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.snapshot()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        self.0.restore(bytes)
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn must_be_whole(&self) -> bool {
        self.0.must_be_whole()
    }
}

/// All folds, of which the one with that name is of another version.
fn upgraded(folds: &Folds, name: &str) -> Vec<Arc<dyn Fold>> {
    let newer = |fold: Arc<dyn Fold>| if fold.name() == name { Arc::new(Newer(fold)) as _ } else { fold };
    folds.all().into_iter().map(newer).collect()
}

struct Start<'a> {
    shop: &'a Shop,
    dir: &'a str,
    elsewhere: &'a [PathBuf],
    lost_choices: LostChoices,
}

impl<'a> Start<'a> {
    fn of(shop: &'a Shop) -> Self {
        Self { shop, dir: "/snapshots", elsewhere: &[], lost_choices: LostChoices::Refused }
    }

    fn with(self, folds: Vec<Arc<dyn Fold>>) -> Result<FoldRunner, FoldError> {
        let (log, storage) = (Arc::clone(&self.shop.log) as Arc<dyn EventLog>, Arc::new(self.shop.disk.clone()));
        let options = FoldOptions { lost_choices: self.lost_choices, ..FoldOptions::default() };
        let mut runner = FoldRunner::open(log, storage, Path::new(self.dir), self.elsewhere, folds, options)?;
        runner.catch_up()?;
        Ok(runner)
    }
}

/// A shop in which somebody opted out long ago: the log has forgotten it, the snapshots have not.
fn forgetful_shop() -> Shop {
    let shop = busy_shop();
    assert!(shop.wish(1, user(9), Wish::OptOut));
    let folds = Folds::new();
    let mut runner = folds.runner(&shop);
    runner.catch_up().unwrap();
    runner.snapshot().unwrap();
    let disk = shop.disk.clone();
    drop((runner, shop));
    // A start begins a new segment; only one that has a successor can go.
    let shop = Shop::open(&disk);
    assert!((1..40).all(|n| shop.view(user(n), 9_003)));
    let retention = Retention { bytes_max: Some(0), before: None };
    let needed_from = || Ok::<_, ReadError>(BTreeMap::from([(0, u64::MAX), (1, u64::MAX)]));
    assert!(shop.log.retire("server", retention, needed_from).unwrap().segments >= 2);
    let beginning = |partition| shop.log.read(Position { partition, offset: 0 }, 1);
    assert!((0..2).all(|partition| matches!(beginning(partition), Err(ReadError::Gone { .. }))));
    shop
}

#[test]
fn a_fold_that_a_snapshot_does_not_have_is_built_from_the_log_and_the_others_are_restored() {
    let shop = busy_shop();
    let expected = Folds::from_scratch(&shop).bytes();
    for fold in Folds::new().all() {
        let folds = Folds::new();
        let runner = Start::of(&shop).with(upgraded(&folds, fold.name())).unwrap();
        let progress = runner.progress();
        assert_eq!((progress.snapshots_refused(), progress.entries()), (1, 5), "{}", fold.name());
        assert_eq!(folds.bytes(), expected, "{}", fold.name());
    }
}

#[test]
fn a_snapshot_with_one_fold_only_serves_that_one() {
    let shop = busy_shop();
    let only_viewers = vec![Folds::new().viewers as _];
    Start { dir: "/other", ..Start::of(&shop) }.with(only_viewers).unwrap().snapshot().unwrap();
    let folds = Folds::new();
    let runner = Start { dir: "/other", ..Start::of(&shop) }.with(folds.all()).unwrap();
    assert_eq!((runner.progress().snapshots_refused(), runner.progress().entries()), (1, 0));
    assert_eq!(folds.bytes(), Folds::from_scratch(&shop).bytes());
}

#[test]
fn an_opt_out_that_the_log_has_forgotten_survives_the_upgrade_of_another_fold() {
    let shop = forgetful_shop();
    for name in ["viewers", "caps", "signals"] {
        let folds = Folds::new();
        Start::of(&shop).with(upgraded(&folds, name)).unwrap();
        assert!(folds.choices.has_opted_out(user(9)), "{name}");
    }
}

#[test]
fn a_start_that_would_forget_who_opted_out_is_refused_and_names_the_folder() {
    let shop = forgetful_shop();
    let refused = Start::of(&shop).with(upgraded(&Folds::new(), "choices")).unwrap_err();
    assert!(matches!(refused, FoldError::Lost { fold: "choices", .. }), "{refused}");
    assert!(refused.to_string().contains("/snapshots") && refused.to_string().contains("backup"), "{refused}");
    for path in snapshots(&shop.disk) {
        shop.disk.put(&path, b"nothing sound".to_vec());
    }
    let refused = Start::of(&shop).with(Folds::new().all()).unwrap_err();
    assert!(matches!(refused, FoldError::Lost { .. }), "{refused}");
    let folds = Folds::new();
    Start { lost_choices: LostChoices::Accepted, ..Start::of(&shop) }.with(folds.all()).unwrap();
    assert!(!folds.choices.has_opted_out(user(9)) && !folds.viewers.is_empty(), "as the operator wished");
}

#[test]
fn a_process_without_snapshots_begins_with_those_of_another() {
    let shop = forgetful_shop();
    let refused = Start { dir: "/new", ..Start::of(&shop) }.with(Folds::new().all()).unwrap_err();
    assert!(matches!(refused, FoldError::Lost { .. }), "{refused}");
    let (folds, restarted) = (Folds::new(), Folds::new());
    let elsewhere = [PathBuf::from("/snapshots")];
    Start { dir: "/new", elsewhere: &elsewhere, ..Start::of(&shop) }.with(folds.all()).unwrap();
    Start::of(&shop).with(restarted.all()).unwrap();
    assert!(folds.choices.has_opted_out(user(9)));
    assert_eq!(folds.bytes(), restarted.bytes());
}
