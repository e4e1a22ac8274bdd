//! Orders of a tenant's ads in which the sources read, cut to the length that a request may read of them.
//!
//! An index is made for one catalog and its signals in the background, and goes on serving later versions of that catalog:
//! ads that became ineligible are passed over by whoever reads, and ads of an overlay that it has not seen are read as they
//! stand. Where the base is another one, nothing of it holds (`fits`).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use litfass_catalog::model::Status;
use litfass_catalog::{Catalog, Layout};
use litfass_market::value;
use litfass_types::{AdId, AdIx, LineItemIx, PPM, TenantId, Timestamp};

use crate::signals::AdSignals;

/// How many ads one order of a tenant keeps: what a source may read for one request.
pub const ORDER_LENGTH_MAX: usize = 8_192;
/// How many ads one category of a tenant keeps.
pub const CATEGORY_LENGTH_MAX: usize = 1_024;

/// What the sources read.
#[derive(Clone, Debug, Default)]
pub struct SourceIndex {
    layout: Option<Layout>,
    base_layout: Option<Layout>,
    tenants: BTreeMap<TenantId, Orders>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    /// Only what has any popularity.
    pub(crate) popular: Vec<AdIx>,
    pub(crate) valuable: Vec<AdIx>,
    pub(crate) newest: Vec<AdIx>,
    /// By hash; within one, most popular first, then most valuable.
    categories: Vec<(u64, Vec<AdIx>)>,
}

impl Orders {
    pub(crate) fn category(&self, category: u64) -> &[AdIx] {
        let at = self.categories.binary_search_by_key(&category, |(hash, _)| *hash);
        at.map_or(&[], |at| &self.categories[at].1)
    }
}

/// One ad as the orders compare it. There is one for every ad while an index is made, so it is kept small.
#[derive(Clone, Copy)]
struct Entry {
    id: AdId,
    /// At its bid and its prior rates, in 2⁻¹² nanos: enough to order by.
    value: u64,
    created: Timestamp,
    ad: AdIx,
    popularity: u32,
}

impl Entry {
    const fn by_popularity(&self) -> impl Ord + use<> {
        (Reverse(self.popularity), Reverse(self.value), self.id)
    }

    const fn by_value(&self) -> impl Ord + use<> {
        (Reverse(self.value), self.id)
    }

    const fn by_age(&self) -> impl Ord + use<> {
        (Reverse(self.created), self.id)
    }
}

/// One tenant's ads.
#[derive(Default)]
struct Entries {
    all: Vec<Entry>,
    /// Category and position in `all`.
    of_category: Vec<(u64, u32)>,
}

impl SourceIndex {
    /// Orders the active ads of line items that are active and whose flight is not over at `now`. `signals` must fit.
    #[must_use]
    pub fn build(catalog: &Catalog, signals: &AdSignals, now: Timestamp) -> Self {
        let mut tenants: BTreeMap<TenantId, Entries> = BTreeMap::new();
        for line_item in catalog.live_line_items() {
            let row = catalog.line_item(line_item);
            let over = catalog.flight(line_item).end.is_some_and(|end| end <= now);
            if row.status == Status::Active && !over {
                tenants.entry(row.tenant).or_default().add(catalog, signals, line_item);
            }
        }
        let tenants = tenants.into_iter().map(|(tenant, entries)| (tenant, entries.orders())).collect();
        Self { layout: Some(catalog.layout()), base_layout: Some(catalog.base_layout()), tenants }
    }

    /// Whether it holds for this catalog: made for it, or for an earlier version with the same base.
    #[must_use]
    pub fn fits(&self, catalog: &Catalog) -> bool {
        self.base_layout == Some(catalog.base_layout())
    }

    /// The orders of a tenant; `None` where there are none that hold.
    pub(crate) fn orders(&self, catalog: &Catalog, tenant: TenantId) -> Option<&Orders> {
        self.tenants.get(&tenant).filter(|_| self.fits(catalog))
    }

    /// Below it, numbers mean what they meant when the index was made.
    pub(crate) fn known_ads(&self, catalog: &Catalog) -> u32 {
        if self.layout == Some(catalog.layout()) {
            catalog.ads()
        } else if self.fits(catalog) {
            catalog.base_ads()
        } else {
            0
        }
    }
}

impl Entries {
    fn add(&mut self, catalog: &Catalog, signals: &AdSignals, line_item: LineItemIx) {
        let bid = catalog.line_item(line_item).bid;
        for ix in catalog.ads_of(line_item) {
            let ad = catalog.ad(ix);
            if ad.status != Status::Active {
                continue;
            }
            let signal = signals.get(ix);
            let worth = u64::try_from(value(bid, signal.prior, PPM, PPM).0 >> 20).unwrap_or(u64::MAX);
            let at = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
            self.all.push(Entry {
                id: ad.id,
                value: worth,
                created: ad.created,
                ad: ix,
                popularity: signal.popularity,
            });
            self.of_category.extend(ad.categories.iter().map(|category| (*category, at)));
        }
    }

    fn orders(mut self) -> Orders {
        self.of_category.sort_unstable();
        let everything = || (0..).take(self.all.len());
        let popular = everything().filter(|at: &u32| self.all[*at as usize].popularity > 0).collect();
        let of_category = |group: &[(u64, u32)]| {
            let members = group.iter().map(|(_, at)| *at).collect();
            (group[0].0, self.first(members, Entry::by_popularity, CATEGORY_LENGTH_MAX))
        };
        Orders {
            popular: self.first(popular, Entry::by_popularity, ORDER_LENGTH_MAX),
            valuable: self.first(everything().collect(), Entry::by_value, ORDER_LENGTH_MAX),
            newest: self.first(everything().collect(), Entry::by_age, ORDER_LENGTH_MAX),
            categories: self.of_category.chunk_by(|a, b| a.0 == b.0).map(of_category).collect(),
        }
    }

    /// The first `n` of `members` by `key`, in order.
    fn first<K: Ord>(&self, mut members: Vec<u32>, key: impl Fn(&Entry) -> K, n: usize) -> Vec<AdIx> {
        let key = |at: &u32| key(&self.all[*at as usize]);
        if members.len() > n {
            members.select_nth_unstable_by_key(n, key);
            members.truncate(n);
        }
        members.sort_unstable_by_key(key);
        members.into_iter().map(|at| self.all[at as usize].ad).collect()
    }
}
