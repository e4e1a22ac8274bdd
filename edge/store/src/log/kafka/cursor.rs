//! Reading what lies before the rings: a few consumers, each at a place of one partition, so that who reads on goes on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use litfass_types::{Position, Timestamp};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Client, PATIENCE, Told, during, is_lost};
use super::topics::Place;
use super::{BrokerError, NotRead, lost, record};
use crate::log::{Batch, ReadError};

/// Readers of older entries that find their place without looking it up.
const CURSORS_MAX: usize = 8;
/// What a consumer fetches before it is asked for.
const AHEAD_KIB: u32 = 4 << 10;
/// How long one look for a record takes.
const WAIT: Duration = Duration::from_millis(100);

struct Cursor {
    consumer: BaseConsumer<Told>,
    next: Position,
    /// The largest append time it has read.
    latest: Timestamp,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor").field("next", &self.next).finish_non_exhaustive()
    }
}

/// The cursors, the one used longest ago first.
#[derive(Debug)]
pub(super) struct Cursors {
    client: Arc<Client>,
    idle: Mutex<VecDeque<Cursor>>,
}

impl Cursors {
    pub(super) fn new(client: Arc<Client>) -> Self {
        Self { client, idle: Mutex::default() }
    }

    pub(super) fn read(&self, place: &Place, from: Position, max_bytes: usize) -> Result<Batch, ReadError> {
        let mut cursor = match self.take(|cursor| cursor.next == from) {
            Some(cursor) => cursor,
            None => self.place_at(place, from)?,
        };
        let batch = cursor.read(max_bytes);
        if batch.is_ok() {
            self.idle().push_back(cursor);
        }
        match batch {
            // Perhaps it was removed while we read.
            Err(ReadError::Kafka(NotRead::Broker(error))) => Err(self.explained(place, from, error.into())),
            batch => batch,
        }
    }

    /// A cursor at that place: one that nobody needs, or a new one.
    fn place_at(&self, place: &Place, from: Position) -> Result<Cursor, ReadError> {
        self.check(place, from)?;
        let full = self.idle().len() >= CURSORS_MAX;
        let spare = if full { self.take(|_| true) } else { None };
        let consumer = match spare {
            Some(cursor) => cursor.consumer,
            None => self.client.consumer(AHEAD_KIB)?,
        };
        let mut list = TopicPartitionList::new();
        let at = Offset::Offset(i64::try_from(from.offset).unwrap_or(i64::MAX));
        list.add_partition_offset(&place.topic, place.partition, at).map_err(during("reading"))?;
        consumer.assign(&list).map_err(during("reading"))?;
        Ok(Cursor { consumer, next: from, latest: Timestamp(i64::MIN) })
    }

    fn check(&self, place: &Place, from: Position) -> Result<(), ReadError> {
        let ends = self.client.ends(place)?;
        if from.offset < ends.low {
            return Err(ReadError::Gone { partition: from.partition, wanted: from.offset, first: ends.low });
        }
        if from.offset > ends.high { Err(lost(from, ends.high)) } else { Ok(()) }
    }

    fn explained(&self, place: &Place, from: Position, error: ReadError) -> ReadError {
        self.check(place, from).err().unwrap_or(error)
    }

    fn take(&self, fits: impl Fn(&Cursor) -> bool) -> Option<Cursor> {
        let mut idle = self.idle();
        let at = idle.iter().position(fits)?;
        idle.remove(at)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Cursor>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursor {
    /// At least one entry: the caller knows that there are some.
    fn read(&mut self, max_bytes: usize) -> Result<Batch, ReadError> {
        let until = Instant::now() + PATIENCE;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while bytes < max_bytes || entries.is_empty() {
            let pause = if entries.is_empty() { WAIT } else { Duration::ZERO };
            match self.consumer.poll(pause) {
                Some(Ok(record)) => {
                    let entry = record::entry(self.next.partition, &record, self.latest)?;
                    self.latest = entry.append_time;
                    self.next.offset = entry.position.offset + 1;
                    bytes += entry.payload.len();
                    entries.push(entry);
                }
                Some(Err(error)) if is_lost(&error) => return Err(during("reading")(error).into()),
                Some(Err(_)) | None if !entries.is_empty() => break,
                Some(Err(error)) if until < Instant::now() => return Err(during("reading")(error).into()),
                None if until < Instant::now() => return Err(self.late().into()),
                // An end that was reached before more came, or a broker that comes back.
                Some(Err(_)) | None => {}
            }
        }
        Ok(Batch { entries, next: self.next })
    }

    fn late(&self) -> BrokerError {
        let Position { partition, offset } = self.next;
        BrokerError { doing: "reading", reason: format!("partition {partition} from offset {offset} does not come") }
    }
}
