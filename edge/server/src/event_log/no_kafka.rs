//! In place of Kafka in a program that was built without it.

use std::sync::Arc;

use anyhow::{Result, bail};
use litfass_store::log::{EventLog, Share};

use super::{InKafka, Opened};
use crate::config::Config;
use crate::data_dir::DataDir;

const WITHOUT: &str = "log.kafka_brokers: this program was built without the feature `kafka`";

pub(super) fn open(_: &Config, _: &DataDir) -> Result<Opened> {
    bail!(WITHOUT)
}

pub(super) fn open_to_read(found: &InKafka) -> Result<Arc<dyn EventLog>> {
    bail!("the log lies in Kafka ({}), and this program was built without the feature `kafka`", found.topic_prefix)
}

pub(super) fn share(_: &Config) -> Result<Box<dyn Share>> {
    bail!(WITHOUT)
}
