//! Carries commands from the admin partition to the ledger, in position order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use litfass_ledger::{CommandEntry, Commands, Consumed, Membership, PartitionKind};
use litfass_store::ledger::{LedgerAdmin, LedgerReader};
use litfass_store::log::{Batch, EventLog};
use litfass_store::wire::{self, Body};
use litfass_types::Position;
use tokio::sync::watch;

use super::audited::CommandAudit;
use super::billing::count_settled;
use crate::metrics::Metrics;

const BATCH_BYTES: usize = 1 << 20;
const WAIT: Duration = Duration::from_millis(200);
const AGAIN_AT_ONCE: Duration = Duration::ZERO;

#[derive(Debug)]
pub struct AdminWorker {
    pub log: Arc<dyn EventLog>,
    pub ledger: Arc<dyn LedgerAdmin>,
    pub reader: Arc<dyn LedgerReader>,
    pub metrics: Arc<Metrics>,
    pub partition: u16,
    /// Where the ledger goes on; unknown at first and after a failure.
    pub position: Option<Position>,
    /// The first offset that is not applied, for those who wait for it.
    pub applied: watch::Sender<u64>,
    pub audit: CommandAudit,
}

impl AdminWorker {
    /// # Errors
    /// When the log or the ledger fails; the next step asks the ledger where it stands.
    pub fn step(&mut self) -> Result<Duration> {
        let position = match self.position.take() {
            Some(position) => position,
            None => self.where_the_ledger_stands()?,
        };
        self.log.wait(&[position], WAIT)?;
        self.position = Some(self.advance(position)?);
        Ok(AGAIN_AT_ONCE)
    }

    /// Applies all commands that are in the log already.
    ///
    /// # Errors
    /// As `step`.
    pub fn catch_up(&mut self) -> Result<()> {
        let mut position = self.where_the_ledger_stands()?;
        loop {
            let next = self.advance(position)?;
            if next == position {
                self.position = Some(position);
                return Ok(());
            }
            position = next;
        }
    }

    fn advance(&mut self, position: Position) -> Result<Position> {
        let batch = self.log.read(position, BATCH_BYTES)?;
        if let Some(commands) = commands(position, &batch)? {
            let applied = self.ledger.apply(&commands)?;
            for (entry, outcome) in commands.entries.iter().zip(&applied.outcomes) {
                tracing::debug!(command = %entry.command.id, ?outcome, "applied");
            }
            count_settled(&self.metrics, &applied.settled);
        }
        self.audit.follow(&*self.reader, batch.next.offset)?;
        self.applied.send_replace(batch.next.offset);
        Ok(batch.next)
    }

    fn where_the_ledger_stands(&self) -> Result<Position> {
        let partition = self.partition;
        self.ledger.partitions(&[Membership::Open { partition, kind: PartitionKind::Admin }])?;
        let known = self.reader.positions()?.into_iter().find(|(p, _)| *p == partition);
        Ok(Position { partition, offset: known.map_or(0, |(_, row)| row.next) })
    }
}

/// `None` where nothing was read.
fn commands(from: Position, batch: &Batch) -> Result<Option<Commands>> {
    let Some(last) = batch.entries.last() else { return Ok(None) };
    let mut entries = Vec::new();
    for entry in &batch.entries {
        if let Body::Command(command) = wire::decode(entry)?.body {
            entries.push(CommandEntry { position: entry.position, appended: entry.append_time, command });
        }
    }
    let (partition, appended) = (from.partition, last.append_time);
    let consumed = Consumed { partition, from: from.offset, next: batch.next.offset, appended };
    Ok(Some(Commands { consumed, entries }))
}
