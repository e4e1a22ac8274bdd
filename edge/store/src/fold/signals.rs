//! What became of each ad's impressions, and what each shop sells: the counts behind the ad-side columns.
//!
//! Counts of an ad fade with a half-life of `HALF_LIFE_DAYS`: one day's factor is a fixed fraction of integers, applied once per
//! UTC day and kept per partition, so the same log gives the same counts on any machine, whichever partition is read first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use litfass_events::{Attributed, Conversion, EventKind};
use litfass_features::Popularity;
use litfass_types::{AdId, TenantId, Timestamp};

use super::codec::{BadState, Reader, Writer};
use super::{Fact, Fold};
use crate::wire::Body;

/// After so many days an event counts half.
pub const HALF_LIFE_DAYS: u32 = 30;

const DAY_MS: i64 = 86_400_000;
/// Events are counted in parts of this.
const ONE: u64 = 1 << 16;
/// 2^(−1/30) · 2¹⁶: what is left after one day.
const KEPT_PER_DAY: u64 = 64_039;
/// After so many days nothing is left of any count.
const GONE_AFTER_DAYS: i64 = 1_500;

/// What became of one ad's impressions, faded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct AdTotals {
    pub impressions: u64,
    pub clicks: u64,
    /// Orders attributed to a click on it.
    pub purchases: u64,
}

/// The fold over deliveries and orders.
#[derive(Debug, Default)]
pub struct SignalCounts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By ad and partition of the log.
    ads: BTreeMap<(AdId, u16), Fading>,
    shops: BTreeMap<TenantId, ShopCounts>,
}

/// Counts in 2⁻¹⁶ as of the start of a UTC day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Fading {
    day: i64,
    counts: [u64; 3],
}

/// A shop's orders by item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShopCounts {
    pub popularity_30d: Popularity,
    pub popularity_7d: Popularity,
}

impl Default for ShopCounts {
    fn default() -> Self {
        Self { popularity_30d: Popularity::new(30), popularity_7d: Popularity::new(7) }
    }
}

/// The counts at one instant, for making columns.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SignalsAt {
    /// By ad id; ads of which nothing is left are not in it.
    pub ads: Vec<(AdId, AdTotals)>,
    pub shops: BTreeMap<TenantId, ShopCounts>,
}

#[derive(Clone, Copy)]
enum Counted {
    Impression = 0,
    Click = 1,
    Purchase = 2,
}

impl SignalCounts {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All counts as of `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> SignalsAt {
        let state = self.state();
        let day = now.0.div_euclid(DAY_MS);
        let mut ads: BTreeMap<AdId, [u64; 3]> = BTreeMap::new();
        for ((ad, _), fading) in &state.ads {
            let sums = ads.entry(*ad).or_default();
            sums.iter_mut().zip(fading.at(day)).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        }
        let ads = ads.into_iter().map(|(ad, counts)| (ad, AdTotals::rounded(counts)));
        let mut shops = state.shops.clone();
        for shop in shops.values_mut() {
            shop.popularity_30d.advance(now);
            shop.popularity_7d.advance(now);
        }
        SignalsAt { ads: ads.filter(|(_, totals)| *totals != AdTotals::default()).collect(), shops }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, ad: AdId, partition: u16, what: Counted, at: Timestamp) {
        let fading = self.ads.entry((ad, partition)).or_default();
        fading.fade_to(at.0.div_euclid(DAY_MS));
        let count = &mut fading.counts[what as usize];
        *count = count.saturating_add(ONE);
    }

    fn order(&mut self, order: &Conversion, at: Timestamp) {
        let mut items: Vec<u64> = order.items.iter().map(|line| line.item).collect();
        items.sort_unstable();
        items.dedup();
        if items.is_empty() {
            return;
        }
        let shop = self.shops.entry(order.tenant).or_default();
        shop.popularity_30d.add(at, items.iter().copied());
        shop.popularity_7d.add(at, items);
    }
}

impl Fading {
    /// Days only go forward: an event of an earlier day counts as one of today.
    fn fade_to(&mut self, day: i64) {
        if self.counts == [0; 3] {
            self.day = self.day.max(day);
        }
        let days = day.saturating_sub(self.day);
        if days <= 0 {
            return;
        }
        let fade = |count: u64| {
            if days > GONE_AFTER_DAYS {
                return 0;
            }
            (0..days).fold(count, |count, _| {
                // Wide, so that no count is too large to fade.
                u64::try_from(u128::from(count) * u128::from(KEPT_PER_DAY) / u128::from(ONE)).unwrap_or(u64::MAX)
            })
        };
        *self = Self { day, counts: self.counts.map(fade) };
    }

    fn at(mut self, day: i64) -> [u64; 3] {
        self.fade_to(day);
        self.counts
    }
}

impl AdTotals {
    fn rounded(counts: [u64; 3]) -> Self {
        let [impressions, clicks, purchases] = counts.map(|count| count.saturating_add(ONE / 2) / ONE);
        Self { impressions, clicks, purchases }
    }
}

impl Fold for SignalCounts {
    fn name(&self) -> &'static str {
        "signals"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        let (at, partition) = (fact.logged.envelope.event_time, fact.logged.position.partition);
        if !fact.is_first() {
            return;
        }
        match &fact.logged.body {
            Body::Delivery(delivery) => {
                let what = match delivery.kind {
                    EventKind::Impression => Counted::Impression,
                    EventKind::Click => Counted::Click,
                    EventKind::Viewable | EventKind::Conversion | EventKind::View => return,
                };
                self.state().count(delivery.token.ad, partition, what, at);
            }
            Body::Conversion(order) => {
                let mut state = self.state();
                if let Some(Attributed::Click(token)) = fact.attributed {
                    state.count(token.ad, partition, Counted::Purchase, at);
                }
                state.order(order, at);
            }
            Body::Decision(_)
            | Body::Outline(_)
            | Body::ItemView(_)
            | Body::Command(_)
            | Body::Pacing(_)
            | Body::Privacy(_)
            | Body::Heartbeat
            | Body::Unknown => {}
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let state = self.state();
        let mut out = Writer::default();
        out.length(state.ads.len());
        for ((ad, partition), fading) in &state.ads {
            out.number(ad.0);
            out.number((*partition).into());
            out.signed(fading.day);
            fading.counts.into_iter().for_each(|count| out.number(count));
        }
        out.length(state.shops.len());
        for (tenant, shop) in &state.shops {
            out.number(tenant.0);
            write_popularity(&shop.popularity_30d, &mut out);
            write_popularity(&shop.popularity_7d, &mut out);
        }
        out.finish()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        self.clear();
        let mut rest = Reader::new(bytes);
        let ads = rest.list(|rest| {
            let (ad, day) = ((AdId(rest.number()?), rest.narrow("a partition")?), rest.signed()?);
            Ok((ad, Fading { day, counts: [rest.number()?, rest.number()?, rest.number()?] }))
        })?;
        let shops = rest.list(|rest| {
            let tenant = TenantId(rest.number()?);
            let (popularity_30d, popularity_7d) = (read_popularity(30, rest)?, read_popularity(7, rest)?);
            Ok((tenant, ShopCounts { popularity_30d, popularity_7d }))
        })?;
        rest.finish()?;
        *self.state() = State { ads: ads.into_iter().collect(), shops: shops.into_iter().collect() };
        Ok(())
    }

    fn clear(&self) {
        *self.state() = State::default();
    }
}

fn write_popularity(popularity: &Popularity, out: &mut Writer) {
    out.length(popularity.tiles().count());
    for (day, orders, items) in popularity.tiles() {
        out.signed(day);
        out.number(orders.into());
        out.length(items.len());
        for (item, count) in items {
            out.hash(*item);
            out.number((*count).into());
        }
    }
}

fn read_popularity(days: u16, rest: &mut Reader<'_>) -> Result<Popularity, BadState> {
    let mut popularity = Popularity::new(days);
    for _ in 0..rest.length()? {
        let (day, orders) = (rest.signed()?, rest.narrow("orders")?);
        let items = rest.list(|rest| Ok((rest.hash()?, rest.narrow("orders of an item")?)))?;
        popularity.add_tile(day, orders, items);
    }
    Ok(popularity)
}
