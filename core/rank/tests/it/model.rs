//! Profiles: what they predict, in one order of additions, and what they refuse.

use litfass_features::exact::logit;
use litfass_features::{
    AdCounts, AdFacts, AdRows, AdSignal, CLICK_RATE_PRIOR, FeatureSet, RequestFacts, RequestNumber, RowNumber, Viewer,
    ViewerBlock, item_hash, request_hashes, row_hashes,
};
use litfass_rank::{BadTensor, Calibration, Model, RankProfile, Tensor};
use litfass_types::{AdId, AdvertiserId, Device, PlacementId, Probability, Timestamp};

fn ad(n: u64) -> AdFacts {
    AdFacts {
        ad: AdId(n),
        advertiser: AdvertiserId(n % 3),
        item: item_hash(&n.to_string()),
        category: 1 + n % 5,
        created: Timestamp(0),
        signal: AdSignal::new(&AdCounts {
            impressions: 1_000 * n,
            clicks: 30 * n,
            conversions: n,
            ..AdCounts::default()
        }),
    }
}

fn asked() -> (ViewerBlock, AdRows) {
    let set = FeatureSet::v1();
    let now = Timestamp(1_700_000_000_000);
    let request = RequestFacts {
        now,
        device: Some(Device::Tv),
        os: None,
        country: None,
        page_category: None,
        placement: PlacementId(4),
    };
    let rows = AdRows::last_phase(&set, now, &Viewer::default(), (0..30).map(ad).collect::<Vec<_>>().into_iter());
    (ViewerBlock::new(&set, &request, &Viewer::default()), rows)
}

/// Weights that differ everywhere.
fn any_profile() -> RankProfile {
    let mut profile = RankProfile::prior();
    let mut weight = (1..).map(|n: u16| (f32::from(n) * 0.618).fract() / 4.0 - 0.125);
    let mut next = || weight.next().unwrap_or(0.0);
    profile.first.bias = next();
    profile.first.row.iter_mut().for_each(|w| *w = next());
    profile.last = Model::zero(8);
    profile.last.bias = [next(), next()];
    profile.last.request.iter_mut().for_each(|w| *w = [next(), next()]);
    profile.last.row.iter_mut().for_each(|w| *w = [next(), next()]);
    profile.last.slots[1..].iter_mut().for_each(|w| *w = [next(), next()]);
    profile.last.hashed.iter_mut().for_each(|w| *w = [next(), next()]);
    profile.last.calibration[0] = Calibration::from_knots(vec![[-4.0, -5.0], [0.0, -0.5]]).expect("they increase");
    profile
}

#[test]
fn before_any_training_a_profile_predicts_the_smoothed_rates() {
    let (block, rows) = asked();
    let predictions = RankProfile::prior().last_phase(&block, &rows);
    assert!((predictions[0].click.to_f64() / CLICK_RATE_PRIOR - 1.0).abs() < 1e-4, "nothing shown yet");
    let counts = AdCounts { impressions: 20_000, clicks: 600, conversions: 20, ..AdCounts::default() };
    assert!((predictions[20].click.to_f64() / counts.click_rate() - 1.0).abs() < 1e-4);
    assert!((predictions[20].conversion.to_f64() / counts.conversion_rate() - 1.0).abs() < 1e-4);
    let mut first = Vec::new();
    RankProfile::prior().first_phase(&block, &rows, &mut first);
    assert!(first.iter().zip(&predictions).all(|(a, b)| *a == b.click), "both phases agree then");
}

#[test]
fn a_prediction_is_the_sum_over_every_feature_once() {
    let (block, rows) = asked();
    let profile = any_profile();
    let model = &profile.last;
    for (row, prediction) in profile.last_phase(&block, &rows).into_iter().enumerate() {
        let mut sum = f64::from(model.bias[0]);
        let mut add = |weight: f32, x: f32| sum += f64::from(weight) * f64::from(x);
        RequestNumber::ALL.iter().for_each(|f| add(model.request[f.column()][0], block.numbers[f.column()]));
        RowNumber::ALL.iter().for_each(|f| add(model.row[f.column()][0], rows.numbers_of(row)[f.column()]));
        request_hashes(&block).for_each(|h| add(model.hashed[Model::index(h, 256)][0], 1.0));
        row_hashes(&block, rows.ids_of(row), |h| add(model.hashed[Model::index(h, 256)][0], 1.0));
        let expected = 1.0 / (1.0 + (-model.calibration[0].apply(sum)).exp());
        assert!((prediction.click.to_f64() / expected - 1.0).abs() < 1e-6, "row {row}");
    }
}

/// The same bits on every CPU and in every build: what these facts and weights gave once.
#[test]
fn the_bits_of_a_prediction_are_pinned() {
    let (block, rows) = asked();
    let profile = any_profile();
    let bits = profile
        .last_phase(&block, &rows)
        .iter()
        .fold(0_u64, |mix, p| mix.rotate_left(7) ^ u64::from(p.click.bits()) ^ u64::from(p.conversion.bits()) << 32);
    assert_eq!(format!("{bits:016x}"), "7779de3286c8dc8a");
}

#[test]
fn a_later_slot_shifts_what_is_expected_and_the_first_does_not() {
    let mut profile = RankProfile::prior();
    profile.last.slots[2][0] = -0.7;
    profile.last.slots[19][0] = -2.0;
    let click = Probability::from_f64(0.1);
    assert!((profile.click_at(click, 0) - 0.1).abs() < 1e-9);
    assert!((logit(profile.click_at(click, 2)) - (logit(0.1) - 0.7)).abs() < 1e-6);
    assert!((profile.click_at(click, 200) - profile.click_at(click, 19)).abs() < 1e-12);
}

#[test]
fn tensors_bring_a_profile_back() {
    let profile = any_profile();
    assert_eq!(RankProfile::from_tensors(&profile.to_tensors()), Ok(profile));
}

fn broken(change: impl FnOnce(&mut Vec<Tensor>)) -> BadTensor {
    let mut tensors = any_profile().to_tensors();
    change(&mut tensors);
    RankProfile::from_tensors(&tensors).expect_err("it is broken")
}

fn named<'a>(tensors: &'a mut [Tensor], name: &str) -> &'a mut Tensor {
    tensors.iter_mut().find(|t| t.name == name).expect("it has that name")
}

#[test]
fn a_broken_tensor_is_named() {
    assert_eq!(broken(|t| t.retain(|t| t.name != "last.slots")), BadTensor::Missing("last.slots"));
    assert_eq!(broken(|t| named(t, "last.hashed").values[3] = f32::NAN), BadTensor::NotFinite("last.hashed"));
    assert_eq!(broken(|t| named(t, "calibration.click").values.reverse()), BadTensor::NotMonotone("calibration.click"));
    let cut = |name: &'static str| {
        broken(|t| {
            let tensor = named(t, name);
            tensor.shape[0] -= 1;
            let row: usize = tensor.shape[1..].iter().product();
            tensor.values.truncate(tensor.values.len() - row);
        })
    };
    for name in ["first.bias", "first.row", "last.bias", "last.row", "last.slots", "last.hashed"] {
        assert!(matches!(cut(name), BadTensor::Shape { name: found, .. } if found == name), "{name}");
    }
    assert!(matches!(broken(|t| named(t, "last.row").shape[0] = usize::MAX), BadTensor::Shape { .. }));
}
