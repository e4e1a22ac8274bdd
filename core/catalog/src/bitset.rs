//! A growable set of small integers, one bit each. What lies past its end is not in it.

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bitset {
    words: Vec<u64>,
}

/// Words that hold `bits` bits.
pub(crate) const fn words_for(bits: usize) -> usize {
    bits.div_ceil(64)
}

impl Bitset {
    /// Empty, with room for 0 … `bits`−1.
    #[must_use]
    pub fn new(bits: usize) -> Self {
        Self { words: vec![0; words_for(bits)] }
    }

    /// 0 … `bits`−1.
    #[must_use]
    pub fn full(bits: usize) -> Self {
        let mut set = Self { words: vec![u64::MAX; words_for(bits)] };
        if let (Some(last), 1..) = (set.words.last_mut(), bits % 64) {
            *last = (1 << (bits % 64)) - 1;
        }
        set
    }

    #[must_use]
    pub fn contains(&self, bit: u32) -> bool {
        self.words.get(bit as usize / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    pub fn insert(&mut self, bit: u32) {
        let word = bit as usize / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (bit % 64);
    }

    pub fn remove(&mut self, bit: u32) {
        if let Some(word) = self.words.get_mut(bit as usize / 64) {
            *word &= !(1 << (bit % 64));
        }
    }

    /// Empties it and makes room for 0 … `bits`−1; keeps its memory.
    pub fn reset(&mut self, bits: usize) {
        self.words.clear();
        self.words.resize(words_for(bits), 0);
    }

    /// How many it holds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// In ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0_u32..).flat_map(|(word, i)| ones(*word).map(move |bit| i * 64 + bit))
    }

    /// Bit i of word w is number 64·w + i.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The 64 bits from number `start` on.
    pub(crate) fn word_at(&self, start: usize) -> u64 {
        let (word, shift) = (start / 64, start % 64);
        let low = self.words.get(word).map_or(0, |w| w >> shift);
        if shift == 0 {
            return low;
        }
        low | self.words.get(word + 1).map_or(0, |w| w << (64 - shift))
    }

    /// Adds the 64 bits of `word` from number `start` on; bits past the end are dropped.
    pub(crate) fn or_word_at(&mut self, start: usize, bits: u64) {
        let (word, shift) = (start / 64, start % 64);
        if let Some(w) = self.words.get_mut(word) {
            *w |= bits << shift;
        }
        if let (Some(w), 1..) = (self.words.get_mut(word + 1), shift) {
            *w |= bits >> (64 - shift);
        }
    }

    /// Adds `start` … `end`−1, which must lie within its room.
    pub(crate) fn insert_range(&mut self, start: u32, end: u32) {
        if start >= end {
            return;
        }
        let (first, last) = (start as usize / 64, (end - 1) as usize / 64);
        let (head, tail) = (u64::MAX << (start % 64), u64::MAX >> (63 - (end - 1) % 64));
        if first == last {
            self.words[first] |= head & tail;
            return;
        }
        self.words[first] |= head;
        self.words[first + 1..last].fill(u64::MAX);
        self.words[last] |= tail;
    }
}

impl FromIterator<u32> for Bitset {
    fn from_iter<I: IntoIterator<Item = u32>>(bits: I) -> Self {
        let mut set = Self::default();
        set.extend(bits);
        set
    }
}

impl Extend<u32> for Bitset {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, bits: I) {
        bits.into_iter().for_each(|bit| self.insert(bit));
    }
}

/// The positions of the ones in a word, ascending.
pub(crate) fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(bit)
    })
}
