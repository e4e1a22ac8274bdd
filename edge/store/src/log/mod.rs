//! The event log: everything that happened, in partitions, in order, for as long as it is kept.
//!
//! Invariants: **committed = fsynced**, and no reader, in-process included, sees an entry before that. An offset is handed
//! out once, ever. Append times never decrease within a partition. What is missing or damaged is named, never skipped.
//! [`SegmentLog`] keeps it in files; `docs/specs/events.md` describes them byte by byte. With the feature `kafka` there is
//! also `kafka::KafkaLog`.

mod appended;
mod copy;
mod frame;
mod index;
#[cfg(feature = "kafka")]
pub mod kafka;
mod mark;
mod partition;
mod reader;
mod recovery;
mod registry;
mod retention;
mod scan;
mod segment;
mod segment_log;
mod share;
mod stand_in;
mod timeline;
mod worker;

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use litfass_events::PartitionKey;
use litfass_types::{DecisionId, EventId, Position, Timestamp};

use crate::storage::StorageError;

pub use appended::Appended;
pub use copy::{committed_ends, copy_log};
pub use frame::MAX_PAYLOAD_BYTES;
pub use partition::{Committed, PartitionWriter};
pub use reader::PartitionReader;
pub use recovery::TruncatedTail;
pub use retention::{Retention, Retired};
pub use segment::OFFSETS_PER_SEGMENT;
pub use segment_log::{Clock, LogOptions, Opened, SegmentLog, WriterName};
pub use share::{Alone, Share, Shares};
pub use timeline::Timeline;

/// What is to be appended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEntry {
    /// One of this process's own partitions: [`EventLog::partition`] of the entry's key.
    pub partition: u16,
    pub id: EventId,
    /// 1 … `MAX_PAYLOAD_BYTES` bytes.
    pub payload: Bytes,
}

/// What was appended and is committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub position: Position,
    pub append_time: Timestamp,
    pub id: EventId,
    /// Empty for a heartbeat, which says only that nothing older will come.
    pub payload: Bytes,
}

impl Entry {
    #[must_use]
    pub fn is_heartbeat(&self) -> bool {
        self.payload.is_empty()
    }
}

/// Which acknowledgement an append waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Until {
    /// Handed to the operating system: survives the end of the process, not of the power. Enough for a decision.
    Written,
    /// Fsynced and visible to readers. What every 2xx for an event stands for.
    Committed,
}

/// Entries in offset order, and where to go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    pub entries: Vec<Entry>,
    /// Read from here next. Offsets have gaps: never count them up yourself.
    pub next: Position,
}

/// The committed end of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The next offset a reader has not seen when it has seen all.
    pub next: Position,
    /// Of the last committed entry.
    pub append_time: Timestamp,
}

/// The port to the event log.
///
/// Contract: `append` never blocks; a full queue is an error value. Entries of one partition appended from one thread are
/// read in that order. `read`, `wait` and `find` show committed entries only, the same ones to every process. An entry that
/// was acknowledged `Until::Committed` is read for ever after; one acknowledged `Until::Written` is, unless the power went. One
/// whose append failed may or may not be read later: its id says what it was.
pub trait EventLog: Debug + Send + Sync {
    /// Which partition of that writer an entry with this key belongs to; `None` where this process is not that writer.
    fn partition(&self, writer: &str, key: PartitionKey) -> Option<u16>;

    /// Queues the entries, each for its partition. Resolves to one result per entry, in their order, when each has either
    /// reached `until` or failed.
    fn append(&self, entries: Vec<NewEntry>, until: Until) -> Appended;

    /// Committed entries from `from` on: about `max_bytes` of payload, at least one entry if there is one.
    ///
    /// # Errors
    /// When the partition is unknown, a segment is missing or damaged, or the disk fails.
    fn read(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError>;

    /// Waits until one of the partitions in `seen` has committed entries at or past the position given there, or until the
    /// time is up, and returns the heads of all partitions. With nothing in `seen` it returns at once, and
    /// knows the partitions that other processes have registered by then.
    ///
    /// # Errors
    /// When the disk fails.
    fn wait(&self, seen: &[Position], timeout: Duration) -> Result<Vec<Head>, ReadError>;

    /// Where to begin to read so that nothing appended at or after that instant is missed; entries before it may come first.
    ///
    /// # Errors
    /// When the partition is unknown or the disk fails.
    fn since(&self, partition: u16, at: Timestamp) -> Result<Position, ReadError>;

    /// Every partition there is, with the name of its writer.
    ///
    /// # Errors
    /// When the disk fails.
    fn writers(&self) -> Result<Vec<(u16, String)>, ReadError>;

    /// Sees to it that time passes in every partition, also where the writer is gone. To be called every second or so by at
    /// least one process.
    ///
    /// # Errors
    /// When a partition without a writer is damaged, or the disk fails.
    fn tend(&self) -> Result<(), OpenError>;

    /// A decision's record by its id, in milliseconds: the id says partition and time.
    ///
    /// # Errors
    /// When a segment that had to be looked at is damaged, or the disk fails.
    fn find(&self, id: DecisionId) -> Result<Option<Entry>, ReadError>;
}

/// What a log says of itself beside the port.
pub trait LogHealth: Debug + Send + Sync {
    /// Why some partition of this process takes no entries, or gives none, just now; `None` while all do.
    fn ailment(&self) -> Option<String>;
}

/// Why an entry was not appended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// Nobody's fault; try again later.
    #[error("partition {partition} of the event log is overloaded: {queued} entries wait")]
    Overloaded { partition: u16, queued: usize },
    /// The caller's fault.
    #[error("an entry of {bytes} bytes does not fit the event log: 1 to {MAX_PAYLOAD_BYTES} are allowed")]
    BadSize { bytes: usize },
    /// The caller's fault.
    #[error("partition {partition} is not written by this process")]
    NotOurs { partition: u16 },
    /// The disk's fault; the partition takes nothing until the log is opened again, unless the disk was full. Or no broker's
    /// acknowledgement came in time.
    #[error("partition {partition} of the event log failed: {reason}")]
    Failed { partition: u16, reason: String },
    #[error("the event log is closed")]
    Closed,
}

/// Why entries could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the event log has no partition {0}")]
    UnknownPartition(u16),
    #[error("partition {partition} begins at offset {first}: offset {wanted} is not kept any more")]
    Gone { partition: u16, wanted: u64, first: u64 },
    /// The mark was lost with the power, or taken away: opening the log as its writer makes it again.
    #[error("how far partition {partition} is committed is not known: {} has to be made again by its writer", mark.display())]
    Unmarked { partition: u16, mark: PathBuf },
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    #[error(transparent)]
    Register(#[from] BadRegister),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] kafka::NotRead),
}

/// The register of partitions is damaged.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the event log's register of partitions ({}) is damaged: line {line} is not `writer index number`", path.display())]
pub struct BadRegister {
    pub path: PathBuf,
    pub line: usize,
}

/// Damage: bytes that were committed and are not there, or not as they were written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("partition {partition} is damaged: {} at byte {at}: {reason}", segment.display())]
pub struct Corrupt {
    pub partition: u16,
    pub segment: PathBuf,
    pub at: u64,
    pub reason: Damage,
}

/// What is wrong with bytes of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Damage {
    #[error("the segment's header does not match its checksum")]
    SegmentHeader,
    #[error("the segment's header is that of another segment")]
    WrongSegment,
    #[error("an entry's header does not match its checksum")]
    EntryHeader,
    #[error("an entry's payload does not match its checksum")]
    EntryPayload,
    #[error("entry {found} stands where {expected} belongs")]
    WrongOffset { expected: u64, found: u64 },
    #[error("the file ends inside an entry")]
    EndsInEntry,
    #[error("the file ends {missing} bytes before what was committed")]
    CommittedMissing { missing: u64 },
    #[error("the file goes on for {extra} bytes after its end")]
    BytesAfterEnd { extra: u64 },
    #[error("the segment is not there")]
    SegmentMissing,
}

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operator's fault: two processes with one writer's name.
    #[error("the event log's writer {writer:?} is in use by another process ({})", lock.display())]
    InUse { writer: String, lock: PathBuf },
    #[error(transparent)]
    Register(#[from] BadRegister),
    #[error("writer {writer:?} has {registered} partitions: their number can grow, not shrink to {asked}")]
    Shrunk { writer: String, registered: u16, asked: u16 },
    #[error("a writer's name is 1 to 32 of a-z, 0-9 and _, its partitions 1 to 256: {0:?}")]
    BadName(String),
    #[error("there are no partition numbers left")]
    TooManyPartitions,
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("cannot start a thread of the event log: {0}")]
    Thread(std::io::Error),
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] kafka::NotOpened),
}
