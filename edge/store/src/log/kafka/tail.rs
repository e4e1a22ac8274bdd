//! Follows every partition at its end and fills the rings: one consumer and one thread for a log, however many read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::client::{Client, Ends, Told, during, is_lost};
use super::ring::Rings;
use super::topics::Place;
use super::{BrokerError, NotRead, record};
use crate::log::{Entry, OpenError};

/// How long the thread waits before it looks whether it is to stop.
const WAIT: Duration = Duration::from_millis(100);
/// Records that share one lock of the rings.
const AT_ONCE: usize = 512;
/// Held beyond what the rings have.
const AHEAD_KIB: u32 = 16 << 10;

/// The thread. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Tail {
    following: Arc<Following>,
    thread: Option<JoinHandle<()>>,
}

struct Following {
    consumer: BaseConsumer<Told>,
    rings: Arc<Rings>,
    /// Numbers of partitions by topic and Kafka's partition.
    numbers: Mutex<BTreeMap<(String, i32), u16>>,
    stop: AtomicBool,
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}

impl Tail {
    pub(super) fn start(client: &Client, rings: Arc<Rings>) -> Result<Self, OpenError> {
        let (consumer, numbers) = (client.consumer(AHEAD_KIB)?, Mutex::default());
        let following = Arc::new(Following { consumer, rings, numbers, stop: AtomicBool::new(false) });
        let run = Arc::clone(&following);
        let thread = std::thread::Builder::new().name("log-tail".to_owned()).spawn(move || run.run());
        Ok(Self { following, thread: Some(thread.map_err(OpenError::Thread)?) })
    }

    pub(super) fn follow(&self, number: u16, place: &Place, ends: Ends) -> Result<(), BrokerError> {
        let following = &self.following;
        if following.numbers().insert((place.topic.clone(), place.partition), number).is_some() {
            return Ok(());
        }
        let from = following.rings.begin(number, ends);
        let mut list = TopicPartitionList::new();
        let from = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        list.add_partition_offset(&place.topic, place.partition, from).map_err(during("following a partition"))?;
        following.consumer.incremental_assign(&list).map_err(during("following a partition"))
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.following.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that follows the log ended in a panic");
        }
    }
}

impl Following {
    fn run(&self) {
        while !self.stop.load(Ordering::Acquire) {
            let mut came = Vec::new();
            let mut pause = WAIT;
            while let Some(polled) = self.consumer.poll(pause) {
                match polled {
                    Ok(record) => self.take(&record, &mut came),
                    Err(error) => self.told(&error),
                }
                if came.len() >= AT_ONCE {
                    break;
                }
                pause = Duration::ZERO;
            }
            if !came.is_empty() {
                self.rings.push(came);
            }
        }
    }

    fn take(&self, record: &BorrowedMessage<'_>, came: &mut Vec<Entry>) {
        let Some(number) = self.number(record.topic(), record.partition()) else { return };
        let before = came.iter().rev().find(|entry| entry.position.partition == number).map(|entry| entry.append_time);
        let latest = before.unwrap_or_else(|| self.rings.latest(number));
        match record::entry(number, record, latest) {
            Ok(entry) => came.push(entry),
            Err(foreign) => {
                // What came before it is as good as ever.
                self.rings.push(std::mem::take(came));
                self.break_off(number, foreign);
            }
        }
    }

    fn told(&self, error: &KafkaError) {
        if matches!(error, KafkaError::PartitionEOF(_)) {
            self.rings.is_well();
        } else if is_lost(error) {
            let reason = BrokerError { doing: "following the log", reason: error.to_string() };
            // Which partition it was is not said.
            let numbers: Vec<u16> = self.numbers().values().copied().collect();
            numbers.into_iter().for_each(|number| self.break_off(number, NotRead::Broker(reason.clone())));
        } else {
            self.rings.ails(error.to_string());
        }
    }

    fn break_off(&self, number: u16, why: NotRead) {
        tracing::error!(partition = number, %why, "the log cannot be followed");
        self.rings.break_off(number, why);
    }

    fn number(&self, topic: &str, partition: i32) -> Option<u16> {
        self.numbers().get(&(topic.to_owned(), partition)).copied()
    }

    fn numbers(&self) -> MutexGuard<'_, BTreeMap<(String, i32), u16>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
