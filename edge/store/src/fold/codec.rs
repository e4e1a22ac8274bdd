//! Folded state as bytes: LEB128 varints, zigzag for what may be negative, texts and lists behind their length.

use litfass_types::{EventId, Timestamp, UserHash};

/// What a snapshot's bytes are not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadState {
    #[error("ends too early")]
    TooShort,
    #[error("has {0} bytes too many")]
    TooLong(usize),
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
}

/// Writes a state.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn number(&mut self, mut value: u64) {
        loop {
            let [low, ..] = (value & 0x7f).to_le_bytes();
            value >>= 7;
            if value == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(crate) fn time(&mut self, at: Timestamp) {
        self.signed(at.0);
    }

    /// Hashes are random in all their bits: fixed width.
    pub(crate) fn hash(&mut self, hash: u64) {
        self.0.extend(hash.to_le_bytes());
    }

    pub(crate) fn wide(&mut self, value: u128) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn user(&mut self, user: UserHash) {
        self.0.push(user.key_version);
        self.wide(user.hash);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend(bytes);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what `Writer` wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadState> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(BadState::TooShort)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn number(&mut self) -> Result<u64, BadState> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BadState::OutOfRange("a number"))
    }

    /// A number that fits `T`.
    pub(crate) fn narrow<T: TryFrom<u64>>(&mut self, name: &'static str) -> Result<T, BadState> {
        T::try_from(self.number()?).map_err(|_| BadState::OutOfRange(name))
    }

    /// A list's length: no more than there are bytes left, so that a damaged one cannot ask for all memory.
    pub(crate) fn length(&mut self) -> Result<usize, BadState> {
        let length = usize::try_from(self.number()?).map_err(|_| BadState::TooShort)?;
        if length <= self.0.len() { Ok(length) } else { Err(BadState::TooShort) }
    }

    pub(crate) fn signed(&mut self) -> Result<i64, BadState> {
        let coded = self.number()?;
        Ok((coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, BadState> {
        self.signed().map(Timestamp)
    }

    pub(crate) fn hash(&mut self) -> Result<u64, BadState> {
        self.take().map(u64::from_le_bytes)
    }

    pub(crate) fn wide(&mut self) -> Result<u128, BadState> {
        self.take().map(u128::from_le_bytes)
    }

    pub(crate) fn event_id(&mut self) -> Result<EventId, BadState> {
        self.wide().map(EventId)
    }

    pub(crate) fn user(&mut self) -> Result<UserHash, BadState> {
        let [key_version] = self.take()?;
        Ok(UserHash { key_version, hash: self.wide()? })
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], BadState> {
        let length = self.length()?;
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(head)
    }

    /// A list, each entry read by `entry`.
    pub(crate) fn list<T>(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Result<T, BadState>,
    ) -> Result<Vec<T>, BadState> {
        let length = self.length()?;
        (0..length).map(|_| entry(self)).collect()
    }

    pub(crate) fn finish(self) -> Result<(), BadState> {
        if self.0.is_empty() { Ok(()) } else { Err(BadState::TooLong(self.0.len())) }
    }
}
