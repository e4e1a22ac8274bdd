//! What is known of the viewer, pulled once per request. A store of caps that does not answer is a degraded reading: what stands
//! for it is the operator's choice, and the record has it.

use std::sync::Arc;

use litfass_catalog::Catalog;
use litfass_decide::{AdRequest, Observed};
use litfass_policy::CapCounts;
use litfass_store::caps::{CapStore, CapsAway, Looked};
use litfass_store::fold::{Progress, Viewers};
use litfass_types::{Port, Position, Reading, Seed, Timestamp};

use crate::cap_policy::{CapPolicy, WhenUnavailable, WithoutId};

#[derive(Debug)]
pub struct Gather {
    pub viewers: Arc<Viewers>,
    pub caps: Arc<dyn CapStore>,
    /// Asking for them waits for somebody outside.
    pub caps_are_remote: bool,
    pub cap_policy: CapPolicy,
    /// How far the profiles have read the log.
    pub folds: Arc<Progress>,
}

/// What was gathered, and what a hold of caps is taken on the strength of.
#[derive(Debug)]
pub struct Seen {
    pub observed: Observed,
    /// None of who is nobody, or where the store did not answer.
    pub looked: Option<Looked>,
}

impl Gather {
    /// `partition` is where the viewer's entries lie: all that is known of one viewer comes from one.
    #[must_use]
    pub fn observe(&self, request: AdRequest, catalog: &Catalog, partition: u16, now: Timestamp, seed: Seed) -> Seen {
        // Looked at first, so that what is read after it is at least as new.
        let as_of = request.user.and_then(|_| self.folds.applied(partition));
        let looked = request.user.map(|user| self.caps.look(user, catalog, now));
        let (caps, looked) = self.caps_read(looked, as_of);
        let profiled = request.user.filter(|_| request.personalise);
        let viewer = profiled.and_then(|user| self.viewers.viewer(user, now));
        Seen { observed: Observed { request, now, seed, viewer: reading(viewer, as_of), caps }, looked }
    }

    /// Who may not be known has no user here, so nothing is counted and nothing is known.
    fn caps_read(
        &self,
        looked: Option<Result<(CapCounts, Looked), CapsAway>>,
        as_of: Option<Position>,
    ) -> (Reading<CapCounts>, Option<Looked>) {
        match looked {
            Some(Ok((value, looked))) => (Reading::Present { value, as_of }, Some(looked)),
            Some(Err(_)) => {
                let fallback = match self.cap_policy.when_unavailable {
                    WhenUnavailable::Closed => CapCounts::unknown(),
                    WhenUnavailable::Open => CapCounts::default(),
                };
                (Reading::Degraded { port: Port::Caps, fallback }, None)
            }
            None => match self.cap_policy.without_id {
                WithoutId::Serve => (Reading::Absent, None),
                WithoutId::SkipCapped => (Reading::Present { value: CapCounts::unknown(), as_of: None }, None),
            },
        }
    }
}

fn reading<T>(found: Option<T>, as_of: Option<Position>) -> Reading<T> {
    found.map_or(Reading::Absent, |value| Reading::Present { value, as_of })
}
