//! Follows the catalog store: what this process changes is served at once, what another one loads within a poll; limits are sent to
//! the ledger first.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use litfass_catalog::Catalog;
use litfass_store::catalog::{Follower, Update};
use litfass_store::ledger::LedgerReader;
use litfass_store::log::Clock;

use super::pacing::PacingBoard;
use crate::editor::Told;
use crate::limits::{Limited, Limiting};
use crate::metrics::Metrics;
use crate::world::SwappedWorld;

#[derive(Debug)]
pub struct CatalogWorker {
    pub follower: Follower,
    pub limits: Limiting,
    pub ledger: Arc<dyn LedgerReader>,
    pub world: Arc<SwappedWorld>,
    pub pacing: Arc<PacingBoard>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub poll_interval: Duration,
    /// Of changes that this process makes itself.
    pub told: Told,
    pub waiting: Option<Waiting>,
}

/// A catalog that is not served yet.
#[derive(Debug)]
pub struct Waiting {
    update: Update,
    /// What the ledger must have taken; unknown until the limits are sent.
    limited: Option<Limited>,
}

/// How often the ledger is asked whether it has taken the limits.
const SOON: Duration = Duration::from_millis(20);

impl CatalogWorker {
    /// A new catalog is served once its limits are in force: until then what is new in it would be unlimited.
    ///
    /// # Errors
    /// When the store cannot be read or a limit not be sent; the next step goes on where this one stopped.
    pub fn step(&mut self) -> Result<Duration> {
        if self.waiting.is_none() {
            self.waiting = self.follower.poll()?.map(|update| Waiting { update, limited: None });
        }
        let Some(waiting) = &mut self.waiting else {
            self.told.wait(self.poll_interval);
            return Ok(Duration::ZERO);
        };
        let limited = match &mut waiting.limited {
            Some(limited) => limited,
            None => waiting.limited.insert(self.limits.begin(&waiting.update.limits, &waiting.update.catalog)?),
        };
        if !limited.is_in_force(&*self.ledger)? {
            return Ok(SOON);
        }
        if let Some(waiting) = self.waiting.take() {
            self.publish(waiting.update);
        }
        Ok(Duration::ZERO)
    }

    fn publish(&self, update: Update) {
        let version = update.catalog.version();
        self.world.publish_catalog(update.catalog, || self.pacing.current(), self.clock.now());
        let world = self.world.load();
        tell(&self.metrics, &world.catalog);
        tracing::info!(sequence = version.sequence, ads = world.catalog.ads(), "serving a new catalog");
    }
}

/// Which catalog is served, as gauges.
pub fn tell(metrics: &Metrics, catalog: &Catalog) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    metrics.catalog_sequence.set((), catalog.version().sequence as f64);
    metrics.catalog_ads.set((), f64::from(catalog.ads()));
}
