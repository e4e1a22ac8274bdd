//! The two threads of a partition: one writes what is queued, the other makes it durable, so that the next entries are
//! written while the disk is busy. Whatever was written during one fsync shares the next.
//!
//! Where nothing is queued and nobody is writing, entries that need not be durable are written by whoever appends them: that
//! takes a few microseconds, and waking a thread that wakes the caller again takes more. Order is kept because the queue is
//! looked at, and taken from, only by who holds the writer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use litfass_types::{EventId, Position};

use super::appended::Answer;
use super::partition::{PartitionWriter, Shared};
use super::segment_log::{Clock, LogOptions, News};
use super::{AppendError, OpenError, Until};
use crate::storage::StorageError;

/// Entries written with one call.
const BATCH_ENTRIES: usize = 4_096;
const BATCH_BYTES: usize = 4 << 20;

/// An entry on its way.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) id: EventId,
    pub(super) payload: Bytes,
    pub(super) until: Until,
    pub(super) answer: Answer,
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Queued>,
    bytes: usize,
    /// Written and waiting for the disk.
    uncommitted: Vec<(u64, Answer)>,
    /// Everything is committed and the thread that commits waits for more.
    is_idle: bool,
    written_all: bool,
    closed: bool,
    health: Health,
}

/// Whether the partition takes entries.
#[derive(Default, Debug)]
enum Health {
    #[default]
    Well,
    /// Why the last write failed, until one succeeds: a full disk may have room again.
    Refusing(String),
    /// Why a sync failed: nobody knows what is durable, and a later sync would not tell, so nothing is taken until the log is
    /// opened again.
    Failed(String),
}

#[derive(Debug)]
struct Desk {
    queue: Mutex<Queue>,
    /// There are entries to write, or it is closed.
    to_write: Condvar,
    /// There are entries to commit, or everything has been written.
    to_commit: Condvar,
}

/// A partition's queue and threads. Dropping it writes and commits what is queued.
#[derive(Debug)]
pub(super) struct Worker {
    number: u16,
    desk: Arc<Desk>,
    writing: Arc<Writing>,
    entries_max: usize,
    bytes_max: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(
        writer: PartitionWriter,
        options: &LogOptions,
        clock: Clock,
        news: Arc<News>,
    ) -> Result<Self, OpenError> {
        let shared = writer.shared();
        let number = shared.number;
        let desk = Arc::new(Desk { queue: Mutex::default(), to_write: Condvar::new(), to_commit: Condvar::new() });
        let (writer, heartbeat) = (Mutex::new(writer), options.heartbeat);
        let writing =
            Arc::new(Writing { desk: Arc::clone(&desk), shared: Arc::clone(&shared), writer, clock, heartbeat });
        let thread = Arc::clone(&writing);
        let committing = Committing { desk: Arc::clone(&desk), shared, news, pause: options.commit_interval };
        let threads = vec![
            spawn(format!("log-write-{number}"), move || thread.run())?,
            spawn(format!("log-commit-{number}"), move || committing.run())?,
        ];
        Ok(Self { number, desk, writing, entries_max: options.queue_entries, bytes_max: options.queue_bytes, threads })
    }

    /// All of them or, where the queue is full before the first, none.
    pub(super) fn push(&self, entries: Vec<Queued>) {
        if let Some(entries) = self.writing.at_once(entries) {
            self.enqueue(entries);
        }
    }

    fn enqueue(&self, entries: Vec<Queued>) {
        let mut queue = self.desk.queue();
        if let Some(refusal) = self.refusal(&queue) {
            drop(queue);
            return entries.into_iter().for_each(|entry| entry.answer.give(Err(refusal.clone())));
        }
        queue.bytes += entries.iter().map(|entry| entry.payload.len()).sum::<usize>();
        queue.entries.extend(entries);
        drop(queue);
        self.desk.to_write.notify_one();
    }

    /// Why entries are not taken just now; `None` while they are.
    pub(super) fn ailment(&self) -> Option<String> {
        if let Health::Refusing(reason) | Health::Failed(reason) = &self.desk.queue().health {
            return Some(reason.clone());
        }
        let ended = self.threads.iter().any(JoinHandle::is_finished);
        ended.then(|| "a thread of the event log ended".to_owned())
    }

    fn refusal(&self, queue: &Queue) -> Option<AppendError> {
        let (partition, queued) = (self.number, queue.entries.len() + queue.uncommitted.len());
        if queue.closed {
            Some(AppendError::Closed)
        } else if let Some(reason) = queue.failure() {
            Some(AppendError::Failed { partition, reason })
        } else if queued >= self.entries_max || queue.bytes >= self.bytes_max {
            Some(AppendError::Overloaded { partition, queued })
        } else {
            None
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.desk.queue().closed = true;
        self.desk.to_write.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(partition = self.number, "a thread of the event log ended in a panic");
            }
        }
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    std::thread::Builder::new().name(name).spawn(run).map_err(OpenError::Thread)
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Writing {
    desk: Arc<Desk>,
    shared: Arc<Shared>,
    /// Taken before the queue, by whoever takes both.
    writer: Mutex<PartitionWriter>,
    clock: Clock,
    heartbeat: Option<Duration>,
}

impl Writing {
    fn run(&self) {
        while let Some(work) = self.next_work() {
            let mut writer = self.writer();
            match work {
                Work::Heartbeat => self.beat(&mut writer),
                Work::Queued => {
                    let batch = self.desk.queue().take_batch();
                    self.write(&mut writer, batch);
                }
            }
        }
        self.desk.queue().written_all = true;
        self.desk.to_commit.notify_all();
    }

    /// Writes the entries here and now, or hands them back: one of them has to be durable, a segment would end, or others are
    /// before them.
    fn at_once(&self, entries: Vec<Queued>) -> Option<Vec<Queued>> {
        let patient = entries.iter().all(|entry| matches!(entry.until, Until::Written));
        let Ok(mut writer) = self.writer.try_lock() else { return Some(entries) };
        if !patient || writer.ends_segment(entries.len()) || !self.desk.queue().is_free() {
            return Some(entries);
        }
        self.write(&mut writer, entries);
        None
    }

    fn writer(&self) -> MutexGuard<'_, PartitionWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` at the end.
    fn next_work(&self) -> Option<Work> {
        let due = self.heartbeat.map(|pause| Instant::now() + pause);
        let mut queue = self.desk.queue();
        while queue.entries.is_empty() && !queue.closed {
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            queue = match left {
                Some(Duration::ZERO) => return Some(Work::Heartbeat),
                Some(left) => self.desk.to_write.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.desk.to_write.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
        (!queue.entries.is_empty()).then_some(Work::Queued)
    }

    fn write(&self, writer: &mut PartitionWriter, batch: Vec<Queued>) {
        if let Some(reason) = self.desk.queue().failure() {
            return fail(self.shared.number, batch.into_iter().map(|entry| entry.answer), &reason);
        }
        let entries: Vec<(EventId, Bytes)> = batch.iter().map(|entry| (entry.id, entry.payload.clone())).collect();
        match writer.append(&entries, self.clock.now()) {
            Ok(first) => self.answer(batch, first),
            Err(e) => self.refuse(batch, &e),
        }
    }

    fn answer(&self, batch: Vec<Queued>, first: u64) {
        let partition = self.shared.number;
        let mut uncommitted = Vec::new();
        for (offset, entry) in (first..).zip(batch) {
            match entry.until {
                Until::Written => entry.answer.give(Ok(Position { partition, offset })),
                Until::Committed => uncommitted.push((offset, entry.answer)),
            }
        }
        let mut queue = self.desk.queue();
        if let Some(reason) = queue.failure() {
            // Written before the sync failed, and nobody will make them durable.
            drop(queue);
            return fail(partition, uncommitted.into_iter().map(|(_, answer)| answer), &reason);
        }
        queue.recover();
        // Who is waiting out its pause need not be woken for an entry that nobody waits for.
        let wakes = queue.is_idle || !uncommitted.is_empty();
        queue.uncommitted.extend(uncommitted);
        drop(queue);
        if wakes {
            self.desk.to_commit.notify_one();
        }
    }

    fn refuse(&self, batch: Vec<Queued>, e: &StorageError) {
        let (partition, reason) = (self.shared.number, e.to_string());
        // Said once: whoever is refused learns it too.
        let lost = self.shared.has_failed();
        if self.desk.queue().refuse(&reason, lost) {
            tracing::error!(partition, reason, "the event log could not write");
        }
        fail(partition, batch.into_iter().map(|entry| entry.answer), &reason);
    }

    /// An empty entry, so that readers learn that time has passed.
    fn beat(&self, writer: &mut PartitionWriter) {
        if self.desk.queue().failure().is_some() {
            return;
        }
        match writer.append(&[(EventId(0), Bytes::new())], self.clock.now()) {
            Ok(_) => self.desk.queue().recover(),
            Err(e) => self.refuse(Vec::new(), &e),
        }
        self.desk.to_commit.notify_one();
    }
}

fn fail(partition: u16, answers: impl Iterator<Item = Answer>, reason: &str) {
    answers.for_each(|answer| answer.give(Err(AppendError::Failed { partition, reason: reason.to_owned() })));
}

/// What the writing thread is to do.
enum Work {
    Queued,
    /// Nothing was queued for so long that readers want to hear that time has passed.
    Heartbeat,
}

impl Queue {
    /// Nobody is before whoever comes now, and entries are taken.
    fn is_free(&self) -> bool {
        self.entries.is_empty() && !self.closed && self.failure().is_none()
    }

    /// Why nothing is taken any more.
    fn failure(&self) -> Option<String> {
        match &self.health {
            Health::Failed(reason) => Some(reason.clone()),
            Health::Well | Health::Refusing(_) => None,
        }
    }

    fn recover(&mut self) {
        if matches!(self.health, Health::Refusing(_)) {
            self.health = Health::Well;
        }
    }

    /// A write failed, with or without a sync; whether that is news.
    fn refuse(&mut self, reason: &str, lost: bool) -> bool {
        let is_news = matches!(self.health, Health::Well);
        if !matches!(self.health, Health::Failed(_)) {
            let of = if lost { Health::Failed } else { Health::Refusing };
            self.health = of(reason.to_owned());
        }
        is_news
    }

    fn take_batch(&mut self) -> Vec<Queued> {
        let (mut count, mut bytes) = (0, 0);
        for entry in self.entries.iter().take(BATCH_ENTRIES) {
            if count > 0 && bytes + entry.payload.len() > BATCH_BYTES {
                break;
            }
            bytes += entry.payload.len();
            count += 1;
        }
        self.bytes -= bytes;
        self.entries.drain(..count).collect()
    }
}

struct Committing {
    desk: Arc<Desk>,
    shared: Arc<Shared>,
    news: Arc<News>,
    pause: Duration,
}

impl Committing {
    fn run(self) {
        loop {
            let (answers, last) = self.next();
            match self.shared.commit() {
                Ok(_) => self.answer(answers),
                // Nothing is left to commit, ever.
                Err(e) => return self.fail(answers, &e),
            }
            self.news.publish();
            if last {
                return;
            }
        }
    }

    /// Waits until somebody waits for a commit, or something has been uncommitted for a while, or it is the last time.
    fn next(&self) -> (Vec<(u64, Answer)>, bool) {
        let mut queue = self.desk.queue();
        loop {
            if !queue.uncommitted.is_empty() || queue.written_all {
                return (std::mem::take(&mut queue.uncommitted), queue.written_all);
            }
            if !self.shared.is_dirty() {
                queue.is_idle = true;
                queue = self.desk.to_commit.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.is_idle = false;
                continue;
            }
            let waited = self
                .desk
                .to_commit
                .wait_timeout_while(queue, self.pause, |queue| queue.uncommitted.is_empty() && !queue.written_all);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
            return (std::mem::take(&mut queue.uncommitted), queue.written_all);
        }
    }

    fn answer(&self, answers: Vec<(u64, Answer)>) {
        let partition = self.shared.number;
        for (offset, answer) in answers {
            answer.give(Ok(Position { partition, offset }));
        }
    }

    /// Said once; whoever waits learns it, and so does everybody who comes later.
    fn fail(&self, answers: Vec<(u64, Answer)>, e: &StorageError) {
        let (partition, reason) = (self.shared.number, e.to_string());
        tracing::error!(
            partition,
            reason,
            "the event log could not make entries durable: the partition takes nothing more"
        );
        let mut queue = self.desk.queue();
        queue.health = Health::Failed(reason.clone());
        let written = std::mem::take(&mut queue.uncommitted);
        drop(queue);
        fail(partition, answers.into_iter().chain(written).map(|(_, answer)| answer), &reason);
        self.news.publish();
    }
}
