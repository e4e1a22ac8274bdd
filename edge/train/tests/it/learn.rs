//! Learning a world whose truth is known.

use std::sync::LazyLock;

use litfass_features::FeatureSet;
use litfass_rank::metrics::{Scored, auc};
use litfass_rank::{Head, Model};
use litfass_train::examples::{Examples, Label, Misfit};
use litfass_train::learn::{Settings, Trained, learn};
use litfass_types::{Seed, Timestamp};

use crate::synthetic::{self, SLOT_EFFECT, Shown, uniform};

const REQUESTS: u64 = 20_000;

fn settings(examples: &Examples) -> Settings {
    Settings { bits: 16, ..Settings::for_examples(examples, Seed(4)) }
}

/// One world and what is learned from it, for all tests that only look.
static WORLD: LazyLock<(Examples, Trained)> = LazyLock::new(|| {
    let examples = synthetic::examples(REQUESTS, Seed(3));
    let trained = learn(&examples, &settings(&examples));
    (examples, trained)
});

#[test]
fn a_known_world_is_learned_nearly_as_well_as_can_be() {
    let (_, trained) = &*WORLD;
    let set = FeatureSet::v1();
    let (mut model, mut bayes, mut gap) = (Vec::new(), Vec::new(), 0.0);
    for n in 0..4_000 {
        let seed = Seed(77).derive(n);
        let Shown { block, rows, slots, truth } = synthetic::request(&set, seed, Timestamp(1_300_000_000_000));
        for (row, prediction) in trained.profile.last_phase(&block, &rows).into_iter().enumerate() {
            let click = uniform(seed.derive(5).derive(row as u64)) < truth[row];
            let expected = trained.profile.click_at(prediction.click, slots[row]);
            gap += (expected - truth[row]) / 16_000.0;
            model.push(Scored::new(expected, click));
            bayes.push(Scored::new(truth[row], click));
        }
    }
    let (model, bayes) = (auc(&mut model).unwrap(), auc(&mut bayes).unwrap());
    assert!(bayes - model < 0.015, "AUC {model} of at best {bayes}");
    assert!(gap.abs() < 0.01, "predicted {gap} too much");
    let click = trained.quality[Head::Click.column()];
    assert!((click.calibration_ratio.unwrap() - 1.0).abs() < 0.1, "{click:?}");
    assert!(click.normalised_entropy.unwrap() < 0.95, "{click:?}");
}

#[test]
fn what_a_slot_costs_is_learned_apart_from_what_stands_in_it() {
    let (_, trained) = &*WORLD;
    for (slot, effect) in SLOT_EFFECT.iter().enumerate() {
        let found = f64::from(trained.profile.last.slots[slot][Head::Click.column()]);
        assert!((found - effect).abs() < 0.25, "slot {slot}: {found} for {effect}");
    }
}

#[test]
fn the_conversion_head_learns_from_clicked_rows_only() {
    let (_, trained) = &*WORLD;
    let set = FeatureSet::v1();
    let Shown { block, .. } = synthetic::request(&set, Seed(0), Timestamp(0));
    let rate = |odd: u64| {
        let ads = (0..synthetic::ADS).filter(|ad| ad % 2 == odd).map(synthetic::facts).collect::<Vec<_>>();
        let viewer = litfass_features::Viewer::default();
        let rows = litfass_features::AdRows::last_phase(&set, Timestamp(0), &viewer, ads.into_iter());
        let predictions = trained.profile.last_phase(&block, &rows);
        predictions.iter().map(|p| p.conversion.to_f64()).sum::<f64>() / 30.0
    };
    assert!((rate(0) - 0.5).abs() < 0.1 && (rate(1) - 0.125).abs() < 0.08, "{} {}", rate(0), rate(1));
}

#[test]
fn the_same_seed_trains_the_same_profile_and_another_does_not() {
    let examples = synthetic::examples(1_000, Seed(3));
    let settings = settings(&examples);
    let profile = |settings: &Settings| learn(&examples, settings).profile;
    assert_eq!(profile(&settings), profile(&settings));
    assert_ne!(profile(&settings), profile(&Settings { seed: Seed(5), ..settings.clone() }));
}

/// A tenth of the negatives, each standing for ten, gives the level of all of them.
#[test]
fn weighted_negatives_keep_the_level() {
    let (all, of_all) = &*WORLD;
    let mut sampled = Examples::default();
    for request in 0..all.requests() {
        for (row, example) in all.of(request).enumerate() {
            if row == 0 {
                sampled.push_request(Timestamp(i64::try_from(request).unwrap() * 60_000), example.block.clone());
            }
            let kept = example.label.click || Seed(8).derive(request as u64).derive(row as u64).below(10) == 0;
            let weight = if example.label.click { 1.0 } else { 10.0 };
            if kept {
                sampled.push_row(example.numbers, example.ids, Label { weight, ..example.label }).unwrap();
            }
        }
    }
    let mean = |trained: &Trained| {
        let model: &Model = &trained.profile.last;
        let shown = (0..2_000).map(|n| synthetic::request(&FeatureSet::v1(), Seed(6).derive(n), Timestamp(0)));
        shown.map(|s| model.predict(&s.block, &s.rows).iter().map(|p| p.click.to_f64()).sum::<f64>()).sum::<f64>()
    };
    let ratio = mean(&learn(&sampled, &settings(&sampled))) / mean(of_all);
    assert!((ratio - 1.0).abs() < 0.1, "{ratio}");
}

#[test]
fn a_row_of_another_feature_set_is_refused() {
    let mut examples = Examples::default();
    let label = Label { slot: 0, click: false, conversion: false, weight: 1.0 };
    assert_eq!(examples.push_row(&[], &[], label), Err(Misfit::NoRequest));
    let Shown { block, rows, .. } = synthetic::request(&FeatureSet::v1(), Seed(0), Timestamp(0));
    examples.push_request(Timestamp(0), block);
    assert_eq!(
        examples.push_row(rows.numbers_of(0), &[1], label),
        Err(Misfit::Columns { numbers: rows.numbers_of(0).len(), ids: 1 })
    );
    assert_eq!(examples.rows(), 0);
}

#[test]
fn without_examples_there_is_a_profile_that_knows_nothing() {
    let trained = learn(&Examples::default(), &settings(&Examples::default()));
    assert_eq!(trained.quality[0].auc, None);
    let Shown { block, rows, .. } = synthetic::request(&FeatureSet::v1(), Seed(0), Timestamp(0));
    assert_eq!(trained.profile.last_phase(&block, &rows).len(), 4);
}
