//! Topics as an event log needs them: made where they are missing, checked where they are not.

use std::fmt;
use std::time::Instant;

use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
    TopicResult,
};
use rdkafka::types::RDKafkaErrorCode;

use super::client::{Client, ENVELOPE_BYTES, PATIENCE, Told, during};
use super::topics::{TOPICS_MAX, Topics};
use super::{BrokerError, KafkaOptions, KafkaWriter, NotOpened};
use crate::log::OpenError;
use crate::log::frame::MAX_PAYLOAD_BYTES;
use crate::log::registry::check_name;

/// As many replicas as the cluster gives a topic by itself.
const REPLICAS_OF_THE_CLUSTER: TopicReplication<'static> = TopicReplication::Fixed(-1);

/// What a topic has to be set to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// Append times come from the broker: hold expiry and billing go by them.
    TimestampType,
    /// Compaction would remove entries.
    CleanupPolicy,
    /// An election of a replica that lags would remove acknowledged entries.
    UncleanElection,
    /// The largest entry has to fit.
    MaxMessageBytes,
}

impl Setting {
    const ALL: [Self; 4] = [Self::TimestampType, Self::CleanupPolicy, Self::UncleanElection, Self::MaxMessageBytes];

    /// As Kafka calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimestampType => "message.timestamp.type",
            Self::CleanupPolicy => "cleanup.policy",
            Self::UncleanElection => "unclean.leader.election.enable",
            Self::MaxMessageBytes => "max.message.bytes",
        }
    }

    /// What would be right, in words.
    #[must_use]
    pub fn needed(self) -> String {
        match self {
            Self::MaxMessageBytes => format!("{} or more", self.value()),
            Self::TimestampType | Self::CleanupPolicy | Self::UncleanElection => self.value(),
        }
    }

    fn value(self) -> String {
        match self {
            Self::TimestampType => "LogAppendTime".to_owned(),
            Self::CleanupPolicy => "delete".to_owned(),
            Self::UncleanElection => "false".to_owned(),
            Self::MaxMessageBytes => (MAX_PAYLOAD_BYTES + ENVELOPE_BYTES).to_string(),
        }
    }

    fn allows(self, found: &str) -> bool {
        match self {
            Self::MaxMessageBytes => {
                found.parse().is_ok_and(|bytes: usize| bytes >= MAX_PAYLOAD_BYTES + ENVELOPE_BYTES)
            }
            Self::TimestampType | Self::CleanupPolicy | Self::UncleanElection => found == self.value(),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) fn set_up(client: &Client, options: &KafkaOptions) -> Result<Topics, OpenError> {
    let admin = client.config.create_with_context(Told).map_err(during("making a client"))?;
    let mut topics = Topics::new(options);
    if options.topics.len() > TOPICS_MAX {
        return Err(NotOpened::TooManyTopics.into());
    }
    topics.learn(client)?;
    for writer in &options.writers {
        provide(&admin, client, &mut topics, writer)?;
    }
    for topic in topics.names() {
        check(&admin, topic)?;
    }
    Ok(topics)
}

/// Makes the writer's topic where there is none, or more partitions in it.
fn provide(
    admin: &AdminClient<Told>,
    client: &Client,
    topics: &mut Topics,
    writer: &KafkaWriter,
) -> Result<(), OpenError> {
    let KafkaWriter { topic: short, partitions: asked, .. } = writer;
    let topic = topics.name(short).ok_or_else(|| NotOpened::UnknownTopic(short.clone()))?.to_owned();
    check_name(short, *asked)?;
    let registered = topics.has(short);
    if registered > *asked {
        return Err(OpenError::Shrunk { writer: short.clone(), registered, asked: *asked });
    }
    if registered == 0 {
        create(admin, &topic, *asked)?;
    } else if registered < *asked {
        grow(admin, &topic, *asked)?;
    }
    await_partitions(client, topics, short, *asked)
}

fn create(admin: &AdminClient<Told>, topic: &str, partitions: u16) -> Result<(), BrokerError> {
    let values = Setting::ALL.map(|setting| (setting.name(), setting.value()));
    let new = NewTopic::new(topic, partitions.into(), REPLICAS_OF_THE_CLUSTER);
    // The operator says how long it is kept, once the ledger's checkpoints allow it.
    let new = new.set("retention.ms", "-1").set("retention.bytes", "-1");
    let new = values.iter().fold(new, |new, (name, value)| new.set(name, value));
    let made = block_on(admin.create_topics([&new], &patient())).map_err(during("making a topic"))?;
    // Another process may have been quicker.
    done(made, RDKafkaErrorCode::TopicAlreadyExists, "making a topic")
}

fn grow(admin: &AdminClient<Told>, topic: &str, partitions: u16) -> Result<(), BrokerError> {
    let new = NewPartitions::new(topic, partitions.into());
    let made = block_on(admin.create_partitions([&new], &patient())).map_err(during("adding partitions"))?;
    done(made, RDKafkaErrorCode::InvalidPartitions, "adding partitions")
}

fn done(made: Vec<TopicResult>, fine: RDKafkaErrorCode, doing: &'static str) -> Result<(), BrokerError> {
    let failed = made.into_iter().filter_map(Result::err).find(|(_, code)| *code != fine);
    failed.map_or(Ok(()), |(topic, code)| Err(BrokerError { doing, reason: format!("{topic}: {code}") }))
}

/// The brokers tell each other of new partitions.
fn await_partitions(client: &Client, topics: &mut Topics, short: &str, asked: u16) -> Result<(), OpenError> {
    let until = Instant::now() + PATIENCE;
    while topics.has(short) < asked {
        if Instant::now() > until {
            let reason = format!("{} of {asked} partitions of topic {short:?} have a leader", topics.has(short));
            return Err(BrokerError { doing: "waiting for partitions", reason }.into());
        }
        topics.learn(client)?;
    }
    Ok(())
}

fn check(admin: &AdminClient<Told>, topic: &str) -> Result<(), OpenError> {
    let asking = during("asking how a topic is set up");
    let described =
        block_on(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &patient())).map_err(&asking)?;
    let Some(Ok(found)) = described.into_iter().next() else {
        return Err(BrokerError { doing: "asking how a topic is set up", reason: format!("{topic}: no answer") }.into());
    };
    for setting in Setting::ALL {
        let value = value(&found, setting.name());
        if !setting.allows(&value) {
            return Err(NotOpened::Setting { topic: topic.to_owned(), setting, found: value }.into());
        }
    }
    if value(&found, "min.insync.replicas") == "1" {
        tracing::warn!(topic, "min.insync.replicas is 1: an entry is acknowledged also where only one broker has it");
    }
    Ok(())
}

fn value(found: &ConfigResource, name: &str) -> String {
    found.get(name).and_then(|entry| entry.value.clone()).unwrap_or_default()
}

fn patient() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}
