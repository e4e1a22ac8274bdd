//! Full records of the log, decided again from what was gathered.

use anyhow::{Context, Result};
use litfass_decide::{DecisionRecord, NotRecomputable, Recomputed, ScoreDeviation, Workspace, recompute};
use litfass_store::log::EventLog;
use litfass_types::{Timestamp, time_zone_database};

use super::worlds::Worlds;
use super::{Replayed, Window, each_decision};

/// What recomputing found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RecomputeReport {
    /// Of the full records: which came out the same, and the flips of those that did not.
    pub replayed: Replayed,
    pub scores: ScoreDeviation,
    /// Records that do not hold every candidate.
    pub not_full: u64,
    /// Full records of the first format, without what was known of the viewer.
    pub not_gathered: u64,
    /// Decided with another version of the time-zone database than this program's.
    pub other_time_zones: u64,
}

/// Makes every full record of the window again in the world of its version.
///
/// # Errors
/// When the log cannot be read, or what a record names is not kept.
pub fn recompute_window(
    log: &dyn EventLog,
    window: Window,
    worlds: &mut Worlds,
    mut tell: impl FnMut(u64, Timestamp),
) -> Result<RecomputeReport> {
    let mut report = RecomputeReport::default();
    let mut workspace = Workspace::default();
    each_decision(log, window, |record| {
        match one(record, worlds, &mut workspace)? {
            Ok(again) => report.count(record, again),
            Err(NotRecomputable::NotFull) => report.not_full += 1,
            Err(NotRecomputable::NotGathered) => report.not_gathered += 1,
        }
        tell(report.replayed.decisions, record.inputs.now);
        Ok(true)
    })?;
    Ok(report)
}

/// One record made again, where it holds enough.
///
/// # Errors
/// When what it names is not kept.
pub fn one(
    record: &DecisionRecord,
    worlds: &mut Worlds,
    workspace: &mut Workspace,
) -> Result<Result<Recomputed, NotRecomputable>> {
    if record.full.is_none() {
        return Ok(Err(NotRecomputable::NotFull));
    }
    let world = worlds.of(&record.inputs.world, record.inputs.now);
    let world = world.with_context(|| format!("decision {}", record.id))?;
    Ok(recompute(record, world, workspace))
}

impl RecomputeReport {
    fn count(&mut self, record: &DecisionRecord, again: Recomputed) {
        self.scores.compared += again.scores.compared;
        self.scores.beyond += again.scores.beyond;
        self.scores.worst = self.scores.worst.max(again.scores.worst);
        self.other_time_zones += u64::from(record.inputs.world.time_zones != time_zone_database());
        self.replayed.count(record, again.flips);
    }
}
