//! What one viewer is known for, looked up for every candidate of a request.
//!
//! Most candidates are nothing that the viewer dealt with, and a table says so at its first look: halving a sorted list would
//! guess wrong half of the time, at every step.

use crate::profile::{CategoryTally, ItemTally, Viewer};

/// A viewer with tables over its items and categories; made once per request.
pub(crate) struct Known<'a> {
    pub(crate) viewer: &'a Viewer,
    items: Places,
    categories: Places,
}

impl<'a> Known<'a> {
    pub(crate) fn new(viewer: &'a Viewer) -> Self {
        let items = Places::of(viewer.items.len(), |at| viewer.items[at].item);
        let categories = Places::of(viewer.categories.len(), |at| viewer.categories[at].category);
        Self { viewer, items, categories }
    }

    /// 0 is no item.
    pub(crate) fn item(&self, item: u64) -> Option<&'a ItemTally> {
        if item == 0 {
            return None;
        }
        let items = &self.viewer.items;
        self.items.find(item, |at| items[at].item).and_then(|at| items.get(at))
    }

    pub(crate) fn category(&self, category: u64) -> Option<&'a CategoryTally> {
        let categories = &self.viewer.categories;
        self.categories.find(category, |at| categories[at].category).and_then(|at| categories.get(at))
    }
}

/// Positions in a list, by hash: open addressing, at most half full.
struct Places {
    /// A position, or `FREE`.
    slots: Vec<u32>,
    shift: u32,
}

const FREE: u32 = u32::MAX;

impl Places {
    fn of(entries: usize, hash_of: impl Fn(usize) -> u64) -> Self {
        let slots = (entries.max(1) * 2).next_power_of_two();
        let mut places = Self { slots: vec![FREE; slots], shift: 64 - slots.trailing_zeros() };
        for (at, position) in (0..entries).zip(0..) {
            let slot = places.slot(hash_of(at), &hash_of);
            places.slots[slot] = position;
        }
        places
    }

    fn find(&self, hash: u64, hash_of: impl Fn(usize) -> u64) -> Option<usize> {
        let position = self.slots[self.slot(hash, hash_of)];
        (position != FREE).then_some(position as usize)
    }

    /// Where the hash is, or the free slot where it belongs. The product spreads hashes that are small numbers, too.
    fn slot(&self, hash: u64, hash_of: impl Fn(usize) -> u64) -> usize {
        let spread = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift;
        let mut slot = usize::try_from(spread).unwrap_or(0);
        while self.slots[slot] != FREE && hash_of(self.slots[slot] as usize) != hash {
            slot = (slot + 1) % self.slots.len();
        }
        slot
    }
}
