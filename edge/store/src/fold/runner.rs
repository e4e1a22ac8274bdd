//! Keeps folds up to date with the log: restores the newest valid snapshot, replays what came after it, goes on from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use litfass_events::{DedupeKey, Seen};
use litfass_types::{Position, Traffic};

use super::gate::{Fact, Gate};
use super::snapshot::{Snapshot, SnapshotFiles};
use super::{Fold, restore};
use crate::log::{Batch, EventLog, Head, ReadError};
use crate::storage::{Storage, StorageError};
use crate::wire::{Body, outline};

/// Payload read from one partition before the next one has its turn.
const BATCH_BYTES: usize = 256 * 1024;
/// How long the thread waits for entries before it looks whether it is to stop.
const WAIT: Duration = Duration::from_millis(50);

/// How folds are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoldOptions {
    /// How long after a click an order is attributed to it.
    pub attribution_window: litfass_types::Duration,
    /// How long a copy of an event is recognised: the longest life of a token, and a day.
    pub key_life: litfass_types::Duration,
    /// Keys of events kept in memory, by which copies are recognised; beyond it the oldest go. What is billed is told apart by the ledger's
    /// own keys.
    pub dedupe_keys_max: usize,
    /// A snapshot is taken after so many entries …
    pub snapshot_entries: u64,
    /// … or after this long, if there were any.
    pub snapshot_interval: Duration,
    /// Where neither the log nor a snapshot has what users chose.
    pub lost_choices: LostChoices,
}

/// What becomes of a start at which what users chose cannot be known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LostChoices {
    /// It fails: whoever opted out would be forgotten.
    Refused,
    /// It goes on with what is left.
    Accepted,
}

impl LostChoices {
    pub const ALL: [Self; 2] = [Self::Refused, Self::Accepted];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Accepted => "accepted",
        }
    }
}

impl Default for FoldOptions {
    fn default() -> Self {
        Self {
            attribution_window: litfass_events::ATTRIBUTION_WINDOW,
            key_life: litfass_types::Duration::days(8),
            dedupe_keys_max: 20_000_000,
            snapshot_entries: 1_000_000,
            snapshot_interval: Duration::from_secs(60),
            lost_choices: LostChoices::Refused,
        }
    }
}

/// Why folds could not go on. What they hold stays as of the last entry applied.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error("the folds cannot read the log: {0}")]
    Log(#[from] ReadError),
    #[error("the folds cannot keep a snapshot: {0}")]
    Snapshot(#[from] StorageError),
    #[error("cannot start the thread of the folds: {0}")]
    Thread(std::io::Error),
    /// The operator's to put right: going on would forget who opted out.
    #[error(
        "the fold `{fold}` cannot be made: partition {partition} of the log begins at offset {first}, and no snapshot in \
         {} has it in version {version}. Put that folder there from a backup, or start the version of the program that wrote \
         it; `fold.lost_choices = \"accepted\"` starts without what users chose before", dir.display()
    )]
    Lost { fold: &'static str, version: u32, partition: u16, first: u64, dir: PathBuf },
}

/// What can be asked of running folds from any thread.
#[derive(Debug, Default)]
pub struct Progress {
    entries: AtomicU64,
    undecodable: AtomicU64,
    lag: AtomicU64,
    pub(super) refused: AtomicU64,
    running: AtomicBool,
    failing: AtomicBool,
    /// Per partition: the next offset to apply.
    applied: Mutex<BTreeMap<u16, u64>>,
}

impl Progress {
    /// Entries applied since the start.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Entries that could not be decoded; each was named in the process's log.
    #[must_use]
    pub fn undecodable(&self) -> u64 {
        self.undecodable.load(Ordering::Relaxed)
    }

    /// Offsets between what was applied and the committed ends, when last looked.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.lag.load(Ordering::Relaxed)
    }

    /// Whether the thread goes on and its last step succeeded.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.running.load(Ordering::Relaxed) && !self.failing.load(Ordering::Relaxed)
    }

    /// Everything in the partition before this position has been applied, and perhaps something after it.
    #[must_use]
    pub fn applied(&self, partition: u16) -> Option<Position> {
        let applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        applied.get(&partition).map(|offset| Position { partition, offset: *offset })
    }

    /// Per partition that was read: the next offset to apply.
    #[must_use]
    pub fn positions(&self) -> BTreeMap<u16, u64> {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn apply_up_to(&self, next: &BTreeMap<u16, u64>) {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clone_from(next);
    }

    /// Snapshots that were damaged, or lacked some fold in its version.
    #[must_use]
    pub fn snapshots_refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Which events are in the log already, as far as the folds have read it.
#[derive(Clone, Debug)]
pub struct SeenEvents(Arc<RwLock<Gate>>);

impl SeenEvents {
    #[must_use]
    pub fn look(&self, key: DedupeKey) -> Seen {
        read(&self.0).look(key)
    }

    /// Of traffic that does not count: whether that class of it was there before.
    #[must_use]
    pub fn look_aside(&self, traffic: Traffic, key: DedupeKey) -> Seen {
        read(&self.0).look_aside(traffic, key)
    }
}

/// Applies the log to folds, in the order of each partition.
#[derive(Debug)]
pub struct FoldRunner {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) files: SnapshotFiles,
    pub(super) folds: Vec<Arc<dyn Fold>>,
    pub(super) gate: Arc<RwLock<Gate>>,
    pub(super) options: FoldOptions,
    /// Per partition: the next offset to read.
    pub(super) next: BTreeMap<u16, u64>,
    since_snapshot: u64,
    last_snapshot: Instant,
    pub(super) progress: Arc<Progress>,
}

impl FoldRunner {
    /// Restores the newest snapshot in `dir` that is sound; one that is not is named as a warning and the one before it is
    /// used, or everything is built from the log's beginning. A fold that the snapshot does not have in its version is built
    /// from the log's beginning by itself. `elsewhere` are the folders of other processes on the same log. Call `catch_up` before serving.
    ///
    /// # Errors
    /// When the directory cannot be read, the log's ends are not known, or a fold that must be whole cannot be.
    pub fn open(
        log: Arc<dyn EventLog>,
        storage: Arc<dyn Storage>,
        dir: &Path,
        elsewhere: &[PathBuf],
        folds: Vec<Arc<dyn Fold>>,
        options: FoldOptions,
    ) -> Result<Self, FoldError> {
        let gate = restore::gate(&options);
        let mut runner = Self {
            log,
            files: SnapshotFiles::open(storage, dir)?,
            folds,
            gate: Arc::new(RwLock::new(gate)),
            options,
            next: BTreeMap::new(),
            since_snapshot: 0,
            last_snapshot: Instant::now(),
            progress: Arc::default(),
        };
        runner.restore(elsewhere)?;
        Ok(runner)
    }

    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    #[must_use]
    pub fn seen_events(&self) -> SeenEvents {
        SeenEvents(Arc::clone(&self.gate))
    }

    /// Applies everything that is committed now. Returns the number of entries.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn catch_up(&mut self) -> Result<u64, FoldError> {
        self.step(Duration::ZERO)
    }

    /// Waits up to `timeout` for entries and applies those that are there. Returns their number.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn step(&mut self, timeout: Duration) -> Result<u64, FoldError> {
        let seen = self.next.iter().map(|(partition, offset)| Position { partition: *partition, offset: *offset });
        let heads = self.log.wait(&seen.collect::<Vec<_>>(), timeout)?;
        let mut applied = 0;
        loop {
            self.look_at_lag(&heads);
            let behind = heads.iter().filter(|head| self.next_of(head) < head.next.offset);
            let behind: Vec<Head> = behind.copied().collect();
            if behind.is_empty() {
                return Ok(applied);
            }
            for head in behind {
                applied += self.advance(&head)?;
            }
        }
    }

    /// Writes a snapshot of everything applied so far.
    ///
    /// # Errors
    /// When the disk fails; the snapshots before it stay.
    pub fn snapshot(&mut self) -> Result<(), FoldError> {
        let mut snapshot = Snapshot { next: self.next.clone(), states: BTreeMap::new() };
        snapshot.states.insert(GATE.to_owned(), (GATE_VERSION, read(&self.gate).snapshot()));
        for fold in &self.folds {
            snapshot.states.insert(fold.name().to_owned(), (fold.version(), fold.snapshot()));
        }
        self.files.write(&snapshot)?;
        (self.since_snapshot, self.last_snapshot) = (0, Instant::now());
        Ok(())
    }

    /// Goes on in a thread of its own, until the returned handle is stopped.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn spawn(self) -> Result<FoldThread, FoldError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        self.progress.running.store(true, Ordering::Relaxed);
        let thread = std::thread::Builder::new().name("folds".to_owned()).spawn(move || self.run(&stopping));
        Ok(FoldThread { stop, thread: Some(thread.map_err(FoldError::Thread)?) })
    }

    fn run(mut self, stop: &AtomicBool) {
        let _ended = Ended(Arc::clone(&self.progress));
        while !stop.load(Ordering::Acquire) {
            let stepped = self.step(WAIT).and_then(|_| self.snapshot_if_due());
            self.progress.failing.store(stepped.is_err(), Ordering::Relaxed);
            if let Err(error) = stepped {
                tracing::error!(%error, "folds: trying again");
                std::thread::park_timeout(Duration::from_secs(1));
            }
        }
        let last = self.catch_up().and_then(|_| if self.since_snapshot > 0 { self.snapshot() } else { Ok(()) });
        if let Err(error) = last {
            tracing::error!(%error, "folds: no snapshot on stopping; the next start replays the log instead");
        }
    }

    fn snapshot_if_due(&mut self) -> Result<(), FoldError> {
        let full = self.since_snapshot >= self.options.snapshot_entries;
        let old = self.since_snapshot > 0 && self.last_snapshot.elapsed() >= self.options.snapshot_interval;
        if full || old { self.snapshot() } else { Ok(()) }
    }

    fn next_of(&self, head: &Head) -> u64 {
        self.next.get(&head.next.partition).copied().unwrap_or(0)
    }

    fn look_at_lag(&self, heads: &[Head]) {
        let lag = heads.iter().map(|head| head.next.offset.saturating_sub(self.next_of(head))).sum();
        self.progress.lag.store(lag, Ordering::Relaxed);
    }

    /// Applies one batch of a partition.
    fn advance(&mut self, head: &Head) -> Result<u64, FoldError> {
        let from = Position { offset: self.next_of(head), ..head.next };
        let batch = self.read(from, &self.folds)?;
        for entry in &batch.entries {
            self.apply(entry, &self.gate, &self.folds);
        }
        self.next.insert(head.next.partition, batch.next.offset);
        self.progress.apply_up_to(&self.next);
        let applied = batch.entries.len() as u64;
        self.since_snapshot += applied;
        self.progress.entries.fetch_add(applied, Ordering::Relaxed);
        Ok(applied)
    }

    /// What comes next for those folds; where that is no longer kept, what is left begins.
    pub(super) fn read(&self, from: Position, folds: &[Arc<dyn Fold>]) -> Result<Batch, FoldError> {
        let first = match self.log.read(from, BATCH_BYTES) {
            Err(ReadError::Gone { first, .. }) => first,
            read => return Ok(read?),
        };
        let (partition, wanted) = (from.partition, from.offset);
        if self.options.lost_choices == LostChoices::Refused
            && let Some(fold) = folds.iter().find(|fold| fold.must_be_whole())
        {
            let (fold, version, dir) = (fold.name(), fold.version(), self.files.dir().to_owned());
            return Err(FoldError::Lost { fold, version, partition, first, dir });
        }
        tracing::warn!(partition, wanted, first, "folds: older entries are not kept; state begins with what is left");
        Ok(Batch { entries: Vec::new(), next: Position { offset: first, ..from } })
    }

    pub(super) fn apply(&self, entry: &crate::log::Entry, gate: &RwLock<Gate>, folds: &[Arc<dyn Fold>]) {
        let logged = match outline(entry) {
            Ok(logged) => logged,
            Err(error) => {
                self.progress.undecodable.fetch_add(1, Ordering::Relaxed);
                tracing::error!(position = ?entry.position, %error, "folds: an entry of the log cannot be decoded");
                return;
            }
        };
        if !logged.body.traffic().counts() {
            return lock(gate).pass_aside(&logged);
        }
        let (seen, attributed) = lock(gate).pass(&logged);
        if matches!(logged.body, Body::Heartbeat) {
            return;
        }
        let fact = Fact { logged: &logged, seen, attributed: attributed.as_ref() };
        folds.iter().for_each(|fold| fold.apply(&fact));
    }
}

/// Says that the thread is gone, also where it panicked.
struct Ended(Arc<Progress>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Relaxed);
    }
}

/// The gate's own section of a snapshot.
pub(super) const GATE: &str = "gate";
pub(super) const GATE_VERSION: u32 = 1;

/// Only the thread of the folds writes, and not while it takes a snapshot: requests look meanwhile.
pub(super) fn lock(gate: &RwLock<Gate>) -> RwLockWriteGuard<'_, Gate> {
    gate.write().unwrap_or_else(PoisonError::into_inner)
}

fn read(gate: &RwLock<Gate>) -> RwLockReadGuard<'_, Gate> {
    gate.read().unwrap_or_else(PoisonError::into_inner)
}

/// Folds that keep themselves up to date. Dropping it stops them too.
#[derive(Debug)]
pub struct FoldThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FoldThread {
    /// Applies what is committed, writes a last snapshot and ends the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("folds: the thread had panicked");
            }
        }
    }
}

impl Drop for FoldThread {
    fn drop(&mut self) {
        self.end();
    }
}
