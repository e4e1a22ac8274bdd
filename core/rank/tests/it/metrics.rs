//! Metrics against published numbers and definitions.

use litfass_rank::metrics::{
    Scored, auc, bootstrap, calibration_ratio, log_loss, normalised_entropy, relative_calibration_error,
};
use litfass_rank::undo_downsampling;
use litfass_types::Seed;
use proptest::prelude::*;

fn rows(scored: &[(f64, bool)]) -> Vec<Scored> {
    scored.iter().map(|(score, positive)| Scored::new(*score, *positive)).collect()
}

#[test]
fn normalised_entropy_is_the_published_one() {
    let example = rows(&[(0.4, true), (0.2, false), (0.1, false), (0.3, false)]);
    assert!((normalised_entropy(&example).unwrap() - 0.711_973).abs() < 1e-6);
    let base = rows(&[(0.25, true), (0.25, false), (0.25, false), (0.25, false)]);
    assert!((normalised_entropy(&base).unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn a_metric_that_means_nothing_is_not_a_number_made_up() {
    assert_eq!(auc(&mut rows(&[(0.1, true), (0.2, true)])), None);
    assert_eq!(log_loss(&[]), None);
    assert_eq!(normalised_entropy(&rows(&[(0.5, false)])), None);
    assert_eq!(calibration_ratio(&rows(&[(0.5, false)])), None);
    assert_eq!(relative_calibration_error(&mut rows(&[(0.5, false)]), 15), None);
}

#[test]
fn relative_calibration_error_adds_up_the_bins() {
    // Two bins of two: predicted 0.4 for 0, predicted 1.4 for 2.
    let mut example = rows(&[(0.2, false), (0.2, false), (0.7, true), (0.7, true)]);
    assert!((relative_calibration_error(&mut example, 2).unwrap() - (0.4 + 0.6) / 2.0).abs() < 1e-12);
    assert!((calibration_ratio(&example).unwrap() - 0.9).abs() < 1e-12);
}

fn scored() -> impl Strategy<Value = Vec<Scored>> {
    let row = (0_u8..12, any::<bool>(), 1_u8..4).prop_map(|(score, positive, weight)| Scored {
        score: (f64::from(score) + 1.0) / 16.0,
        positive,
        weight: f64::from(weight),
    });
    prop::collection::vec(row, 1..60)
}

/// Every pair looked at.
fn naive_auc(rows: &[Scored]) -> Option<f64> {
    let (mut wins, mut pairs) = (0.0, 0.0);
    for up in rows.iter().filter(|r| r.positive) {
        for down in rows.iter().filter(|r| !r.positive) {
            let won = if up.score > down.score { 1.0 } else { f64::from(u8::from(up.score >= down.score)) / 2.0 };
            wins += won * up.weight * down.weight;
            pairs += up.weight * down.weight;
        }
    }
    (pairs > 0.0).then(|| wins / pairs)
}

proptest! {
    #[test]
    fn auc_counts_every_pair_and_ties_half(mut rows in scored()) {
        let naive = naive_auc(&rows);
        let found = auc(&mut rows);
        prop_assert_eq!(found.is_some(), naive.is_some());
        prop_assert!(found.zip(naive).is_none_or(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn a_shift_of_the_log_odds_leaves_the_auc(mut rows in scored()) {
        let before = auc(&mut rows);
        rows.iter_mut().for_each(|row| row.score = undo_downsampling(row.score, 0.05));
        prop_assert_eq!(before.is_some(), auc(&mut rows).is_some());
        prop_assert!(before.zip(auc(&mut rows)).is_none_or(|(a, b)| (a - b).abs() < 1e-12));
    }
}

#[test]
fn the_interval_of_a_mean_is_about_two_standard_errors_wide() {
    let values: Vec<f64> = (0..400).map(|n| f64::from(n % 20)).collect();
    let mean = |drawn: &[u32]| {
        let sum: f64 = drawn.iter().zip(&values).map(|(n, v)| f64::from(*n) * v).sum();
        sum / drawn.iter().map(|n| f64::from(*n)).sum::<f64>()
    };
    let interval = bootstrap(values.len(), 2_000, Seed(5), mean);
    let standard_error = (33.25_f64 / 400.0).sqrt();
    assert!((interval.point - 9.5).abs() < 1e-12);
    assert!(((interval.high - interval.low) / (3.92 * standard_error) - 1.0).abs() < 0.1, "{interval:?}");
    assert_eq!(interval, bootstrap(values.len(), 2_000, Seed(5), mean), "the same seed draws the same");
    assert_ne!(interval, bootstrap(values.len(), 2_000, Seed(6), mean));
}
