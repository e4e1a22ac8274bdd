//! One partition as its only writer sees it: append, commit, go on in a new segment.
//!
//! Nothing here runs in a thread of its own: `worker` calls `append` from one thread and `commit` from another, and the
//! power-loss tests call both from one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use litfass_types::{EventId, Timestamp};

use super::OpenError;
use super::frame::FrameHeader;
use super::index::SegmentIndex;
use super::mark::Mark;
use super::reader::PartitionReader;
use super::recovery::{self, Ended, TruncatedTail};
use super::segment::{OFFSETS_PER_SEGMENT, Previous, SEGMENT_HEADER, SegmentHeader, segment_path};
use crate::storage::{Lock, Open, Storage, StorageError, StoredFile, SyncSite};

/// How far a partition is durable: everything in the segments before `segment`, and `bytes` of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Committed {
    /// The segment's first offset.
    pub segment: u64,
    pub bytes: u64,
    /// The offset after the last committed entry.
    pub next: u64,
    /// Of that entry.
    pub append_time: Timestamp,
}

/// What the writer, whoever commits, and the readers in this process share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) number: u16,
    pub(super) dir: PathBuf,
    pub(super) storage: Arc<dyn Storage>,
    progress: Mutex<Progress>,
    mark: Mutex<Mark>,
    /// The index of the segment that is being written.
    active: Mutex<(u64, SegmentIndex)>,
}

#[derive(Clone, Debug)]
struct Progress {
    file: Arc<dyn StoredFile>,
    written: Committed,
    committed: Committed,
    /// A sync failed: nobody knows what is durable, and a later sync that succeeds would not tell.
    failed: bool,
}

/// The one writer of a partition.
#[derive(Debug)]
pub struct PartitionWriter {
    shared: Arc<Shared>,
    file: Arc<dyn StoredFile>,
    /// What has been written, durable or not.
    written: Committed,
    segment_bytes: u64,
    broken: bool,
    frames: Vec<u8>,
    _lock: Box<dyn Lock>,
}

impl PartitionWriter {
    /// Takes the partition over from whoever wrote it last: checks its last segment, cuts what was torn off it, and begins a
    /// new one. `segment_bytes` is the size at which a segment ends, 1 … 2³²−1.
    ///
    /// # Errors
    /// When another process writes it, committed entries are damaged or missing, or the disk fails.
    pub fn open(
        storage: &Arc<dyn Storage>,
        dir: &Path,
        number: u16,
        segment_bytes: u32,
    ) -> Result<(Self, Option<TruncatedTail>), OpenError> {
        let lock = storage.lock(&lock_path(dir)).map_err(|e| in_use(dir, e))?;
        Self::under(lock, storage, dir, number, segment_bytes)
    }

    /// As `open`, by whoever has the partition's lock.
    pub(super) fn under(
        lock: Box<dyn Lock>,
        storage: &Arc<dyn Storage>,
        dir: &Path,
        number: u16,
        segment_bytes: u32,
    ) -> Result<(Self, Option<TruncatedTail>), OpenError> {
        let (mut mark, marked) = Mark::open(&**storage, dir)?;
        let recovered = recovery::recover(&**storage, dir, number, marked)?;
        let header = following(number, recovered.ended.as_ref());
        let file = create(&**storage, dir, &header)?;
        let next = header.previous.map_or(0, |before| before.next);
        let committed = Committed { segment: header.start, bytes: 0, next, append_time: header.base_time };
        mark.write(&committed)?;
        let written = Committed { bytes: SEGMENT_HEADER as u64, ..committed };
        let progress = Mutex::new(Progress { file: Arc::clone(&file), written, committed, failed: false });
        let active = Mutex::new((header.start, SegmentIndex::new(header.start)));
        let (storage, dir, mark) = (Arc::clone(storage), dir.to_owned(), Mutex::new(mark));
        let shared = Arc::new(Shared { number, dir, storage, progress, mark, active });
        let segment_bytes = u64::from(segment_bytes.max(1));
        let writer = Self { shared, file, written, segment_bytes, broken: false, frames: Vec::new(), _lock: lock };
        Ok((writer, recovered.truncated))
    }

    /// Writes the entries and returns the offset of the first; the others follow it one by one. None is durable yet.
    ///
    /// # Errors
    /// When the disk fails. Where what was written in part could not be cut off again, everything later fails too.
    pub fn append(&mut self, entries: &[(EventId, Bytes)], now: Timestamp) -> Result<u64, StorageError> {
        if self.ends_segment(entries.len()) {
            self.roll()?;
        }
        let first = self.next_offset();
        let append_time = self.written.append_time.max(now);
        let headers = self.encode(entries, append_time);
        self.write()?;
        self.written.next = first + entries.len() as u64;
        self.written.append_time = append_time;
        self.shared.index(&headers);
        self.shared.progress().written = self.written;
        Ok(first)
    }

    /// Whether appending so many entries ends the segment first, which waits for the disk.
    #[must_use]
    pub fn ends_segment(&self, entries: usize) -> bool {
        let room = self.written.segment + OFFSETS_PER_SEGMENT - self.next_offset();
        let full = self.written.bytes >= self.segment_bytes && self.next_offset() > self.written.segment;
        full || room < entries as u64
    }

    /// Makes everything written so far durable and shows it to readers.
    ///
    /// # Errors
    /// When the disk fails; what is durable is unknown then, and only opening the partition again finds out.
    pub fn commit(&self) -> Result<Committed, StorageError> {
        self.shared.commit()
    }

    #[must_use]
    pub fn committed(&self) -> Committed {
        self.shared.committed()
    }

    /// The largest append time so far.
    #[must_use]
    pub const fn append_time(&self) -> Timestamp {
        self.written.append_time
    }

    /// Reads what this writer has committed, without going through the mark.
    #[must_use]
    pub fn reader(&self) -> PartitionReader {
        PartitionReader::of_writer(Arc::clone(&self.shared))
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// After a restart the segment's start lies above the offset after the last entry.
    fn next_offset(&self) -> u64 {
        self.written.next.max(self.written.segment)
    }

    fn encode(&mut self, entries: &[(EventId, Bytes)], append_time: Timestamp) -> Vec<FrameHeader> {
        let durable = self.shared.durable_bytes(self.written.segment);
        self.frames.clear();
        let mut headers = Vec::with_capacity(entries.len());
        for (offset, (id, payload)) in (self.next_offset()..).zip(entries) {
            let header = FrameHeader {
                payload_bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
                offset,
                append_time,
                id: *id,
                payload_crc: crc32fast::hash(payload),
                durable_bytes: durable,
            };
            header.write(payload, &mut self.frames);
            headers.push(header);
        }
        headers
    }

    fn write(&mut self) -> Result<(), StorageError> {
        if self.broken {
            let source = std::io::Error::other("an earlier write failed and could not be undone");
            return Err(StorageError::new("append to", &self.shared.dir, source));
        }
        if let Err(failed) = self.file.write_at(self.written.bytes, &self.frames) {
            self.broken = self.file.set_len(self.written.bytes).is_err();
            return Err(failed);
        }
        self.written.bytes += self.frames.len() as u64;
        Ok(())
    }

    /// Ends this segment, all of it durable, and begins the next.
    fn roll(&mut self) -> Result<(), StorageError> {
        self.shared.make_durable(&*self.file, SyncSite::Seal)?;
        self.shared.publish(self.written)?;
        let ended = Ended {
            start: self.written.segment,
            bytes: self.written.bytes,
            next: self.next_offset(),
            append_time: self.written.append_time,
        };
        let header = SegmentHeader { start: ended.next, ..following(self.shared.number, Some(&ended)) };
        self.file = create(&*self.shared.storage, &self.shared.dir, &header)?;
        self.written.segment = header.start;
        self.written.bytes = SEGMENT_HEADER as u64;
        *self.shared.active() = (header.start, SegmentIndex::new(header.start));
        let mut progress = self.shared.progress();
        progress.file = Arc::clone(&self.file);
        progress.written = self.written;
        Ok(())
    }
}

impl Shared {
    /// Called by one thread while another appends.
    pub(super) fn commit(&self) -> Result<Committed, StorageError> {
        let Progress { file, written, committed, .. } = self.progress().clone();
        if written.next <= committed.next {
            return Ok(committed);
        }
        self.make_durable(&*file, SyncSite::Commit)?;
        self.publish(written)
    }

    fn make_durable(&self, file: &dyn StoredFile, site: SyncSite) -> Result<(), StorageError> {
        if self.progress().failed {
            let source = std::io::Error::other("an earlier sync failed");
            return Err(StorageError::new("sync", &self.dir, source));
        }
        let synced = file.sync(site);
        self.progress().failed |= synced.is_err();
        synced
    }

    /// Whether a sync ever failed.
    pub(super) fn has_failed(&self) -> bool {
        self.progress().failed
    }

    /// The mark first, then the readers of this process; never backwards.
    fn publish(&self, point: Committed) -> Result<Committed, StorageError> {
        let mut mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.committed();
        if point <= before {
            return Ok(before);
        }
        mark.write(&point)?;
        self.progress().committed = point;
        Ok(point)
    }

    pub(super) fn committed(&self) -> Committed {
        self.progress().committed
    }

    pub(super) fn is_dirty(&self) -> bool {
        let progress = self.progress();
        progress.written.next > progress.committed.next
    }

    /// The index of that segment if it is the one being written, as far as it is committed or beyond.
    pub(super) fn active_index(&self, segment: u64) -> Option<SegmentIndex> {
        let active = self.active();
        (active.0 == segment).then(|| active.1.clone())
    }

    fn durable_bytes(&self, segment: u64) -> u32 {
        let committed = self.committed();
        let bytes = if committed.segment == segment { committed.bytes } else { 0 };
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    fn index(&self, headers: &[FrameHeader]) {
        let mut active = self.active();
        headers.iter().for_each(|header| active.1.push(header));
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn active(&self) -> MutexGuard<'_, (u64, SegmentIndex)> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The header of the segment that comes after a writer's end: out of reach of every offset it may have handed out.
fn following(partition: u16, ended: Option<&Ended>) -> SegmentHeader {
    let start = ended.map_or(0, |ended| ended.start + OFFSETS_PER_SEGMENT);
    let base_time = ended.map_or(Timestamp(i64::MIN), |ended| ended.append_time);
    let previous = ended.map(|ended| Previous { start: ended.start, bytes: ended.bytes, next: ended.next });
    SegmentHeader { partition, start, base_time, previous }
}

/// The name is durable when it returns; the header becomes so with the first entries.
fn create(storage: &dyn Storage, dir: &Path, header: &SegmentHeader) -> Result<Arc<dyn StoredFile>, StorageError> {
    let file = storage.open(&segment_path(dir, header.start), Open::Create)?;
    file.write_at(0, &header.bytes())?;
    storage.sync_dir(dir, SyncSite::SegmentName)?;
    Ok(file.into())
}

/// Who has this lock is the partition's writer.
pub(super) fn lock_path(dir: &Path) -> PathBuf {
    dir.join("lock")
}

pub(super) fn in_use(dir: &Path, e: StorageError) -> OpenError {
    if !e.is_locked() {
        return e.into();
    }
    let writer = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    OpenError::InUse { writer, lock: lock_path(dir) }
}
