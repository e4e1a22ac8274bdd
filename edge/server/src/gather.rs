//! What is known of the viewer, pulled once per request. Embedded, so it neither waits nor fails; a remote store would have a
//! deadline, and what came late would be a degraded reading.

use std::sync::Arc;

use litfass_catalog::Catalog;
use litfass_decide::{AdRequest, Observed};
use litfass_store::fold::{CapCounters, Viewers};
use litfass_types::{Reading, Seed, Timestamp};

#[derive(Debug)]
pub struct Gather {
    pub viewers: Arc<Viewers>,
    pub caps: Arc<CapCounters>,
}

impl Gather {
    #[must_use]
    pub fn observe(&self, request: AdRequest, catalog: &Catalog, now: Timestamp, seed: Seed) -> Observed {
        // Caps hold whether or not the viewer may be profiled: they protect the viewer.
        let caps = request.user.map(|user| self.caps.counts_in(user, catalog, now));
        let profiled = request.user.filter(|_| request.personalise);
        let viewer = profiled.and_then(|user| self.viewers.viewer(user, now));
        Observed { request, now, seed, viewer: reading(viewer), caps: reading(caps) }
    }
}

fn reading<T>(found: Option<T>) -> Reading<T> {
    found.map_or(Reading::Absent, |value| Reading::Present { value, as_of: None })
}
