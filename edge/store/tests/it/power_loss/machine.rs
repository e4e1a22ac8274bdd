//! A machine that dies and starts again: an event log and a file written whole on a simulated disk, and everything that the
//! outside world was told about them.
//!
//! One [`Machine`] is driven from one thread, and waits for each answer, so a seed determines every operation on the disk. A
//! test that keeps something else beside the log (a database, say) does its own part between the steps, notes
//! `machine.disk.operations()` with each of its commits, and after the end keeps those up to the operation at which the disk
//! ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use litfass_events::PartitionKey;
use litfass_store::log::{AppendError, Clock, Entry, EventLog, LogOptions, NewEntry, SegmentLog, Until, WriterName};
use litfass_store::storage::{SimDisk, Storage, read_whole, write_atomic};
use litfass_types::{EventId, Position, Seed, Timestamp};

const ROOT: &str = "/log";
const SNAPSHOT: &str = "/snapshot";

/// What the outside world was told, over all lives.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Everything that was ever sent, by its id: which partition, in which life, what.
    pub(crate) sent: BTreeMap<u128, (u16, u32, Bytes)>,
    /// Where an append said that it put an entry.
    pub(crate) placed: BTreeMap<Position, u128>,
    /// Acknowledged as committed, or seen by a reader.
    pub(crate) promised: BTreeSet<Position>,
    /// Which number each writer's partitions were given.
    numbers: BTreeMap<String, BTreeSet<u16>>,
    /// The newest version of the whole file that was acknowledged, and the newest that was attempted.
    snapshot: (u64, u64),
}

/// How a life ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Power,
    Kill,
    Close,
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) disk: SimDisk,
    pub(crate) log: Option<SegmentLog>,
    pub(crate) told: Told,
    life: u32,
    next_id: u128,
    now: i64,
}

pub(crate) type Broken = String;

impl Machine {
    pub(crate) fn new(disk: SimDisk) -> Self {
        Self { disk, log: None, told: Told::default(), life: 0, next_id: 1, now: 1_000 }
    }

    /// Opens the log for two writers, in an order that the seed gives. `Ok(false)` where the process ended meanwhile.
    pub(crate) fn start(&mut self, seed: Seed) -> Result<bool, Broken> {
        self.life += 1;
        self.now += 1_000;
        let mut options = LogOptions::new(&[("server", 2), ("admin", 1)]);
        if seed.derive(1).below(2) == 0 {
            options.writers.reverse();
        }
        options.segment_bytes = 700;
        options.heartbeat = None;
        options.commit_interval = Duration::from_secs(86_400);
        let now = Timestamp(self.now);
        let storage: Arc<dyn Storage> = Arc::new(self.disk.clone());
        match SegmentLog::open(storage, Path::new(ROOT), &options, &Clock::new(move || now)) {
            Ok(opened) => {
                self.log = Some(opened.log);
                self.check_numbers(&options.writers)?;
                Ok(true)
            }
            Err(_) if !self.disk.is_alive() => Ok(false),
            Err(e) => Err(format!("life {}: the log does not open: {e}", self.life)),
        }
    }

    /// One step of work. `Ok(false)` where the process ended in it.
    pub(crate) fn step(&mut self, seed: Seed) -> Result<bool, Broken> {
        match seed.derive(1).below(10) {
            0..=4 => self.append(seed, Until::Written)?,
            5..=6 => self.append(seed, Until::Committed)?,
            7..=8 => self.read_all()?,
            _ => self.write_snapshot(seed),
        }
        Ok(self.disk.is_alive())
    }

    /// The next life begins with what the last one left.
    pub(crate) fn end(&mut self, end: End, seed: Seed) {
        let log = self.log.take();
        match end {
            End::Power => self.disk = self.disk.after_power_loss(seed),
            End::Kill => self.disk = self.disk.after_kill(),
            End::Close => {}
        }
        drop(log);
    }

    /// Everything promised is there, nothing else than what was sent, in order, whole.
    pub(crate) fn check(&mut self) -> Result<(), Broken> {
        self.read_all()?;
        self.check_snapshot()
    }

    fn append(&mut self, seed: Seed, until: Until) -> Result<(), Broken> {
        let Some(log) = &self.log else { return Ok(()) };
        let writer = if seed.derive(2).below(4) == 0 { "admin" } else { "server" };
        let partition = log.partition(writer, PartitionKey(seed.derive(3).0)).ok_or("no partition")?;
        let count = 1 + u128::from(seed.derive(4).below(4));
        let entries: Vec<NewEntry> =
            (self.next_id..self.next_id + count).map(|id| entry(partition, id, seed)).collect();
        for entry in &entries {
            self.told.sent.insert(entry.id.0, (partition, self.life, entry.payload.clone()));
        }
        self.next_id += count;
        let ids: Vec<u128> = entries.iter().map(|entry| entry.id.0).collect();
        let results = log.append(entries, until).wait();
        ids.into_iter().zip(results).try_for_each(|(id, result)| self.note(id, result, until))
    }

    /// An offset is handed out once and never goes back, whatever was lost in between.
    fn note(&mut self, id: u128, result: Result<Position, AppendError>, until: Until) -> Result<(), Broken> {
        let at = match result {
            Ok(at) => at,
            Err(_) if !self.disk.is_alive() => return Ok(()),
            Err(e) => return Err(format!("life {}: {e}", self.life)),
        };
        let last = self.told.placed.range(..=Position { offset: u64::MAX, ..at }).next_back();
        if let Some((last, _)) = last.filter(|(last, _)| last.partition == at.partition && **last >= at) {
            return Err(format!("life {}: offset {at:?} was handed out after {last:?}", self.life));
        }
        self.told.placed.insert(at, id);
        if until == Until::Committed {
            self.told.promised.insert(at);
        }
        Ok(())
    }

    /// What a reader has seen once, every later one must see.
    fn read_all(&mut self) -> Result<(), Broken> {
        let Some(log) = &self.log else { return Ok(()) };
        let Ok(heads) = log.wait(&[], Duration::ZERO) else { return self.only_at_the_end("no heads") };
        for head in heads {
            let partition = head.next.partition;
            let entries = match read_partition(log, partition) {
                Ok(entries) => entries,
                Err(_) if !self.disk.is_alive() => return Ok(()),
                Err(e) => return Err(format!("life {}: {e}", self.life)),
            };
            check_entries(&self.told, partition, &entries).map_err(|e| format!("life {}: {e}", self.life))?;
            self.told.promised.extend(entries.iter().map(|entry| entry.position));
        }
        Ok(())
    }

    fn only_at_the_end(&self, what: &str) -> Result<(), Broken> {
        if self.disk.is_alive() { Err(format!("life {}: {what}", self.life)) } else { Ok(()) }
    }

    fn write_snapshot(&mut self, seed: Seed) {
        self.told.snapshot.1 += 1;
        let version = self.told.snapshot.1;
        let length = usize::try_from(seed.derive(2).below(2_000)).unwrap_or(0);
        let mut text = format!("{version} {length} ").into_bytes();
        text.resize(text.len() + length, b'x');
        if write_atomic(&self.disk, Path::new(SNAPSHOT), &text).is_ok() {
            self.told.snapshot.0 = version;
        }
    }

    fn check_snapshot(&self) -> Result<(), Broken> {
        let bytes = read_whole(&self.disk, Path::new(SNAPSHOT)).map_err(|e| e.to_string())?;
        let (acknowledged, attempted) = self.told.snapshot;
        let version = bytes.map_or(Some(0), |bytes| snapshot_version(&bytes));
        match version {
            Some(version) if (acknowledged..=attempted).contains(&version) => Ok(()),
            Some(version) => Err(format!("life {}: snapshot {version}, not {acknowledged} to {attempted}", self.life)),
            None => Err(format!("life {}: half a snapshot", self.life)),
        }
    }

    fn check_numbers(&mut self, writers: &[WriterName]) -> Result<(), Broken> {
        let Some(log) = &self.log else { return Ok(()) };
        for WriterName { name, .. } in writers {
            let numbers: BTreeSet<u16> = (0..16).filter_map(|key| log.partition(name, PartitionKey(key))).collect();
            let before = self.told.numbers.entry(name.clone()).or_insert_with(|| numbers.clone());
            if *before != numbers {
                return Err(format!("life {}: {name} has partitions {numbers:?}, had {before:?}", self.life));
            }
        }
        Ok(())
    }
}

/// A payload of its own for every id.
fn entry(partition: u16, id: u128, seed: Seed) -> NewEntry {
    let seed = seed.derive(u64::try_from(id).unwrap_or(0));
    let length = 1 + seed.derive(0).below(300);
    let payload: Vec<u8> = (0..length).map(|i| seed.derive(i).0.to_le_bytes()[0]).collect();
    NewEntry { partition, id: EventId(id), payload: payload.into() }
}

/// A whole version, or nothing.
fn snapshot_version(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut words = text.splitn(3, ' ');
    let (version, length) = (words.next()?.parse().ok()?, words.next()?.parse::<usize>().ok()?);
    let rest = words.next()?;
    (rest.len() == length && rest.bytes().all(|b| b == b'x')).then_some(version)
}

fn read_partition(log: &SegmentLog, partition: u16) -> Result<Vec<Entry>, litfass_store::log::ReadError> {
    let mut entries = Vec::new();
    let mut from = Position { partition, offset: 0 };
    loop {
        let batch = log.read(from, 1_000)?;
        if batch.entries.is_empty() {
            return Ok(entries);
        }
        from = batch.next;
        entries.extend(batch.entries);
    }
}

fn check_entries(told: &Told, partition: u16, entries: &[Entry]) -> Result<(), Broken> {
    check_order(entries)?;
    for entry in entries {
        let Some((sent_to, _, payload)) = told.sent.get(&entry.id.0) else {
            return Err(format!("{:?} was never sent", entry.position));
        };
        if (*sent_to, payload) != (partition, &entry.payload) {
            return Err(format!("{:?} is not what was sent", entry.position));
        }
        if told.placed.get(&entry.position).is_some_and(|id| *id != entry.id.0) {
            return Err(format!("{:?} is another entry than the one placed there", entry.position));
        }
    }
    let there: BTreeSet<Position> = entries.iter().map(|entry| entry.position).collect();
    let mut promised = told.promised.iter().filter(|position| position.partition == partition);
    if let Some(lost) = promised.find(|position| !there.contains(*position)) {
        return Err(format!("{lost:?} was promised and is gone"));
    }
    check_prefix(told, partition, entries)
}

fn check_order(entries: &[Entry]) -> Result<(), Broken> {
    let ordered = |pair: &[Entry]| {
        pair[0].position < pair[1].position && pair[0].append_time <= pair[1].append_time && pair[0].id.0 < pair[1].id.0
    };
    match entries.windows(2).find(|pair| !ordered(pair)) {
        Some(pair) => Err(format!("{:?} stands before {:?}", pair[0].position, pair[1].position)),
        None => Ok(()),
    }
}

/// Of what each life sent to a partition, the first entries are there and the others are not.
fn check_prefix(told: &Told, partition: u16, entries: &[Entry]) -> Result<(), Broken> {
    let there: BTreeSet<u128> = entries.iter().map(|entry| entry.id.0).collect();
    let mut missing: BTreeMap<u32, u128> = BTreeMap::new();
    for (id, (_, life, _)) in told.sent.iter().filter(|(_, (sent_to, ..))| *sent_to == partition) {
        if !there.contains(id) {
            missing.entry(*life).or_insert(*id);
        } else if let Some(before) = missing.get(life) {
            return Err(format!("entry {id} of life {life} is there, {before} before it is not"));
        }
    }
    Ok(())
}
