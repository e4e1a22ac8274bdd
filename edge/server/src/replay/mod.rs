//! Recorded decisions, made again and held against their records.
//!
//! Invariants: settling again reads the record alone, neither catalog nor model, and compares exactly; every decision in the
//! window is counted once, as identical or as different; what differs is named.

mod diff;
mod recompute;
mod worlds;

use anyhow::{Context, Result};
use litfass_decide::{DecisionRecord, Difference, differences};
use litfass_market::Decision;
use litfass_store::log::{EventLog, Timeline};
use litfass_store::wire::{self, Body};
use litfass_types::{DecisionId, Duration, Timestamp};

pub use diff::{DiffRow, diff};
pub use recompute::{RecomputeReport, one, recompute_window};
pub use worlds::Worlds;

/// A record may lie that far from its decision's time: clocks are set.
const SKEW: Duration = Duration::minutes(1);
/// Decisions whose differences are kept to be listed.
pub const LISTED_MAX: usize = 100;

/// Decisions of which time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    pub from: Timestamp,
    /// Not itself.
    pub until: Timestamp,
}

impl Default for Window {
    fn default() -> Self {
        Self { from: Timestamp(i64::MIN), until: Timestamp(i64::MAX) }
    }
}

impl Window {
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// A decision that did not come out as it was recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Differing {
    pub id: DecisionId,
    pub differences: Vec<Difference>,
}

/// What a replay found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replayed {
    pub decisions: u64,
    pub differing: u64,
    /// The first of them, at most `LISTED_MAX`.
    pub listed: Vec<Differing>,
    /// Times of the first and the last decision.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Replayed {
    #[must_use]
    pub const fn is_identical(&self) -> bool {
        self.differing == 0
    }

    fn count(&mut self, record: &DecisionRecord, differences: Vec<Difference>) {
        let at = record.inputs.now;
        self.decisions += 1;
        self.span = Some(self.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        if !differences.is_empty() {
            self.differing += 1;
            if self.listed.len() < LISTED_MAX {
                self.listed.push(Differing { id: record.id, differences });
            }
        }
    }
}

/// Settles every recorded decision of the window again. `settle` is [`DecisionRecord::replay`] but for tests, `tell` hears of
/// every decision.
///
/// # Errors
/// When the log cannot be read or holds what cannot be decoded.
pub fn replay(
    log: &dyn EventLog,
    window: Window,
    settle: impl Fn(&DecisionRecord) -> Decision,
    mut tell: impl FnMut(u64, Timestamp),
) -> Result<Replayed> {
    let mut found = Replayed::default();
    each_decision(log, window, |record| {
        found.count(record, differences(record, &record.market, &settle(record)));
        tell(found.decisions, record.inputs.now);
        Ok(true)
    })?;
    Ok(found)
}

/// Visits the decisions of the window in the order in which they were recorded, for as long as the visitor wants more.
///
/// # Errors
/// When the log cannot be read, holds what cannot be decoded, or the visitor fails.
pub fn each_decision(
    log: &dyn EventLog,
    window: Window,
    mut visit: impl FnMut(&DecisionRecord) -> Result<bool>,
) -> Result<()> {
    for entry in Timeline::between(log, window.from - SKEW, window.until + SKEW)? {
        let entry = entry?;
        let logged = wire::decode(&entry).with_context(|| format!("log entry at {:?}", entry.position))?;
        if let Body::Decision(record) = logged.body
            && window.contains(record.id.time())
            && !visit(&record)?
        {
            break;
        }
    }
    Ok(())
}
