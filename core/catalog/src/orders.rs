//! In which order the ads of a segment stand, and the orders in which they are looked for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use litfass_types::AdId;

use crate::draft::DraftAd;
use crate::items::ItemOrder;
use crate::segment::{AdColumns, AdOrders, Segment};

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
        let mut newest: Vec<u32> = rows().collect();
        let age = |row: &u32| (Reverse(ad(row).created), ad(row).id);
        newest.sort_unstable_by_key(age);
        let mut by_item: Vec<u32> = rows().filter(|row| !ad(row).item.is_empty()).collect();
        by_item.shrink_to_fit();
        by_item.sort_unstable_by_key(|row| (ad(row).item_hash, age(row)));
        let by_item = ItemOrder::new(by_item, |row| ad(&row).item_hash);
        let (line_item_starts, of_line_item) = self.by_line_item(first);
        let (categories, of_category) = self.by_category();
        let by_id = std::mem::take(&mut self.orders.by_id);
        self.orders = AdOrders { by_id, newest, by_item, line_item_starts, of_line_item, categories, of_category };
    }

    fn by_line_item(&self, first: u32) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0_u32; self.line_items.len() + 1];
        for line_item in &self.line_item_of {
            starts[(line_item.0 - first) as usize + 1] += 1;
        }
        accumulate(&mut starts);
        if self.line_item_of.is_sorted() {
            return (starts, Vec::new());
        }
        let mut rows: Vec<u32> = (0..).take(self.ads.len()).collect();
        rows.sort_unstable_by_key(|row| (self.line_item_of[*row as usize], *row));
        (starts, rows)
    }

    /// Counts first and then puts every ad in its place, so that no list of pairs is needed.
    fn by_category(&self) -> (Vec<(u64, u32)>, Vec<u32>) {
        let sets = &self.category_sets;
        let mut hashes = sets.hashes.clone();
        hashes.sort_unstable();
        hashes.dedup();
        let numbers: Vec<usize> = sets.hashes.iter().map(|hash| hashes.partition_point(|h| h < hash)).collect();
        let categories = |ad: &AdColumns| distinct(&numbers[sets.range(ad.categories)]);
        let mut starts = vec![0_u32; hashes.len() + 1];
        self.ads.iter().flat_map(categories).for_each(|category| starts[category + 1] += 1);
        accumulate(&mut starts);
        let mut next = starts.clone();
        let mut rows = vec![0; starts[hashes.len()] as usize];
        for (row, ad) in (0..).zip(&self.ads) {
            for category in categories(ad) {
                rows[next[category] as usize] = row;
                next[category] += 1;
            }
        }
        (hashes.into_iter().zip(starts).collect(), rows)
    }

    pub(crate) fn shrink(&mut self) {
        self.texts.shrink();
        self.values.shrink();
        self.trees.shrink();
    }
}

/// Each number of a short list once.
fn distinct(list: &[usize]) -> impl Iterator<Item = usize> + '_ {
    list.iter().enumerate().filter(|(i, number)| !list[..*i].contains(number)).map(|(_, number)| *number)
}

/// From counts to their running sums.
pub(crate) fn accumulate(counts: &mut [u32]) {
    let mut sum = 0;
    for count in counts {
        sum += *count;
        *count = sum;
    }
}
