//! The port's contract, run against every log there is, and what each promises besides.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

mod contract;
mod failed_sync;
#[cfg(feature = "kafka")]
mod kafka;
mod segments;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use litfass_store::log::{Entry, EventLog, NewEntry, OpenError, Until};
use litfass_types::{EventId, Position, Timestamp};

pub(crate) const LONG: Duration = Duration::from_secs(3_600);

/// Where a log lies: opening it twice is opening it in two processes.
pub(crate) trait Medium {
    fn open(&self, how: &How) -> Result<Arc<dyn EventLog>, OpenError>;

    /// What the clock says that stamps entries.
    fn now(&self) -> Timestamp;
}

/// How a log is opened. The writers there are: `server` and `admin`.
#[derive(Clone, Debug)]
pub(crate) struct How {
    pub(crate) writers: Vec<(&'static str, u16)>,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) queue_entries: usize,
}

impl How {
    pub(crate) fn writing(writers: &[(&'static str, u16)]) -> Self {
        Self { writers: writers.to_vec(), heartbeat: None, queue_entries: 65_536 }
    }

    pub(crate) fn reading() -> Self {
        Self::writing(&[])
    }
}

pub(crate) fn entry(partition: u16, id: u128) -> NewEntry {
    NewEntry { partition, id: EventId(id), payload: Bytes::from(format!("entry {id}")) }
}

pub(crate) fn append(log: &dyn EventLog, partition: u16, id: u128, until: Until) -> Position {
    log.append(vec![entry(partition, id)], until).wait().remove(0).unwrap()
}

pub(crate) fn read(log: &dyn EventLog, partition: u16) -> Vec<Entry> {
    let mut from = Position { partition, offset: 0 };
    let mut entries = Vec::new();
    loop {
        let batch = log.read(from, 64).unwrap();
        if batch.entries.is_empty() {
            return entries;
        }
        from = batch.next;
        entries.extend(batch.entries);
    }
}

pub(crate) fn ids(log: &dyn EventLog, partition: u16) -> Vec<u128> {
    read(log, partition).iter().map(|entry| entry.id.0).collect()
}
