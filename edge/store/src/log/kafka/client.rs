//! Asking the brokers: where partitions begin and end, and what a configured client looks like.

use std::time::Duration;

use litfass_types::Timestamp;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};

use super::topics::Place;
use super::{BrokerError, KafkaOptions};
use crate::log::frame::MAX_PAYLOAD_BYTES;

/// How long a question may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Beside its payload, a record has an envelope of this many bytes at most.
pub(super) const ENVELOPE_BYTES: usize = 1_024;

/// Hands what the client library says to the process's log.
#[derive(Debug)]
pub(super) struct Told;

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, message, "librdkafka");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => tracing::info!(facility, message, "librdkafka"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::info!(%error, reason, "librdkafka");
    }
}

impl ConsumerContext for Told {}

/// The first offset that is kept, and the one after the last that is committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ends {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// Asks; reads nothing.
pub(super) struct Client {
    pub(super) config: ClientConfig,
    asking: BaseConsumer<Told>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    pub(super) fn new(options: &KafkaOptions) -> Result<Self, BrokerError> {
        let config = config(options);
        let asking = reading(&config, 1).create_with_context(Told).map_err(during("making a client"))?;
        Ok(Self { config, asking })
    }

    /// A consumer that holds up to so many KiB that nobody has asked for yet.
    pub(super) fn consumer(&self, ahead_kib: u32) -> Result<BaseConsumer<Told>, BrokerError> {
        reading(&self.config, ahead_kib).create_with_context(Told).map_err(during("making a consumer"))
    }

    pub(super) fn cluster_id(&self) -> Result<String, BrokerError> {
        let id = self.asking.client().fetch_cluster_id(PATIENCE);
        id.ok_or_else(|| BrokerError { doing: "asking for the cluster's id", reason: "no broker answered".to_owned() })
    }

    pub(super) fn metadata(&self, topic: &str) -> Result<Metadata, BrokerError> {
        self.asking.fetch_metadata(Some(topic), PATIENCE).map_err(during("asking for a topic"))
    }

    pub(super) fn ends(&self, place: &Place) -> Result<Ends, BrokerError> {
        let found = self.asking.fetch_watermarks(&place.topic, place.partition, PATIENCE);
        let (low, high) = found.map_err(during("asking where a partition ends"))?;
        Ok(Ends { low: low.max(0).unsigned_abs(), high: high.max(0).unsigned_abs() })
    }

    /// The offset of the first record stamped at or after that instant, else the end.
    pub(super) fn first_at(&self, place: &Place, at: Timestamp) -> Result<u64, BrokerError> {
        let asking = during("asking for an offset by its time");
        let mut times = TopicPartitionList::new();
        // Negative ones have meanings of their own.
        let at = Offset::Offset(at.0.max(0));
        times.add_partition_offset(&place.topic, place.partition, at).map_err(&asking)?;
        let found = self.asking.offsets_for_times(times, PATIENCE).map_err(&asking)?;
        let found = found.find_partition(&place.topic, place.partition).map(|element| element.offset());
        match found {
            Some(Offset::Offset(offset)) if offset >= 0 => Ok(offset.unsigned_abs()),
            _ => Ok(self.ends(place)?.high),
        }
    }
}

/// What every client is told.
pub(super) fn config(options: &KafkaOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.brokers)
        .set("client.id", "litfass")
        .set("allow.auto.create.topics", "false")
        // Named by the library, but no group that anybody joins or commits for.
        .set("group.id", format!("{}.reading", options.topic_prefix))
        .set("message.max.bytes", (MAX_PAYLOAD_BYTES + ENVELOPE_BYTES).to_string())
        .set("reconnect.backoff.max.ms", "1000");
    config
}

fn reading(config: &ClientConfig, ahead_kib: u32) -> ClientConfig {
    let mut config = config.clone();
    config
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("check.crcs", "true")
        .set("queued.max.messages.kbytes", ahead_kib.to_string())
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.error.backoff.ms", "50");
    config
}

pub(super) fn during(doing: &'static str) -> impl Fn(KafkaError) -> BrokerError {
    move |error| BrokerError { doing, reason: error.to_string() }
}

/// The place where it read is no place of the log any more.
pub(super) fn is_lost(error: &KafkaError) -> bool {
    let lost = [RDKafkaErrorCode::OffsetOutOfRange, RDKafkaErrorCode::AutoOffsetReset];
    let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    fatal || error.rdkafka_error_code().is_some_and(|code| lost.contains(&code))
}
