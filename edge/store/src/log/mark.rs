//! How far a partition is committed, for readers in other processes: the file `committed` beside the segments.
//!
//! Two slots in two sectors, written in turn after each fsync and never synced themselves: a mark that survives says only
//! what was durable before it was written, and a slot that was torn leaves the other.
//!
//! ```text
//!  0 u64 count of marks   8 u64 segment's start   16 u64 bytes   24 u64 next offset   32 i64 append time   40 u32 CRC-32
//! ```

use std::path::{Path, PathBuf};

use litfass_types::Timestamp;

use super::frame::{put, take};
use super::partition::Committed;
use crate::storage::{Open, Storage, StorageError, StoredFile};

const SLOT: usize = 44;
const SECTOR: usize = 512;

pub(super) fn mark_path(dir: &Path) -> PathBuf {
    dir.join("committed")
}

/// The writer's side.
#[derive(Debug)]
pub(super) struct Mark {
    file: Box<dyn StoredFile>,
    count: u64,
}

impl Mark {
    /// Goes on from the mark that is there.
    pub(super) fn open(storage: &dyn Storage, dir: &Path) -> Result<(Self, Option<Committed>), StorageError> {
        let path = mark_path(dir);
        let file = match storage.open(&path, Open::Write) {
            Err(e) if e.is_not_found() => storage.open(&path, Open::Create)?,
            opened => opened?,
        };
        let last = read_slots(&*file)?;
        let (count, committed) = last.map_or((0, None), |(count, committed)| (count, Some(committed)));
        Ok((Self { file, count }, committed))
    }

    pub(super) fn write(&mut self, committed: &Committed) -> Result<(), StorageError> {
        let count = self.count + 1;
        let mut slot = [0; SLOT];
        put(&mut slot, 0, &count.to_le_bytes());
        put(&mut slot, 8, &committed.segment.to_le_bytes());
        put(&mut slot, 16, &committed.bytes.to_le_bytes());
        put(&mut slot, 24, &committed.next.to_le_bytes());
        put(&mut slot, 32, &committed.append_time.0.to_le_bytes());
        let crc = crc32fast::hash(&slot[..40]);
        put(&mut slot, 40, &crc.to_le_bytes());
        self.file.write_at(count % 2 * SECTOR as u64, &slot)?;
        self.count = count;
        Ok(())
    }
}

/// The reader's side: the last mark, `None` before the first.
pub(super) fn read_mark(storage: &dyn Storage, dir: &Path) -> Result<Option<Committed>, StorageError> {
    match storage.open(&mark_path(dir), Open::Read) {
        Err(e) if e.is_not_found() => Ok(None),
        opened => Ok(read_slots(&*opened?)?.map(|(_, committed)| committed)),
    }
}

fn read_slots(file: &dyn StoredFile) -> Result<Option<(u64, Committed)>, StorageError> {
    let mut bytes = [0; SECTOR + SLOT];
    file.read_at(0, &mut bytes)?;
    let slots = [&bytes[..SLOT], &bytes[SECTOR..]];
    Ok(slots.into_iter().filter_map(read_slot).max_by_key(|(count, _)| *count))
}

fn read_slot(slot: &[u8]) -> Option<(u64, Committed)> {
    let count = u64::from_le_bytes(take(slot, 0));
    let intact = count > 0 && crc32fast::hash(slot.get(..40)?) == u32::from_le_bytes(take(slot, 40));
    let committed = Committed {
        segment: u64::from_le_bytes(take(slot, 8)),
        bytes: u64::from_le_bytes(take(slot, 16)),
        next: u64::from_le_bytes(take(slot, 24)),
        append_time: Timestamp(i64::from_le_bytes(take(slot, 32))),
    };
    intact.then_some((count, committed))
}
