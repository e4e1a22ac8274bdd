//! The demo's learner: trains on what was served every so often. In production a scheduler runs `litfass train`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::console::view::TrainingProgress;
use crate::metrics::label::RunResult;
use crate::node::Node;
use crate::training::{CLICKS_MIN, finished, train, view};

/// Artifacts that the demo keeps; a deployment keeps them as long as its log.
const KEPT: usize = 8;
/// Between runs; a run that took long rests ten times as long.
const REST: Duration = Duration::from_secs(30);
/// Until there is enough to learn from.
const TOO_EARLY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct LearnWorker {
    node: Arc<Node>,
    runs: u32,
}

impl LearnWorker {
    #[must_use]
    pub const fn new(node: Arc<Node>) -> Self {
        Self { node, runs: 0 }
    }

    /// # Errors
    /// When the log cannot be read or the artifact not be written.
    pub fn step(&mut self) -> Result<Duration> {
        let began = Instant::now();
        if self.node.live.totals().clicks < CLICKS_MIN {
            return Ok(TOO_EARLY);
        }
        self.node.learning.started(TrainingProgress {
            step: "reading the log and training".to_owned(),
            done: 0,
            of: 0,
        });
        let now = self.node.clock.now();
        let run = train(&*self.node.log, &self.node.data.artifacts(), now);
        self.node.metrics.training_latency.observe((), began.elapsed());
        let finished = self.node.clock.now();
        self.runs += 1;
        let outcome = run.map(|run| view(&run, self.runs, finished));
        self.node.learning.ended(outcome.as_ref().ok().cloned().flatten());
        if outcome.is_err() {
            self.node.metrics.training_runs.add(RunResult::Failed, 1);
        }
        outcome?;
        forget_old(&self.node.data.artifacts())?;
        Ok(REST.max(began.elapsed() * 10))
    }
}

fn forget_old(artifacts: &Path) -> Result<()> {
    for dir in finished(artifacts)?.into_iter().skip(KEPT) {
        std::fs::remove_dir_all(dir)?;
    }
    Ok(())
}
