//! The mistake that the pairing has to notice: a log that shows its readers what is not on disk yet.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use litfass_events::PartitionKey;
use litfass_store::log::{Appended, Batch, Entry, EventLog, Head, NewEntry, OpenError, ReadError, SegmentLog, Until};
use litfass_types::{DecisionId, Position, Timestamp};

#[derive(Debug)]
pub(super) struct Hasty {
    log: SegmentLog,
    written: Mutex<BTreeMap<Position, Entry>>,
}

impl Hasty {
    pub(super) fn new(log: SegmentLog) -> Self {
        Self { log, written: Mutex::default() }
    }

    /// An append was answered: from now on readers see it.
    pub(super) fn show(&self, entry: Entry) {
        self.written().insert(entry.position, entry);
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<Position, Entry>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beyond(&self, from: Position) -> Vec<Entry> {
        let until = Position { offset: u64::MAX, ..from };
        self.written().range(from..=until).map(|(_, entry)| entry.clone()).collect()
    }
}

impl EventLog for Hasty {
    fn partition(&self, writer: &str, key: PartitionKey) -> Option<u16> {
        self.log.partition(writer, key)
    }

    fn append(&self, entries: Vec<NewEntry>, until: Until) -> Appended {
        self.log.append(entries, until)
    }

    fn read(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError> {
        let mut batch = self.log.read(from, max_bytes)?;
        for entry in self.beyond(batch.next) {
            batch.next = Position { offset: entry.position.offset + 1, ..entry.position };
            batch.entries.push(entry);
        }
        Ok(batch)
    }

    fn wait(&self, _seen: &[Position], _timeout: Duration) -> Result<Vec<Head>, ReadError> {
        let mut heads = self.log.wait(&[], Duration::ZERO)?;
        for head in &mut heads {
            if let Some(last) = self.beyond(head.next).last() {
                head.next = Position { offset: last.position.offset + 1, ..last.position };
                head.append_time = last.append_time;
            }
        }
        Ok(heads)
    }

    fn since(&self, partition: u16, at: Timestamp) -> Result<Position, ReadError> {
        self.log.since(partition, at)
    }

    fn writers(&self) -> Result<Vec<(u16, String)>, ReadError> {
        self.log.writers()
    }

    fn tend(&self) -> Result<(), OpenError> {
        self.log.tend()
    }

    fn find(&self, id: DecisionId) -> Result<Option<Entry>, ReadError> {
        self.log.find(id)
    }
}
