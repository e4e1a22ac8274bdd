//! What lies on disk or on servers, opened in the order that is safe: the log first, then the ledger, which knows this process's
//! partitions before anything is appended to them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use litfass_events::PartitionKey;
use litfass_ledger::{Membership, PartitionKind, Terms};
use litfass_store::ledger::Ledger;
use litfass_store::log::{Clock, EventLog};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::event_log::{self, EVENT_PARTITIONS};
use crate::metrics::Metrics;
use crate::node::system_clock;
use crate::secrets::Secrets;
use crate::vault::Vault;
use crate::workers::promotion::{Completion, PromotionWorker};

/// What lies on disk, opened.
pub(crate) struct Stores {
    pub(crate) data: DataDir,
    pub(crate) clock: Clock,
    pub(crate) secrets: Secrets,
    pub(crate) log: event_log::Opened,
    pub(crate) vault: Arc<Vault>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) terms: Terms,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) completion: Arc<Completion>,
}

impl Stores {
    pub(crate) fn open(config: &Config) -> Result<Self> {
        let data = DataDir::open(&config.server.data_dir)?;
        let (clock, terms) = (system_clock(), terms(config));
        let secrets = Secrets::open(data.path())?;
        let log = event_log::open(config, &data, &clock)?;
        let vault = Arc::new(Vault::open(config, &data)?);
        let ledger = vault.ledger(terms, &clock)?;
        let (metrics, completion) = (Arc::default(), Arc::default());
        let stores = Self { log, vault, ledger, data, clock, secrets, terms, metrics, completion };
        stores.ensure_log_is_there()?;
        stores.join(&config.server.name)?;
        Ok(stores)
    }

    /// Of a folder that is older than its database the next entries would get numbers that the ledger has read: they would never be
    /// billed. Kafka's log answers that itself.
    fn ensure_log_is_there(&self) -> Result<()> {
        if self.log.segments.is_none() {
            return Ok(());
        }
        let ends: BTreeMap<u16, u64> = self
            .log
            .log
            .wait(&[], Duration::ZERO)?
            .iter()
            .map(|head| (head.next.partition, head.next.offset))
            .collect();
        for (partition, row) in self.vault.reader()?.positions()? {
            let end = ends.get(&partition).copied().unwrap_or(0);
            let (vault, read) = (&self.vault, row.next);
            ensure!(
                read <= end,
                "{vault} has read partition {partition} of the log up to entry {read}, and the log in {} ends at {end}: it is older. \
                 Restore a later backup of the folder, or an earlier dump of the database",
                self.data.path().display()
            );
        }
        Ok(())
    }

    /// The ledger knows the partitions of this process before anything is appended to them, and nothing is appended before the
    /// watermark that it closes leases by: an event within its hold would come to a lease that is closed.
    fn join(&self, writer: &str) -> Result<()> {
        let own = (0..EVENT_PARTITIONS).filter_map(|k| self.log.log.partition(writer, PartitionKey(k.into())));
        let kind = PartitionKind::Events;
        let open: Vec<Membership> = own.map(|partition| Membership::Open { partition, kind }).collect();
        self.ledger.partitions(&open)?;
        let consumed = self.vault.reader()?.positions()?;
        let watermark = consumed.iter().filter(|(_, row)| row.live()).filter_map(|(_, row)| row.appended).min();
        if let (Some(log), Some(watermark)) = (&self.log.segments, watermark) {
            log.begin_at(watermark);
        }
        Ok(())
    }

    pub(crate) fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log.log)
    }

    pub(crate) fn promotion_worker(&self) -> PromotionWorker {
        PromotionWorker {
            log: self.log(),
            ledger: Arc::<dyn Ledger>::clone(&self.ledger),
            metrics: Arc::clone(&self.metrics),
            completion: Arc::clone(&self.completion),
        }
    }
}

fn terms(config: &Config) -> Terms {
    Terms {
        lease_ttl: config.ledger.lease_ttl,
        hold_ttl_mille: config.ledger.hold_ttl_cpm,
        hold_ttl_click: config.ledger.hold_ttl_cpc,
        // A token dies with its own life; keys outlive it by the decision's day.
        key_life: config.ledger.token_ttl + litfass_types::Duration::days(1),
        conversion_window: config.ledger.conversion_window,
        order_life: order_life(config),
        holders: config.ledger.holders,
        ..Terms::default()
    }
}

/// How long copies of events without a token's life of their own are recognised, here and in the folds.
pub(crate) fn order_life(config: &Config) -> litfass_types::Duration {
    config.ledger.token_ttl.max(config.ledger.conversion_window) + litfass_types::Duration::days(1)
}
