//! Which process bills which partitions: the members of a consumer group share a topic's.
//!
//! Invariant: nothing rests on it. For a while two members may think that a partition is theirs, or none may; where to go on in
//! it says the ledger, whose position is moved by the transaction that bills. Members read nothing through the group and commit
//! nothing to it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;

use super::client::{Told, config, during};
use super::{KafkaOptions, NotOpened};
use crate::log::{OpenError, ReadError, Share};

/// How long the thread waits before it looks whether it is to stop.
const WAIT: Duration = Duration::from_millis(100);
/// A member that says nothing for so long is thought to be gone.
const SESSION_MS: &str = "6000";
const BEAT_MS: &str = "1500";

/// A membership. Dropping it leaves the group, and the others take over.
#[derive(Debug)]
pub struct Group {
    mine: Arc<Mutex<BTreeSet<u16>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Hears which partitions are this member's.
struct Member {
    /// The number of the topic's first partition.
    first: u16,
    mine: Arc<Mutex<BTreeSet<u16>>>,
}

impl Group {
    /// Joins the group of that name.
    ///
    /// # Errors
    /// When the topic is none of the log's, or the client cannot be made.
    pub fn join(options: &KafkaOptions, topic: &str, group: &str) -> Result<Self, OpenError> {
        let mine = Arc::<Mutex<BTreeSet<u16>>>::default();
        let place = options.topics.iter().position(|known| known == topic);
        let first = place.and_then(super::topics::first).ok_or_else(|| NotOpened::UnknownTopic(topic.to_owned()))?;
        let member = Member { first, mine: Arc::clone(&mine) };
        let mut config = config(options);
        config
            .set("group.id", format!("{}.{group}", options.topic_prefix))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest")
            .set("session.timeout.ms", SESSION_MS)
            .set("heartbeat.interval.ms", BEAT_MS)
            .set("topic.metadata.refresh.interval.ms", "5000");
        let consumer: BaseConsumer<Member> = config.create_with_context(member).map_err(during("joining a group"))?;
        let topic = format!("{}.{topic}", options.topic_prefix);
        consumer.subscribe(&[&topic]).map_err(during("joining a group"))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let run = move || poll(&consumer, &stopping);
        let thread = std::thread::Builder::new().name("log-group".to_owned()).spawn(run).map_err(OpenError::Thread)?;
        Ok(Self { mine, stop, thread: Some(thread) })
    }
}

impl Share for Group {
    fn look(&mut self, partitions: &[u16]) -> Result<BTreeSet<u16>, ReadError> {
        let mine = lock(&self.mine);
        Ok(partitions.iter().filter(|partition| mine.contains(partition)).copied().collect())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the consumer group ended in a panic");
        }
    }
}

/// Nothing comes, because everything is paused; polling is what keeps a member alive.
fn poll(consumer: &BaseConsumer<Member>, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        if let Some(Err(error)) = consumer.poll(WAIT) {
            tracing::debug!(%error, "the consumer group");
        }
    }
}

fn lock(mine: &Mutex<BTreeSet<u16>>) -> MutexGuard<'_, BTreeSet<u16>> {
    mine.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Member")
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Told.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Told.error(error, reason);
    }
}

impl ConsumerContext for Member {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(given) => {
                if let Err(error) = consumer.pause(given) {
                    tracing::warn!(%error, "the consumer group: entries are fetched that nobody reads");
                }
                lock(&self.mine).extend(self.numbers(given));
            }
            Rebalance::Revoke(taken) => {
                let taken: BTreeSet<u16> = self.numbers(taken).collect();
                lock(&self.mine).retain(|number| !taken.contains(number));
            }
            Rebalance::Error(error) => tracing::warn!(%error, "the consumer group"),
        }
        tracing::info!(partitions = ?lock(&self.mine), "this process's partitions of the event log");
    }
}

impl Member {
    fn numbers(&self, list: &TopicPartitionList) -> impl Iterator<Item = u16> {
        let partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
        let first = self.first;
        partitions.into_iter().filter_map(move |partition| first.checked_add(u16::try_from(partition).ok()?))
    }
}
