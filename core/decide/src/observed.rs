//! Everything that one decision knows about its request. With the world's version it determines what follows.

use litfass_features::Viewer;
use litfass_policy::CapCounts;
use litfass_types::{Port, Reading, Seed, Timestamp};

use crate::request::AdRequest;

#[derive(Clone, PartialEq, Debug)]
pub struct Observed {
    pub request: AdRequest,
    pub now: Timestamp,
    pub seed: Seed,
    /// As of `now`: nothing that happened at or after it.
    pub viewer: Reading<Viewer>,
    pub caps: Reading<CapCounts>,
}

impl Observed {
    /// The ports that did not answer.
    #[must_use]
    pub fn degraded(&self) -> Vec<Port> {
        let viewer = match &self.viewer {
            Reading::Degraded { port, .. } => Some(*port),
            Reading::Present { .. } | Reading::Absent => None,
        };
        let caps = match &self.caps {
            Reading::Degraded { port, .. } => Some(*port),
            Reading::Present { .. } | Reading::Absent => None,
        };
        viewer.into_iter().chain(caps).collect()
    }
}
