//! Where the event log of a data directory lies: in its segments, or in Kafka.
//!
//! Invariant: a directory whose ledger has read one log is never opened with another. The ledger's positions would name other
//! entries, and money would be passed over or billed again.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(not(feature = "kafka"))]
mod no_kafka;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use litfass_store::log::{Clock, EventLog, LogHealth, LogOptions, SegmentLog, Share, Shares};
use litfass_store::storage::{Disk, read_whole, write_atomic};
use litfass_types::{FEATURE_HASH_SEED, xxh64};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::desk::ADMIN;
use crate::node::span;
use crate::roles::ProcessRole;

#[cfg(feature = "kafka")]
use self::kafka as in_kafka;
#[cfg(not(feature = "kafka"))]
use self::no_kafka as in_kafka;

/// Partitions that a process writes events and decisions to, where its log lies in segments.
pub const EVENT_PARTITIONS: u16 = 4;
/// In the data directory: which log in Kafka it belongs to.
const IN_KAFKA: &str = "kafka.json";

/// The log of a process that appends to it.
#[derive(Clone, Debug)]
pub struct Opened {
    pub log: Arc<dyn EventLog>,
    pub health: Arc<dyn LogHealth>,
    /// What only segments have: retention is Kafka's own elsewhere.
    pub segments: Option<Arc<SegmentLog>>,
}

/// Which log in Kafka a data directory belongs to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct InKafka {
    pub cluster_id: String,
    pub topic_prefix: String,
    /// Where it was last found.
    pub brokers: String,
}

/// Opens the log under this process's name, and the partition of commands where it has the role `admin`.
///
/// # Errors
/// When the log cannot be opened, or the directory belongs to another one.
pub fn open(config: &Config, data: &DataDir, clock: &Clock) -> Result<Opened> {
    if !config.log.kafka_brokers.is_empty() {
        ensure!(
            !data.log().exists(),
            "{}: holds a log in segments; log.kafka_brokers would begin another one",
            data.log().display()
        );
        return in_kafka::open(config, data);
    }
    ensure_no_kafka(data)?;
    let (own, admin) = ((&*config.server.name, EVENT_PARTITIONS), (ADMIN, 1));
    let does_admin = config.server.roles.include(ProcessRole::Admin);
    let writers = if does_admin { vec![own, admin] } else { vec![own] };
    let options = LogOptions {
        segment_bytes: config.log.segment_bytes,
        stand_in_after: span(config.server.stand_in_after),
        ..LogOptions::new(&writers)
    };
    let opened = SegmentLog::open(Arc::new(Disk), &data.log(), &options, clock)?;
    for tail in &opened.truncated {
        tracing::warn!(?tail, "the end of a partition was cut off: it had not been committed");
    }
    let log = Arc::new(opened.log);
    Ok(Opened { log: Arc::<SegmentLog>::clone(&log), health: Arc::<SegmentLog>::clone(&log), segments: Some(log) })
}

/// Opens the log of a data directory to read it, wherever it lies.
///
/// # Errors
/// When it cannot be opened.
pub fn open_to_read(data: &DataDir, clock: &Clock) -> Result<Arc<dyn EventLog>> {
    match belongs_to(data)? {
        Some(found) => in_kafka::open_to_read(&found),
        None => Ok(Arc::new(SegmentLog::open(Arc::new(Disk), &data.log(), &LogOptions::new(&[]), clock)?.log)),
    }
}

/// Which partitions this process bills: agreed by locks on the disk, or by a consumer group.
///
/// # Errors
/// When neither can be.
pub fn share(config: &Config, data: &DataDir, own: BTreeSet<u16>) -> Result<Box<dyn Share>> {
    if config.log.kafka_brokers.is_empty() {
        return Ok(Box::new(Shares::open(Arc::new(Disk), &data.billing(), own)?));
    }
    in_kafka::share(config)
}

/// Whose pacing tables these are, in ten bits: in segments the partition, which no other process writes.
#[must_use]
pub fn series(opened: &Opened, writer: &str, partition: u16) -> u16 {
    if opened.segments.is_some() {
        return partition;
    }
    u16::try_from(xxh64(writer.as_bytes(), FEATURE_HASH_SEED) % 1_024).unwrap_or_default()
}

/// `None` where it has its log in segments, or none yet.
///
/// # Errors
/// When the file that says so cannot be read.
pub fn belongs_to(data: &DataDir) -> Result<Option<InKafka>> {
    let path = data.path().join(IN_KAFKA);
    let Some(bytes) = read_whole(&Disk, &path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

fn ensure_no_kafka(data: &DataDir) -> Result<()> {
    let found = belongs_to(data)?;
    let named = || data.path().join(IN_KAFKA).display().to_string();
    ensure!(found.is_none(), "{}: the log lies in Kafka, and log.kafka_brokers does not say where", named());
    Ok(())
}

/// Binds the directory to a log in Kafka, for ever.
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "there is nothing to bind to"))]
fn bind(data: &DataDir, to: &InKafka) -> Result<()> {
    let path = data.path().join(IN_KAFKA);
    if let Some(known) = belongs_to(data)? {
        let same = known.cluster_id == to.cluster_id && known.topic_prefix == to.topic_prefix;
        let (known, named) = (format!("{} in cluster {}", known.topic_prefix, known.cluster_id), path.display());
        ensure!(same, "{named}: belongs to {known}, and {} in cluster {} was opened", to.topic_prefix, to.cluster_id);
    }
    Ok(write_atomic(&Disk, &path, &serde_json::to_vec_pretty(to)?)?)
}
