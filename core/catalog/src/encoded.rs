//! Targeting trees of one segment as words, prefix order, with values as numbers: small enough to keep for every line item,
//! quick enough to evaluate one line item at a time, complete enough to give the tree back.
//!
//! A word is `operator (3 bits) ‖ kind (5 bits) ‖ count (24 bits)`; `All` and `Any` are followed by `count` trees, `Not` by one,
//! `In` by `count` values, `Daypart` holds the number of its hours.

use litfass_types::{Calendar, Term, TermKind, Timestamp};

use crate::targeting::{HOURS_PER_WEEK, Targeting};
use crate::text::{Interner, Texts, Values};

const ALL: u32 = 0;
const ANY: u32 = 1;
const NOT: u32 = 2;
const IN: u32 = 3;
const DAYPART: u32 = 4;

const COUNT_BITS: u32 = 24;
const COUNT_MASK: u32 = (1 << COUNT_BITS) - 1;
const KIND_MASK: u32 = 31;
const OPERATOR_SHIFT: u32 = 29;

/// The hours of a week as bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Hours([u64; 3]);

impl Hours {
    pub(crate) const NONE: Self = Self([0; 3]);
    pub(crate) const ALWAYS: Self = Self([u64::MAX, u64::MAX, (1 << (HOURS_PER_WEEK - 128)) - 1]);

    pub(crate) fn of(hours: &[u8]) -> Self {
        let mut bits = [0; 3];
        for hour in hours.iter().filter(|h| **h < HOURS_PER_WEEK) {
            bits[usize::from(hour / 64)] |= 1 << (hour % 64);
        }
        Self(bits)
    }

    pub(crate) fn contains(self, hour: u8) -> bool {
        self.0.get(usize::from(hour / 64)).is_some_and(|word| word >> (hour % 64) & 1 == 1)
    }

    pub(crate) fn intersect(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    pub(crate) fn complement(self) -> Self {
        Self(std::array::from_fn(|i| !self.0[i] & Self::ALWAYS.0[i]))
    }

    fn list(self) -> Vec<u8> {
        (0..HOURS_PER_WEEK).filter(|hour| self.contains(*hour)).collect()
    }
}

/// Where one line item's tree begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct TreeRef(u32);

impl TreeRef {
    pub(crate) const fn start(self) -> usize {
        self.0 as usize
    }
}

/// One node; behind `All` and `Any` follow that many trees, behind `Not` one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    All(u32),
    Any(u32),
    Not,
    In(TermKind, &'a [u32]),
    Daypart(Hours),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Trees {
    words: Vec<u32>,
    hours: Vec<Hours>,
}

/// Turns trees into words; shares equal sets of hours and remembers where the run-of-network tree stands.
#[derive(Debug)]
pub(crate) struct TreeWriter<'a> {
    pub(crate) interner: &'a mut Interner,
    pub(crate) values: &'a mut Values,
    pub(crate) texts: &'a mut Texts,
}

impl Trees {
    pub(crate) fn push(&mut self, targeting: &Targeting, writer: &mut TreeWriter<'_>) -> TreeRef {
        // Limits on values per line item and rows per catalog keep this below 2³² words on any machine that holds it.
        let start = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.write(targeting, writer);
        TreeRef(start)
    }

    fn write(&mut self, targeting: &Targeting, writer: &mut TreeWriter<'_>) {
        match targeting {
            Targeting::All(parts) => self.write_parts(ALL, parts, writer),
            Targeting::Any(parts) => self.write_parts(ANY, parts, writer),
            Targeting::Not(part) => {
                self.words.push(word(NOT, 0, 1));
                self.write(part, writer);
            }
            Targeting::In(kind, values) => {
                self.words.push(word(IN, *kind as u32, values.len()));
                for value in values {
                    self.words.push(writer.interner.intern(*kind, value, writer.values, writer.texts));
                }
            }
            Targeting::Daypart(hours) => {
                let number = self.hours_number(Hours::of(hours));
                self.words.push(word(DAYPART, 0, number));
            }
        }
    }

    fn write_parts(&mut self, operator: u32, parts: &[Targeting], writer: &mut TreeWriter<'_>) {
        self.words.push(word(operator, 0, parts.len()));
        for part in parts {
            self.write(part, writer);
        }
    }

    /// Hours repeat from line item to line item; the last few are enough to share most of them.
    fn hours_number(&mut self, hours: Hours) -> usize {
        let recent = self.hours.len().saturating_sub(64);
        if let Some(known) = self.hours[recent..].iter().position(|h| *h == hours) {
            return recent + known;
        }
        self.hours.push(hours);
        self.hours.len() - 1
    }

    pub(crate) fn shrink(&mut self) {
        self.words.shrink_to_fit();
        self.hours.shrink_to_fit();
    }

    /// The tree as it was given, except that hours come back in ascending order, each once.
    pub(crate) fn read(&self, tree: TreeRef, values: &Values, texts: &Texts) -> Targeting {
        self.read_at(&mut (tree.0 as usize), values, texts)
    }

    fn read_at(&self, at: &mut usize, values: &Values, texts: &Texts) -> Targeting {
        let parts = |at: &mut usize, parts| (0..parts).map(|_| self.read_at(at, values, texts)).collect();
        match self.node(at) {
            Node::All(count) => Targeting::All(parts(at, count)),
            Node::Any(count) => Targeting::Any(parts(at, count)),
            Node::Not => Targeting::Not(Box::new(self.read_at(at, values, texts))),
            Node::In(kind, list) => {
                Targeting::In(kind, list.iter().map(|value| texts.get(values.span(*value)).to_owned()).collect())
            }
            Node::Daypart(hours) => Targeting::Daypart(hours.list()),
        }
    }

    /// Whether the tree matches at one placement, or at none where `placement` is `None`.
    pub(crate) fn matches(&self, tree: TreeRef, values: &Values, seen: &Seen<'_>) -> bool {
        self.matches_at(&mut (tree.0 as usize), values, seen)
    }

    /// Reads the whole tree even where the outcome is clear, so that `at` ends behind it.
    fn matches_at(&self, at: &mut usize, values: &Values, seen: &Seen<'_>) -> bool {
        match self.node(at) {
            Node::All(parts) => (0..parts).fold(true, |all, _| self.matches_at(at, values, seen) & all),
            Node::Any(parts) => (0..parts).fold(false, |any, _| self.matches_at(at, values, seen) | any),
            Node::Not => !self.matches_at(at, values, seen),
            Node::In(_, list) => list.iter().any(|value| seen.has(values.term(*value))),
            Node::Daypart(hours) => hours.contains(hour_of_week(seen.calendar, seen.now)),
        }
    }

    /// The node at `at`, which ends behind it and its values.
    pub(crate) fn node(&self, at: &mut usize) -> Node<'_> {
        let word = self.words[*at];
        let (operator, kind, count) = (word >> OPERATOR_SHIFT, word >> COUNT_BITS & KIND_MASK, word & COUNT_MASK);
        *at += 1;
        match operator {
            ALL => Node::All(count),
            ANY => Node::Any(count),
            NOT => Node::Not,
            IN => {
                let values = &self.words[*at..*at + count as usize];
                *at += values.len();
                Node::In(kind_numbered(kind), values)
            }
            _ => Node::Daypart(self.hours[count as usize]),
        }
    }
}

/// One request at one placement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) terms: &'a [Term],
    pub(crate) placement: Option<Term>,
    /// The advertiser's. The hour is worked out only where a tree asks for it.
    pub(crate) calendar: Option<&'a Calendar>,
    pub(crate) now: Timestamp,
}

/// Where the zone is unknown, which no linked row's is, the week never gets past its first hour.
pub(crate) fn hour_of_week(calendar: Option<&Calendar>, now: Timestamp) -> u8 {
    calendar.map_or(0, |calendar| calendar.hour_of_week(now))
}

impl Seen<'_> {
    fn has(&self, term: Term) -> bool {
        self.placement == Some(term) || self.terms.contains(&term)
    }
}

fn word(operator: u32, kind: u32, count: usize) -> u32 {
    // Limits on nodes and values keep every count far below 2²⁴.
    let count = u32::try_from(count).unwrap_or(u32::MAX).min(COUNT_MASK);
    operator << OPERATOR_SHIFT | kind << COUNT_BITS | count
}

fn kind_numbered(kind: u32) -> TermKind {
    TermKind::ALL.get(kind as usize).copied().unwrap_or(TermKind::KeyValue)
}
