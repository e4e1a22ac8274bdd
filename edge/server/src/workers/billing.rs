//! Carries billable events from the log to the ledger: one batch, one transaction, which also holds the position.
//!
//! A batch that fails is read again from where the ledger stands. Nothing else bills.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use litfass_ledger::{Amount, Batch, Billed, Consumed, Membership, Outcome, PartitionKind, Settled};
use litfass_store::ledger::{Ledger, LedgerReader};
use litfass_store::log::{EventLog, Share};
use litfass_store::wire;
use litfass_types::Position;

use super::reading;
use crate::desk::ADMIN;
use crate::metrics::{Metrics, label::BillingOutcome};

/// Read of one partition at once.
const BATCH_BYTES: usize = 2 << 20;
/// How long to wait for news from the log.
const WAIT: Duration = Duration::from_millis(200);
/// Between batches: what comes meanwhile shares a transaction.
const GATHER: Duration = Duration::from_millis(20);
/// So many events for reports alone make a transaction of their own.
const MANY: usize = 10_000;
/// How long the ledger's positions may stay behind where there is nothing to bill.
const QUIET: Duration = Duration::from_secs(1);
/// How often to look which partitions there are.
const LOOK: Duration = Duration::from_secs(1);

/// The partitions that this process bills just now.
pub type BilledHere = Arc<Mutex<BTreeSet<u16>>>;

#[derive(Debug)]
pub struct BillingWorker {
    log: Arc<dyn EventLog>,
    ledger: Arc<dyn Ledger>,
    reader: Arc<dyn LedgerReader>,
    metrics: Arc<Metrics>,
    /// Which partitions are this process's to bill.
    share: Box<dyn Share>,
    pub partitions: BTreeSet<u16>,
    /// The same, for who wants to know.
    billed_here: BilledHere,
    looked: Option<Instant>,
    /// Where the ledger goes on in each; unknown at first and after a failure.
    positions: Option<Vec<Position>>,
    /// Read and not billed yet.
    gathered: Batch,
    /// When the ledger's positions last moved.
    pub billed: Option<Instant>,
}

impl BillingWorker {
    /// Bills what is in its share of the log, from where the ledger stands.
    #[must_use]
    pub fn new(
        log: Arc<dyn EventLog>,
        ledger: Arc<dyn Ledger>,
        reader: Arc<dyn LedgerReader>,
        metrics: Arc<Metrics>,
        share: Box<dyn Share>,
    ) -> Self {
        let billed_here = BilledHere::default();
        let (partitions, gathered) = (BTreeSet::new(), Batch::default());
        let (looked, positions, billed) = (None, None, None);
        Self { log, ledger, reader, metrics, share, partitions, billed_here, looked, positions, gathered, billed }
    }

    /// What it bills, to be looked at while it works.
    #[must_use]
    pub fn billed_here(&self) -> BilledHere {
        Arc::clone(&self.billed_here)
    }

    /// # Errors
    /// When the log or the ledger fails; the next step asks the ledger where it stands.
    pub fn step(&mut self) -> Result<Duration> {
        self.look_for_partitions()?;
        let mut batch = std::mem::take(&mut self.gathered);
        let mut next = match self.positions.take() {
            Some(positions) => positions,
            None => {
                batch = Batch::default();
                self.where_the_ledger_stands()?
            }
        };
        let heads = self.log.wait(&next, WAIT)?;
        let behind = |p: &Position| heads.iter().any(|h| h.next.partition == p.partition && h.next.offset > p.offset);
        for position in next.iter_mut().filter(|p| behind(p)) {
            self.read(position, &mut batch)?;
        }
        if self.is_due(&batch) {
            self.bill(batch)?;
        } else {
            self.gathered = batch;
        }
        self.positions = Some(next);
        Ok(GATHER)
    }

    /// Partitions come and go with the processes that write and bill them.
    fn look_for_partitions(&mut self) -> Result<()> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(());
        }
        let written = self.log.writers()?.into_iter().filter(|(_, writer)| writer != ADMIN);
        let ours = self.share.look(&written.map(|(partition, _)| partition).collect::<Vec<_>>())?;
        if ours != self.partitions {
            tracing::debug!(partitions = ?ours, "billing");
            self.billed_here.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&ours);
            (self.partitions, self.positions) = (ours, None);
        }
        self.looked = Some(Instant::now());
        Ok(())
    }

    /// Claims are billed at once; a stretch without any only moves the positions, which can wait.
    fn is_due(&self, batch: &Batch) -> bool {
        let quiet = self.billed.is_none_or(|billed| billed.elapsed() >= QUIET);
        let many = batch.sightings.len() + batch.orders.len() >= MANY;
        !batch.entries.is_empty() || many || (!batch.consumed.is_empty() && quiet)
    }

    fn bill(&mut self, mut batch: Batch) -> Result<()> {
        // In append order across partitions, so that whoever came first is paid first.
        batch.entries.sort_by_key(|entry| (entry.appended, entry.position));
        let billed = self.ledger.bill(&batch)?;
        self.billed = Some(Instant::now());
        self.count(&batch, &billed);
        Ok(())
    }

    fn where_the_ledger_stands(&self) -> Result<Vec<Position>> {
        let kind = PartitionKind::Events;
        let open: Vec<_> = self.partitions.iter().map(|p| Membership::Open { partition: *p, kind }).collect();
        self.ledger.partitions(&open)?;
        let known = self.reader.positions()?;
        let ours = known.into_iter().filter(|(partition, _)| self.partitions.contains(partition));
        Ok(ours.map(|(partition, row)| Position { partition, offset: row.next }).collect())
    }

    fn read(&self, position: &mut Position, batch: &mut Batch) -> Result<()> {
        let read = self.log.read(*position, BATCH_BYTES)?;
        let Some(appended) = read.entries.last().map(|entry| entry.append_time) else { return Ok(()) };
        for entry in &read.entries {
            reading::take(batch, &wire::outline(entry)?)?;
        }
        let (partition, from) = (position.partition, position.offset);
        match batch.consumed.iter_mut().find(|consumed| consumed.partition == partition) {
            Some(consumed) => (consumed.next, consumed.appended) = (read.next.offset, appended),
            None => batch.consumed.push(Consumed { partition, from, next: read.next.offset, appended }),
        }
        *position = read.next;
        Ok(())
    }

    fn count(&self, batch: &Batch, billed: &Billed) {
        let now = batch.entries.iter().zip(&billed.outcomes).map(|(entry, outcome)| (outcome, entry.claim.amount()));
        now.for_each(|(outcome, amount)| count_outcome(&self.metrics, *outcome, amount));
        count_settled(&self.metrics, &billed.settled);
    }
}

/// Claims that waited, and what became of them.
pub(super) fn count_settled(metrics: &Metrics, settled: &Settled) {
    settled.claims.iter().for_each(|claim| count_outcome(metrics, claim.outcome, claim.amount));
}

fn count_outcome(metrics: &Metrics, outcome: Outcome, amount: Amount) {
    let nanos = u64::try_from(amount.nanos()).unwrap_or(u64::MAX);
    let label = match outcome {
        Outcome::Billed => {
            metrics.billed.add_billionths((), nanos);
            BillingOutcome::Billed
        }
        Outcome::Repeated => BillingOutcome::Repeated,
        Outcome::Expired => BillingOutcome::Expired,
        Outcome::Pending(_) => BillingOutcome::Pending,
        Outcome::Unbilled(_) => {
            metrics.unbilled.add_billionths((), nanos);
            BillingOutcome::Unbilled
        }
    };
    metrics.billing.add(label, 1);
}
