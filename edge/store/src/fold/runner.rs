//! Keeps folds up to date with the log: restores the newest valid snapshot, replays what came after it, goes on from there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use litfass_events::{DedupeKey, Seen};
use litfass_types::{Position, Traffic};

use super::Fold;
use super::gate::{Fact, Gate};
use super::snapshot::{BadSnapshot, Snapshot, SnapshotFiles};
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
}

impl Default for FoldOptions {
    fn default() -> Self {
        Self {
            attribution_window: litfass_events::ATTRIBUTION_WINDOW,
            key_life: litfass_types::Duration::days(8),
            dedupe_keys_max: 20_000_000,
            snapshot_entries: 1_000_000,
            snapshot_interval: Duration::from_secs(60),
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
}

/// What can be asked of running folds from any thread.
#[derive(Debug, Default)]
pub struct Progress {
    entries: AtomicU64,
    undecodable: AtomicU64,
    lag: AtomicU64,
    refused: AtomicU64,
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

    fn apply_up_to(&self, next: &BTreeMap<u16, u64>) {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clone_from(next);
    }

    /// Snapshots that were damaged or of another version.
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
    log: Arc<dyn EventLog>,
    files: SnapshotFiles,
    folds: Vec<Arc<dyn Fold>>,
    gate: Arc<RwLock<Gate>>,
    options: FoldOptions,
    /// Per partition: the next offset to read.
    next: BTreeMap<u16, u64>,
    since_snapshot: u64,
    last_snapshot: Instant,
    progress: Arc<Progress>,
}

impl FoldRunner {
    /// Restores the newest snapshot in `dir` that is sound; one that is not is named as a warning and the one before it is
    /// used, or everything is built from the log's beginning. Call `catch_up` before serving.
    ///
    /// # Errors
    /// When the directory cannot be read or the log's ends are not known.
    pub fn open(
        log: Arc<dyn EventLog>,
        storage: Arc<dyn Storage>,
        dir: &Path,
        folds: Vec<Arc<dyn Fold>>,
        options: FoldOptions,
    ) -> Result<Self, FoldError> {
        let gate = Gate::new(options.attribution_window, options.key_life, options.dedupe_keys_max);
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
        runner.restore()?;
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
        let batch = match self.log.read(from, BATCH_BYTES) {
            Err(ReadError::Gone { partition, wanted, first }) => {
                tracing::warn!(
                    partition,
                    wanted,
                    first,
                    "folds: older entries are not kept; state begins with what is left"
                );
                Batch { entries: Vec::new(), next: Position { offset: first, ..head.next } }
            }
            read => read?,
        };
        for entry in &batch.entries {
            self.apply(entry);
        }
        self.next.insert(head.next.partition, batch.next.offset);
        self.progress.apply_up_to(&self.next);
        let applied = batch.entries.len() as u64;
        self.since_snapshot += applied;
        self.progress.entries.fetch_add(applied, Ordering::Relaxed);
        Ok(applied)
    }

    fn apply(&self, entry: &crate::log::Entry) {
        let logged = match outline(entry) {
            Ok(logged) => logged,
            Err(error) => {
                self.progress.undecodable.fetch_add(1, Ordering::Relaxed);
                tracing::error!(position = ?entry.position, %error, "folds: an entry of the log cannot be decoded");
                return;
            }
        };
        if !logged.body.traffic().counts() {
            return lock(&self.gate).pass_aside(&logged);
        }
        let (seen, attributed) = lock(&self.gate).pass(&logged);
        if matches!(logged.body, Body::Heartbeat) {
            return;
        }
        let fact = Fact { logged: &logged, seen, attributed: attributed.as_ref() };
        self.folds.iter().for_each(|fold| fold.apply(&fact));
    }

    fn restore(&mut self) -> Result<(), FoldError> {
        let heads = self.log.wait(&[], Duration::ZERO)?;
        for generation in self.files.generations()? {
            let restored = self.files.read(generation)?.and_then(|snapshot| self.take(&snapshot, &heads));
            let Err(reason) = restored else { return Ok(()) };
            self.progress.refused.fetch_add(1, Ordering::Relaxed);
            let path = self.files.path(generation);
            tracing::warn!(path = %path.display(), %reason, "folds: a snapshot is not used");
            self.forget();
        }
        Ok(())
    }

    fn take(&mut self, snapshot: &Snapshot, heads: &[Head]) -> Result<(), BadSnapshot> {
        for (partition, offset) in &snapshot.next {
            let end = heads.iter().find(|head| head.next.partition == *partition).map_or(0, |head| head.next.offset);
            if *offset > end {
                return Err(BadSnapshot::AheadOfLog { partition: *partition, offset: *offset, end });
            }
        }
        let gate = snapshot.state(GATE, GATE_VERSION)?;
        lock(&self.gate).restore(gate).map_err(|e| BadSnapshot::State(GATE.to_owned(), e))?;
        for fold in &self.folds {
            let state = snapshot.state(fold.name(), fold.version())?;
            fold.restore(state).map_err(|e| BadSnapshot::State(fold.name().to_owned(), e))?;
        }
        self.next.clone_from(&snapshot.next);
        self.progress.apply_up_to(&self.next);
        Ok(())
    }

    fn forget(&mut self) {
        lock(&self.gate).clear();
        self.folds.iter().for_each(|fold| fold.clear());
        self.next.clear();
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
const GATE: &str = "gate";
const GATE_VERSION: u32 = 1;

/// Only the thread of the folds writes, and not while it takes a snapshot: requests look meanwhile.
fn lock(gate: &RwLock<Gate>) -> RwLockWriteGuard<'_, Gate> {
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
