//! How the log gets shorter: whole segments at its beginning are removed.
//!
//! Invariants: the segment that is being written stays, and so does every segment that some reader has not passed; what is left
//! of a partition has no gap. Whoever reads from before what is left is told where that begins (`ReadError::Gone`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use litfass_types::Timestamp;

use super::ReadError;
use super::mark::read_mark;
use super::segment::{SEGMENT_HEADER, SegmentHeader, segment_path, segment_starts};
use crate::storage::{Open, Storage, SyncSite};

/// What is old enough to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Segments whose newest entry was appended before this.
    pub before: Option<Timestamp>,
    /// The oldest segments, while all together have more bytes than this.
    pub bytes_max: Option<u64>,
}

/// What was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retired {
    pub segments: u64,
    pub bytes: u64,
}

/// A segment that has a successor.
#[derive(Clone, Debug)]
struct Sealed {
    newest: Timestamp,
    partition: u16,
    start: u64,
    /// The offset after its last entry.
    end: u64,
    bytes: u64,
    path: PathBuf,
}

/// The partitions' segments, oldest first, and the bytes of all, the ones being written included.
#[derive(Debug, Default)]
pub(super) struct Segments {
    sealed: Vec<Sealed>,
    bytes: u64,
}

impl Segments {
    /// Adds what lies in a partition's directory.
    pub(super) fn look(&mut self, storage: &dyn Storage, dir: &Path, partition: u16) -> Result<(), ReadError> {
        let Some(mark) = read_mark(storage, dir)? else { return Ok(()) };
        let mut starts = segment_starts(&storage.list(dir)?);
        starts.retain(|start| *start <= mark.segment);
        let after = starts.iter().skip(1).map(Some).chain([None]);
        for (start, after) in starts.iter().zip(after) {
            let path = segment_path(dir, *start);
            let bytes = storage.open(&path, Open::Read)?.length()?;
            self.bytes += bytes;
            let Some(after) = after else { continue };
            let Some(header) = header(storage, dir, partition, *after)? else { continue };
            let Some(previous) = header.previous.filter(|previous| previous.start == *start) else { continue };
            let (newest, end) = (header.base_time, previous.next);
            self.sealed.push(Sealed { newest, partition, start: *start, end, bytes, path });
        }
        self.sealed.sort_by_key(|sealed| (sealed.newest, sealed.partition, sealed.start));
        Ok(())
    }

    /// Whether anything is old enough, whoever may still need it.
    pub(super) fn is_due(&self, retention: Retention) -> bool {
        self.sealed.first().is_some_and(|oldest| oldest.is_due(retention, self.bytes))
    }

    /// Removes what is old enough and lies before `needed_from` of its partition. A partition that is not named there is needed
    /// from its beginning.
    pub(super) fn retire(
        self,
        storage: &dyn Storage,
        needed_from: &BTreeMap<u16, u64>,
        retention: Retention,
    ) -> Result<Retired, ReadError> {
        let (mut left, mut retired, mut kept) = (self.bytes, Retired::default(), BTreeSet::new());
        for sealed in self.sealed {
            let needed = needed_from.get(&sealed.partition).copied().unwrap_or(0);
            if kept.contains(&sealed.partition) || sealed.end > needed || !sealed.is_due(retention, left) {
                // What comes after it stays too: no gaps.
                kept.insert(sealed.partition);
                continue;
            }
            storage.remove(&sealed.path)?;
            if let Some(dir) = sealed.path.parent() {
                storage.sync_dir(dir, SyncSite::SegmentName)?;
            }
            left -= sealed.bytes;
            retired = Retired { segments: retired.segments + 1, bytes: retired.bytes + sealed.bytes };
        }
        Ok(retired)
    }
}

impl Sealed {
    fn is_due(&self, retention: Retention, bytes: u64) -> bool {
        retention.before.is_some_and(|before| self.newest < before)
            || retention.bytes_max.is_some_and(|bytes_max| bytes > bytes_max)
    }
}

/// `None` where recovery gave the segment up.
fn header(storage: &dyn Storage, dir: &Path, partition: u16, start: u64) -> Result<Option<SegmentHeader>, ReadError> {
    let mut bytes = [0; SEGMENT_HEADER];
    let read = storage.open(&segment_path(dir, start), Open::Read)?.read_at(0, &mut bytes)?;
    Ok(SegmentHeader::read(bytes.get(..read).unwrap_or_default(), partition, start).ok())
}
