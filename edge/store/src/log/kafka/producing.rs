//! Appending: an idempotent producer that waits for all in-sync replicas, behind a bound on what may wait.
//!
//! Invariant: every entry is answered once, by the thread that hears from the brokers, or at once where it is not taken.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use litfass_types::{EventId, Position};
use rdkafka::Message;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use super::client::{Told, config, during};
use super::topics::Place;
use super::{BrokerError, KafkaOptions, record};
use crate::log::appended::Answer;
use crate::log::frame::MAX_PAYLOAD_BYTES;
use crate::log::{AppendError, NewEntry};

/// How long records may wait for others to share a request.
const LINGER_MS: &str = "1";

/// What waits for one partition.
#[derive(Debug, Default)]
struct Waiting {
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

/// An entry on its way. Dropping it makes room.
#[derive(Debug)]
pub(super) struct Pending {
    partition: u16,
    bytes: usize,
    waiting: Arc<Waiting>,
    /// None for a heartbeat, which nobody waits for.
    answer: Option<Answer>,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.waiting.entries.fetch_sub(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Hears what became of entries.
#[derive(Debug)]
pub(super) struct Heard;

impl ClientContext for Heard {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Told.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Told.error(error, reason);
    }
}

impl ProducerContext for Heard {
    type DeliveryOpaque = Box<Pending>;

    fn delivery(&self, delivered: &DeliveryResult<'_>, mut pending: Box<Pending>) {
        let partition = pending.partition;
        let result = match delivered {
            Ok(record) => offset(partition, record.offset()),
            Err((error, _)) => Err(failed(partition, error)),
        };
        let answer = pending.answer.take();
        // Whoever hears of it finds the room that it leaves.
        drop(pending);
        if let Some(answer) = answer {
            answer.give(result);
        }
    }
}

/// A record that the brokers knew from an earlier try may come back without its offset.
fn offset(partition: u16, offset: i64) -> Result<Position, AppendError> {
    let known = u64::try_from(offset).map(|offset| Position { partition, offset });
    known.map_err(|_| AppendError::Failed {
        partition,
        reason: "appended, but the broker does not say where".to_owned(),
    })
}

fn failed(partition: u16, error: &KafkaError) -> AppendError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => AppendError::Closed,
        _ => AppendError::Failed { partition, reason: error.to_string() },
    }
}

/// The producer of a process.
pub(super) struct Producing {
    producer: ThreadedProducer<Heard>,
    waiting: Mutex<BTreeMap<u16, Arc<Waiting>>>,
    entries_max: usize,
    bytes_max: usize,
    delivery_timeout: Duration,
}

impl fmt::Debug for Producing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producing").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Producing {
    pub(super) fn start(options: &KafkaOptions) -> Result<Arc<Self>, BrokerError> {
        let mut config = config(options);
        config
            .remove("group.id")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", LINGER_MS)
            .set("delivery.timeout.ms", options.delivery_timeout.as_millis().to_string())
            // The bounds are ours; the library's must not come first.
            .set("queue.buffering.max.messages", "10000000")
            .set("queue.buffering.max.kbytes", "2097151");
        let producer = config.create_with_context(Heard).map_err(during("making a producer"))?;
        let (entries_max, bytes_max) = (options.queue_entries, options.queue_bytes);
        let delivery_timeout = options.delivery_timeout;
        Ok(Arc::new(Self { producer, waiting: Mutex::default(), entries_max, bytes_max, delivery_timeout }))
    }

    /// Queues it, or answers at once.
    pub(super) fn append(&self, place: &Place, entry: &NewEntry, answer: Answer) {
        let waiting = self.waiting_for(entry.partition);
        let (queued, bytes) = (waiting.entries.load(Ordering::Relaxed), waiting.bytes.load(Ordering::Relaxed));
        if queued >= self.entries_max || bytes >= self.bytes_max {
            return answer.give(Err(AppendError::Overloaded { partition: entry.partition, queued }));
        }
        self.send(place, entry.partition, entry.id, &entry.payload, Some(answer));
    }

    /// An empty entry, so that readers learn that time has passed.
    pub(super) fn beat(&self, place: &Place, partition: u16) {
        self.send(place, partition, record::HEARTBEAT, &Bytes::new(), None);
    }

    fn send(&self, place: &Place, partition: u16, id: EventId, payload: &Bytes, answer: Option<Answer>) {
        let waiting = self.waiting_for(partition);
        waiting.entries.fetch_add(1, Ordering::Relaxed);
        waiting.bytes.fetch_add(payload.len(), Ordering::Relaxed);
        let pending = Box::new(Pending { partition, bytes: payload.len(), waiting, answer });
        let key = record::key(id);
        let record = BaseRecord::with_opaque_to(&place.topic, pending).partition(place.partition);
        if let Err((error, mut refused)) = self.producer.send(record.key(&key).payload(payload.as_ref())) {
            let queued = refused.delivery_opaque.waiting.entries.load(Ordering::Relaxed);
            let error = match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => AppendError::Overloaded { partition, queued },
                _ => failed(partition, &error),
            };
            if let Some(answer) = refused.delivery_opaque.answer.take() {
                answer.give(Err(error));
            }
        }
    }

    /// Why nothing can be appended until the log is opened again.
    pub(super) fn ailment(&self) -> Option<String> {
        let (code, reason) = self.producer.client().fatal_error()?;
        Some(format!("the producer ended: {code}: {reason}"))
    }

    fn waiting_for(&self, partition: u16) -> Arc<Waiting> {
        Arc::clone(self.waiting().entry(partition).or_default())
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u16, Arc<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Producing {
    fn drop(&mut self) {
        if let Err(error) = self.producer.flush(self.delivery_timeout) {
            tracing::error!(%error, "entries were not acknowledged before the log was closed");
        }
    }
}

/// Whose partition it is, and whether it fits, is for the caller to know.
pub(super) fn append(producing: Option<&Producing>, place: Option<Place>, entry: &NewEntry, answer: Answer) {
    let bytes = entry.payload.len();
    if bytes == 0 || bytes > MAX_PAYLOAD_BYTES {
        return answer.give(Err(AppendError::BadSize { bytes }));
    }
    match (producing, place) {
        (Some(producing), Some(place)) => producing.append(&place, entry, answer),
        _ => answer.give(Err(AppendError::NotOurs { partition: entry.partition })),
    }
}
