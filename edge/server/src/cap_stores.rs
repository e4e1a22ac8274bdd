//! Where frequency caps are counted: in each process, or in a store that several share.

use std::sync::Arc;

use anyhow::Result;
use litfass_store::caps::{CapCounters, CapStore, Renders, SharedCapStore, TOLD_WITHIN};
use litfass_store::fold::Choices;
use litfass_types::Timestamp;

use crate::config::Config;

/// Where the counts are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CountedIn {
    Embedded,
    Redis,
}

impl CountedIn {
    pub const ALL: [Self; 2] = [Self::Embedded, Self::Redis];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
        }
    }
}

/// Whether this program can speak to a Redis server.
pub const HAS_REDIS: bool = cfg!(feature = "redis");

/// A store that several processes share, and what it is to be told.
#[derive(Clone, Debug)]
pub struct Shared {
    pub store: Arc<dyn SharedCapStore>,
    pub renders: Arc<Renders>,
}

impl Shared {
    /// None where each process counts for itself. Asks nobody yet.
    ///
    /// # Errors
    /// When the configured address is none, or this program cannot speak to such a store.
    pub fn open(config: &Config, choices: &Arc<Choices>, started: Timestamp) -> Result<Option<Self>> {
        if config.caps.store == CountedIn::Embedded {
            return Ok(None);
        }
        let renders = Arc::new(Renders::new(choices, config.caps.hold_ttl + TOLD_WITHIN, started));
        Ok(Some(Self { store: in_redis(config)?, renders }))
    }
}

/// What decisions ask.
#[must_use]
pub fn asked(shared: Option<&Shared>, counters: &Arc<CapCounters>) -> Arc<dyn CapStore> {
    match shared {
        Some(shared) => Arc::clone(&shared.store) as _,
        None => Arc::clone(counters) as _,
    }
}

#[cfg(feature = "redis")]
fn in_redis(config: &Config) -> Result<Arc<dyn SharedCapStore>> {
    use anyhow::Context;
    use litfass_store::caps::{RedisCaps, RedisOptions};

    let options = RedisOptions {
        url: config.caps.redis_url.address().unwrap_or_default().to_owned(),
        timeout: crate::node::span(config.caps.redis_timeout),
        hold_ttl: config.caps.hold_ttl + TOLD_WITHIN,
        prefix: "litfass".to_owned(),
    };
    let seed = u64::from_le_bytes(crate::secrets::random()?);
    Ok(Arc::new(RedisCaps::new(options, seed).context("caps.redis_url")?))
}

#[cfg(not(feature = "redis"))]
fn in_redis(_: &Config) -> Result<Arc<dyn SharedCapStore>> {
    anyhow::bail!("caps.store: this program was built without the feature `redis`")
}
