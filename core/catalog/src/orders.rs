//! In which order the ads of a segment stand, and the orders in which they are looked for.

use std::collections::BTreeMap;

use litfass_types::AdId;

use crate::draft::DraftAd;
use crate::segment::{AdOrders, Segment};

/// How a new base numbers its ads. Any order is correct; a good one keeps together what is read together.
#[derive(Clone, Copy, Debug, Default)]
pub enum AdOrder<'a> {
    /// The ads of a line item one behind the other, by id.
    #[default]
    ByLineItem,
    /// As listed; ads that are not listed follow by line item, ids that are no ad are passed over.
    Listed(&'a [AdId]),
}

/// For each place of the order, which draft stands there. `line_items` are the ads' local line items.
pub(crate) fn order_ads(drafts: &[DraftAd], line_items: &[u32], order: AdOrder<'_>) -> Vec<u32> {
    let places: BTreeMap<AdId, usize> = match order {
        AdOrder::ByLineItem => BTreeMap::new(),
        // The last mention would win; reversed, the first does.
        AdOrder::Listed(ids) => ids.iter().enumerate().rev().map(|(place, id)| (*id, place)).collect(),
    };
    let mut rows: Vec<u32> = (0..).take(drafts.len()).collect();
    let place = |id: AdId| if places.is_empty() { usize::MAX } else { places.get(&id).copied().unwrap_or(usize::MAX) };
    rows.sort_by_cached_key(|row| {
        let ad = &drafts[*row as usize];
        (place(ad.id), line_items[*row as usize], ad.id)
    });
    rows
}

impl Segment {
    /// Fills `orders` from the ads as they stand; `first` is the number of the segment's first line item.
    pub(crate) fn order_rows(&mut self, first: u32) {
        let rows = || (0..).take(self.ads.len());
        let ad = |row: &u32| &self.ads[*row as usize];
        let mut by_id: Vec<u32> = rows().collect();
        by_id.sort_by_key(|row| ad(row).id);
        let mut newest: Vec<u32> = rows().collect();
        newest.sort_by_key(|row| (std::cmp::Reverse(ad(row).created), ad(row).id));
        let mut by_item: Vec<u32> = newest.iter().copied().filter(|row| !ad(row).item.is_empty()).collect();
        by_item.sort_by_key(|row| ad(row).item_hash);
        let (line_item_starts, of_line_item) = self.by_line_item(first);
        let (categories, of_category) = self.by_category();
        self.orders = AdOrders { by_id, newest, by_item, line_item_starts, of_line_item, categories, of_category };
    }

    fn by_line_item(&self, first: u32) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0_u32; self.line_items.len() + 1];
        for line_item in &self.line_item_of {
            starts[(line_item.0 - first) as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        if self.line_item_of.is_sorted() {
            return (starts, Vec::new());
        }
        let mut rows: Vec<u32> = (0..).take(self.ads.len()).collect();
        rows.sort_by_key(|row| self.line_item_of[*row as usize]);
        (starts, rows)
    }

    fn by_category(&self) -> (Vec<(u64, u32)>, Vec<u32>) {
        let mut pairs: Vec<(u64, u32)> = Vec::new();
        for (row, ad) in (0_u32..).zip(&self.ads) {
            pairs.extend(self.category_sets.hashes(ad.categories).iter().map(|hash| (*hash, row)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut categories: Vec<(u64, u32)> = Vec::new();
        for (at, (hash, _)) in (0_u32..).zip(&pairs) {
            if categories.last().is_none_or(|(last, _)| last != hash) {
                categories.push((*hash, at));
            }
        }
        (categories, pairs.into_iter().map(|(_, row)| row).collect())
    }

    pub(crate) fn shrink(&mut self) {
        self.texts.shrink();
        self.values.shrink();
        self.trees.shrink();
    }
}
