//! What the live page tells of training, and of who is asking.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use litfass_types::Timestamp;

use crate::console::view::{Audience, TrainingProgress, TrainingView};

/// Runs shown.
const RUNS_MAX: usize = 12;

#[derive(Debug, Default)]
pub struct Learning(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    audience: Audience,
    finished: Vec<TrainingView>,
    progress: Option<TrainingProgress>,
}

impl Learning {
    pub fn set_audience(&self, audience: Audience) {
        self.state().audience = audience;
    }

    #[must_use]
    pub fn audience(&self) -> Audience {
        self.state().audience.clone()
    }

    pub fn started(&self, progress: TrainingProgress) {
        self.state().progress = Some(progress);
    }

    pub fn ended(&self, run: Option<TrainingView>) {
        let mut state = self.state();
        state.progress = None;
        if let Some(run) = run {
            state.finished.insert(0, run);
            state.finished.truncate(RUNS_MAX);
        }
    }

    /// The artifact in `dir` is being served since now.
    pub fn swapped(&self, dir: &Path, now: Timestamp) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        for run in self.state().finished.iter_mut().filter(|run| run.model == name) {
            run.swapped_ms = Some(now.0);
        }
    }

    #[must_use]
    pub fn finished(&self) -> Vec<TrainingView> {
        self.state().finished.clone()
    }

    #[must_use]
    pub fn progress(&self) -> Option<TrainingProgress> {
        self.state().progress.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
