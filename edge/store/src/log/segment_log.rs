//! The event log in segment files: own partitions with their threads, everybody's partitions to read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use litfass_events::PartitionKey;
use litfass_types::{DecisionId, Position, Timestamp};

use super::appended::Appended;
use super::frame::MAX_PAYLOAD_BYTES;
use super::partition::{PartitionWriter, in_use, lock_path};
use super::reader::PartitionReader;
use super::recovery::TruncatedTail;
use super::registry::{Registered, register, registered};
use super::retention::{Retention, Retired, Segments};
use super::stand_in::{StandIns, Tools};
use super::worker::{Queued, Worker};
use super::{AppendError, BadRegister, Batch, Entry, EventLog, Head, LogHealth, NewEntry, OpenError, ReadError, Until};
use crate::storage::{Storage, StorageError, ensure_dir, handover};

/// How often partitions of other processes are looked at while waiting.
const POLL: Duration = Duration::from_millis(5);

/// Where append times come from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// The same, but never before that instant.
    fn from(&self, begins: &Arc<AtomicI64>) -> Self {
        let (clock, begins) = (self.clone(), Arc::clone(begins));
        Self::new(move || clock.now().max(Timestamp(begins.load(Ordering::Relaxed))))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A writer of this process: a stable name, and how many partitions it writes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriterName {
    /// 1 to 32 of a-z, 0-9 and _.
    pub name: String,
    /// 1 … 256; may grow from one start to the next.
    pub partitions: u16,
}

impl WriterName {
    #[must_use]
    pub fn new(name: &str, partitions: u16) -> Self {
        Self { name: name.to_owned(), partitions }
    }
}

/// How a log is opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogOptions {
    /// Empty in a process that only reads.
    pub writers: Vec<WriterName>,
    /// A segment ends when it has this many bytes.
    pub segment_bytes: u32,
    /// A partition without entries for this long gets a heartbeat; `None`: never.
    pub heartbeat: Option<Duration>,
    /// Entries that nobody waits for are committed after this long.
    pub commit_interval: Duration,
    /// Entries that may wait in a partition before it is overloaded.
    pub queue_entries: usize,
    /// Bytes that may wait in a partition before it is overloaded.
    pub queue_bytes: usize,
    /// A partition of another process without entries for this long has lost its writer.
    pub stand_in_after: Duration,
    /// How long to wait for a partition that another process may stand in for.
    pub handover: Duration,
}

impl LogOptions {
    #[must_use]
    pub fn new(writers: &[(&str, u16)]) -> Self {
        let named = writers.iter().map(|(name, partitions)| WriterName::new(name, *partitions));
        Self {
            writers: named.collect(),
            segment_bytes: 32 << 20,
            heartbeat: Some(Duration::from_secs(1)),
            commit_interval: Duration::from_millis(20),
            queue_entries: 65_536,
            queue_bytes: 128 << 20,
            stand_in_after: Duration::from_secs(10),
            handover: Duration::from_secs(3),
        }
    }
}

/// The log, and what was cut off its partitions when they were taken over: for the operator to see.
#[derive(Debug)]
pub struct Opened {
    pub log: SegmentLog,
    pub truncated: Vec<TruncatedTail>,
}

/// Tells those who wait that something was committed.
#[derive(Debug, Default)]
pub(super) struct News {
    count: Mutex<u64>,
    changed: Condvar,
}

impl News {
    pub(super) fn publish(&self) {
        *self.count() += 1;
        self.changed.notify_all();
    }

    fn wait(&self, seen: u64, timeout: Duration) {
        let waited = self.changed.wait_timeout_while(self.count(), timeout, |count| *count == seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn count(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event log of one data directory.
#[derive(Debug)]
pub struct SegmentLog {
    tools: Tools,
    root: PathBuf,
    /// Nothing is appended with a time before.
    begins: Arc<AtomicI64>,
    workers: BTreeMap<u16, Worker>,
    /// Own partitions by writer, in the order of their index.
    own: BTreeMap<String, Vec<u16>>,
    readers: Mutex<BTreeMap<u16, Arc<PartitionReader>>>,
    stand_ins: Mutex<StandIns>,
}

impl SegmentLog {
    /// Opens the log in the directory `root`, whose parent exists, and takes over the partitions of the writers named.
    ///
    /// # Errors
    /// When another process has one of the writers, committed entries are damaged or missing, or the disk fails.
    pub fn open(
        storage: Arc<dyn Storage>,
        root: &Path,
        options: &LogOptions,
        clock: &Clock,
    ) -> Result<Opened, OpenError> {
        ensure_dir(&*storage, root)?;
        let begins = Arc::new(AtomicI64::new(i64::MIN));
        let mut log = Self {
            tools: Tools { storage, options: options.clone(), clock: clock.from(&begins), news: Arc::default() },
            root: root.to_owned(),
            begins,
            workers: BTreeMap::new(),
            own: BTreeMap::new(),
            readers: Mutex::default(),
            stand_ins: Mutex::default(),
        };
        let mut truncated = Vec::new();
        for writer in &options.writers {
            for partition in log.register(writer)? {
                truncated.extend(log.take_over(&partition)?);
            }
        }
        log.learn_readers::<OpenError>()?;
        Ok(Opened { log, truncated })
    }

    /// From now on this process appends nothing with a time before that one, whatever its clock says: a partition that is new
    /// may begin where others are.
    pub fn begin_at(&self, at: Timestamp) {
        self.begins.fetch_max(at.0, Ordering::Relaxed);
    }

    /// Removes segments at the beginning of a writer's partitions that are old enough, where every reader is past them:
    /// `needed_from` is asked, by partition, once there is something to remove.
    ///
    /// # Errors
    /// When the disk fails, and what `needed_from` says.
    pub fn retire<E: From<ReadError>>(
        &self,
        writer: &str,
        retention: Retention,
        needed_from: impl FnOnce() -> Result<BTreeMap<u16, u64>, E>,
    ) -> Result<Retired, E> {
        let mut segments = Segments::default();
        for line in registered::<ReadError>(&*self.tools.storage, &self.root)? {
            if line.writer == writer && self.workers.contains_key(&line.number) {
                segments.look(&*self.tools.storage, &line.dir(&self.root), line.number)?;
            }
        }
        if !segments.is_due(retention) {
            return Ok(Retired::default());
        }
        Ok(segments.retire(&*self.tools.storage, &needed_from()?, retention)?)
    }

    /// Numbers are given under a lock that every process takes for that moment.
    fn register(&self, writer: &WriterName) -> Result<Vec<Registered>, OpenError> {
        let path = self.root.join("partitions.lock");
        let lock = loop {
            match self.tools.storage.lock(&path) {
                Err(e) if e.is_locked() => std::thread::yield_now(),
                taken => break taken?,
            }
        };
        let lines = register(&*self.tools.storage, &self.root, &writer.name, writer.partitions);
        drop(lock);
        lines
    }

    fn take_over(&mut self, partition: &Registered) -> Result<Option<TruncatedTail>, OpenError> {
        let (number, dir) = (partition.number, partition.dir(&self.root));
        let Tools { storage, options, clock, news } = &self.tools;
        let lock = handover::take(&**storage, &lock_path(&dir), options.handover).map_err(|e| in_use(&dir, e))?;
        let (writer, truncated) = PartitionWriter::under(lock, storage, &dir, number, options.segment_bytes)?;
        if let Some(cut) = &truncated {
            let (segment, at, bytes, reason) = (cut.segment.display(), cut.at, cut.bytes, cut.reason);
            tracing::warn!(partition = number, %segment, at, bytes, %reason, "cut an unfinished entry off the event log");
        }
        self.readers().insert(number, Arc::new(writer.reader()));
        let worker = Worker::start(writer, options, clock.clone(), Arc::clone(news))?;
        self.workers.insert(number, worker);
        self.own.entry(partition.writer.clone()).or_default().push(number);
        Ok(truncated)
    }

    /// Partitions that other processes registered in the meantime.
    fn learn_readers<E: From<BadRegister> + From<StorageError>>(&self) -> Result<(), E> {
        for line in registered::<E>(&*self.tools.storage, &self.root)? {
            let fresh =
                || PartitionReader::of_directory(Arc::clone(&self.tools.storage), &line.dir(&self.root), line.number);
            self.readers().entry(line.number).or_insert_with(|| Arc::new(fresh()));
        }
        Ok(())
    }

    fn reader(&self, partition: u16) -> Result<Arc<PartitionReader>, ReadError> {
        let known = self.readers().get(&partition).map(Arc::clone);
        if let Some(reader) = known {
            return Ok(reader);
        }
        self.learn_readers::<ReadError>()?;
        let reader = self.readers().get(&partition).map(Arc::clone);
        reader.ok_or(ReadError::UnknownPartition(partition))
    }

    fn heads(&self) -> Result<Vec<Head>, ReadError> {
        let readers: Vec<_> = self.readers().values().map(Arc::clone).collect();
        readers.iter().map(|reader| reader.head()).collect()
    }

    fn push(&self, partition: u16, entries: Vec<Queued>) {
        match self.workers.get(&partition) {
            Some(worker) => worker.push(entries),
            None => entries.into_iter().for_each(|entry| entry.answer.give(Err(AppendError::NotOurs { partition }))),
        }
    }

    fn readers(&self) -> MutexGuard<'_, BTreeMap<u16, Arc<PartitionReader>>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Own partitions announce their commits; others have to be looked at.
    fn step(&self, seen: &[Position], left: Duration) -> Duration {
        let all_own = seen.iter().all(|position| self.workers.contains_key(&position.partition));
        if all_own { left } else { left.min(POLL) }
    }
}

impl LogHealth for SegmentLog {
    /// Looked at again within a heartbeat.
    fn ailment(&self) -> Option<String> {
        self.workers.values().find_map(Worker::ailment)
    }
}

impl EventLog for SegmentLog {
    fn partition(&self, writer: &str, key: PartitionKey) -> Option<u16> {
        let partitions = self.own.get(writer)?;
        let count = u16::try_from(partitions.len()).ok()?;
        partitions.get(usize::from(key.index(count))).copied()
    }

    fn append(&self, entries: Vec<NewEntry>, until: Until) -> Appended {
        let (appended, answers) = Appended::expecting(entries.len());
        let mut queued: BTreeMap<u16, Vec<Queued>> = BTreeMap::new();
        for (NewEntry { partition, id, payload }, answer) in entries.into_iter().zip(answers) {
            if payload.is_empty() || payload.len() > MAX_PAYLOAD_BYTES {
                answer.give(Err(AppendError::BadSize { bytes: payload.len() }));
            } else {
                queued.entry(partition).or_default().push(Queued { id, payload, until, answer });
            }
        }
        for (partition, entries) in queued {
            self.push(partition, entries);
        }
        appended
    }

    fn read(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError> {
        self.reader(from.partition)?.read(from.offset, max_bytes)
    }

    fn wait(&self, seen: &[Position], timeout: Duration) -> Result<Vec<Head>, ReadError> {
        if seen.is_empty() {
            self.learn_readers::<ReadError>()?;
        }
        let until = Instant::now() + timeout;
        loop {
            let count = *self.tools.news.count();
            let heads = self.heads()?;
            let is_news =
                |head: &Head| seen.iter().any(|s| s.partition == head.next.partition && s.offset < head.next.offset);
            let left = until.saturating_duration_since(Instant::now());
            if seen.is_empty() || left.is_zero() || heads.iter().any(is_news) {
                return Ok(heads);
            }
            self.tools.news.wait(count, self.step(seen, left));
        }
    }

    fn since(&self, partition: u16, at: Timestamp) -> Result<Position, ReadError> {
        self.reader(partition)?.since(at)
    }

    fn writers(&self) -> Result<Vec<(u16, String)>, ReadError> {
        let lines = registered::<ReadError>(&*self.tools.storage, &self.root)?;
        Ok(lines.into_iter().map(|line| (line.number, line.writer)).collect())
    }

    fn tend(&self) -> Result<(), OpenError> {
        let mut stand_ins = self.stand_ins.lock().unwrap_or_else(PoisonError::into_inner);
        for line in registered::<OpenError>(&*self.tools.storage, &self.root)? {
            if self.workers.contains_key(&line.number) {
                continue;
            }
            let dir = line.dir(&self.root);
            let fresh = PartitionReader::of_directory(Arc::clone(&self.tools.storage), &dir, line.number);
            let known = self.readers().get(&line.number).map(Arc::clone);
            let head = known.unwrap_or_else(|| Arc::new(fresh)).head();
            let next = head.map_or(0, |head| head.next.offset);
            if let Some(reader) = stand_ins.look(&self.tools, &line, &dir, next)? {
                self.readers().insert(line.number, Arc::new(reader));
            }
        }
        Ok(())
    }

    fn find(&self, id: DecisionId) -> Result<Option<Entry>, ReadError> {
        match self.reader(id.partition()) {
            Err(ReadError::UnknownPartition(_)) => Ok(None),
            reader => reader?.find(id),
        }
    }
}
