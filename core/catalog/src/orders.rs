//! In which order the ads of a segment stand, and the orders in which they are looked for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use litfass_types::AdId;

use crate::draft::DraftAd;
use crate::items::ItemOrder;
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

/// Puts linked drafts in order.
pub(crate) fn sort_ads(drafts: &mut [DraftAd], order: AdOrder<'_>) {
    match order {
        AdOrder::ByLineItem => drafts.sort_unstable_by_key(|ad| (ad.line_item_row, ad.id)),
        AdOrder::Listed(ids) => {
            // The last mention would win; reversed, the first does.
            let places: BTreeMap<AdId, usize> = ids.iter().enumerate().rev().map(|(place, id)| (*id, place)).collect();
            let place = |id: AdId| places.get(&id).copied().unwrap_or(usize::MAX);
            drafts.sort_by_cached_key(|ad| (place(ad.id), ad.line_item_row, ad.id));
        }
    }
}

impl Segment {
    /// The ads in ascending order of id.
    pub(crate) fn rows_by_id(&self) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..).take(self.ads.len()).collect();
        rows.sort_unstable_by_key(|row| self.ads[*row as usize].id);
        rows
    }

    /// Fills the rest of `orders` from the ads as they stand; `first` is the number of the segment's first line item.
    pub(crate) fn order_rows(&mut self, first: u32) {
        let rows = || (0..).take(self.ads.len());
        let ad = |row: &u32| &self.ads[*row as usize];
        let age = |row: &u32| (Reverse(ad(row).created), ad(row).id);
        let mut by_item: Vec<u32> = rows().filter(|row| !ad(row).item.is_empty()).collect();
        by_item.sort_unstable_by_key(|row| (ad(row).item_hash, age(row)));
        let by_item = ItemOrder::new(&by_item, |row| ad(&row).item_hash);
        let (line_item_starts, of_line_item) = self.by_line_item(first);
        let by_id = std::mem::take(&mut self.orders.by_id);
        self.orders = AdOrders { by_id, by_item, line_item_starts, of_line_item };
    }

    fn by_line_item(&self, first: u32) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0_u32; self.line_items.len() + 1];
        for ad in &self.ads {
            starts[(ad.line_item.0 - first) as usize + 1] += 1;
        }
        accumulate(&mut starts);
        if self.ads.is_sorted_by_key(|ad| ad.line_item) {
            return (starts, Vec::new());
        }
        let mut rows: Vec<u32> = (0..).take(self.ads.len()).collect();
        rows.sort_unstable_by_key(|row| (self.ads[*row as usize].line_item, *row));
        (starts, rows)
    }

    pub(crate) fn shrink(&mut self) {
        self.texts.shrink();
        self.values.shrink();
        self.trees.shrink();
    }
}

/// From counts to their running sums.
pub(crate) fn accumulate(counts: &mut [u32]) {
    let mut sum = 0;
    for count in counts {
        sum += *count;
        *count = sum;
    }
}
