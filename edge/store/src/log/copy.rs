//! Copies a log while it is being written, up to a committed place in each partition: a log that a writer can take over.
//!
//! Invariants: every entry of the copy was committed; the copy of a partition ends where it was asked to, or where the
//! partition's entries end before that; its mark says exactly that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::mark::{Mark, mark_path, read_mark};
use super::partition::Committed;
use super::registry::{FILE, registered};
use super::scan::Walk;
use super::segment::{SEGMENT_HEADER, SegmentHeader, segment_path, segment_starts};
use super::{Corrupt, Damage, ReadError};
use crate::storage::{Open, Storage, StorageError, SyncSite, ensure_dir, read_whole, write_atomic};

const CHUNK: usize = 1 << 20;

/// Where each partition's committed entries end now.
///
/// # Errors
/// When the register or a mark cannot be read.
pub fn committed_ends(storage: &dyn Storage, root: &Path) -> Result<BTreeMap<u16, u64>, ReadError> {
    let mut ends = BTreeMap::new();
    for line in registered::<ReadError>(storage, root)? {
        let mark = read_mark(storage, &line.dir(root))?;
        ends.insert(line.number, mark.map_or(0, |mark| mark.next));
    }
    Ok(ends)
}

/// Copies every partition in `ends` up to there into the directory `to`, which is made. The caller must have learned `ends` from
/// readers, so that all of it is committed.
///
/// # Errors
/// When a segment is damaged, or one of the disks fails.
pub fn copy_log(storage: &dyn Storage, root: &Path, to: &Path, ends: &BTreeMap<u16, u64>) -> Result<(), ReadError> {
    ensure_dir(storage, to)?;
    for line in registered::<ReadError>(storage, root)? {
        let copy = PartitionCopy { storage, number: line.number, from: line.dir(root), to: line.dir(to) };
        ensure_dir(storage, &copy.to)?;
        copy.up_to(ends.get(&line.number).copied().unwrap_or(0))?;
    }
    let register = read_whole(storage, &root.join(FILE))?.unwrap_or_default();
    Ok(write_atomic(storage, &to.join(FILE), &register)?)
}

struct PartitionCopy<'a> {
    storage: &'a dyn Storage,
    number: u16,
    from: PathBuf,
    to: PathBuf,
}

impl PartitionCopy<'_> {
    fn up_to(&self, end: u64) -> Result<(), ReadError> {
        let Some(mark) = read_mark(self.storage, &self.from)? else { return Ok(()) };
        let mut starts = segment_starts(&self.storage.list(&self.from)?);
        starts.retain(|start| *start < end && *start <= mark.segment);
        let Some((last, before)) = starts.split_last() else { return Ok(()) };
        let cut = self.cut(*last, end, &mark)?;
        self.segment(*last, cut.bytes)?;
        // The newest first: what is not kept any more when its turn comes was the oldest.
        for start in before.iter().rev() {
            let length = match self.storage.open(&segment_path(&self.from, *start), Open::Read) {
                Err(e) if e.is_not_found() => break,
                opened => opened?.length()?,
            };
            self.segment(*start, length)?;
        }
        let (mut written, _) = Mark::open(self.storage, &self.to)?;
        written.write(&cut)?;
        self.storage.open(&mark_path(&self.to), Open::Write)?.sync(SyncSite::WholeFile)?;
        Ok(self.storage.sync_dir(&self.to, SyncSite::WholeFileName)?)
    }

    /// The place in that segment behind the entry before `end`, or behind its last one.
    fn cut(&self, segment: u64, end: u64, mark: &Committed) -> Result<Committed, ReadError> {
        let path = segment_path(&self.from, segment);
        let file = self.storage.open(&path, Open::Read)?;
        let limit = if mark.segment == segment { mark.bytes } else { file.length()? };
        let mut header = [0; SEGMENT_HEADER];
        let read = file.read_at(0, &mut header)?;
        let header = SegmentHeader::read(header.get(..read).unwrap_or_default(), self.number, segment);
        let base_time = header.map_err(|reason| self.corrupt(&path, reason))?.base_time;
        let mut cut = Committed { segment, bytes: SEGMENT_HEADER as u64, next: segment, append_time: base_time };
        let mut walk = Walk::new(&*file, cut.bytes, limit);
        while cut.next < end {
            let entry = walk.next_entry(cut.next).map_err(|stop| stop.of::<ReadError>(self.number, &path))?;
            let Some((entry, _)) = entry else { break };
            (cut.next, cut.append_time) = (cut.next + 1, entry.append_time);
        }
        Ok(Committed { bytes: walk.at(), ..cut })
    }

    fn segment(&self, start: u64, bytes: u64) -> Result<(), StorageError> {
        let from = self.storage.open(&segment_path(&self.from, start), Open::Read)?;
        let to = self.storage.open(&segment_path(&self.to, start), Open::Create)?;
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < bytes {
            let wanted = usize::try_from(bytes - at).unwrap_or(CHUNK).min(CHUNK);
            let read = from.read_at(at, &mut buffer[..wanted])?;
            if read == 0 {
                break;
            }
            to.write_at(at, &buffer[..read])?;
            at += read as u64;
        }
        to.sync(SyncSite::WholeFile)
    }

    fn corrupt(&self, segment: &Path, reason: Damage) -> ReadError {
        Corrupt { partition: self.number, segment: segment.to_owned(), at: 0, reason }.into()
    }
}
