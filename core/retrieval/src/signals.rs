//! Ad-side signals: what is known of each ad by now, as columns by `AdIx` that every deciding process holds.
//!
//! Most ads of a large catalog have no record at all; they share one row per shop. So a column costs four bytes per ad, and
//! the rest only where something was counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use litfass_catalog::{Catalog, Layout};
use litfass_features::{AdCounts, AdSignal, Popularity};
use litfass_types::{AdId, AdIx, Prediction, Probability, TenantId};

/// What became of one ad's impressions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delivered {
    pub impressions: u64,
    pub clicks: u64,
    pub conversions: u64,
}

/// What a tenant's shop sold lately.
#[derive(Clone, Copy, Debug)]
pub struct Shop<'a> {
    pub tenant: TenantId,
    pub popularity_30d: &'a Popularity,
    pub popularity_7d: &'a Popularity,
}

/// What is known of one ad.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Signal {
    /// As models read it.
    pub features: AdSignal,
    /// The ad's own rates, smoothed towards what any ad does.
    pub prior: Prediction,
    /// Orders with its item in the last 30 days, and its clicks.
    pub popularity: u32,
}

/// The columns for one catalog.
#[derive(Clone, Debug)]
pub struct AdSignals {
    layout: Option<Layout>,
    base_layout: Option<Layout>,
    /// By number, for the base and for the overlay: which row.
    base: Arc<[u32]>,
    overlay: Arc<[u32]>,
    /// Row 0 is an ad of which nothing is known.
    rows: Arc<[Signal]>,
}

impl Default for AdSignals {
    fn default() -> Self {
        let rows = Arc::from([Signal::of(&AdCounts::default())]);
        Self { layout: None, base_layout: None, base: Arc::from([]), overlay: Arc::from([]), rows }
    }
}

impl Signal {
    fn of(counts: &AdCounts) -> Self {
        let prior = Prediction {
            click: Probability::from_f64(counts.click_rate()),
            conversion: Probability::from_f64(counts.conversion_rate()),
        };
        let wanted = counts.clicks.saturating_add(u64::from(counts.item_orders_30d));
        Self { features: AdSignal::new(counts), prior, popularity: u32::try_from(wanted).unwrap_or(u32::MAX) }
    }
}

impl AdSignals {
    /// The signals of every ad of `catalog`. Ads that it does not know are passed over; a tenant is given once.
    #[must_use]
    pub fn new<'a>(
        catalog: &Catalog,
        delivered: impl IntoIterator<Item = (AdId, Delivered)>,
        shops: impl IntoIterator<Item = Shop<'a>>,
    ) -> Self {
        let mut columns = Columns::new(catalog);
        for shop in shops {
            columns.add_shop(&shop);
        }
        for (ad, counts) in delivered {
            columns.add_delivered(ad, counts);
        }
        columns.finish()
    }

    /// An ad past the end is one of which nothing is known.
    #[must_use]
    pub fn get(&self, ad: AdIx) -> &Signal {
        &self.rows[self.row(ad) as usize]
    }

    /// Whether the numbers mean the ads of this catalog.
    #[must_use]
    pub fn fits(&self, catalog: &Catalog) -> bool {
        self.layout.is_none() || self.layout == Some(catalog.layout())
    }

    /// The same signals for the numbers of another version of the catalog: time proportional to its overlay where `from`
    /// has the same base, else to all its ads. `from` must be the catalog that these fit.
    #[must_use]
    pub fn carried(&self, from: &Catalog, to: &Catalog) -> Self {
        if self.fits(to) {
            return self.clone();
        }
        let row = |ad: u32| from.ad_by_id(to.ad(AdIx(ad)).id).map_or(0, |known| self.row(known));
        let same_base = self.base_layout == Some(to.base_layout());
        let base = if same_base { Arc::clone(&self.base) } else { (0..to.base_ads()).map(row).collect() };
        let overlay = (to.base_ads()..to.ads()).map(row).collect();
        let rows = Arc::clone(&self.rows);
        Self { layout: Some(to.layout()), base_layout: Some(to.base_layout()), base, overlay, rows }
    }

    fn row(&self, ad: AdIx) -> u32 {
        let ad = ad.0 as usize;
        let row = if ad < self.base.len() { self.base.get(ad) } else { self.overlay.get(ad - self.base.len()) };
        row.copied().unwrap_or(0)
    }
}

/// The columns while they are made.
struct Columns<'a> {
    catalog: &'a Catalog,
    row_of: Vec<u32>,
    rows: Vec<Signal>,
    /// Per tenant: counts of an ad of which nothing is known.
    unknown: BTreeMap<TenantId, AdCounts>,
    known: BTreeMap<AdIx, AdCounts>,
}

impl<'a> Columns<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        let rows = vec![Signal::of(&AdCounts::default())];
        let row_of = vec![0; catalog.ads() as usize];
        Self { catalog, row_of, rows, unknown: BTreeMap::new(), known: BTreeMap::new() }
    }

    fn add_shop(&mut self, shop: &Shop<'_>) {
        let (orders_30d, orders_7d) = (shop.popularity_30d.orders(), shop.popularity_7d.orders());
        let unknown = AdCounts { orders_30d, orders_7d, ..AdCounts::default() };
        self.unknown.insert(shop.tenant, unknown);
        let row = self.push(&unknown);
        let catalog = self.catalog;
        for line_item in catalog.live_line_items().filter(|l| catalog.line_item(*l).tenant == shop.tenant) {
            catalog.ads_of(line_item).for_each(|ad| self.row_of[ad.0 as usize] = row);
        }
        for (item, count) in shop.popularity_30d.counts() {
            self.each_ad(shop.tenant, item, |counts| counts.item_orders_30d = count);
        }
        for (item, count) in shop.popularity_7d.counts() {
            self.each_ad(shop.tenant, item, |counts| counts.item_orders_7d = count);
        }
    }

    fn each_ad(&mut self, tenant: TenantId, item: u64, mut change: impl FnMut(&mut AdCounts)) {
        let catalog = self.catalog;
        for ad in catalog.ads_with_item(item).filter(|ad| self.tenant(*ad) == tenant).collect::<Vec<_>>() {
            change(self.counts(ad));
        }
    }

    fn add_delivered(&mut self, ad: AdId, Delivered { impressions, clicks, conversions }: Delivered) {
        if let Some(ad) = self.catalog.ad_by_id(ad) {
            let counts = self.counts(ad);
            *counts = AdCounts { impressions, clicks, conversions, ..*counts };
        }
    }

    fn counts(&mut self, ad: AdIx) -> &mut AdCounts {
        let unknown = self.unknown.get(&self.tenant(ad)).copied().unwrap_or_default();
        self.known.entry(ad).or_insert(unknown)
    }

    fn tenant(&self, ad: AdIx) -> TenantId {
        self.catalog.line_item(self.catalog.line_item_of(ad)).tenant
    }

    fn push(&mut self, counts: &AdCounts) -> u32 {
        self.rows.push(Signal::of(counts));
        u32::try_from(self.rows.len() - 1).unwrap_or(0)
    }

    fn finish(mut self) -> AdSignals {
        for (ad, counts) in std::mem::take(&mut self.known) {
            self.row_of[ad.0 as usize] = self.push(&counts);
        }
        let (base, overlay) = self.row_of.split_at(self.catalog.base_ads() as usize);
        AdSignals {
            layout: Some(self.catalog.layout()),
            base_layout: Some(self.catalog.base_layout()),
            base: Arc::from(base),
            overlay: Arc::from(overlay),
            rows: Arc::from(self.rows),
        }
    }
}
