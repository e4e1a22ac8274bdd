//! The last entries of every partition, in memory: who reads on gets them from here, however many read.
//!
//! Invariant: everything that is committed between a ring's begin and its end is in it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use litfass_types::{Position, Timestamp};

use super::NotRead;
use super::client::Ends;
use crate::log::{Batch, Entry, Head, ReadError};

/// What is kept of one partition.
const RING_BYTES: usize = 8 << 20;

#[derive(Debug)]
struct Ring {
    begin: u64,
    end: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Of the last entry.
    latest: Timestamp,
    /// When an entry last came.
    arrived: Instant,
    /// It cannot be followed any more.
    broken: Option<NotRead>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    rings: BTreeMap<u16, Ring>,
    /// Why nothing arrives just now.
    ailment: Option<String>,
}

/// The rings of all partitions, and a bell.
#[derive(Debug, Default)]
pub(super) struct Rings {
    state: Mutex<State>,
    changed: Condvar,
}

impl Rings {
    /// Begins with the last entry there is; the offset from which to follow.
    pub(super) fn begin(&self, partition: u16, ends: Ends) -> u64 {
        let begin = ends.high.saturating_sub(1).max(ends.low);
        let ring = Ring {
            begin,
            end: begin,
            entries: VecDeque::new(),
            bytes: 0,
            latest: Timestamp(i64::MIN),
            arrived: Instant::now(),
            broken: None,
        };
        self.state().rings.insert(partition, ring);
        begin
    }

    /// Takes what came, in the order of each partition.
    pub(super) fn push(&self, entries: Vec<Entry>) {
        let mut state = self.state();
        state.ailment = None;
        for entry in entries {
            if let Some(ring) = state.rings.get_mut(&entry.position.partition) {
                ring.push(entry);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Whatever ailed it, the end of a partition was reached.
    pub(super) fn is_well(&self) {
        self.state().ailment = None;
    }

    pub(super) fn break_off(&self, partition: u16, why: NotRead) {
        if let Some(ring) = self.state().rings.get_mut(&partition) {
            ring.broken.get_or_insert(why);
        }
        self.changed.notify_all();
    }

    pub(super) fn ails(&self, why: String) {
        self.state().ailment = Some(why);
    }

    pub(super) fn ailment(&self) -> Option<String> {
        let state = self.state();
        let broken = state.rings.values().find_map(|ring| ring.broken.as_ref());
        broken.map(ToString::to_string).or_else(|| state.ailment.clone())
    }

    /// Whether the partition can still be followed.
    pub(super) fn check(&self, partition: u16) -> Result<(), NotRead> {
        let broken = self.state().rings.get(&partition).and_then(|ring| ring.broken.clone());
        broken.map_or(Ok(()), Err)
    }

    pub(super) fn has(&self, partition: u16) -> bool {
        self.state().rings.contains_key(&partition)
    }

    pub(super) fn latest(&self, partition: u16) -> Timestamp {
        self.state().rings.get(&partition).map_or(Timestamp(i64::MIN), |ring| ring.latest)
    }

    pub(super) fn end(&self, partition: u16) -> Option<u64> {
        self.state().end(partition)
    }

    /// How long no entry has come.
    pub(super) fn idle(&self, partition: u16) -> Option<Duration> {
        self.state().rings.get(&partition).map(|ring| ring.arrived.elapsed())
    }

    /// A heartbeat is on its way: the next one has time.
    pub(super) fn was_beaten(&self, partition: u16) {
        if let Some(ring) = self.state().rings.get_mut(&partition) {
            ring.arrived = Instant::now();
        }
    }

    pub(super) fn heads(&self) -> Vec<Head> {
        let state = self.state();
        let head = |(partition, ring): (&u16, &Ring)| Head {
            next: Position { partition: *partition, offset: ring.end },
            append_time: ring.latest,
        };
        state.rings.iter().map(head).collect()
    }

    /// `None` where the ring begins later.
    pub(super) fn read(&self, from: Position, max_bytes: usize) -> Result<Option<Batch>, ReadError> {
        let state = self.state();
        let Some(ring) = state.rings.get(&from.partition) else { return Ok(None) };
        match &ring.broken {
            Some(why) if from.offset >= ring.end => Err(why.clone().into()),
            _ if from.offset < ring.begin => Ok(None),
            _ => Ok(Some(ring.read(from, max_bytes))),
        }
    }

    /// Until that is so, or the time is up.
    pub(super) fn wait_until(&self, until: Instant, is_so: impl Fn(&State) -> bool) {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout_while(self.state(), left, |state| !is_so(state));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn is_broken(&self, partition: u16) -> bool {
        self.rings.get(&partition).is_some_and(|ring| ring.broken.is_some())
    }

    pub(super) fn end(&self, partition: u16) -> Option<u64> {
        self.rings.get(&partition).map(|ring| ring.end)
    }
}

impl Ring {
    fn push(&mut self, entry: Entry) {
        // Nothing is passed over: a ring ends where it broke.
        if entry.position.offset < self.end || self.broken.is_some() {
            return;
        }
        (self.end, self.latest, self.arrived) = (entry.position.offset + 1, entry.append_time, Instant::now());
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
        while self.bytes > RING_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= weight(&oldest);
            self.begin = oldest.position.offset + 1;
        }
    }

    fn read(&self, from: Position, max_bytes: usize) -> Batch {
        let first = self.entries.partition_point(|entry| entry.position.offset < from.offset);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for entry in self.entries.iter().skip(first) {
            if bytes >= max_bytes && !entries.is_empty() {
                break;
            }
            bytes += entry.payload.len();
            entries.push(entry.clone());
        }
        let next = entries.last().map_or(from.offset, |last: &Entry| last.position.offset + 1);
        Batch { entries, next: Position { offset: next, ..from } }
    }
}

/// A heartbeat takes room too.
fn weight(entry: &Entry) -> usize {
    size_of::<Entry>() + entry.payload.len()
}
