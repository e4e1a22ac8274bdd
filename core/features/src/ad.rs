//! What features need to know of an ad: facts of the catalog and counts that are pushed to every deciding process.

use litfass_types::{AdId, AdvertiserId, Timestamp};

use crate::exact::{ln, logit, single};

/// Clicks per impression that an ad without a record is believed to have.
pub const CLICK_RATE_PRIOR: f64 = 0.01;
/// Conversions per click that an ad without a record is believed to have.
pub const CONVERSION_RATE_PRIOR: f64 = 0.05;
/// How many impressions (clicks) that belief weighs.
const PRIOR_IMPRESSIONS: f64 = 200.0;
const PRIOR_CLICKS: f64 = 20.0;
/// How many orders without the item every item is believed to have had.
const PRIOR_ORDERS: f64 = 20.0;

/// What is counted of an ad and its item.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AdCounts {
    pub impressions: u64,
    pub clicks: u64,
    pub conversions: u64,
    /// Orders of the shop in the last 30 days, and those with the item.
    pub orders_30d: u32,
    pub item_orders_30d: u32,
    /// Orders of the shop in the last 7 days, and those with the item.
    pub orders_7d: u32,
    pub item_orders_7d: u32,
}

/// The ad's numbers, scaled as the table says: made once when counts change, not per request.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AdSignal {
    pub popularity_30d: f32,
    pub popularity_7d: f32,
    pub click_rate: f32,
    pub conversion_rate: f32,
}

impl Default for AdSignal {
    fn default() -> Self {
        Self::new(&AdCounts::default())
    }
}

impl AdSignal {
    #[must_use]
    pub fn new(counts: &AdCounts) -> Self {
        Self {
            popularity_30d: popularity(counts.item_orders_30d, counts.orders_30d),
            popularity_7d: popularity(counts.item_orders_7d, counts.orders_7d),
            click_rate: single(logit(counts.click_rate()) / 2.0),
            conversion_rate: single(logit(counts.conversion_rate()) / 2.0),
        }
    }
}

impl AdCounts {
    /// Clicks per impression, smoothed towards the prior.
    #[must_use]
    pub fn click_rate(&self) -> f64 {
        smoothed(self.clicks, self.impressions, CLICK_RATE_PRIOR, PRIOR_IMPRESSIONS)
    }

    /// Conversions per click, smoothed towards the prior.
    #[must_use]
    pub fn conversion_rate(&self) -> f64 {
        smoothed(self.conversions, self.clicks, CONVERSION_RATE_PRIOR, PRIOR_CLICKS)
    }
}

/// (successes + prior × weight) / (trials + weight).
#[expect(clippy::cast_precision_loss, reason = "counts beyond 2⁵³ do not occur")]
fn smoothed(successes: u64, trials: u64, prior: f64, weight: f64) -> f64 {
    (successes.min(trials) as f64 + prior * weight) / (trials as f64 + weight)
}

fn popularity(with_item: u32, orders: u32) -> f32 {
    let share = (f64::from(with_item) + 0.05) / (f64::from(orders) + PRIOR_ORDERS);
    single((ln(share) + 6.0) / 2.0)
}

/// One candidate as features see it. Hashes are 0 where there is nothing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AdFacts {
    pub ad: AdId,
    pub advertiser: AdvertiserId,
    /// `item_hash` of the advertised SKU.
    pub item: u64,
    /// Term of the ad's first category.
    pub category: u64,
    pub created: Timestamp,
    pub signal: AdSignal,
}
