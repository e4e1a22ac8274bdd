//! Which ads are candidates already, and at which row: a small hash table that lives for one request.

use litfass_types::AdIx;

/// Open addressing with room for twice as many as will ever be in it.
pub(crate) struct Distinct {
    /// (ad, row), or `FREE`.
    slots: Vec<(u32, u32)>,
    shift: u32,
}

const FREE: (u32, u32) = (0, u32::MAX);

impl Distinct {
    pub(crate) fn new(entries_max: usize) -> Self {
        let slots = (entries_max.max(1) * 2).next_power_of_two();
        Self { slots: vec![FREE; slots], shift: 64 - slots.trailing_zeros() }
    }

    /// The row of an ad, if it has one.
    pub(crate) fn row(&self, ad: AdIx) -> Option<u32> {
        let found = self.slots[self.slot(ad)];
        (found != FREE).then_some(found.1)
    }

    /// `row` must be below 2³²−1, and no more ads may be inserted than there is room for.
    pub(crate) fn insert(&mut self, ad: AdIx, row: u32) {
        let slot = self.slot(ad);
        self.slots[slot] = (ad.0, row);
    }

    /// Where the ad is, or the free slot where it belongs.
    fn slot(&self, ad: AdIx) -> usize {
        let hash = u64::from(ad.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut slot = usize::try_from(hash >> self.shift).unwrap_or(0);
        while self.slots[slot] != FREE && self.slots[slot].0 != ad.0 {
            slot = (slot + 1) % self.slots.len();
        }
        slot
    }
}
