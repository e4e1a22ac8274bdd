//! The features of candidates: one row each, row-major.
//!
//! The first phase reads numbers of all candidates; hashed ids are computed for the entrants only. A row is logged as it
//! was read, so training sees the bytes that serving saw.

use crate::ad::AdFacts;
use crate::block::{days_between, decay};
use crate::exact::{ln_count, single};
use crate::known::Known;
use crate::profile::{ItemTally, Viewer};
use crate::set::{FeatureSet, RowId, RowNumber};
use litfass_types::Timestamp;

/// Rows of numbers and, behind the first phase, of ids. Columns as `RowNumber` and `RowId` name them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AdRows {
    pub numbers: Vec<f32>,
    pub ids: Vec<u64>,
}

impl AdRows {
    /// Numbers of every candidate; no ids.
    #[must_use]
    pub fn first_phase(now: Timestamp, viewer: &Viewer, ads: impl ExactSizeIterator<Item = AdFacts>) -> Self {
        let mut rows = Self { numbers: Vec::with_capacity(ads.len() * RowNumber::COUNT), ids: Vec::new() };
        let known = Known::new(viewer);
        for ad in ads {
            rows.numbers.extend_from_slice(&numbers(now, &known, &ad));
        }
        rows
    }

    /// Numbers and ids: what the last phase reads, for the entrants.
    #[must_use]
    pub fn last_phase(
        set: &FeatureSet,
        now: Timestamp,
        viewer: &Viewer,
        ads: impl ExactSizeIterator<Item = AdFacts>,
    ) -> Self {
        let mut rows = Self {
            numbers: Vec::with_capacity(ads.len() * RowNumber::COUNT),
            ids: Vec::with_capacity(ads.len() * RowId::COUNT),
        };
        let known = Known::new(viewer);
        for ad in ads {
            rows.numbers.extend_from_slice(&numbers(now, &known, &ad));
            rows.ids.extend_from_slice(&ids(set, now, &known, &ad));
        }
        rows
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len() / RowNumber::COUNT
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// One row's numbers; empty where there is no such row.
    #[must_use]
    pub fn numbers_of(&self, row: usize) -> &[f32] {
        self.numbers.get(row * RowNumber::COUNT..(row + 1) * RowNumber::COUNT).unwrap_or(&[])
    }

    /// One row's ids; empty before the last phase.
    #[must_use]
    pub fn ids_of(&self, row: usize) -> &[u64] {
        self.ids.get(row * RowId::COUNT..(row + 1) * RowId::COUNT).unwrap_or(&[])
    }
}

fn numbers(now: Timestamp, known: &Known<'_>, ad: &AdFacts) -> [f32; RowNumber::COUNT] {
    let viewer = known.viewer;
    let mut row = [0.0; RowNumber::COUNT];
    row[RowNumber::Popularity30.column()] = ad.signal.popularity_30d;
    row[RowNumber::Popularity7.column()] = ad.signal.popularity_7d;
    row[RowNumber::ClickRate.column()] = ad.signal.click_rate;
    row[RowNumber::ConversionRate.column()] = ad.signal.conversion_rate;
    row[RowNumber::Freshness.column()] = single(decay(days_between(ad.created, now), 14.0));
    if viewer.orders == 0 {
        for (own, newcomer) in NEWCOMER {
            row[newcomer.column()] = row[own.column()];
        }
    }
    if let Some(tally) = known.item(ad.item) {
        item_numbers(&mut row, now, viewer, tally);
    }
    if let Some(tally) = known.category(ad.category) {
        let (here, all) = (f64::from(tally.interactions), f64::from(viewer.interactions.max(1)));
        row[RowNumber::CategoryShare.column()] = single(here / all);
        row[RowNumber::CategoryCount.column()] = single(ln_count(tally.interactions.saturating_add(1)));
    }
    row
}

/// What weighs differently for those who never bought.
const NEWCOMER: [(RowNumber, RowNumber); 4] = [
    (RowNumber::Popularity30, RowNumber::NewcomerPopularity30),
    (RowNumber::Popularity7, RowNumber::NewcomerPopularity7),
    (RowNumber::ClickRate, RowNumber::NewcomerClickRate),
    (RowNumber::Freshness, RowNumber::NewcomerFreshness),
];

fn item_numbers(row: &mut [f32; RowNumber::COUNT], now: Timestamp, viewer: &Viewer, tally: &ItemTally) {
    let mut set = |feature: RowNumber, value: f64| row[feature.column()] = single(value);
    set(RowNumber::Viewed, ln_count(tally.views.saturating_add(1)));
    set(RowNumber::Clicked, ln_count(tally.clicks.saturating_add(1)));
    set(RowNumber::SeenRecency, decay(days_between(tally.last, now), 30.0));
    let Some(bought) = tally.last_purchase else { return };
    set(RowNumber::Bought, 1.0);
    set(RowNumber::BoughtCount, ln_count(tally.purchases.saturating_add(1)));
    set(RowNumber::BoughtShare, (bought_share(viewer, tally) + 5.0) / 2.0);
    set(RowNumber::BoughtRecency, decay(days_between(bought, now), 30.0));
    set(RowNumber::BoughtLastOrder, f64::from(u8::from(viewer.last_order == Some(bought))));
    set(RowNumber::BoughtSince, again(viewer, tally) + 2.0);
    set(RowNumber::BoughtGap, 1.0 / (1.0 + gap(viewer, tally)));
    row[RowNumber::BoughtPopularity.column()] = row[RowNumber::Popularity30.column()];
    row[RowNumber::BoughtClickRate.column()] = row[RowNumber::ClickRate.column()];
}

/// Log-odds of the share of the viewer's orders that had the item, as if there had been three more without it.
fn bought_share(viewer: &Viewer, tally: &ItemTally) -> f64 {
    let orders = viewer.orders.max(1);
    let times = tally.purchases.clamp(1, orders);
    ln_count(times) - ln_count((orders - times).saturating_add(3))
}

/// Log-odds of the share of the orders after the first purchase that had the item again, as if there had been four more with
/// a half: (times + ½) to (the others + 3½), both doubled.
fn again(viewer: &Viewer, tally: &ItemTally) -> f64 {
    let after = viewer.orders.saturating_sub(tally.first_order);
    let times = tally.purchases.saturating_sub(1).min(after);
    let doubled = |n: u32, more: u32| n.saturating_mul(2).saturating_add(more);
    ln_count(doubled(times, 1)) - ln_count(doubled(after - times, 7))
}

/// Orders since the one that last had the item.
fn gap(viewer: &Viewer, tally: &ItemTally) -> f64 {
    f64::from(viewer.orders.saturating_sub(tally.last_order))
}

fn ids(set: &FeatureSet, now: Timestamp, known: &Known<'_>, ad: &AdFacts) -> [u64; RowId::COUNT] {
    let (viewer, tally) = (known.viewer, known.item(ad.item));
    RowId::ALL.map(|feature| match feature {
        RowId::Item => ad.item,
        RowId::Category => ad.category,
        RowId::Advertiser => set.row_id(feature, ad.advertiser.0),
        RowId::Ad => set.row_id(feature, ad.ad.0),
        RowId::Popularity => set.row_id(feature, tenths(ad.signal.popularity_30d)),
        RowId::BoughtState => set.row_id(feature, tally.map_or(0, |t| bought_state(now, viewer, t))),
        RowId::ShareState => set.row_id(feature, tally.map_or(0, |t| share_state(viewer, t))),
        RowId::GapState => set.row_id(feature, tally.map_or(0, |t| gap_state(viewer, t))),
        RowId::SeenState => set.row_id(feature, tally.map_or(0, |t| seen_state(now, t))),
    })
}

/// Three buckets to a unit, from −3 up.
fn tenths(popularity: f32) -> u64 {
    let bucket = ((f64::from(popularity) + 3.0) * 3.0).clamp(0.0, 31.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 … 31")]
    let number = bucket as u64;
    number
}

/// How many of `edges` the value reaches.
fn bucket(value: f64, edges: &[f64]) -> u64 {
    edges.iter().take_while(|edge| value >= **edge).count() as u64
}

/// 0 if never bought.
fn bought_state(now: Timestamp, viewer: &Viewer, tally: &ItemTally) -> u64 {
    let Some(bought) = tally.last_purchase else { return 0 };
    let times = bucket(f64::from(tally.purchases), &[2.0, 3.0, 4.0, 6.0, 10.0]);
    let age = bucket(days_between(bought, now), &[2.0, 7.0, 14.0, 30.0, 60.0, 120.0]);
    let last_order = u64::from(viewer.last_order == Some(bought));
    1 + last_order + 2 * (age + 8 * times)
}

/// 0 if never bought.
fn share_state(viewer: &Viewer, tally: &ItemTally) -> u64 {
    if tally.purchases == 0 {
        return 0;
    }
    let share = f64::from(tally.purchases) / f64::from(viewer.orders.max(1));
    let share = bucket(share, &[0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 0.95]);
    let orders = bucket(f64::from(viewer.orders), &[2.0, 3.0, 4.0, 6.0, 9.0, 15.0, 30.0]);
    1 + share + 16 * orders
}

/// 0 if never bought.
fn gap_state(viewer: &Viewer, tally: &ItemTally) -> u64 {
    if tally.purchases == 0 {
        return 0;
    }
    let times = bucket(f64::from(tally.purchases), &[2.0, 3.0, 4.0, 6.0, 10.0]);
    let last = bucket(gap(viewer, tally), &[1.0, 2.0, 3.0, 4.0, 6.0, 10.0]);
    let first =
        bucket(f64::from(viewer.orders.saturating_sub(tally.first_order)), &[1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 15.0]);
    1 + times + 8 * (last + 8 * first)
}

/// 0 if never viewed or clicked.
fn seen_state(now: Timestamp, tally: &ItemTally) -> u64 {
    if tally.views == 0 && tally.clicks == 0 {
        return 0;
    }
    let views = bucket(f64::from(tally.views), &[1.0, 2.0, 4.0, 8.0]);
    let clicks = bucket(f64::from(tally.clicks), &[1.0, 2.0, 4.0]);
    let age = bucket(days_between(tally.last, now), &[0.02, 0.5, 2.0, 7.0, 30.0]);
    1 + views + 8 * (clicks + 8 * age)
}
