//! Removes what is older than the log is to be kept, once nobody needs it any more.
//!
//! Only the partitions of events and decisions get shorter. Commands are few, and say for ever what may be spent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use litfass_store::fold::snapshots_from;
use litfass_store::ledger::LedgerReader;
use litfass_store::log::{Clock, Retention, SegmentLog};
use litfass_store::storage::Disk;

use crate::data_dir::DataDir;
use crate::metrics::Metrics;
use crate::roles::ProcessName;

#[derive(Debug)]
pub struct RetentionWorker {
    pub log: Arc<SegmentLog>,
    /// The log's writer that this process is: every process shortens its own partitions.
    pub writer: ProcessName,
    pub ledger: Arc<dyn LedgerReader>,
    /// Of every process that folds the log.
    pub data: DataDir,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// `None`: for ever.
    pub age: Option<litfass_types::Duration>,
    /// `None`: any number.
    pub bytes_max: Option<u64>,
    pub interval: Duration,
}

impl RetentionWorker {
    /// # Errors
    /// When the log, a snapshot or the ledger cannot be read, or a segment not be removed.
    pub fn step(&mut self) -> Result<Duration> {
        let retention = Retention { before: self.age.map(|age| self.clock.now() - age), bytes_max: self.bytes_max };
        let retired = self.log.retire(&self.writer, retention, || self.needed_from())?;
        if retired.segments > 0 {
            self.metrics.log_retired.add((), retired.bytes);
            tracing::info!(
                segments = retired.segments,
                bytes = retired.bytes,
                "removed from the beginning of the event log"
            );
        }
        Ok(self.interval)
    }

    /// What the ledger and every kept snapshot have passed.
    fn needed_from(&self) -> Result<BTreeMap<u16, u64>> {
        let mut needed: BTreeMap<u16, u64> =
            self.ledger.positions()?.into_iter().map(|(p, row)| (p, row.next)).collect();
        for folder in self.data.all_snapshots()? {
            let folded = snapshots_from(Arc::new(Disk), &folder)?;
            for (partition, next) in &mut needed {
                *next = (*next).min(folded.get(partition).copied().unwrap_or(0));
            }
        }
        Ok(needed)
    }
}
