//! From (line item, day) to a row number: open addressing with a fixed hash, because a hold is looked up for every slot shown
//! and nothing may depend on a random order. Entries are never removed; the table is rebuilt instead.

use litfass_types::{Day, LineItemId, hash_pair};

type Key = (LineItemId, Day);

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Index {
    /// A power of two of cells, at most half of them used.
    cells: Vec<Option<(Key, u32)>>,
    used: usize,
}

impl Index {
    pub(crate) fn get(&self, key: Key) -> Option<u32> {
        self.probe(key).find_map(|at| match self.cells.get(at).copied().flatten() {
            None => Some(None),
            Some((known, row)) => (known == key).then_some(Some(row)),
        })?
    }

    /// `key` must not be there yet.
    pub(crate) fn insert(&mut self, key: Key, row: u32) {
        if self.used * 2 >= self.cells.len() {
            self.grow();
        }
        let free = self.probe(key).find(|at| self.cells.get(*at).is_some_and(Option::is_none));
        if let Some(cell) = free.and_then(|at| self.cells.get_mut(at)) {
            *cell = Some((key, row));
            self.used += 1;
        }
    }

    fn grow(&mut self) {
        let larger = vec![None; (self.cells.len() * 2).max(16)];
        self.used = 0;
        for (key, row) in std::mem::replace(&mut self.cells, larger).into_iter().flatten() {
            self.insert(key, row);
        }
    }

    /// The cells where `key` may stand, nearest first.
    fn probe(&self, (line_item, day): Key) -> impl Iterator<Item = usize> + use<> {
        let mask = self.cells.len().wrapping_sub(1);
        let hash = hash_pair(line_item.0, u64::from(day.0.cast_unsigned()));
        let start = usize::try_from(hash & 0xffff_ffff).unwrap_or(0);
        (0..self.cells.len()).map(move |step| (start + step) & mask)
    }
}
