//! Calibration: the published example, the invariants, and the identities of down-sampling.

use litfass_features::exact::{logit, sigmoid};
use litfass_rank::{Calibration, KNOTS_MAX, Outcome, isotonic, undo_downsampling};
use litfass_types::Seed;
use proptest::prelude::*;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn adjacent_violators_are_pooled() {
    let pooled = isotonic(&[1.0, 3.0, 2.0, 4.0, 3.5, 5.0], &[1.0; 6]);
    assert!(pooled.iter().zip([1.0, 2.5, 2.5, 3.75, 3.75, 5.0]).all(|(a, b)| close(*a, b)), "{pooled:?}");
}

/// The least sum of weighted squares over non-decreasing sequences, by the min–max formula.
fn naive_isotonic(values: &[f64], weights: &[f64]) -> Vec<f64> {
    let mean = |from: usize, to: usize| {
        let mass: f64 = weights[from..=to].iter().sum();
        values[from..=to].iter().zip(&weights[from..=to]).map(|(v, w)| v * w).sum::<f64>() / mass
    };
    let least_above = |from: usize, i: usize| (i..values.len()).map(|to| mean(from, to)).fold(f64::INFINITY, f64::min);
    (0..values.len()).map(|i| (0..=i).map(|from| least_above(from, i)).fold(f64::NEG_INFINITY, f64::max)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn isotonic_regression_is_the_min_max_formula(rows in prop::collection::vec((-9.0..9.0, 0.1..5.0), 1..20)) {
        let (values, weights): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let pooled = isotonic(&values, &weights);
        let naive = naive_isotonic(&values, &weights);
        prop_assert!(pooled.iter().zip(&naive).all(|(a, b)| (a - b).abs() < 1e-9), "{:?} {:?}", pooled, naive);
        prop_assert!(pooled.is_sorted());
        let again = isotonic(&pooled, &weights);
        prop_assert!(again.iter().zip(&pooled).all(|(a, b)| close(*a, *b)), "idempotent");
        let sum = |x: &[f64]| x.iter().zip(&weights).map(|(v, w)| v * w).sum::<f64>();
        prop_assert!((sum(&pooled) - sum(&values)).abs() < 1e-6, "the weighted mean is preserved");
    }

    #[test]
    fn a_calibration_changes_no_order(
        rows in prop::collection::vec((-6.0..2.0, any::<bool>(), 0.5..3.0), 0..600),
        a in -12.0..8.0, b in -12.0..8.0,
    ) {
        let outcome = |(log_odds, positive, weight)| Outcome { log_odds, positive, weight };
        let calibration = Calibration::fit(rows.into_iter().map(outcome).collect());
        prop_assert!(calibration.knots().len() <= KNOTS_MAX);
        prop_assert_eq!(a < b, calibration.apply(a) < calibration.apply(b));
    }
}

#[test]
fn a_model_that_says_too_much_is_brought_to_what_happens() {
    // The truth is half as steep and lower than what the model says.
    let truth = |log_odds: f64| sigmoid(log_odds / 2.0 - 1.0);
    let row = |n: u64| {
        let log_odds = f64::from(u32::try_from(Seed(1).derive(n).below(8_000)).unwrap()) / 1_000.0 - 6.0;
        let drawn = f64::from(u32::try_from(Seed(2).derive(n).below(1 << 32)).unwrap()) / 4_294_967_296.0;
        Outcome { log_odds, positive: drawn < truth(log_odds), weight: 1.0 }
    };
    let calibration = Calibration::fit((0..200_000).map(row).collect());
    for log_odds in [-5.0, -3.0, -1.0, 0.0, 1.0] {
        let (found, expected) = (sigmoid(calibration.apply(log_odds)), truth(log_odds));
        assert!((found / expected - 1.0).abs() < 0.12, "at {log_odds}: {found} for {expected}");
    }
}

#[test]
fn too_few_positives_calibrate_nothing() {
    let outcome = |n: u32| Outcome { log_odds: f64::from(n), positive: n == 3, weight: 1.0 };
    assert_eq!(Calibration::fit((0..100).map(outcome).collect()), Calibration::default());
    assert!(close(Calibration::default().apply(-2.5), -2.5));
}

#[test]
fn knots_that_do_not_increase_are_refused() {
    assert!(Calibration::from_knots(vec![[0.0, 0.0], [1.0, 0.0]]).is_none());
    assert!(Calibration::from_knots(vec![[0.0, 0.0], [f32::NAN, 1.0]]).is_none());
    assert!(Calibration::from_knots(vec![[0.0, 0.0], [1.0, 2.0]]).is_some_and(|c| close(c.apply(0.5), 1.0)));
}

#[test]
fn down_sampling_is_undone_as_published() {
    assert!((undo_downsampling(0.5, 0.025) - 0.024_390_24).abs() < 1e-8);
    assert!((undo_downsampling(0.1, 0.1) - 0.010_989_01).abs() < 1e-8);
    assert!((undo_downsampling(0.090_991_810_737_033_67, 0.01) - 0.001).abs() < 1e-12);
}

proptest! {
    #[test]
    fn undoing_down_sampling_shifts_log_odds_by_ln_kept(p in 1e-6..0.999_f64, kept in 0.001..1.0_f64) {
        prop_assert!((logit(undo_downsampling(p, kept)) - (logit(p) + kept.ln())).abs() < 1e-9);
    }
}

#[test]
fn a_few_hundred_positives_fit_a_line() {
    let row = |n: u64| {
        let log_odds = f64::from(u32::try_from(Seed(1).derive(n).below(8_000)).unwrap()) / 1_000.0 - 6.0;
        let drawn = f64::from(u32::try_from(Seed(2).derive(n).below(1 << 32)).unwrap()) / 4_294_967_296.0;
        Outcome { log_odds, positive: drawn < sigmoid(log_odds / 2.0 - 1.0), weight: 1.0 }
    };
    let calibration = Calibration::fit((0..8_000).map(row).collect());
    let slope = (calibration.apply(2.0) - calibration.apply(-6.0)) / 8.0;
    assert!((slope - 0.5).abs() < 0.05, "{slope}");
    assert!((calibration.apply(0.0) + 1.0).abs() < 0.1, "{}", calibration.apply(0.0));
}
