//! What is known of the viewer, pulled once per request. Embedded, so it neither waits nor fails; a remote store would have a
//! deadline, and what came late would be a degraded reading.

use std::sync::Arc;

use litfass_catalog::Catalog;
use litfass_decide::{AdRequest, Observed};
use litfass_store::fold::{CapCounters, Progress, Viewers};
use litfass_types::{Position, Reading, Seed, Timestamp};

#[derive(Debug)]
pub struct Gather {
    pub viewers: Arc<Viewers>,
    pub caps: Arc<CapCounters>,
    /// How far both have read the log.
    pub folds: Arc<Progress>,
}

impl Gather {
    /// `partition` is where the viewer's entries lie: all that is known of one viewer comes from one.
    #[must_use]
    pub fn observe(
        &self,
        request: AdRequest,
        catalog: &Catalog,
        partition: u16,
        now: Timestamp,
        seed: Seed,
    ) -> Observed {
        // Looked at first, so that what is read after it is at least as new.
        let as_of = request.user.and_then(|_| self.folds.applied(partition));
        // Who may not be known has no user here, so neither caps nor a profile.
        let caps = request.user.map(|user| self.caps.counts_in(user, catalog, now));
        let profiled = request.user.filter(|_| request.personalise);
        let viewer = profiled.and_then(|user| self.viewers.viewer(user, now));
        Observed { request, now, seed, viewer: reading(viewer, as_of), caps: reading(caps, as_of) }
    }
}

fn reading<T>(found: Option<T>, as_of: Option<Position>) -> Reading<T> {
    found.map_or(Reading::Absent, |value| Reading::Present { value, as_of })
}
