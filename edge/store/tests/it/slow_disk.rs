//! A disk whose fsync takes as long as the test wants: what waits for it waits, what does not goes on, and nothing is shown early.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, RwLock};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use litfass_store::log::{AppendError, Clock, EventLog, LogOptions, NewEntry, SegmentLog, Until};
use litfass_store::storage::{Lock, Open, SimDisk, Storage, StorageError, StoredFile, SyncSite};
use litfass_types::{EventId, Position, Timestamp};

/// Commits wait while somebody holds the gate for writing.
#[derive(Clone, Debug)]
struct SlowDisk {
    disk: Arc<SimDisk>,
    gate: Arc<RwLock<()>>,
}

#[derive(Debug)]
struct SlowFile(Box<dyn StoredFile>, Arc<RwLock<()>>);

impl Storage for SlowDisk {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn StoredFile>, StorageError> {
        Ok(Box::new(SlowFile(self.disk.open(path, how)?, Arc::clone(&self.gate))))
    }
    fn make_dir(&self, path: &Path) -> Result<(), StorageError> {
        self.disk.make_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        self.disk.remove(path)
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>, StorageError> {
        self.disk.list(dir)
    }
    fn sync_dir(&self, dir: &Path, site: SyncSite) -> Result<(), StorageError> {
        self.disk.sync_dir(dir, site)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, StorageError> {
        self.disk.lock(path)
    }
}

impl StoredFile for SlowFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.0.write_at(offset, bytes)
    }
    fn set_len(&self, length: u64) -> Result<(), StorageError> {
        self.0.set_len(length)
    }
    fn sync(&self, site: SyncSite) -> Result<(), StorageError> {
        if site == SyncSite::Commit {
            drop(self.1.read().unwrap());
        }
        self.0.sync(site)
    }
    fn length(&self) -> Result<u64, StorageError> {
        self.0.length()
    }
}

fn entry(id: u128) -> NewEntry {
    NewEntry { partition: 0, id: EventId(id), payload: Bytes::from_static(b"payload") }
}

fn read(log: &SegmentLog) -> Vec<u128> {
    let batch = log.read(Position { partition: 0, offset: 0 }, usize::MAX).unwrap();
    batch.entries.iter().map(|entry| entry.id.0).collect()
}

#[test]
fn on_a_slow_disk_what_must_be_durable_waits_and_too_much_of_it_is_refused_at_once() {
    let gate = Arc::new(RwLock::new(()));
    let storage = SlowDisk { disk: Arc::new(SimDisk::new()), gate: Arc::clone(&gate) };
    let options = LogOptions { queue_entries: 3, heartbeat: None, ..LogOptions::new(&[("server", 1)]) };
    let clock = Clock::new(|| Timestamp(1_000));
    let log = SegmentLog::open(Arc::new(storage), Path::new("/log"), &options, &clock).unwrap().log;
    let held = Mutex::new(Some(gate.write().unwrap()));
    let mut waiting = pin!(log.append(vec![entry(1)], Until::Committed));
    assert!(log.append(vec![entry(2)], Until::Written).wait()[0].is_ok(), "it does not wait for the disk");
    let mut refused = 0;
    let mut later = Vec::new();
    for id in 3..100 {
        later.push(Box::pin(log.append(vec![entry(id)], Until::Committed)));
    }
    let mut context = Context::from_waker(Waker::noop());
    later.retain_mut(|append| match append.as_mut().poll(&mut context) {
        std::task::Poll::Ready(results) => {
            assert!(matches!(results[0], Err(AppendError::Overloaded { .. })), "{results:?}");
            refused += 1;
            false
        }
        std::task::Poll::Pending => true,
    });
    assert!(refused > 0, "a queue has an end");
    assert!(waiting.as_mut().poll(&mut context).is_pending() && read(&log).is_empty(), "nothing is shown early");
    held.lock().unwrap().take();
    let heads = log.wait(&[Position { partition: 0, offset: 0 }], Duration::from_secs(60)).unwrap();
    assert!(heads[0].next.offset > 0);
    let accepted = later.len();
    drop(later);
    while read(&log).len() < accepted + 2 {
        std::thread::yield_now();
    }
    assert!(read(&log).is_sorted(), "in the order of their appends");
}
