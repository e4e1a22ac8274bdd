//! Walking a segment's entries: by their headers alone, or whole with every checksum.

use std::path::Path;

use super::frame::{FRAME_HEADER, FrameHeader, MAX_PAYLOAD_BYTES};
use super::{Corrupt, Damage};
use crate::storage::{StorageError, StoredFile};

const READ_AHEAD: usize = 256 << 10;

/// Why a walk ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Damaged { at: u64, reason: Damage },
    Storage(StorageError),
}

impl Stop {
    /// Says whose damage it is.
    pub(super) fn of<E: From<Corrupt> + From<StorageError>>(self, partition: u16, segment: &Path) -> E {
        match self {
            Self::Damaged { at, reason } => Corrupt { partition, segment: segment.to_owned(), at, reason }.into(),
            Self::Storage(e) => e.into(),
        }
    }
}

impl From<StorageError> for Stop {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

/// Entries from a byte of a file to another, read in chunks.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    file: &'a dyn StoredFile,
    at: u64,
    limit: u64,
    buffer: Vec<u8>,
    /// Where the buffer's first byte lies in the file.
    begin: u64,
}

impl<'a> Walk<'a> {
    /// `from` must be where an entry begins, `limit` where one ends.
    pub(super) const fn new(file: &'a dyn StoredFile, from: u64, limit: u64) -> Self {
        Self { file, at: from, limit, buffer: Vec::new(), begin: from }
    }

    /// The byte where the next entry begins.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// The next entry's place and header; its payload is not looked at.
    pub(super) fn next_header(&mut self) -> Result<Option<(u64, FrameHeader)>, Stop> {
        if self.at >= self.limit {
            return Ok(None);
        }
        let place = self.at;
        let header =
            FrameHeader::read(self.bytes(FRAME_HEADER)?).map_err(|reason| Stop::Damaged { at: place, reason })?;
        self.at += header.frame_bytes();
        Ok(Some((place, header)))
    }

    /// The next entry's header and payload, both checked, at the offset it must have.
    pub(super) fn next_entry(&mut self, expected: u64) -> Result<Option<(FrameHeader, &[u8])>, Stop> {
        let Some((at, header)) = self.next_header()? else { return Ok(None) };
        let stop = |reason| Stop::Damaged { at, reason };
        if header.offset != expected {
            self.at = at;
            return Err(stop(Damage::WrongOffset { expected, found: header.offset }));
        }
        let length = FRAME_HEADER + header.payload_bytes as usize;
        self.at = at;
        let whole = self.bytes(length)?.len();
        let fits = whole == length && at + length as u64 <= self.limit;
        let begin = usize::try_from(at - self.begin).unwrap_or(usize::MAX) + FRAME_HEADER;
        let payload = self.buffer.get(begin..begin + header.payload_bytes as usize).filter(|_| fits);
        let payload = payload.ok_or(stop(Damage::EndsInEntry))?;
        if crc32fast::hash(payload) != header.payload_crc {
            return Err(stop(Damage::EntryPayload));
        }
        self.at = at + length as u64;
        Ok(Some((header, payload)))
    }

    /// `wanted` bytes at the place of the walk, or as many as the file has.
    fn bytes(&mut self, wanted: usize) -> Result<&[u8], StorageError> {
        let held = usize::try_from(self.at - self.begin).unwrap_or(usize::MAX);
        if self.buffer.len().saturating_sub(held) < wanted {
            self.fill(wanted)?;
        }
        let held = usize::try_from(self.at - self.begin).unwrap_or(usize::MAX);
        let rest = self.buffer.get(held..).unwrap_or_default();
        Ok(rest.get(..wanted).unwrap_or(rest))
    }

    fn fill(&mut self, wanted: usize) -> Result<(), StorageError> {
        let left = usize::try_from(self.limit.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let chunk = READ_AHEAD.max(wanted).min(left.max(wanted)).min(FRAME_HEADER + MAX_PAYLOAD_BYTES + READ_AHEAD);
        self.buffer.resize(chunk, 0);
        self.begin = self.at;
        let read = self.file.read_at(self.at, &mut self.buffer)?;
        self.buffer.truncate(read);
        Ok(())
    }
}
