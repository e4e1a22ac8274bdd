//! All texts of one segment in one arena, and the distinct values among them.

use litfass_types::{Term, TermKind};

/// A text of at most 65,535 bytes: 48 bits of offset, 16 bits of length. Zero is the empty text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Span(u64);

impl Span {
    pub(crate) const fn is_empty(self) -> bool {
        self.0 & 0xffff == 0
    }

    /// The text of `length` bytes right behind this one.
    pub(crate) const fn next(self, length: u16) -> Self {
        Self(((self.0 >> 16) + (self.0 & 0xffff)) << 16 | length as u64)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    arena: String,
}

impl Texts {
    /// Keeps `text`, which validation has limited to far less than 65,536 bytes.
    pub(crate) fn push(&mut self, text: &str) -> Span {
        let start = self.arena.len() as u64;
        let Ok(length) = u16::try_from(text.len()) else { return Span::default() };
        self.arena.push_str(text);
        Span(start << 16 | u64::from(length))
    }

    pub(crate) fn get(&self, span: Span) -> &str {
        let start = usize::try_from(span.0 >> 16).unwrap_or(usize::MAX);
        let length = usize::from(u16::try_from(span.0 & 0xffff).unwrap_or(0));
        self.arena.get(start..start.saturating_add(length)).unwrap_or("")
    }

    pub(crate) fn shrink(&mut self) {
        self.arena.shrink_to_fit();
    }
}

/// Distinct values of targeting and categories: number → term and text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    terms: Vec<Term>,
    spans: Vec<Span>,
}

impl Values {
    pub(crate) fn term(&self, value: u32) -> Term {
        self.terms[value as usize]
    }

    pub(crate) fn span(&self, value: u32) -> Span {
        self.spans[value as usize]
    }

    pub(crate) fn shrink(&mut self) {
        self.terms.shrink_to_fit();
        self.spans.shrink_to_fit();
    }
}

/// Finds the number of a value while a segment is built: open addressing on the term, which is a hash already.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    slots: Vec<u32>,
}

/// A slot of a hash table that holds nothing.
pub(crate) const FREE: u32 = u32::MAX;

impl Interner {
    pub(crate) fn intern(&mut self, kind: TermKind, text: &str, values: &mut Values, texts: &mut Texts) -> u32 {
        if self.slots.len() < (values.terms.len() + 1) * 2 {
            self.grow(values);
        }
        let term = Term::new(kind, text);
        let mut slot = self.first_slot(term);
        loop {
            let value = self.slots[slot];
            if value == FREE {
                return self.add(slot, term, text, values, texts);
            }
            if values.terms[value as usize] == term && texts.get(values.spans[value as usize]) == text {
                return value;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn add(&mut self, slot: usize, term: Term, text: &str, values: &mut Values, texts: &mut Texts) -> u32 {
        // Fewer than 2³² distinct values: every one costs bytes of the arena and a slot.
        let value = u32::try_from(values.terms.len()).unwrap_or(FREE - 1);
        values.terms.push(term);
        values.spans.push(texts.push(text));
        self.slots[slot] = value;
        value
    }

    fn grow(&mut self, values: &Values) {
        let size = (values.terms.len() + 1).next_power_of_two() * 4;
        self.slots = vec![FREE; size];
        for (value, term) in (0_u32..).zip(&values.terms) {
            let mut slot = self.first_slot(*term);
            while self.slots[slot] != FREE {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = value;
        }
    }

    fn first_slot(&self, term: Term) -> usize {
        usize::try_from(term.0 & (self.slots.len() as u64 - 1)).unwrap_or(0)
    }
}
