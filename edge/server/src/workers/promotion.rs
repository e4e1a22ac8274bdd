//! After a failover of the ledger's database: tells the ledger how far the log goes, and says how far it is completed.
//!
//! Every process does it: the first one counts, and the others change nothing. What the database had consumed before it failed
//! was committed in the log before, so the committed ends, read once the new timeline is seen, lie behind all of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use litfass_ledger::{CatchUp, PartitionKind, Target, Timeline};
use litfass_store::ledger::Ledger;
use litfass_store::log::EventLog;

use crate::desk::ADMIN;
use crate::metrics::Metrics;
use crate::metrics::label::Label;

/// How often to look which timeline the database is on, and how long billing lasts longer after a failover at most.
const LOOK: Duration = Duration::from_millis(500);

/// What the ledger waits for, as it was last seen.
#[derive(Debug, Default)]
pub struct Completion(Mutex<Option<CatchUp>>);

impl Completion {
    /// None where the ledger serves everything.
    #[must_use]
    pub fn waits(&self) -> Option<CatchUp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sees(&self, waits: Option<CatchUp>) -> Option<CatchUp> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), waits)
    }
}

#[derive(Debug)]
pub struct PromotionWorker {
    pub log: Arc<dyn EventLog>,
    pub ledger: Arc<dyn Ledger>,
    pub metrics: Arc<Metrics>,
    pub completion: Arc<Completion>,
}

impl PromotionWorker {
    /// # Errors
    /// When the log or the ledger fails. Then nothing was promoted, or by somebody else.
    pub fn step(&self) -> Result<Duration> {
        let mut standing = self.ledger.standing()?;
        if standing.waits == Some(CatchUp::Promotion) {
            self.promote(standing.timeline)?;
            standing = self.ledger.standing()?;
        }
        self.tell(standing.waits);
        Ok(LOOK)
    }

    fn promote(&self, timeline: Timeline) -> Result<()> {
        let promoted = self.ledger.promote(timeline, &self.targets()?)?;
        let Timeline { cluster, number } = timeline;
        tracing::warn!(
            cluster,
            timeline = number,
            closed = promoted.closed.len(),
            "the ledger's database is another one now, which may lack the last transactions: they are done again from the log"
        );
        Ok(())
    }

    fn targets(&self) -> Result<Vec<Target>> {
        // The writers first: of a partition that comes meanwhile nothing was consumed before.
        let kinds: BTreeMap<u16, PartitionKind> =
            self.log.writers()?.into_iter().map(|(partition, writer)| (partition, kind(&writer))).collect();
        let heads = self.log.wait(&[], Duration::ZERO)?;
        let target = |(partition, kind): (&u16, &PartitionKind)| {
            let head = heads.iter().find(|head| head.next.partition == *partition);
            Target { partition: *partition, kind: *kind, next: head.map_or(0, |head| head.next.offset) }
        };
        Ok(kinds.iter().map(target).collect())
    }

    fn tell(&self, waits: Option<CatchUp>) {
        let before = self.completion.sees(waits);
        for stage in CatchUp::ALL {
            self.metrics.catching_up.set(stage, if waits == Some(stage) { 1.0 } else { 0.0 });
        }
        match (before, waits) {
            (_, Some(waits)) if before != Some(waits) => {
                tracing::warn!(
                    waits_for = waits.value(),
                    "the ledger is completed from the log, and nobody leases budget"
                );
            }
            (Some(_), None) => tracing::warn!("the ledger is complete again"),
            _ => {}
        }
    }
}

fn kind(writer: &str) -> PartitionKind {
    if writer == ADMIN { PartitionKind::Admin } else { PartitionKind::Events }
}
