//! What frequency caps need beside the requests: late renders are counted, and a store that several processes share is told what was
//! rendered and filled again where it has lost what it knew.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use litfass_catalog::Catalog;
use litfass_policy::caps_of;
use litfass_store::caps::CapsAway;
use litfass_store::fold::{CapCounters, LateRender, Progress};
use litfass_store::log::Clock;
use litfass_types::Timestamp;

use crate::cap_stores::Shared;
use crate::metrics::Metrics;
use crate::workers::billing::BilledHere;
use crate::world::SwappedWorld;

const INTERVAL: Duration = Duration::from_secs(1);
/// The same where a shared store waits to be told.
const TELLING: Duration = Duration::from_millis(50);
/// What was held before a loss is in the log by then: no decision takes as long.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct CapWorker {
    pub counts: Arc<CapCounters>,
    pub world: Arc<SwappedWorld>,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub shared: Option<SharedCaps>,
}

#[derive(Debug)]
pub struct SharedCaps {
    pub shared: Shared,
    pub billed_here: BilledHere,
    pub folds: Arc<Progress>,
    /// Since when the store is known to have lost everything.
    pub lost: Option<Instant>,
    /// Renders were not kept for want of room, and the store does not know it yet.
    pub doubted: bool,
}

impl CapWorker {
    /// # Errors
    /// None; the shape of a worker's step.
    pub fn step(&mut self) -> Result<Duration> {
        let now = self.clock.now();
        self.count_late(now);
        let Some(shared) = &mut self.shared else { return Ok(INTERVAL) };
        let is_up = shared.step(&self.counts, &self.metrics, now).is_ok();
        self.metrics.caps_store_up.set((), f64::from(u8::from(is_up)));
        let notices = shared.shared.store.take_notices();
        self.metrics.caps_races.add((), notices.races);
        self.metrics.caps_lost_writes.add((), notices.went_back);
        Ok(TELLING)
    }

    fn count_late(&self, now: Timestamp) {
        let late = self.counts.take_late();
        let catalog = &self.world.load().catalog;
        let exceeded = late.iter().filter(|render| self.is_above(catalog, render, now)).count();
        self.metrics.caps_late.add((), late.len() as u64);
        self.metrics.caps_exceeded.add((), exceeded as u64);
    }

    fn is_above(&self, catalog: &Catalog, render: &LateRender, now: Timestamp) -> bool {
        let Some(ad) = catalog.ad_by_id(render.ad) else { return false };
        let limits: Vec<_> = caps_of(catalog, ad).collect();
        let keys: Vec<_> = limits.iter().map(|limit| limit.key).collect();
        let counts = self.counts.counts(render.user, &keys, now);
        limits.iter().any(|limit| counts.count(limit.key) > limit.max)
    }
}

impl SharedCaps {
    fn step(&mut self, counts: &CapCounters, metrics: &Metrics, now: Timestamp) -> Result<(), CapsAway> {
        let Shared { store, renders } = self.shared.clone();
        self.doubted |= renders.take_overflow();
        if self.doubted {
            store.doubt()?;
            self.doubted = false;
        }
        match store.look_alive() {
            Ok(()) => self.lost = None,
            Err(CapsAway::Silent) => return Err(CapsAway::Silent),
            Err(CapsAway::Lost) => self.fill(counts, metrics)?,
        }
        let ours = self.billed_here.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let told = renders.tell(&*store, &ours, now)?;
        metrics.caps_lost_writes.add((), told.missing);
        Ok(())
    }

    /// Once what was on its way is in the log and the fold has read it.
    fn fill(&mut self, counts: &CapCounters, metrics: &Metrics) -> Result<(), CapsAway> {
        let lost = *self.lost.get_or_insert_with(|| {
            tracing::warn!("caps: the shared store has lost what it knew, and will be filled again");
            Instant::now()
        });
        if lost.elapsed() < ON_ITS_WAY || self.folds.lag() > 0 {
            return Err(CapsAway::Lost);
        }
        if self.shared.store.rebuild(counts)? {
            metrics.caps_rebuilds.add((), 1);
            tracing::info!(viewers = counts.len(), "caps: the shared store is filled");
        }
        self.shared.store.look_alive()
    }
}
