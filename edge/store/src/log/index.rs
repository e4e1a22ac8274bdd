//! Where in a segment an offset or an instant is: one point per 64 KiB of entries, extended by reading entry headers.

use litfass_types::Timestamp;

use super::frame::FrameHeader;
use super::scan::{Stop, Walk};
use super::segment::SEGMENT_HEADER;
use crate::storage::StoredFile;

const SPACING: u64 = 64 << 10;

/// An entry that a point was made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Point {
    pub(super) offset: u64,
    pub(super) byte: u64,
    pub(super) append_time: Timestamp,
}

/// The points of one segment, as far as it was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SegmentIndex {
    points: Vec<Point>,
    /// The entry that begins where the index ends.
    end: Point,
}

impl SegmentIndex {
    pub(super) fn new(start: u64) -> Self {
        let end = Point { offset: start, byte: SEGMENT_HEADER as u64, append_time: Timestamp(i64::MIN) };
        Self { points: Vec::new(), end }
    }

    /// The segment's next entry.
    pub(super) fn push(&mut self, header: &FrameHeader) {
        let here = Point { append_time: header.append_time, ..self.end };
        if self.points.last().is_none_or(|last| here.byte - last.byte >= SPACING) {
            self.points.push(here);
        }
        let byte = here.byte + header.frame_bytes();
        self.end = Point { offset: header.offset + 1, byte, append_time: header.append_time };
    }

    /// Reads the headers from where it ends up to byte `limit`. On damage it stays where it got to.
    pub(super) fn extend(&mut self, file: &dyn StoredFile, limit: u64) -> Result<(), Stop> {
        let mut walk = Walk::new(file, self.end.byte, limit);
        while let Some((_, header)) = walk.next_header()? {
            self.push(&header);
        }
        Ok(())
    }

    /// The last point at or before the offset.
    pub(super) fn at_offset(&self, offset: u64) -> Point {
        self.before(self.points.partition_point(|point| point.offset <= offset))
    }

    /// The last point before which everything is older than `time`.
    pub(super) fn at_time(&self, time: Timestamp) -> Point {
        self.before(self.points.partition_point(|point| point.append_time < time))
    }

    fn before(&self, after: usize) -> Point {
        let begin = self.points.first().copied().unwrap_or(self.end);
        self.points.get(after.wrapping_sub(1)).copied().unwrap_or(begin)
    }
}
