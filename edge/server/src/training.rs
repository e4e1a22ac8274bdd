//! One training run: examples from the log, a rank profile, an artifact in the data directory. Whoever serves picks up the
//! newest artifact by itself.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use litfass_store::log::EventLog;
use litfass_store::storage::{Disk, Storage, ensure_dir};
use litfass_train::artifact::{self, Artifact, MANIFEST, Provenance};
use litfass_train::from_log::{self, Counts, Window};
use litfass_train::learn::{Settings, Trained, learn};
use litfass_types::{Duration, Seed, Timestamp};

use crate::console::view::TrainingView;

/// Decisions kept in memory for one run.
const DECISIONS_MAX: usize = 1_000_000;
/// What is younger may still be clicked.
const SETTLING: Duration = Duration::seconds(5);
/// Fewer clicks than this teach nothing.
pub const CLICKS_MIN: u64 = 20;

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub counts: Counts,
    pub trained: Option<(PathBuf, Artifact)>,
    pub took_ms: u64,
}

/// Trains on everything that is committed, where there is enough of it.
///
/// # Errors
/// When the log cannot be read or the artifact not be written.
pub fn train(log: &dyn EventLog, artifacts: &Path, now: Timestamp) -> Result<Run> {
    let began = Instant::now();
    let window = Window { from: Timestamp(0), until: now - SETTLING, decisions_max: DECISIONS_MAX };
    let read = from_log::read(log, window)?;
    let counts = read.counts;
    let enough = counts.clicked >= CLICKS_MIN;
    let trained = if enough { Some(write(&read, artifacts, now)?) } else { None };
    Ok(Run { counts, trained, took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) })
}

fn write(read: &from_log::FromLog, artifacts: &Path, now: Timestamp) -> Result<(PathBuf, Artifact)> {
    let seed = Seed(now.0.unsigned_abs());
    let trained: Trained = learn(&read.examples, &Settings::for_examples(&read.examples, seed));
    let (from, until) = read.examples.window().unwrap_or_default();
    let provenance = Provenance {
        from_ms: from.0,
        until_ms: until.0,
        rows: read.examples.rows() as u64,
        seed: seed.0,
        positions: read.positions.clone(),
    };
    ensure_dir(&Disk, artifacts)?;
    // The time as a name that sorts.
    let dir = artifacts.join(format!("{:015}", now.0));
    let artifact = artifact::write(&Disk, &dir, &trained, provenance)?;
    Ok((dir, artifact))
}

/// The folders of finished artifacts, the newest first.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn finished(artifacts: &Path) -> Result<Vec<PathBuf>> {
    if !artifacts.exists() {
        return Ok(Vec::new());
    }
    let mut dirs: Vec<_> = Disk.list(artifacts)?.into_iter().map(|name| artifacts.join(name)).collect();
    dirs.retain(|dir| dir.join(MANIFEST).exists());
    dirs.sort_unstable_by(|a, b| b.cmp(a));
    Ok(dirs)
}

/// For the live page.
#[must_use]
pub fn view(run: &Run, number: u32, finished: Timestamp) -> Option<TrainingView> {
    let (dir, artifact) = run.trained.as_ref()?;
    let click = artifact.manifest.quality.get("click").copied().unwrap_or_default();
    Some(TrainingView {
        number,
        model: dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        finished_ms: finished.0,
        took_ms: run.took_ms,
        rows: run.counts.rendered,
        clicks: run.counts.clicked,
        auc: click.auc,
        log_loss: click.log_loss.unwrap_or_default(),
        normalised_entropy: click.normalised_entropy,
        calibration: click.calibration_ratio,
        swapped_ms: None,
        note: None,
    })
}
