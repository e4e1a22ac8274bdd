//! Pushes what is known of each ad into the world: columns of counts and the orders that the sources read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use litfass_catalog::Catalog;
use litfass_retrieval::{AdSignals, Delivered, Shop, SourceIndex};
use litfass_store::fold::{SignalCounts, SignalsAt};
use litfass_store::log::Clock;

use crate::world::SwappedWorld;

#[derive(Debug)]
pub struct SignalsWorker {
    pub counts: Arc<SignalCounts>,
    pub world: Arc<SwappedWorld>,
    pub clock: Clock,
    pub interval: Duration,
    /// What was published last; nothing is published while nothing has changed.
    pub published: SignalsAt,
}

impl SignalsWorker {
    /// # Errors
    /// None; the shape of a worker's step.
    pub fn step(&mut self) -> Result<Duration> {
        let began = Instant::now();
        let now = self.clock.now();
        let counts = self.counts.at(now);
        let world = self.world.load();
        if counts != self.published || !world.sources.fits(&world.catalog) {
            let signals = columns(&world.catalog, &counts);
            let sources = SourceIndex::build(&world.catalog, &signals, now);
            self.world.publish_signals(signals, sources, now);
            self.published = counts;
        }
        // A large catalog takes a while: at most a tenth of the time goes into it.
        Ok(self.interval.max(began.elapsed() * 9))
    }
}

fn columns(catalog: &Catalog, counts: &SignalsAt) -> AdSignals {
    let delivered = counts.ads.iter().map(|(ad, totals)| {
        let (impressions, clicks) = (totals.impressions, totals.clicks);
        (*ad, Delivered { impressions, clicks, conversions: totals.purchases })
    });
    let shops = counts.shops.iter().map(|(tenant, shop)| Shop {
        tenant: *tenant,
        popularity_30d: &shop.popularity_30d,
        popularity_7d: &shop.popularity_7d,
    });
    AdSignals::new(catalog, delivered, shops)
}
