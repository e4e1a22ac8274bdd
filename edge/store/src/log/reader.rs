//! Reading one partition, in the writer's process or in another one.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use litfass_types::{DecisionId, Duration, EventId, Position, Timestamp};

use super::index::SegmentIndex;
use super::mark::{mark_path, read_mark};
use super::partition::{Committed, Shared};
use super::scan::Walk;
use super::segment::{SEGMENT_HEADER, SegmentHeader, segment_path, segment_starts};
use super::{Batch, Corrupt, Damage, Entry, Head, ReadError};
use crate::storage::{Open, Storage, StoredFile};

/// How many readers of one partition find their place without looking it up.
const CURSORS_MAX: usize = 16;
/// A record is appended soon after its decision's time; clocks that were set make it this much earlier or later.
const FIND_SOON: Duration = Duration::seconds(2);
const FIND_BEFORE: Duration = Duration::seconds(10);
const FIND_LATE: Duration = Duration::seconds(60);

/// Reads one partition. Shared by any number of threads.
#[derive(Debug)]
pub struct PartitionReader {
    number: u16,
    dir: PathBuf,
    storage: Arc<dyn Storage>,
    writer: Option<Arc<Shared>>,
    known: Mutex<Known>,
}

/// What was learned about the files; all of it can be learned again.
#[derive(Debug, Default)]
struct Known {
    segments: Vec<Segment>,
    indexes: BTreeMap<u64, SegmentIndex>,
    cursors: VecDeque<Cursor>,
}

/// A segment that was begun when everything before it was committed.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start: u64,
    /// `None` where recovery gave the segment up because not even its header had survived.
    header: Option<SegmentHeader>,
}

/// Where the entry at or after an offset begins.
#[derive(Clone, Debug)]
struct Cursor {
    offset: u64,
    segment: u64,
    byte: u64,
    file: Arc<dyn StoredFile>,
}

/// A segment, and where its committed entries end.
#[derive(Clone, Copy, Debug)]
struct Readable {
    start: u64,
    limit: u64,
    oldest: Timestamp,
    newest: Timestamp,
    /// The offset after the last entry of the segment before, also where that is gone.
    before: u64,
}

impl PartitionReader {
    /// Reads what another process writes in `dir`.
    #[must_use]
    pub fn of_directory(storage: Arc<dyn Storage>, dir: &Path, number: u16) -> Self {
        Self { number, dir: dir.to_owned(), storage, writer: None, known: Mutex::default() }
    }

    pub(super) fn of_writer(shared: Arc<Shared>) -> Self {
        let (number, dir, storage) = (shared.number, shared.dir.clone(), Arc::clone(&shared.storage));
        Self { number, dir, storage, writer: Some(shared), known: Mutex::default() }
    }

    /// # Errors
    /// When the disk fails.
    pub fn head(&self) -> Result<Head, ReadError> {
        let committed = self.committed()?;
        let (offset, append_time) = committed.map_or((0, Timestamp(i64::MIN)), |c| (c.next, c.append_time));
        Ok(Head { next: Position { partition: self.number, offset }, append_time })
    }

    /// Committed entries from `from` on: about `max_bytes` of payload, at least one entry if there is one.
    ///
    /// # Errors
    /// When a segment is missing or damaged, `from` is not kept any more, or the disk fails.
    pub fn read(&self, from: u64, max_bytes: usize) -> Result<Batch, ReadError> {
        match self.read_known(from, max_bytes) {
            // Something was removed that was known: what is there now may go on from here all the same.
            Err(ReadError::Gone { .. }) => self.read_known(from, max_bytes),
            read => read,
        }
    }

    fn read_known(&self, from: u64, max_bytes: usize) -> Result<Batch, ReadError> {
        let mut next = from;
        let mut entries = Vec::new();
        if let Some(committed) = self.committed()?.filter(|committed| from < committed.next) {
            let segments = self.segments(&committed)?;
            let first = self.segment_of(from, &segments)?;
            for segment in segments.get(first..).unwrap_or_default() {
                next = next.max(segment.start);
                next = self.read_segment(segment, next, max_bytes, &mut entries)?;
                if !entries.is_empty() {
                    break;
                }
            }
        }
        Ok(Batch { entries, next: Position { partition: self.number, offset: next } })
    }

    /// The segment in which the first entry appended at or after that instant lies.
    ///
    /// # Errors
    /// When a segment that had to be looked at is damaged, or the disk fails.
    pub fn since(&self, at: Timestamp) -> Result<Position, ReadError> {
        let segments = self.committed()?.map(|committed| self.segments(&committed)).transpose()?.unwrap_or_default();
        let offset = segments.iter().find(|segment| segment.newest >= at).map_or(0, |segment| segment.start);
        Ok(Position { partition: self.number, offset })
    }

    /// A decision's record.
    ///
    /// # Errors
    /// When a segment that had to be looked at is damaged, or the disk fails.
    pub fn find(&self, id: DecisionId) -> Result<Option<Entry>, ReadError> {
        let Some(committed) = self.committed()? else { return Ok(None) };
        let segments = self.segments(&committed)?;
        let at = id.time();
        let spans = [(at, at + FIND_SOON), (at - FIND_BEFORE, at), (at + FIND_SOON, at + FIND_LATE)];
        for (from, to) in spans {
            for segment in segments.iter().filter(|segment| segment.newest >= from && segment.oldest <= to) {
                let found = match self.find_in(segment, EventId(id.0), from, to) {
                    // Removed while we looked.
                    Err(ReadError::Gone { .. }) => None,
                    found => found?,
                };
                if let Some(found) = found {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn committed(&self) -> Result<Option<Committed>, ReadError> {
        match &self.writer {
            Some(shared) => Ok(Some(shared.committed())),
            None => match read_mark(&*self.storage, &self.dir)? {
                None if self.has_entries()? => Err(self.unmarked()),
                mark => Ok(mark),
            },
        }
    }

    /// A partition without a mark that has more than the header of a segment just begun.
    fn has_entries(&self) -> Result<bool, ReadError> {
        let names = match self.storage.list(&self.dir) {
            Err(e) if e.is_not_found() => return Ok(false),
            names => names?,
        };
        for start in segment_starts(&names) {
            if self.file(start)?.length()? > SEGMENT_HEADER as u64 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn unmarked(&self) -> ReadError {
        ReadError::Unmarked { partition: self.number, mark: mark_path(&self.dir) }
    }

    fn segment_of(&self, offset: u64, segments: &[Readable]) -> Result<usize, ReadError> {
        let after = segments.partition_point(|segment| segment.start <= offset);
        // Whoever has read a segment to its end misses nothing when it goes, also where the next one begins further on.
        let follows = segments.first().is_some_and(|first| first.before <= offset);
        after.checked_sub(1).or(follows.then_some(0)).ok_or_else(|| {
            let first = segments.first().map_or(0, |segment| segment.start);
            ReadError::Gone { partition: self.number, wanted: offset, first }
        })
    }

    /// Reads from `from` to the end of the segment or until there is enough; returns the offset to go on with.
    fn read_segment(
        &self,
        segment: &Readable,
        from: u64,
        max_bytes: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<u64, ReadError> {
        if segment.limit <= SEGMENT_HEADER as u64 {
            return Ok(from);
        }
        let cursor = self.cursor(segment, from)?;
        let mut walk = Walk::new(&*cursor.file, cursor.byte, segment.limit);
        let (mut expected, mut bytes) = (cursor.offset, 0);
        while bytes < max_bytes || entries.is_empty() {
            let next = walk.next_entry(expected);
            let Some((header, payload)) = next.map_err(|stop| self.damaged(stop, segment.start))? else { break };
            expected += 1;
            if header.offset >= from {
                bytes += payload.len();
                entries.push(header.entry(self.number, Bytes::copy_from_slice(payload)));
            }
        }
        let byte = walk.at();
        self.keep(Cursor { offset: expected, byte, ..cursor });
        Ok(expected.max(from))
    }

    /// Where to begin reading for that offset: remembered from the reader that just got there, or looked up.
    fn cursor(&self, segment: &Readable, from: u64) -> Result<Cursor, ReadError> {
        let fits = |cursor: &Cursor| cursor.offset == from && cursor.segment == segment.start;
        let mut known = self.known();
        let at = known.cursors.iter().position(fits);
        if let Some(cursor) = at.and_then(|at| known.cursors.remove(at)) {
            return Ok(cursor);
        }
        drop(known);
        let file = self.file(segment.start)?;
        let point = self.index(segment, &*file)?.at_offset(from);
        Ok(Cursor { offset: point.offset, segment: segment.start, byte: point.byte, file })
    }

    fn keep(&self, cursor: Cursor) {
        let mut known = self.known();
        known.cursors.push_back(cursor);
        if known.cursors.len() > CURSORS_MAX {
            known.cursors.pop_front();
        }
    }

    fn find_in(
        &self,
        segment: &Readable,
        id: EventId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Option<Entry>, ReadError> {
        if segment.limit <= SEGMENT_HEADER as u64 {
            return Ok(None);
        }
        let file = self.file(segment.start)?;
        let point = self.index(segment, &*file)?.at_time(from);
        let mut walk = Walk::new(&*file, point.byte, segment.limit);
        while let Some((place, header)) = walk.next_header().map_err(|stop| self.damaged(stop, segment.start))? {
            if header.id == id {
                let mut walk = Walk::new(&*file, place, segment.limit);
                let found = walk.next_entry(header.offset).map_err(|stop| self.damaged(stop, segment.start))?;
                return Ok(found.map(|(header, payload)| header.entry(self.number, Bytes::copy_from_slice(payload))));
            }
            if header.append_time > to {
                break;
            }
        }
        Ok(None)
    }

    /// The segments up to the committed end, oldest first, each with the end of its committed entries.
    fn segments(&self, committed: &Committed) -> Result<Vec<Readable>, ReadError> {
        let segments = self.known_segments(committed)?;
        let after = segments.iter().skip(1).map(Some).chain([None]);
        let mut oldest = Timestamp(i64::MIN);
        let mut readable = Vec::with_capacity(segments.len());
        for (segment, after) in segments.iter().zip(after) {
            oldest = segment.header.map_or(oldest, |header| header.base_time);
            let limit = self.limit(segment, after, committed)?;
            let newest = after.and_then(|s| s.header).map_or(Timestamp(i64::MAX), |header| header.base_time);
            let before =
                segment.header.and_then(|header| header.previous).map_or(segment.start, |previous| previous.next);
            readable.push(Readable { start: segment.start, limit, oldest, newest, before });
        }
        Ok(readable)
    }

    /// A segment that has a successor ends where that one says, so that a cut one is noticed.
    fn limit(&self, segment: &Segment, after: Option<&Segment>, committed: &Committed) -> Result<u64, ReadError> {
        if segment.start == committed.segment {
            return Ok(committed.bytes);
        }
        let told = after.and_then(|after| after.header).and_then(|header| header.previous);
        match told.filter(|previous| previous.start == segment.start) {
            Some(previous) => Ok(previous.bytes),
            None => Ok(self.file(segment.start)?.length()?),
        }
    }

    fn known_segments(&self, committed: &Committed) -> Result<Vec<Segment>, ReadError> {
        let known = self.known().segments.clone();
        if known.last().is_some_and(|last| last.start == committed.segment) {
            return Ok(known);
        }
        let names = self.storage.list(&self.dir)?;
        let starts = segment_starts(&names).into_iter().filter(|start| *start <= committed.segment);
        let segments = starts.map(|start| self.learn(start, &known)).collect::<Result<Vec<_>, _>>()?;
        self.check_links(&segments, committed)?;
        self.known().segments.clone_from(&segments);
        Ok(segments)
    }

    fn learn(&self, start: u64, known: &[Segment]) -> Result<Segment, ReadError> {
        if let Some(segment) = known.iter().find(|segment| segment.start == start) {
            return Ok(*segment);
        }
        let file = self.file(start)?;
        if file.length()? == 0 {
            return Ok(Segment { start, header: None });
        }
        let mut bytes = [0; SEGMENT_HEADER];
        let read = file.read_at(0, &mut bytes)?;
        let header = SegmentHeader::read(bytes.get(..read).unwrap_or_default(), self.number, start);
        Ok(Segment { start, header: Some(header.map_err(|reason| self.corrupt(start, reason))?) })
    }

    /// No segment between the first and the committed one may be missing.
    fn check_links(&self, segments: &[Segment], committed: &Committed) -> Result<(), ReadError> {
        for (before, segment) in segments.iter().zip(segments.iter().skip(1)) {
            let named = segment.header.and_then(|header| header.previous);
            if let Some(previous) = named.filter(|previous| previous.start != before.start) {
                return Err(self.corrupt(previous.start, Damage::SegmentMissing));
            }
        }
        match segments.last() {
            Some(last) if last.start == committed.segment => Ok(()),
            _ => Err(self.corrupt(committed.segment, Damage::SegmentMissing)),
        }
    }

    /// The segment's index up to its limit; for the one that is being written, as the writer keeps it.
    fn index(&self, segment: &Readable, file: &dyn StoredFile) -> Result<SegmentIndex, ReadError> {
        if let Some(index) = self.writer.as_ref().and_then(|shared| shared.active_index(segment.start)) {
            return Ok(index);
        }
        let mut index = self.known().indexes.remove(&segment.start).unwrap_or_else(|| SegmentIndex::new(segment.start));
        let extended = index.extend(file, segment.limit);
        self.known().indexes.insert(segment.start, index.clone());
        extended.map_err(|stop| self.damaged(stop, segment.start))?;
        Ok(index)
    }

    fn file(&self, start: u64) -> Result<Arc<dyn StoredFile>, ReadError> {
        match self.storage.open(&segment_path(&self.dir, start), Open::Read) {
            Err(e) if e.is_not_found() => Err(self.missing(start)?),
            opened => Ok(opened?.into()),
        }
    }

    /// A segment that is not there was removed where all before it are gone too, and is damage otherwise.
    fn missing(&self, start: u64) -> Result<ReadError, ReadError> {
        let first = segment_starts(&self.storage.list(&self.dir)?).into_iter().next();
        let Some(first) = first.filter(|first| start < *first) else {
            return Ok(self.corrupt(start, Damage::SegmentMissing));
        };
        *self.known() = Known::default();
        Ok(ReadError::Gone { partition: self.number, wanted: start, first })
    }

    fn damaged(&self, stop: super::scan::Stop, start: u64) -> ReadError {
        stop.of(self.number, &segment_path(&self.dir, start))
    }

    fn corrupt(&self, start: u64, reason: Damage) -> ReadError {
        Corrupt { partition: self.number, segment: segment_path(&self.dir, start), at: 0, reason }.into()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
