//! Opening a partition whose writer ended, in whatever way: what is whole is kept, what was torn is cut off and named, what
//! was committed and is damaged or missing is an error.

use std::path::{Path, PathBuf};

use litfass_types::Timestamp;

use super::frame::{FRAME_HEADER, FrameHeader, may_start_frame};
use super::partition::Committed;
use super::scan::{Stop, Walk};
use super::segment::{OFFSETS_PER_SEGMENT, SEGMENT_HEADER, SegmentHeader, segment_path, segment_starts};
use super::{Corrupt, Damage, OpenError};
use crate::storage::{Open, Storage, StoredFile, SyncSite, read_whole};

/// Bytes at the end of the last segment that were never committed and do not make an entry: the mark of a power cut or of a
/// process killed in the middle of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TruncatedTail {
    pub partition: u16,
    pub segment: PathBuf,
    /// Where it was cut.
    pub at: u64,
    /// How much was cut off.
    pub bytes: u64,
    pub reason: Damage,
}

/// The last segment of a writer that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ended {
    pub(super) start: u64,
    /// 0 where not even its header survived.
    pub(super) bytes: u64,
    pub(super) next: u64,
    pub(super) append_time: Timestamp,
}

#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) ended: Option<Ended>,
    pub(super) truncated: Option<TruncatedTail>,
}

struct Recovery<'a> {
    storage: &'a dyn Storage,
    dir: &'a Path,
    partition: u16,
    marked: Option<Committed>,
}

pub(super) fn recover(
    storage: &dyn Storage,
    dir: &Path,
    partition: u16,
    marked: Option<Committed>,
) -> Result<Recovered, OpenError> {
    let recovery = Recovery { storage, dir, partition, marked };
    let starts = segment_starts(&storage.list(dir)?);
    recovery.check_marked_segment(&starts)?;
    let Some((last, before)) = starts.split_last() else {
        return Ok(Recovered { ended: None, truncated: None });
    };
    for (at, start) in before.iter().enumerate() {
        recovery.check_link(*start, at.checked_sub(1).and_then(|at| before.get(at).copied()))?;
    }
    recovery.last_segment(*last, before)
}

impl Recovery<'_> {
    fn check_marked_segment(&self, starts: &[u64]) -> Result<(), OpenError> {
        match self.marked {
            Some(mark) if !starts.contains(&mark.segment) => Err(self.corrupt(mark.segment, 0, Damage::SegmentMissing)),
            _ => Ok(()),
        }
    }

    /// A segment that has a successor: its header must be whole, unless recovery had to give it up before.
    fn check_link(&self, start: u64, before: Option<u64>) -> Result<(), OpenError> {
        let bytes = self.open(start, Open::Read)?.length()?;
        if bytes == 0 {
            return Ok(());
        }
        let header = self.header(start)?.map_err(|reason| self.corrupt(start, 0, reason))?;
        self.check_previous(&header, before)
    }

    /// The segment before must be the one that the header names, with the length it had then.
    fn check_previous(&self, header: &SegmentHeader, before: Option<u64>) -> Result<(), OpenError> {
        let Some(previous) = header.previous else { return Ok(()) };
        let Some(before) = before else { return Ok(()) };
        if previous.start != before {
            return Err(self.corrupt(previous.start, 0, Damage::SegmentMissing));
        }
        let bytes = self.open(before, Open::Read)?.length()?;
        let damage = match bytes.cmp(&previous.bytes) {
            std::cmp::Ordering::Equal => return Ok(()),
            std::cmp::Ordering::Less => Damage::CommittedMissing { missing: previous.bytes - bytes },
            std::cmp::Ordering::Greater => Damage::BytesAfterEnd { extra: bytes - previous.bytes },
        };
        Err(self.corrupt(before, bytes.min(previous.bytes), damage))
    }

    fn last_segment(&self, start: u64, before: &[u64]) -> Result<Recovered, OpenError> {
        let file = self.open(start, Open::Write)?;
        let (ended, stop) = match self.header(start)? {
            Ok(header) => {
                self.check_previous(&header, before.last().copied())?;
                self.walk(start, &header, &*file)?
            }
            Err(reason) => (self.given_up(start, before)?, Some(reason)),
        };
        self.check_committed(&ended, stop)?;
        let length = file.length()?;
        let truncated = stop.filter(|_| length > ended.bytes).map(|reason| TruncatedTail {
            partition: self.partition,
            segment: segment_path(self.dir, start),
            at: ended.bytes,
            bytes: length - ended.bytes,
            reason,
        });
        if let Some(cut) = &truncated {
            self.check_torn(start, &ended, cut.reason)?;
            file.set_len(ended.bytes)?;
        }
        file.sync(SyncSite::Recovery)?;
        Ok(Recovered { ended: Some(ended), truncated })
    }

    /// Every entry that is whole, and why the walk ended before the file did. Where there is none, the last entry is that of
    /// the segment before: a reader that has seen it has seen all.
    fn walk(
        &self,
        start: u64,
        header: &SegmentHeader,
        file: &dyn StoredFile,
    ) -> Result<(Ended, Option<Damage>), OpenError> {
        let mut walk = Walk::new(file, SEGMENT_HEADER as u64, file.length()?);
        let next = header.previous.map_or(start, |before| before.next);
        let mut ended = Ended { start, bytes: SEGMENT_HEADER as u64, next, append_time: header.base_time };
        let mut expected = start;
        loop {
            match walk.next_entry(expected) {
                Ok(None) => return Ok((ended, None)),
                Ok(Some((entry, _))) => {
                    expected += 1;
                    ended.next = expected;
                    ended.append_time = entry.append_time;
                    ended.bytes += entry.frame_bytes();
                }
                Err(Stop::Damaged { reason, .. }) => return Ok((ended, Some(reason))),
                Err(Stop::Storage(e)) => return Err(e.into()),
            }
        }
    }

    /// A segment whose header did not survive has no entries; offsets and time go on from the segment before.
    fn given_up(&self, start: u64, before: &[u64]) -> Result<Ended, OpenError> {
        for last in before.iter().rev() {
            let Ok(header) = self.header(*last)? else { continue };
            let file = self.open(*last, Open::Read)?;
            let (ended, _) = self.walk(*last, &header, &*file)?;
            return Ok(Ended { start, bytes: 0, ..ended });
        }
        let next = before.first().copied().unwrap_or(start);
        Ok(Ended { start, bytes: 0, next, append_time: Timestamp(i64::MIN) })
    }

    /// What the mark says was committed must be there.
    fn check_committed(&self, ended: &Ended, stop: Option<Damage>) -> Result<(), OpenError> {
        let marked = self.marked.filter(|mark| mark.segment == ended.start).map_or(0, |mark| mark.bytes);
        if ended.bytes >= marked {
            return Ok(());
        }
        let missing = Damage::CommittedMissing { missing: marked - ended.bytes };
        let reason = stop.filter(|reason| *reason != Damage::EndsInEntry).unwrap_or(missing);
        Err(self.corrupt(ended.start, ended.bytes, reason))
    }

    /// Where an entry behind the torn place was written when the file was durable beyond it, that place is not torn but damaged.
    fn check_torn(&self, start: u64, ended: &Ended, reason: Damage) -> Result<(), OpenError> {
        let path = segment_path(self.dir, start);
        let bytes = read_whole(self.storage, &path)?.unwrap_or_default();
        let from = usize::try_from(ended.bytes).unwrap_or(usize::MAX);
        let tail = bytes.get(from..).unwrap_or_default();
        let places = tail.windows(FRAME_HEADER).filter(|place| may_start_frame(place, start, OFFSETS_PER_SEGMENT));
        let mut later = places.filter_map(|place| FrameHeader::read(place).ok());
        match later.find(|header| u64::from(header.durable_bytes) > ended.bytes) {
            Some(_) => Err(self.corrupt(start, ended.bytes, reason)),
            None => Ok(()),
        }
    }

    fn open(&self, start: u64, how: Open) -> Result<Box<dyn StoredFile>, OpenError> {
        Ok(self.storage.open(&segment_path(self.dir, start), how)?)
    }

    fn header(&self, start: u64) -> Result<Result<SegmentHeader, Damage>, OpenError> {
        let mut bytes = [0; SEGMENT_HEADER];
        let read = self.open(start, Open::Read)?.read_at(0, &mut bytes)?;
        Ok(SegmentHeader::read(bytes.get(..read).unwrap_or_default(), self.partition, start))
    }

    fn corrupt(&self, start: u64, at: u64, reason: Damage) -> OpenError {
        Corrupt { partition: self.partition, segment: segment_path(self.dir, start), at, reason }.into()
    }
}
