//! A world whose click probabilities are known.

use litfass_features::exact::sigmoid;
use litfass_features::{AdCounts, AdFacts, AdRows, AdSignal, FeatureSet, RequestFacts, Viewer, ViewerBlock, item_hash};
use litfass_train::examples::{Examples, Label};
use litfass_types::{AdId, AdvertiserId, Device, PlacementId, Seed, Timestamp};

const DEVICES: [Device; 3] = [Device::Desktop, Device::Mobile, Device::Tv];
pub(crate) const ADS: u64 = 60;
/// Log-odds that the slots cost.
pub(crate) const SLOT_EFFECT: [f64; 4] = [0.0, -0.6, -1.1, -1.5];

/// Uniform in 0 … 1.
pub(crate) fn uniform(seed: Seed) -> f64 {
    seed.below(1 << 52) as f64 / (1_u64 << 52) as f64
}

/// Log-odds of a click in the first slot: each ad has its own appeal, and each pair of ad and device.
pub(crate) fn appeal(ad: u64, device: usize) -> f64 {
    let own = uniform(Seed(1).derive(ad)) * 3.0 - 3.5;
    own + uniform(Seed(2).derive(ad).derive(device as u64)) * 2.0 - 1.0
}

pub(crate) fn facts(ad: u64) -> AdFacts {
    AdFacts {
        ad: AdId(ad + 1),
        advertiser: AdvertiserId(1 + ad % 7),
        item: item_hash(&ad.to_string()),
        category: 1 + ad % 9,
        created: Timestamp(0),
        signal: AdSignal::new(&AdCounts::default()),
    }
}

/// One shown row with its truth.
pub(crate) struct Shown {
    pub(crate) block: ViewerBlock,
    pub(crate) rows: AdRows,
    pub(crate) slots: Vec<u8>,
    /// Probability of a click in that slot.
    pub(crate) truth: Vec<f64>,
}

/// One request that shows four ads at random.
pub(crate) fn request(set: &FeatureSet, seed: Seed, time: Timestamp) -> Shown {
    let device = usize::try_from(seed.derive(1).below(3)).unwrap_or(0);
    let facts_of = RequestFacts {
        now: time,
        device: Some(DEVICES[device]),
        os: None,
        country: Some("GB"),
        page_category: None,
        placement: PlacementId(1),
    };
    let ads: Vec<u64> = (0..4).map(|slot| seed.derive(10 + slot).below(ADS)).collect();
    let viewer = Viewer::default();
    let truth = ads.iter().zip(SLOT_EFFECT).map(|(ad, slot)| sigmoid(appeal(*ad, device) + slot)).collect();
    Shown {
        block: ViewerBlock::new(set, &facts_of, &viewer),
        rows: AdRows::last_phase(set, time, &viewer, ads.into_iter().map(facts)),
        slots: vec![0, 1, 2, 3],
        truth,
    }
}

/// Of those clicked, every second converts where the ad's number is even, every eighth where it is odd.
pub(crate) fn examples(requests: u64, seed: Seed) -> Examples {
    let set = FeatureSet::v1();
    let mut examples = Examples::default();
    for n in 0..requests {
        let time = Timestamp(i64::try_from(n).unwrap_or(0) * 60_000);
        let Shown { block, rows, slots, truth } = request(&set, seed.derive(n), time);
        examples.push_request(time, block);
        for (row, (slot, p)) in slots.into_iter().zip(truth).enumerate() {
            let drawn = seed.derive(n).derive(1_000 + row as u64);
            let even =
                (0..ADS).find(|ad| item_hash(&ad.to_string()) == rows.ids_of(row)[0]).is_some_and(|ad| ad % 2 == 0);
            let click = uniform(drawn) < p;
            let conversion = click && uniform(drawn.derive(1)) < if even { 0.5 } else { 0.125 };
            let label = Label { slot, click, conversion, weight: 1.0 };
            examples.push_row(rows.numbers_of(row), rows.ids_of(row), label).expect("columns of the set");
        }
    }
    examples
}
