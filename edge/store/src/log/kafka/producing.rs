//! Appending: an idempotent producer that waits for all in-sync replicas, behind a bound on what may wait.
//!
//! Invariants: every entry is answered once: by the thread that hears from the brokers, by the one that watches how long it took,
//! or at once where it is not taken. Nothing is ever taken back from librdkafka: an entry that it gave up would make it begin a
//! new epoch, and what was on its way then could be appended twice. So an append that took too long is answered, and its entry
//! goes on waiting for a broker.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use litfass_types::{EventId, Position};
use rdkafka::Message;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use super::client::{Told, config, during};
use super::topics::Place;
use super::{KafkaOptions, record};
use crate::log::appended::Answer;
use crate::log::frame::MAX_PAYLOAD_BYTES;
use crate::log::{AppendError, NewEntry, OpenError};

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
    place: Arc<AnswerPlace>,
}

/// Where an entry's answer is until somebody gives it; none for a heartbeat, which nobody waits for.
#[derive(Debug)]
struct AnswerPlace {
    partition: u16,
    answer: Mutex<Option<Answer>>,
}

impl AnswerPlace {
    /// The first answer counts.
    fn give(&self, result: Result<Position, AppendError>) {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(answer) = answer {
            answer.give(result);
        }
    }

    fn is_answered(&self) -> bool {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// Answers that are to be given in time, the oldest first.
#[derive(Debug)]
struct Deadlines {
    timeout: Duration,
    places: Mutex<VecDeque<(Instant, Arc<AnswerPlace>)>>,
    stop: AtomicBool,
}

/// How often is looked who has waited too long.
const LOOK: Duration = Duration::from_millis(50);

impl Deadlines {
    fn watch(&self, place: &Arc<AnswerPlace>) {
        self.places().push_back((Instant::now() + self.timeout, Arc::clone(place)));
    }

    fn run(&self) {
        while !self.stop.load(Ordering::Acquire) {
            while let Some(place) = self.next_done() {
                let reason = format!("no broker acknowledged it within {:?}", self.timeout);
                place.give(Err(AppendError::Failed { partition: place.partition, reason }));
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// The oldest, where it was answered or has waited too long.
    fn next_done(&self) -> Option<Arc<AnswerPlace>> {
        let mut places = self.places();
        let now = Instant::now();
        places.pop_front_if(|(due, place)| *due <= now || place.is_answered()).map(|(_, place)| place)
    }

    fn places(&self) -> MutexGuard<'_, VecDeque<(Instant, Arc<AnswerPlace>)>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    fn delivery(&self, delivered: &DeliveryResult<'_>, pending: Box<Pending>) {
        let partition = pending.partition;
        let result = match delivered {
            Ok(record) => offset(partition, record.offset()),
            Err((error, _)) => Err(failed(partition, error)),
        };
        let place = Arc::clone(&pending.place);
        // Whoever hears of it finds the room that it leaves.
        drop(pending);
        place.give(result);
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
    deadlines: Arc<Deadlines>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Producing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producing").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl Producing {
    pub(super) fn start(options: &KafkaOptions) -> Result<Arc<Self>, OpenError> {
        let mut config = config(options);
        config
            .remove("group.id")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", LINGER_MS)
            .set("delivery.timeout.ms", "0")
            // The bounds are ours; the library's must not come first.
            .set("queue.buffering.max.messages", "10000000")
            .set("queue.buffering.max.kbytes", "2097151");
        let producer = config.create_with_context(Heard).map_err(during("making a producer"))?;
        let (entries_max, bytes_max) = (options.queue_entries, options.queue_bytes);
        let (timeout, places) = (options.delivery_timeout, Mutex::default());
        let deadlines = Arc::new(Deadlines { timeout, places, stop: AtomicBool::new(false) });
        let watched = Arc::clone(&deadlines);
        let thread = std::thread::Builder::new().name("log-deadlines".to_owned()).spawn(move || watched.run());
        let (waiting, thread) = (Mutex::default(), Some(thread.map_err(OpenError::Thread)?));
        Ok(Arc::new(Self { producer, waiting, entries_max, bytes_max, deadlines, thread }))
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

    /// An empty entry, so that readers learn that time has passed; not where others are on their way and will say so.
    pub(super) fn beat(&self, place: &Place, partition: u16) {
        if self.waiting_for(partition).entries.load(Ordering::Relaxed) == 0 {
            self.send(place, partition, record::HEARTBEAT, &Bytes::new(), None);
        }
    }

    fn send(&self, place: &Place, partition: u16, id: EventId, payload: &Bytes, answer: Option<Answer>) {
        let waiting = self.waiting_for(partition);
        waiting.entries.fetch_add(1, Ordering::Relaxed);
        waiting.bytes.fetch_add(payload.len(), Ordering::Relaxed);
        let answer = Arc::new(AnswerPlace { partition, answer: Mutex::new(answer) });
        if !answer.is_answered() {
            self.deadlines.watch(&answer);
        }
        let pending = Box::new(Pending { partition, bytes: payload.len(), waiting, place: answer });
        let key = record::key(id);
        let record = BaseRecord::with_opaque_to(&place.topic, pending).partition(place.partition);
        if let Err((error, refused)) = self.producer.send(record.key(&key).payload(payload.as_ref())) {
            let queued = refused.delivery_opaque.waiting.entries.load(Ordering::Relaxed);
            let error = match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => AppendError::Overloaded { partition, queued },
                _ => failed(partition, &error),
            };
            refused.delivery_opaque.place.give(Err(error));
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
        if let Err(error) = self.producer.flush(self.deadlines.timeout) {
            tracing::error!(%error, "entries were not acknowledged before the log was closed");
        }
        self.deadlines.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        if thread.join().is_err() {
            tracing::error!("the thread that watches appends ended in a panic");
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
