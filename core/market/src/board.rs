//! How every candidate ended at every placement of one request.
//!
//! Invariants: the first mark of a cell stands, so a reason found earlier (technical, then business, then competition) is the
//! one that is told; rows are never removed.

use litfass_types::{Fate, Row};

/// Candidates × placements, one fate per cell once the auction is settled.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FateBoard {
    candidates: usize,
    /// Placement after placement, because rules mark column by column.
    cells: Vec<Option<Fate>>,
}

impl FateBoard {
    #[must_use]
    pub fn new(candidates: usize, placements: usize) -> Self {
        Self { candidates, cells: vec![None; candidates * placements] }
    }

    #[must_use]
    pub const fn candidates(&self) -> usize {
        self.candidates
    }

    #[must_use]
    pub const fn placements(&self) -> usize {
        match self.candidates {
            0 => 0,
            rows => self.cells.len() / rows,
        }
    }

    /// Marks a cell unless it is marked; true where this mark stands. A cell outside the board stays nothing.
    pub fn mark(&mut self, row: Row, placement: usize, fate: Fate) -> bool {
        match self.index(row, placement).and_then(|i| self.cells.get_mut(i)) {
            Some(cell @ None) => {
                *cell = Some(fate);
                true
            }
            Some(Some(_)) | None => false,
        }
    }

    /// Marks a row at every placement where it is not marked yet.
    pub fn mark_everywhere(&mut self, row: Row, fate: Fate) {
        for placement in 0..self.placements() {
            self.mark(row, placement, fate);
        }
    }

    /// Marks every cell that has no mark yet.
    pub fn mark_rest(&mut self, fate: Fate) {
        for cell in &mut self.cells {
            cell.get_or_insert(fate);
        }
    }

    #[must_use]
    pub fn fate(&self, row: Row, placement: usize) -> Option<Fate> {
        self.index(row, placement).and_then(|i| *self.cells.get(i)?)
    }

    /// One bit per placement where the row is not marked: where it may still compete.
    #[must_use]
    pub fn open_placements(&self, row: Row) -> u64 {
        let open = |p: &usize| self.index(row, *p).is_some() && self.fate(row, *p).is_none();
        (0..self.placements().min(64)).filter(open).fold(0, |mask, p| mask | 1 << p)
    }

    /// How many cells of one placement ended in each fate.
    #[must_use]
    pub fn count_by_fate(&self, placement: usize) -> FateCounts {
        let mut counts = FateCounts::default();
        let start = placement.saturating_mul(self.candidates).min(self.cells.len());
        let end = start.saturating_add(self.candidates).min(self.cells.len());
        for fate in self.cells[start..end].iter().flatten() {
            counts.0[usize::from(fate.number())] += 1;
        }
        counts
    }

    /// Cells without a mark: 0 after `settle`.
    #[must_use]
    pub fn unmarked(&self) -> usize {
        self.cells.iter().filter(|cell| cell.is_none()).count()
    }

    fn index(&self, row: Row, placement: usize) -> Option<usize> {
        let row = usize::from(row.0);
        (row < self.candidates).then_some(placement.checked_mul(self.candidates)? + row)
    }
}

/// Above every number of the table.
const NUMBERS: usize = 64;
const _: () = {
    let mut i = 0;
    while i < Fate::ALL.len() {
        assert!((Fate::ALL[i].number() as usize) < NUMBERS, "a fate's number has outgrown its counts");
        i += 1;
    }
};

/// A count per fate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FateCounts([u32; NUMBERS]);

impl Default for FateCounts {
    fn default() -> Self {
        Self([0; NUMBERS])
    }
}

impl FateCounts {
    #[must_use]
    pub const fn of(&self, fate: Fate) -> u32 {
        self.0[fate.number() as usize]
    }

    /// The fates that occurred, in the table's order, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Fate, u32)> + '_ {
        Fate::ALL.iter().map(|fate| (*fate, self.of(*fate))).filter(|(_, count)| *count > 0)
    }

    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }
}
