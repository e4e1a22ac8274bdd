//! The targeting of a segment's line items as bitmaps over conjunctions.
//!
//! Every alternative of every line item is a bit. The predicates that an alternative requires stand in different columns:
//! the first of each kind in its kind's, any further one in a spare column. A column knows which alternatives require
//! nothing in it and, per term, which are content with that term; a request satisfies an alternative if every column is
//! content and no term of the request is excluded by it:
//!
//! ```text
//! satisfied = exists ∧ ⋀ columns (free ∨ ⋁ terms posting) ∧ ¬ ⋁ terms excluded
//! ```
//!
//! Alternative i, for i below the number of line items, is line item i's first; the further ones follow, so the line items
//! of most bits need no look-up. A posting is a list of numbers where it is short and a bitmap where that is smaller.

use litfass_types::{TenantId, Term, TermKind, TimeZoneId};

use crate::bitset::{ones, words_for};
use crate::dnf::{Conjunction, Place};
use crate::encoded::Hours;
use crate::limits::REQUIRED_PER_CONJUNCTION_MAX;
use crate::segment::LineItemRow;
use crate::text::Values;

const KINDS: usize = TermKind::ALL.len();
const COLUMNS: usize = KINDS + REQUIRED_PER_CONJUNCTION_MAX - 1;
/// "Columns" of postings that are taken away instead of required.
const EXCLUDED: u8 = 0xff;
const NOT_PLACEMENT: u8 = 0xfe;
const PLACEMENT_COLUMN: u8 = TermKind::Placement as u8;
const PLACEMENT: usize = PLACEMENT_COLUMN as usize;
const DAYPART: usize = TermKind::Daypart as usize;

#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    line_items: usize,
    /// Line item of alternative `64 · words_for(line_items) + i`.
    further: Vec<u32>,
    exists: Vec<u64>,
    /// Alternatives that require nothing in the column; empty where none requires anything.
    free: Vec<Vec<u64>>,
    /// Ascending, each once; postings of term i are `starts[i]` … `starts[i + 1]`.
    terms: Vec<Term>,
    starts: Vec<u32>,
    postings: Vec<(u8, Posting)>,
    dayparts: Vec<(TimeZoneId, Hours, Posting)>,
    tenants: Vec<(TenantId, Posting)>,
    store: PostingStore,
}

/// A set of alternatives or line items.
#[derive(Clone, Copy, Debug)]
enum Posting {
    Sparse {
        start: u32,
        length: u32,
    },
    /// As many words as it was made for.
    Dense {
        start: u32,
        words: u32,
    },
}

#[derive(Clone, Debug, Default)]
struct PostingStore {
    numbers: Vec<u32>,
    words: Vec<u64>,
}

impl PostingStore {
    fn push(&mut self, numbers: impl ExactSizeIterator<Item = u32>, words: usize) -> Posting {
        if numbers.len() > 2 * words {
            return self.push_dense(numbers, words);
        }
        let (start, length) = (small(self.numbers.len()), small(numbers.len()));
        self.numbers.extend(numbers);
        Posting::Sparse { start, length }
    }

    fn push_dense(&mut self, numbers: impl Iterator<Item = u32>, words: usize) -> Posting {
        let start = self.words.len();
        self.words.resize(start + words, 0);
        for number in numbers {
            self.words[start + number as usize / 64] |= 1 << (number % 64);
        }
        Posting::Dense { start: small(start), words: small(words) }
    }

    fn add(&self, posting: Posting, set: &mut [u64]) {
        match posting {
            Posting::Sparse { .. } => self.list(posting).iter().for_each(|n| set[*n as usize / 64] |= 1 << (n % 64)),
            Posting::Dense { .. } => set.iter_mut().zip(self.bits(posting)).for_each(|(word, bits)| *word |= bits),
        }
    }

    fn remove(&self, posting: Posting, set: &mut [u64]) {
        match posting {
            Posting::Sparse { .. } => self.list(posting).iter().for_each(|n| set[*n as usize / 64] &= !(1 << (n % 64))),
            Posting::Dense { .. } => set.iter_mut().zip(self.bits(posting)).for_each(|(word, bits)| *word &= !bits),
        }
    }

    fn list(&self, posting: Posting) -> &[u32] {
        let Posting::Sparse { start, length } = posting else { return &[] };
        &self.numbers[start as usize..(start + length) as usize]
    }

    fn bits(&self, posting: Posting) -> &[u64] {
        let Posting::Dense { start, words } = posting else { return &[] };
        &self.words[start as usize..(start + words) as usize]
    }
}

/// Bitmaps that evaluations use again.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexScratch {
    /// Alternatives; its first words become the line items.
    satisfied: Vec<u64>,
    column: Vec<u64>,
    placement: Vec<u64>,
    hits: Vec<(u8, Posting)>,
}

impl IndexScratch {
    /// After an evaluation: the matching line items, as words.
    pub(crate) fn line_items(&self, line_items: usize) -> &[u64] {
        &self.satisfied[..words_for(line_items)]
    }
}

impl Index {
    /// Sets the scratch's line items to those whose targeting matches; `hour` gives each zone's hour of the week.
    pub(crate) fn evaluate(
        &self,
        terms: &[Term],
        placements: &[Term],
        hour: impl Fn(TimeZoneId) -> u8,
        scratch: &mut IndexScratch,
    ) {
        scratch.satisfied.clone_from(&self.exists);
        scratch.hits.clear();
        scratch.hits.extend(terms.iter().flat_map(|term| self.postings_of(*term)));
        for column in (0..COLUMNS).filter(|c| ![PLACEMENT, DAYPART].contains(c) && self.is_used(*c)) {
            self.require_column(column, scratch);
        }
        if self.is_used(DAYPART) {
            self.require_daypart(hour, scratch);
        }
        if self.is_used(PLACEMENT) {
            self.require_placement(placements, scratch);
        }
        for (_, posting) in scratch.hits.iter().filter(|(column, _)| *column == EXCLUDED) {
            self.store.remove(*posting, &mut scratch.satisfied);
        }
        self.fold_further(&mut scratch.satisfied);
    }

    /// The tenant's line items are added to `set`.
    pub(crate) fn add_tenant(&self, tenant: TenantId, set: &mut [u64]) {
        if let Ok(at) = self.tenants.binary_search_by_key(&tenant, |(id, _)| *id) {
            self.store.add(self.tenants[at].1, set);
        }
    }

    fn is_used(&self, column: usize) -> bool {
        self.free.get(column).is_some_and(|free| !free.is_empty())
    }

    fn postings_of(&self, term: Term) -> impl Iterator<Item = (u8, Posting)> + '_ {
        let range =
            self.terms.binary_search(&term).map_or(0..0, |at| self.starts[at] as usize..self.starts[at + 1] as usize);
        self.postings[range].iter().copied()
    }

    fn require_column(&self, column: usize, scratch: &mut IndexScratch) {
        scratch.column.clone_from(&self.free[column]);
        for (_, posting) in scratch.hits.iter().filter(|(c, _)| usize::from(*c) == column) {
            self.store.add(*posting, &mut scratch.column);
        }
        intersect(&mut scratch.satisfied, &scratch.column);
    }

    fn require_daypart(&self, hour: impl Fn(TimeZoneId) -> u8, scratch: &mut IndexScratch) {
        scratch.column.clone_from(&self.free[DAYPART]);
        let mut known = None;
        for (zone, hours, posting) in &self.dayparts {
            // Dayparts are sorted by zone, so each zone's hour is asked for once.
            let now = known.filter(|(z, _)| z == zone).map_or_else(|| hour(*zone), |(_, hour)| hour);
            known = Some((*zone, now));
            if hours.contains(now) {
                self.store.add(*posting, &mut scratch.column);
            }
        }
        intersect(&mut scratch.satisfied, &scratch.column);
    }

    /// An alternative has to be content with one placement of the page, or with none where none is asked for.
    fn require_placement(&self, placements: &[Term], scratch: &mut IndexScratch) {
        if placements.is_empty() {
            return intersect(&mut scratch.satisfied, &self.free[PLACEMENT]);
        }
        scratch.placement.clear();
        scratch.placement.resize(self.exists.len(), 0);
        for placement in placements {
            scratch.column.clone_from(&self.free[PLACEMENT]);
            for (column, posting) in self.postings_of(*placement) {
                match column {
                    NOT_PLACEMENT => self.store.remove(posting, &mut scratch.column),
                    _ => self.store.add(posting, &mut scratch.column),
                }
            }
            scratch.placement.iter_mut().zip(&scratch.column).for_each(|(any, one)| *any |= one);
        }
        intersect(&mut scratch.satisfied, &scratch.placement);
    }

    /// Line items match if any of their alternatives does.
    fn fold_further(&self, satisfied: &mut [u64]) {
        let (first, further) = satisfied.split_at_mut(words_for(self.line_items));
        for (word, at) in further.iter().zip((0..).step_by(64)) {
            for bit in ones(*word) {
                let line_item = self.further[at + bit as usize];
                first[line_item as usize / 64] |= 1 << (line_item % 64);
            }
        }
    }
}

fn intersect(set: &mut [u64], other: &[u64]) {
    set.iter_mut().zip(other).for_each(|(word, other)| *word &= other);
}

fn small(n: usize) -> u32 {
    // Sizes follow the number of targeting values kept in memory, which is far below 2³².
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// An alternative that a value stands in, and where; sorts by value, then column, then alternative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    value: u32,
    column: u8,
    alternative: u32,
}

/// Collects alternatives line item by line item.
#[derive(Debug)]
pub(crate) struct IndexBuilder<'a> {
    values: &'a Values,
    index: Index,
    entries: Vec<Entry>,
    dayparts: Vec<(TimeZoneId, Hours, u32)>,
    /// Per column, the alternatives that require something in it.
    bound: Vec<Vec<u32>>,
    seen: u32,
}

impl<'a> IndexBuilder<'a> {
    pub(crate) fn new(line_items: usize, values: &'a Values) -> Self {
        let index = Index { line_items, exists: vec![0; words_for(line_items)], ..Index::default() };
        let bound = vec![Vec::new(); COLUMNS];
        Self { values, index, entries: Vec::new(), dayparts: Vec::new(), bound, seen: 0 }
    }

    /// Adds the next line item's alternatives.
    pub(crate) fn push(&mut self, alternatives: &[Conjunction], zone: TimeZoneId) {
        for (i, alternative) in alternatives.iter().enumerate() {
            let number = if i == 0 { self.seen } else { self.further(self.seen) };
            self.exists(number);
            self.require(alternative, number);
            self.list(&alternative.excluded, EXCLUDED, number);
            self.place(&alternative.placement, number);
            if alternative.hours != Hours::ALWAYS {
                self.bound[DAYPART].push(number);
                self.dayparts.push((zone, alternative.hours, number));
            }
        }
        self.seen += 1;
    }

    /// The number of a further alternative of the line item.
    fn further(&mut self, line_item: u32) -> u32 {
        self.index.further.push(line_item);
        small(words_for(self.index.line_items) * 64 + self.index.further.len() - 1)
    }

    fn exists(&mut self, number: u32) {
        let word = number as usize / 64;
        if word >= self.index.exists.len() {
            self.index.exists.resize(word + 1, 0);
        }
        self.index.exists[word] |= 1 << (number % 64);
    }

    fn require(&mut self, alternative: &Conjunction, number: u32) {
        let mut taken = [false; KINDS];
        let mut spare = KINDS;
        for (kind, values) in &alternative.required {
            let own = *kind as usize;
            let column = if std::mem::replace(&mut taken[own], true) { spare } else { own };
            spare += usize::from(column == spare);
            self.bound[column].push(number);
            let column = u8::try_from(column).unwrap_or(EXCLUDED);
            self.list(values, column, number);
        }
    }

    fn list(&mut self, values: &[u32], column: u8, number: u32) {
        self.entries.extend(values.iter().map(|value| Entry { value: *value, column, alternative: number }));
    }

    fn place(&mut self, place: &Place, number: u32) {
        match place {
            Place::OneOf(values) => {
                self.bound[PLACEMENT].push(number);
                self.list(values, PLACEMENT_COLUMN, number);
            }
            Place::NotIn(values) => self.list(values, NOT_PLACEMENT, number),
        }
    }

    pub(crate) fn finish(mut self, line_items: &[LineItemRow]) -> Index {
        self.free_columns();
        self.sort_terms();
        self.sort_dayparts();
        self.sort_tenants(line_items);
        self.index.shrink();
        self.index
    }

    fn free_columns(&mut self) {
        let words = self.index.exists.len();
        let excludes_placements = self.entries.iter().any(|entry| entry.column == NOT_PLACEMENT);
        for (column, bound) in self.bound.iter().enumerate() {
            let used = !bound.is_empty() || column == PLACEMENT && excludes_placements;
            let mut free = vec![u64::MAX; if used { words } else { 0 }];
            bound.iter().for_each(|number| free[*number as usize / 64] &= !(1 << (number % 64)));
            self.index.free.push(free);
        }
    }

    fn sort_terms(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable();
        let groups = entries.chunk_by(|a, b| a.value == b.value);
        let mut terms: Vec<(Term, &[Entry])> = groups.map(|group| (self.values.term(group[0].value), group)).collect();
        terms.sort_unstable_by_key(|(term, _)| *term);
        for (term, group) in terms {
            self.index.terms.push(term);
            self.index.starts.push(small(self.index.postings.len()));
            self.columns_of(group);
        }
        self.index.starts.push(small(self.index.postings.len()));
    }

    /// One posting for each column that one value stands in.
    fn columns_of(&mut self, entries: &[Entry]) {
        let words = self.index.exists.len();
        for group in entries.chunk_by(|a, b| a.column == b.column) {
            let posting = self.index.store.push(group.iter().map(|entry| entry.alternative), words);
            self.index.postings.push((group[0].column, posting));
        }
    }

    fn sort_dayparts(&mut self) {
        self.dayparts.sort_unstable();
        let words = self.index.exists.len();
        for group in self.dayparts.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let posting = self.index.store.push(group.iter().map(|(_, _, number)| *number), words);
            self.index.dayparts.push((group[0].0, group[0].1, posting));
        }
    }

    fn sort_tenants(&mut self, line_items: &[LineItemRow]) {
        let mut rows: Vec<(TenantId, u32)> = line_items.iter().map(|row| row.tenant).zip(0..).collect();
        rows.sort_unstable();
        let words = words_for(line_items.len());
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            let posting = self.index.store.push(group.iter().map(|(_, row)| *row), words);
            self.index.tenants.push((group[0].0, posting));
        }
    }
}

impl Index {
    fn shrink(&mut self) {
        self.further.shrink_to_fit();
        self.exists.shrink_to_fit();
        self.terms.shrink_to_fit();
        self.starts.shrink_to_fit();
        self.postings.shrink_to_fit();
        self.dayparts.shrink_to_fit();
        self.tenants.shrink_to_fit();
        self.store.numbers.shrink_to_fit();
        self.store.words.shrink_to_fit();
    }
}
