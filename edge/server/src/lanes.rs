//! Work that may take long has lanes of its own, so that it never takes the threads and connections of readiness, money and logins.
//!
//! A full lane is a 429 at once, not a queue: whoever asks may come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Code, Problem};

/// Streams of events at once.
const EXPORTS: usize = 4;
/// Reports at once, each on a connection of its own.
const REPORTS: usize = 4;
/// Looks back through the log at once.
const LOOKS_BACK: usize = 2;

/// When a full lane is worth another try.
const COME_BACK: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Lanes {
    pub exports: Lane,
    pub reports: Lane,
    pub looks_back: Lane,
}

#[derive(Debug)]
pub struct Lane(Arc<Semaphore>);

impl Default for Lanes {
    fn default() -> Self {
        let lane = |places| Lane(Arc::new(Semaphore::new(places)));
        Self { exports: lane(EXPORTS), reports: lane(REPORTS), looks_back: lane(LOOKS_BACK) }
    }
}

impl Lane {
    /// A place, until it is dropped.
    ///
    /// # Errors
    /// 429 where all are taken.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let full =
            |_| Problem::new(Code::Busy, "all places for this kind of question are taken").retry_after(COME_BACK);
        Arc::clone(&self.0).try_acquire_owned().map_err(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_refuses_until_somebody_leaves() {
        let lanes = Lanes::default();
        let mut inside: Vec<_> = (0..EXPORTS).map(|_| lanes.exports.enter().unwrap()).collect();
        assert_eq!(lanes.exports.enter().unwrap_err().code(), Code::Busy);
        assert!(lanes.reports.enter().is_ok(), "another lane");
        inside.pop();
        assert!(lanes.exports.enter().is_ok());
    }
}
