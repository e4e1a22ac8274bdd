//! Serves the newest artifact of the data directory: whoever trains writes one, and it is swapped in without a restart.
//!
//! An artifact that is damaged or of another format is named once and passed over; the one before it stays or is taken.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use litfass_store::log::Clock;
use litfass_store::storage::Disk;
use litfass_train::artifact;

use crate::learning::Learning;
use crate::metrics::{Metrics, label::RunResult};
use crate::training::finished;
use crate::world::SwappedWorld;

const POLL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct ProfileWorker {
    pub artifacts: PathBuf,
    pub world: Arc<SwappedWorld>,
    pub learning: Arc<Learning>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    /// What is being served.
    pub served: Option<PathBuf>,
    /// What cannot be served.
    pub refused: BTreeSet<PathBuf>,
}

impl ProfileWorker {
    /// # Errors
    /// When the directory cannot be read.
    pub fn step(&mut self) -> Result<Duration> {
        for dir in finished(&self.artifacts)? {
            if self.served.as_ref() == Some(&dir) {
                break;
            }
            if !self.refused.contains(&dir) && self.serve(&dir) {
                self.served = Some(dir);
                break;
            }
        }
        Ok(POLL)
    }

    fn serve(&mut self, dir: &Path) -> bool {
        match artifact::read(&Disk, dir) {
            Ok(artifact) => {
                self.world.publish_profile(artifact.profile, artifact.hash);
                self.learning.swapped(dir, self.clock.now());
                self.metrics.training_runs.add(RunResult::Published, 1);
                tracing::info!(artifact = %dir.display(), "serving a new rank profile");
                true
            }
            Err(error) => {
                self.metrics.training_runs.add(RunResult::Refused, 1);
                tracing::error!("an artifact is not served: {error}");
                self.refused.insert(dir.to_owned());
                false
            }
        }
    }
}
