//! Follows the catalog store: what another process loads is served within a poll, its limits are sent to the ledger first.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use litfass_catalog::Catalog;
use litfass_store::catalog::{Follower, Update};
use litfass_store::log::Clock;

use super::pacing::PacingBoard;
use crate::limits::LimitSender;
use crate::metrics::Metrics;
use crate::world::SwappedWorld;

#[derive(Debug)]
pub struct CatalogWorker {
    pub follower: Follower,
    pub limits: LimitSender,
    pub world: Arc<SwappedWorld>,
    pub pacing: Arc<PacingBoard>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub poll_interval: Duration,
}

impl CatalogWorker {
    /// # Errors
    /// When the store cannot be read or a limit not be sent; the next step tries again.
    pub fn step(&mut self) -> Result<Duration> {
        if let Some(update) = self.follower.poll()? {
            self.publish(update)?;
        }
        self.metrics.catalog_age.set((), 0.0);
        Ok(self.poll_interval)
    }

    fn publish(&mut self, update: Update) -> Result<()> {
        self.limits.send(&update.limits, &update.catalog)?;
        let version = update.catalog.version();
        self.world.publish_catalog(update.catalog, &self.pacing.current(), self.clock.now());
        let world = self.world.load();
        tell(&self.metrics, &world.catalog);
        tracing::info!(sequence = version.sequence, ads = world.catalog.ads(), "serving a new catalog");
        Ok(())
    }
}

/// Which catalog is served, as gauges.
pub fn tell(metrics: &Metrics, catalog: &Catalog) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    metrics.catalog_sequence.set((), catalog.version().sequence as f64);
    metrics.catalog_ads.set((), f64::from(catalog.ads()));
}
