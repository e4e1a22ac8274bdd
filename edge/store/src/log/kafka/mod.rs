//! The event log in Kafka: topics that any number of processes append to, stamped by their broker.
//!
//! Invariants: committed = acknowledged by all in-sync replicas (`acks=all`), and an append is answered only then, whatever it
//! waits for, because what a client library holds ends with the process. The producer is idempotent: its retries neither double
//! nor reorder. An offset is Kafka's. An append time is the broker's, made non-decreasing by whoever reads on. Partition k of
//! the topic at place t has the number 256 t + k, in every process and for ever. Nothing here reads or writes a group's
//! committed offsets: where to go on is for the reader to
//! know. In [`EventLog::writers`] a partition has the name of its topic.

mod client;
mod cursor;
mod group;
mod heartbeat;
mod producing;
mod record;
mod ring;
mod setup;
mod tail;
mod topics;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use litfass_events::PartitionKey;
use litfass_types::{DecisionId, Duration as Span, EventId, Position, Timestamp};

use self::client::Client;
use self::cursor::Cursors;
use self::heartbeat::Heartbeat;
use self::producing::Producing;
use self::ring::Rings;
use self::tail::Tail;
use self::topics::Topics;
use super::appended::Appended;
use super::{Batch, Entry, EventLog, Head, LogHealth, NewEntry, OpenError, ReadError, Until};

pub use group::Group;
pub use setup::Setting;

/// A record is appended soon after its decision's time; the broker's clock, or one that was set, makes it this much earlier or
/// later.
const FIND_SOON: Span = Span::seconds(2);
const FIND_BEFORE: Span = Span::seconds(10);
const FIND_LATE: Span = Span::seconds(60);
/// Read at once while looking for one entry.
const FIND_BYTES: usize = 1 << 20;

/// A writer of this process, and the topic that it shares with others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KafkaWriter {
    pub name: String,
    pub topic: String,
    /// That the topic has, 1 … 256; may grow from one start to the next, for all its writers alike.
    pub partitions: u16,
}

/// How a log in Kafka is opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KafkaOptions {
    /// `host:port`, separated by commas: where to learn of the others.
    pub brokers: String,
    /// A topic's whole name begins with it and a dot.
    pub topic_prefix: String,
    /// Every topic there is, at most four, always in this order: their places number the partitions.
    pub topics: Vec<String>,
    /// Those that this process appends as; empty in one that only reads. Their topics are made where there are none.
    pub writers: Vec<KafkaWriter>,
    /// A partition without entries for this long gets a heartbeat; `None`: never.
    pub heartbeat: Option<Duration>,
    /// After this long without an acknowledgement an append is answered as failed; its entry may still be appended, once.
    pub delivery_timeout: Duration,
    /// Entries that may wait for a partition before it is overloaded.
    pub queue_entries: usize,
    /// Bytes that may wait for a partition before it is overloaded.
    pub queue_bytes: usize,
}

impl KafkaOptions {
    /// For a process that only reads.
    #[must_use]
    pub fn new(brokers: &str, topic_prefix: &str, topics: &[&str]) -> Self {
        Self {
            brokers: brokers.to_owned(),
            topic_prefix: topic_prefix.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            writers: Vec::new(),
            heartbeat: Some(Duration::from_secs(1)),
            delivery_timeout: Duration::from_secs(10),
            queue_entries: 65_536,
            queue_bytes: 128 << 20,
        }
    }

    /// For one that also appends to that topic, under that name.
    #[must_use]
    pub fn writing(mut self, name: &str, topic: &str, partitions: u16) -> Self {
        self.writers.push(KafkaWriter { name: name.to_owned(), topic: topic.to_owned(), partitions });
        self
    }
}

/// Why a log in Kafka could not be opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotOpened {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The operator's fault.
    #[error("topic {topic}: {setting} is {found:?}; the event log needs {}", setting.needed())]
    Setting { topic: String, setting: Setting, found: String },
    /// The caller's fault.
    #[error("{0:?} is none of the log's topics")]
    UnknownTopic(String),
    /// The caller's fault.
    #[error("a log has at most {} topics", topics::TOPICS_MAX)]
    TooManyTopics,
}

/// Why a log in Kafka could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotRead {
    /// Nobody here is to blame; try again later.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// What was read before is gone: an unclean election, or the topic was made again.
    #[error(
        "partition {partition} ends at offset {end}, before {wanted}, which was read already: committed entries are lost"
    )]
    Lost { partition: u16, wanted: u64, end: u64 },
    /// Somebody else writes to the topic.
    #[error("partition {partition}, offset {offset}: {reason}")]
    Foreign { partition: u16, offset: u64, reason: &'static str },
}

/// What the broker, or the way to it, refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Kafka, {doing}: {reason}")]
pub struct BrokerError {
    pub doing: &'static str,
    pub reason: String,
}

impl From<BrokerError> for OpenError {
    fn from(error: BrokerError) -> Self {
        Self::Kafka(error.into())
    }
}

impl From<BrokerError> for ReadError {
    fn from(error: BrokerError) -> Self {
        Self::Kafka(error.into())
    }
}

/// The event log of one topic prefix.
#[derive(Debug)]
pub struct KafkaLog {
    // Dropped in this order: nobody beats any more, what was appended is flushed, then nobody listens.
    heartbeat: Option<Heartbeat>,
    producing: Option<Arc<Producing>>,
    tail: Tail,
    rings: Arc<Rings>,
    cursors: Cursors,
    client: Arc<Client>,
    topics: Arc<RwLock<Topics>>,
    /// Writers of this process by name.
    own: BTreeMap<String, KafkaWriter>,
}

impl KafkaLog {
    /// Opens the log: makes topics of this process's writers where they are missing, and checks that every topic keeps what an
    /// event log promises.
    ///
    /// # Errors
    /// When no broker answers, a topic is set up otherwise than an event log needs, or a writer asks for fewer partitions than
    /// its topic has.
    pub fn open(options: &KafkaOptions) -> Result<Self, OpenError> {
        let client = Arc::new(Client::new(options)?);
        let topics = setup::set_up(&client, options)?;
        let own = options.writers.iter().map(|writer| (writer.name.clone(), writer.clone())).collect();
        let rings = Arc::new(Rings::default());
        let tail = Tail::start(&client, Arc::clone(&rings))?;
        let log = Self {
            heartbeat: None,
            producing: (!options.writers.is_empty()).then(|| Producing::start(options)).transpose()?,
            tail,
            rings,
            cursors: Cursors::new(Arc::clone(&client)),
            client,
            topics: Arc::new(RwLock::new(topics)),
            own,
        };
        log.follow_new()?;
        log.beating(options)
    }

    fn beating(mut self, options: &KafkaOptions) -> Result<Self, OpenError> {
        if let (Some(pause), Some(producing)) = (options.heartbeat, &self.producing) {
            let (rings, producing) = (Arc::clone(&self.rings), Arc::clone(producing));
            self.heartbeat = Some(Heartbeat::start(pause, rings, producing, Arc::clone(&self.topics))?);
        }
        Ok(self)
    }

    /// Which cluster the topics lie in: another one is another log.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn cluster_id(&self) -> Result<String, OpenError> {
        Ok(self.client.cluster_id()?)
    }

    fn writes(&self, topic: &str) -> bool {
        self.own.values().any(|writer| writer.topic == topic)
    }

    fn topics(&self) -> Topics {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Partitions that were made in the meantime, by whomever.
    fn learn(&self) -> Result<(), BrokerError> {
        let mut topics = self.topics();
        if topics.learn(&self.client)? {
            *self.topics.write().unwrap_or_else(PoisonError::into_inner) = topics;
            self.follow_new()?;
        }
        Ok(())
    }

    fn follow_new(&self) -> Result<(), BrokerError> {
        let topics = self.topics();
        let fresh: Vec<_> = topics.numbers().filter(|number| !self.rings.has(*number)).collect();
        for number in fresh {
            let Some(place) = topics.place(number) else { continue };
            let ends = self.client.ends(&place)?;
            self.tail.follow(number, &place, ends)?;
        }
        Ok(())
    }

    fn place(&self, partition: u16) -> Result<topics::Place, ReadError> {
        if let Some(place) = self.topics().place(partition) {
            return Ok(place);
        }
        self.learn()?;
        self.topics().place(partition).ok_or(ReadError::UnknownPartition(partition))
    }

    /// Waits until everything that is committed now has arrived here: the end.
    fn arrive(&self, partition: u16) -> Result<u64, ReadError> {
        let high = self.client.ends(&self.place(partition)?)?.high;
        let has_come = |rings: &ring::State| rings.end(partition).is_some_and(|end| end >= high);
        self.rings.wait_until(Instant::now() + client::PATIENCE, |rings| has_come(rings) || rings.is_broken(partition));
        self.rings.check(partition)?;
        if self.rings.end(partition).is_some_and(|end| end >= high) {
            return Ok(high);
        }
        let reason = format!("partition {partition} goes on to offset {high}, and it does not come");
        Err(BrokerError { doing: "waiting for committed entries", reason }.into())
    }

    /// Nothing at that place has arrived here: there is nothing yet, or there will never be.
    fn read_at_end(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError> {
        let high = self.arrive(from.partition)?;
        if from.offset > high {
            return Err(lost(from, high));
        }
        Ok(self.rings.read(from, max_bytes)?.unwrap_or(Batch { entries: Vec::new(), next: from }))
    }

    fn find_between(&self, id: DecisionId, from: Timestamp, to: Timestamp) -> Result<Option<Entry>, ReadError> {
        let mut next = self.since(id.partition(), from)?;
        loop {
            let batch = match self.read(next, FIND_BYTES) {
                // Removed while we looked.
                Err(ReadError::Gone { first, .. }) => {
                    next.offset = first;
                    continue;
                }
                read => read?,
            };
            let is_past = batch.entries.last().is_none_or(|last| last.append_time > to);
            if let Some(found) = batch.entries.into_iter().find(|entry| entry.id == EventId(id.0)) {
                return Ok(Some(found));
            }
            if is_past {
                return Ok(None);
            }
            next = batch.next;
        }
    }

    /// A position that this process has not reached may be one that it will never reach.
    fn check_reach(&self, seen: &[Position]) -> Result<(), ReadError> {
        for position in seen {
            self.rings.check(position.partition)?;
        }
        for position in seen.iter().filter(|p| self.rings.end(p.partition).is_some_and(|end| p.offset > end)) {
            let high = self.arrive(position.partition)?;
            if position.offset > high {
                return Err(lost(*position, high));
            }
        }
        Ok(())
    }
}

impl LogHealth for KafkaLog {
    fn ailment(&self) -> Option<String> {
        let appending = self.producing.as_ref().and_then(|producing| producing.ailment());
        appending.or_else(|| self.rings.ailment())
    }
}

impl EventLog for KafkaLog {
    fn partition(&self, writer: &str, key: PartitionKey) -> Option<u16> {
        let KafkaWriter { topic, partitions, .. } = self.own.get(writer)?;
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.number(topic, key.index(*partitions))
    }

    fn append(&self, entries: Vec<NewEntry>, _: Until) -> Appended {
        let (appended, answers) = Appended::expecting(entries.len());
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        for (entry, answer) in entries.into_iter().zip(answers) {
            let place = topics.place(entry.partition).filter(|place| self.writes(&place.short));
            producing::append(self.producing.as_deref(), place, &entry, answer);
        }
        appended
    }

    fn read(&self, from: Position, max_bytes: usize) -> Result<Batch, ReadError> {
        let place = self.place(from.partition)?;
        match self.rings.read(from, max_bytes)? {
            None => self.cursors.read(&place, from, max_bytes),
            Some(batch) if batch.entries.is_empty() => self.read_at_end(from, max_bytes),
            Some(batch) => Ok(batch),
        }
    }

    fn wait(&self, seen: &[Position], timeout: Duration) -> Result<Vec<Head>, ReadError> {
        let until = Instant::now() + timeout;
        if seen.is_empty() {
            self.learn()?;
        }
        if seen.is_empty() || timeout.is_zero() {
            for number in self.topics().numbers() {
                self.arrive(number)?;
            }
            return Ok(self.rings.heads());
        }
        self.check_reach(seen)?;
        let is_news =
            |rings: &ring::State| seen.iter().any(|p| rings.end(p.partition).is_some_and(|end| end > p.offset));
        self.rings.wait_until(until, is_news);
        Ok(self.rings.heads())
    }

    fn since(&self, partition: u16, at: Timestamp) -> Result<Position, ReadError> {
        let place = self.place(partition)?;
        let offset = self.client.first_at(&place, at)?;
        Ok(Position { partition, offset })
    }

    fn writers(&self) -> Result<Vec<(u16, String)>, ReadError> {
        self.learn()?;
        let topics = self.topics();
        Ok(topics.numbers().filter_map(|number| Some((number, topics.place(number)?.short))).collect())
    }

    /// Whoever appends does so all the time, for every partition.
    fn tend(&self) -> Result<(), OpenError> {
        Ok(())
    }

    fn find(&self, id: DecisionId) -> Result<Option<Entry>, ReadError> {
        if matches!(self.place(id.partition()), Err(ReadError::UnknownPartition(_))) {
            return Ok(None);
        }
        let at = id.time();
        for (from, to) in [(at, at + FIND_SOON), (at - FIND_BEFORE, at), (at + FIND_SOON, at + FIND_LATE)] {
            if let Some(found) = self.find_between(id, from, to)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn lost(wanted: Position, end: u64) -> ReadError {
    NotRead::Lost { partition: wanted.partition, wanted: wanted.offset, end }.into()
}
