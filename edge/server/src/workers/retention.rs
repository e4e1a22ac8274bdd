//! Removes what is older than the log is to be kept, once nobody needs it any more.
//!
//! Only the partitions of events and decisions get shorter. Commands are few, and say for ever what may be spent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use litfass_store::fold::snapshots_from;
use litfass_store::ledger::LedgerReader;
use litfass_store::log::{Clock, Retention, SegmentLog};
use litfass_store::storage::Disk;

use crate::decider::WRITER;
use crate::metrics::Metrics;

#[derive(Debug)]
pub struct RetentionWorker<R> {
    pub log: Arc<SegmentLog>,
    pub ledger: R,
    pub snapshots: PathBuf,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// `None`: for ever.
    pub age: Option<litfass_types::Duration>,
    /// `None`: any number.
    pub bytes_max: Option<u64>,
    pub interval: Duration,
}

impl<R: LedgerReader> RetentionWorker<R> {
    /// # Errors
    /// When the log, a snapshot or the ledger cannot be read, or a segment not be removed.
    pub fn step(&mut self) -> Result<Duration> {
        let retention = Retention { before: self.age.map(|age| self.clock.now() - age), bytes_max: self.bytes_max };
        let retired = self.log.retire(WRITER, retention, || self.needed_from())?;
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
        let folded = snapshots_from(Arc::new(Disk), &self.snapshots)?;
        let ledger = self.ledger.positions()?;
        let both = ledger
            .into_iter()
            .map(|(partition, row)| (partition, row.next.min(folded.get(&partition).copied().unwrap_or(0))));
        Ok(both.collect())
    }
}
