//! A segment: one file of consecutive entries, named by its first offset.
//!
//! ```text
//!  0 [u8; 8] "LITFLOG1"            24 u64 start of the segment before (2⁶⁴−1: none)
//!  8 u64 start                     32 u64 its length in bytes
//! 16 i64 the largest append time   40 u64 the offset after its last entry
//!        before this segment       48 u16 partition   50 u16 zero   52 u32 CRC-32 of bytes 0…51
//! ```
//!
//! A segment never holds more than `OFFSETS_PER_SEGMENT` entries, and whoever opens the log after its writer ended goes on
//! `OFFSETS_PER_SEGMENT` above the start of the last segment that has a name: so an offset that was handed out and lost with
//! the power is never handed out again. Each header names the segment before and its length, so a cut or missing one is
//! noticed.

use std::path::{Path, PathBuf};

use litfass_types::Timestamp;

use super::Damage;
use super::frame::{put, take};

/// How many offsets a segment's name reserves.
pub const OFFSETS_PER_SEGMENT: u64 = 1 << 20;

pub(super) const SEGMENT_HEADER: usize = 56;

const MAGIC: [u8; 8] = *b"LITFLOG1";
const SUFFIX: &str = ".seg";

/// The segment before, as it was when this one was begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Previous {
    pub(super) start: u64,
    pub(super) bytes: u64,
    pub(super) next: u64,
}

/// A segment's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub(super) partition: u16,
    pub(super) start: u64,
    pub(super) base_time: Timestamp,
    pub(super) previous: Option<Previous>,
}

impl SegmentHeader {
    pub(super) fn bytes(&self) -> [u8; SEGMENT_HEADER] {
        let before = self.previous.unwrap_or(Previous { start: u64::MAX, bytes: 0, next: 0 });
        let mut head = [0; SEGMENT_HEADER];
        put(&mut head, 0, &MAGIC);
        put(&mut head, 8, &self.start.to_le_bytes());
        put(&mut head, 16, &self.base_time.0.to_le_bytes());
        put(&mut head, 24, &before.start.to_le_bytes());
        put(&mut head, 32, &before.bytes.to_le_bytes());
        put(&mut head, 40, &before.next.to_le_bytes());
        put(&mut head, 48, &self.partition.to_le_bytes());
        let crc = crc32fast::hash(&head[..52]);
        put(&mut head, 52, &crc.to_le_bytes());
        head
    }

    /// Reads the header of the segment of that name in that partition.
    pub(super) fn read(bytes: &[u8], partition: u16, start: u64) -> Result<Self, Damage> {
        let head = bytes.first_chunk::<SEGMENT_HEADER>().ok_or(Damage::SegmentHeader)?;
        let intact = head.starts_with(&MAGIC) && crc32fast::hash(&head[..52]) == u32::from_le_bytes(take(head, 52));
        if !intact {
            return Err(Damage::SegmentHeader);
        }
        let header = Self::fields(head);
        if (header.partition, header.start) == (partition, start) { Ok(header) } else { Err(Damage::WrongSegment) }
    }

    fn fields(head: &[u8; SEGMENT_HEADER]) -> Self {
        let before = Previous {
            start: u64::from_le_bytes(take(head, 24)),
            bytes: u64::from_le_bytes(take(head, 32)),
            next: u64::from_le_bytes(take(head, 40)),
        };
        Self {
            partition: u16::from_le_bytes(take(head, 48)),
            start: u64::from_le_bytes(take(head, 8)),
            base_time: Timestamp(i64::from_le_bytes(take(head, 16))),
            previous: (before.start != u64::MAX).then_some(before),
        }
    }
}

pub(super) fn segment_path(dir: &Path, start: u64) -> PathBuf {
    dir.join(format!("{start:020}{SUFFIX}"))
}

/// The starts of the segments among the names of a partition's directory, ascending.
pub(super) fn segment_starts(names: &[String]) -> Vec<u64> {
    let digits = names.iter().filter_map(|name| name.strip_suffix(SUFFIX));
    let mut starts: Vec<u64> = digits.filter_map(|digits| digits.parse().ok()).collect();
    starts.sort_unstable();
    starts
}
