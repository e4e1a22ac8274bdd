//! How far what reads the event log is behind it, in time.
//!
//! A reader's lag is the age of the oldest committed entry that it has not passed, by the clock of this process: it grows while
//! the reader stands still, also where nothing new is written, and is zero as soon as it has passed everything.

use std::collections::BTreeMap;

use anyhow::Result;
use litfass_store::log::{EventLog, Head};
use litfass_types::{Duration, Position, Timestamp};

use crate::metrics::label::{Label, LogReader};
use crate::node::Node;

impl Node {
    /// Asks the log, the folds and the ledger, and sets the gauges. It may take as long as they do.
    pub fn look_at_lag(&self) {
        for reader in LogReader::ALL {
            let waited = self.waited(*reader).inspect_err(|error| tracing::warn!("the lag is not known: {error:#}"));
            self.metrics.event_lag.set(*reader, waited.map_or(f64::NAN, seconds));
        }
    }

    fn waited(&self, reader: LogReader) -> Result<Duration> {
        // What was passed is asked first: it is then at most what is committed.
        let passed = self.passed(reader)?;
        let heads = self.log.wait(&[], std::time::Duration::ZERO)?;
        let behind = heads.iter().filter_map(|head| behind(head, &passed));
        let oldest = behind.map(|from| first_at(&*self.log, from)).collect::<Result<Vec<_>>>()?;
        let now = self.clock.now();
        Ok(oldest.into_iter().flatten().map(|at| now - at).max().unwrap_or_default().max(Duration::default()))
    }

    /// Per partition: the next offset that the reader takes. The ledger is not asked to take what it has not heard of.
    fn passed(&self, reader: LogReader) -> Result<BTreeMap<u16, u64>> {
        Ok(match reader {
            LogReader::Folds => self.folds.positions(),
            LogReader::Billing => self.ledger.positions()?.into_iter().map(|(p, row)| (p, row.next)).collect(),
        })
    }
}

fn behind(head: &Head, passed: &BTreeMap<u16, u64>) -> Option<Position> {
    let offset = *passed.get(&head.next.partition)?;
    (offset < head.next.offset).then_some(Position { offset, ..head.next })
}

/// When the first entry at or after that position was appended.
fn first_at(log: &dyn EventLog, from: Position) -> Result<Option<Timestamp>> {
    Ok(log.read(from, 1)?.entries.first().map(|entry| entry.append_time))
}

fn seconds(span: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    let ms = span.0 as f64;
    ms / 1_000.0
}
