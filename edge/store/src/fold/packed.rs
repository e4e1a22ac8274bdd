//! Parts of a state that are what the log holds anyway: kept as the log writes them.

use bytes::Bytes;
use litfass_events::PartitionKey;
use litfass_types::{EventId, Position, Timestamp};

use super::codec::BadState;
use crate::log::Entry;
use crate::wire::{Body, decode, entry};

const NOBODY: EventId = EventId(0);
const NEVER: Timestamp = Timestamp(0);

pub(super) fn pack(body: &Body) -> Bytes {
    entry(0, NOBODY, NEVER, PartitionKey(0), body).payload
}

pub(super) fn unpack(bytes: &[u8]) -> Result<Body, BadState> {
    let position = Position { partition: 0, offset: 0 };
    let entry = Entry { position, append_time: NEVER, id: NOBODY, payload: Bytes::copy_from_slice(bytes) };
    decode(&entry).map(|logged| logged.body).map_err(|_| BadState::OutOfRange("an entry of the log"))
}
