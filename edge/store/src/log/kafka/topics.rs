//! Which topics there are, and how their partitions are numbered.

use super::client::Client;
use super::{BrokerError, KafkaOptions};

/// A topic's partitions at most; those of the next topic are numbered from there on.
pub(super) const PARTITIONS_MAX: u16 = 256;
/// As many as have numbers below those of all writers' partitions in segments.
pub(super) const TOPICS_MAX: usize = 4;

/// A partition, as Kafka names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The topic without its prefix.
    pub(super) short: String,
    pub(super) topic: String,
    pub(super) partition: i32,
}

/// A topic, and how many partitions it has; none where it is not there yet.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Topic {
    /// Without the prefix.
    short: String,
    name: String,
    partitions: u16,
}

/// All topics of a log, in the order that numbers their partitions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Topics(Vec<Topic>);

impl Topics {
    pub(super) fn new(options: &KafkaOptions) -> Self {
        let topic = |short: &String| Topic {
            name: format!("{}.{short}", options.topic_prefix),
            short: short.clone(),
            partitions: 0,
        };
        Self(options.topics.iter().map(topic).collect())
    }

    /// Asks how many partitions each has; whether that is news. A topic never loses any.
    pub(super) fn learn(&mut self, client: &Client) -> Result<bool, BrokerError> {
        let before = self.clone();
        for topic in &mut self.0 {
            topic.partitions = topic.partitions.max(partitions(client, &topic.name)?);
        }
        Ok(*self != before)
    }

    pub(super) fn name(&self, short: &str) -> Option<&str> {
        self.0.iter().find(|topic| topic.short == short).map(|topic| topic.name.as_str())
    }

    pub(super) fn has(&self, short: &str) -> u16 {
        self.0.iter().find(|topic| topic.short == short).map_or(0, |topic| topic.partitions)
    }

    /// Topics that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|topic| topic.partitions > 0).map(|topic| topic.name.as_str())
    }

    pub(super) fn number(&self, short: &str, index: u16) -> Option<u16> {
        let place = self.0.iter().position(|topic| topic.short == short)?;
        Some(first(place)? + index)
    }

    pub(super) fn place(&self, number: u16) -> Option<Place> {
        let topic = self.0.get(usize::from(number / PARTITIONS_MAX))?;
        let index = number % PARTITIONS_MAX;
        let place = || Place { short: topic.short.clone(), topic: topic.name.clone(), partition: index.into() };
        (index < topic.partitions).then(place)
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> {
        let topics = self.0.iter().enumerate();
        topics.flat_map(|(place, topic)| (0..topic.partitions).filter_map(move |index| Some(first(place)? + index)))
    }
}

/// The number of the first partition of the topic at that place.
pub(super) fn first(place: usize) -> Option<u16> {
    u16::try_from(place).ok()?.checked_mul(PARTITIONS_MAX)
}

/// None where the topic is not there.
fn partitions(client: &Client, topic: &str) -> Result<u16, BrokerError> {
    let metadata = client.metadata(topic)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
    // One without a leader is not there yet.
    let led = found.map_or(0, |found| found.partitions().iter().filter(|partition| partition.leader() >= 0).count());
    Ok(u16::try_from(led).unwrap_or(u16::MAX).min(PARTITIONS_MAX))
}
