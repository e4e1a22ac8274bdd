//! What the live page tells of training, and of who is asking.

use std::sync::{Mutex, MutexGuard, PoisonError};

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
