//! The log in Kafka: two topics, which the processes of a site share.

use std::sync::Arc;

use anyhow::Result;
use litfass_store::log::kafka::{Group, KafkaLog, KafkaOptions};
use litfass_store::log::{EventLog, Share};

use super::{InKafka, Opened, bind};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::desk::ADMIN;
use crate::node::span;
use crate::roles::ProcessRole;

/// The topic of decisions and events.
const EVENTS: &str = "events";
/// The group of processes that bill.
const BILLING: &str = "billing";

pub(super) fn open(config: &Config, data: &DataDir) -> Result<Opened> {
    let mut options = KafkaOptions {
        delivery_timeout: span(config.log.kafka_delivery_timeout),
        ..to_read(&config.log.kafka_brokers, &config.log.kafka_topic_prefix)
    };
    options = options.writing(&config.server.name, EVENTS, config.log.kafka_partitions);
    if config.server.roles.include(ProcessRole::Admin) {
        options = options.writing(ADMIN, ADMIN, 1);
    }
    let log = Arc::new(KafkaLog::open(&options)?);
    let KafkaOptions { topic_prefix, brokers, .. } = options;
    bind(data, &InKafka { cluster_id: log.cluster_id()?, topic_prefix, brokers })?;
    Ok(Opened { log: Arc::<KafkaLog>::clone(&log), health: log, segments: None })
}

pub(super) fn open_to_read(found: &InKafka) -> Result<Arc<dyn EventLog>> {
    Ok(Arc::new(KafkaLog::open(&to_read(&found.brokers, &found.topic_prefix))?))
}

pub(super) fn share(config: &Config) -> Result<Box<dyn Share>> {
    let options = to_read(&config.log.kafka_brokers, &config.log.kafka_topic_prefix);
    Ok(Box::new(Group::join(&options, EVENTS, BILLING)?))
}

/// The order of the topics numbers their partitions: it never changes.
fn to_read(brokers: &str, topic_prefix: &str) -> KafkaOptions {
    KafkaOptions::new(brokers, topic_prefix, &[EVENTS, ADMIN])
}
