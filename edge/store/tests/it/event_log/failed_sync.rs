//! After a sync that failed nobody knows what is durable: the partition has failed, says so once, and acknowledges nothing more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use litfass_store::log::{AppendError, EventLog, LogHealth, LogOptions, SegmentLog, Until};
use litfass_store::storage::{SimDisk, Storage};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::segments::{open, options};
use super::{append, entry, ids};

/// Only the test that counts lines has so many partitions.
const COUNTED: u16 = 7;

/// Counts the errors that name the partition `COUNTED`, of all threads.
#[derive(Debug)]
struct Errors(Arc<AtomicU64>);

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut partition = Partition(None);
        event.record(&mut partition);
        if partition.0 == Some(COUNTED.into()) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Partition(Option<u64>);

impl Visit for Partition {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "partition" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

fn errors() -> &'static AtomicU64 {
    static COUNT: OnceLock<Arc<AtomicU64>> = OnceLock::new();
    COUNT.get_or_init(|| {
        let count = Arc::new(AtomicU64::new(0));
        tracing::subscriber::set_global_default(Errors(Arc::clone(&count))).unwrap();
        count
    })
}

fn refused(log: &SegmentLog, partition: u16, id: u128, until: Until) {
    let result = log.append(vec![entry(partition, id)], until).wait().remove(0);
    assert!(matches!(result, Err(AppendError::Failed { partition: p, .. }) if p == partition), "{result:?}");
}

#[test]
fn after_a_failed_sync_a_partition_takes_nothing_until_it_is_opened_again() {
    let disk = SimDisk::new();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let log = open(&storage, &options(&[("server", 2)]));
    append(&log, 0, 1, Until::Committed);
    assert_eq!(log.ailment(), None);
    disk.fail_next_sync();
    for id in 2..5 {
        refused(&log, 0, id, Until::Committed);
    }
    refused(&log, 0, 6, Until::Written);
    assert_eq!(ids(&log, 0), [1]);
    append(&log, 1, 9, Until::Committed);
    assert!(log.ailment().unwrap().contains("the disk failed"), "{:?}", log.ailment());
    drop(log);
    let log = open(&storage, &options(&[("server", 2)]));
    append(&log, 0, 5, Until::Committed);
    assert_eq!((ids(&log, 0), log.ailment()), (vec![1, 2, 5], None));
}

#[test]
fn a_failed_sync_is_said_once_however_long_the_process_goes_on() {
    let disk = SimDisk::new();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let quick = LogOptions { commit_interval: Duration::from_millis(1), ..options(&[("server", COUNTED + 1)]) };
    let (log, before) = (open(&storage, &quick), errors().load(Ordering::SeqCst));
    append(&log, COUNTED, 1, Until::Committed);
    disk.fail_next_sync();
    for id in 2..50 {
        refused(&log, COUNTED, id, Until::Committed);
    }
    // Closing it commits what was written, where it may.
    drop(log);
    assert_eq!(errors().load(Ordering::SeqCst) - before, 1);
}
