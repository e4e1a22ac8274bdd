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
use litfass_types::{AdId, AdIx, LineItemIx, PPM, TenantId, Timestamp, Value};

use crate::signals::{AdSignals, Signal};

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

/// One ad as the orders compare it.
#[derive(Clone, Copy)]
struct Entry {
    ad: AdIx,
    id: AdId,
    popularity: u32,
    /// At its bid and its prior rates.
    value: Value,
    created: Timestamp,
}

type ByPopularity = (Reverse<u32>, Reverse<Value>, AdId);
type ByValue = (Reverse<Value>, AdId);
type ByAge = (Reverse<Timestamp>, AdId);

impl Entry {
    const fn by_popularity(&self) -> ByPopularity {
        (Reverse(self.popularity), Reverse(self.value), self.id)
    }
}

/// The first `n` of a stream, in memory for no more than twice as many.
struct First<K> {
    n: usize,
    kept: Vec<(K, AdIx)>,
}

impl<K: Ord> First<K> {
    const fn new(n: usize) -> Self {
        Self { n, kept: Vec::new() }
    }

    fn push(&mut self, key: K, ad: AdIx) {
        self.kept.push((key, ad));
        if self.kept.len() == 2 * self.n {
            self.kept.select_nth_unstable(self.n);
            self.kept.truncate(self.n);
        }
    }

    fn finish(mut self) -> Vec<AdIx> {
        self.kept.sort_unstable();
        // A vector of its own: collecting in place would keep the keys' room.
        let first = self.kept.iter().take(self.n).map(|(_, ad)| *ad);
        first.collect()
    }
}

/// One tenant's orders while they are made.
struct Draft {
    popular: First<ByPopularity>,
    valuable: First<ByValue>,
    newest: First<ByAge>,
    categories: BTreeMap<u64, First<ByPopularity>>,
}

impl Default for Draft {
    fn default() -> Self {
        let (popular, valuable) = (First::new(ORDER_LENGTH_MAX), First::new(ORDER_LENGTH_MAX));
        Self { popular, valuable, newest: First::new(ORDER_LENGTH_MAX), categories: BTreeMap::new() }
    }
}

impl SourceIndex {
    /// Orders the active ads of line items that are active and whose flight is not over at `now`. `signals` must fit.
    #[must_use]
    pub fn build(catalog: &Catalog, signals: &AdSignals, now: Timestamp) -> Self {
        let mut tenants: BTreeMap<TenantId, Draft> = BTreeMap::new();
        for line_item in catalog.live_line_items() {
            let row = catalog.line_item(line_item);
            let over = catalog.flight(line_item).end.is_some_and(|end| end <= now);
            if row.status == Status::Active && !over {
                tenants.entry(row.tenant).or_default().add_line_item(catalog, signals, line_item);
            }
        }
        let tenants = tenants.into_iter().map(|(tenant, draft)| (tenant, draft.finish())).collect();
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

impl Draft {
    fn add_line_item(&mut self, catalog: &Catalog, signals: &AdSignals, line_item: LineItemIx) {
        let bid = catalog.line_item(line_item).bid;
        for ix in catalog.ads_of(line_item) {
            let ad = catalog.ad(ix);
            if ad.status == Status::Active {
                let Signal { prior, popularity, .. } = *signals.get(ix);
                let value = value(bid, prior, PPM, PPM);
                self.add(&Entry { ad: ix, id: ad.id, popularity, value, created: ad.created }, catalog.categories(ix));
            }
        }
    }

    fn add(&mut self, entry: &Entry, categories: &[u64]) {
        if entry.popularity > 0 {
            self.popular.push(entry.by_popularity(), entry.ad);
        }
        self.valuable.push((Reverse(entry.value), entry.id), entry.ad);
        self.newest.push((Reverse(entry.created), entry.id), entry.ad);
        for category in categories {
            let order = self.categories.entry(*category).or_insert_with(|| First::new(CATEGORY_LENGTH_MAX));
            order.push(entry.by_popularity(), entry.ad);
        }
    }

    fn finish(self) -> Orders {
        Orders {
            popular: self.popular.finish(),
            valuable: self.valuable.finish(),
            newest: self.newest.finish(),
            categories: self.categories.into_iter().map(|(category, order)| (category, order.finish())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_of_a_stream_are_those_of_the_sorted_stream(keys in proptest::collection::vec(0_u16..200, 0..99), n in 1_usize..20) {
            let mut first = First::new(n);
            keys.iter().zip(0..).for_each(|(key, ad)| first.push(*key, AdIx(ad)));
            let mut sorted: Vec<(u16, AdIx)> = keys.iter().copied().zip((0..).map(AdIx)).collect();
            sorted.sort_unstable();
            prop_assert_eq!(first.finish(), sorted.into_iter().take(n).map(|(_, ad)| ad).collect::<Vec<_>>());
        }
    }
}
