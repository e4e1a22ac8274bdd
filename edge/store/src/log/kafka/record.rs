//! An entry as a record of Kafka: the event id is the key (16 bytes, big endian), the payload is the value. A heartbeat has an
//! empty value.

use bytes::Bytes;
use litfass_types::{EventId, Position, Timestamp};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Timestamp as Stamp};

use super::NotRead;
use crate::log::Entry;

pub(super) const HEARTBEAT: EventId = EventId(0);

pub(super) fn key(id: EventId) -> [u8; 16] {
    id.0.to_be_bytes()
}

/// `latest` is the largest append time before it.
pub(super) fn entry(partition: u16, record: &BorrowedMessage<'_>, latest: Timestamp) -> Result<Entry, NotRead> {
    let offset = record.offset().max(0).unsigned_abs();
    let foreign = |reason| NotRead::Foreign { partition, offset, reason };
    let Stamp::LogAppendTime(stamped) = record.timestamp() else {
        return Err(foreign("the broker has not stamped it: message.timestamp.type was changed"));
    };
    let key = record.key().and_then(|key| key.try_into().ok()).map(u128::from_be_bytes);
    let id = EventId(key.ok_or_else(|| foreign("its key is no event id: somebody else writes to this topic"))?);
    let payload = Bytes::copy_from_slice(record.payload().unwrap_or_default());
    if payload.is_empty() && id != HEARTBEAT {
        return Err(foreign("it is empty: somebody else writes to this topic"));
    }
    Ok(Entry { position: Position { partition, offset }, append_time: latest.max(Timestamp(stamped)), id, payload })
}
