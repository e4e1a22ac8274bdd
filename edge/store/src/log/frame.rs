//! One entry as bytes: a header of 48, then the payload. All numbers little endian.
//!
//! ```text
//!  0 u32 CRC-32 of bytes 4…47      8 u64 offset         24 u128 event id
//!  4 u32 payload length            16 i64 append time   40 u32 CRC-32 of the payload
//!                                                       44 u32 how much of this file was durable when this was written
//! ```
//!
//! The last field tells a torn write from damage: where bytes are wrong and a later entry says that the file had been durable
//! beyond them, they had been committed.

use bytes::Bytes;
use litfass_types::{EventId, Position, Timestamp};

use super::{Damage, Entry};

pub(super) const FRAME_HEADER: usize = 48;

/// The largest payload: 4 MiB.
pub const MAX_PAYLOAD_BYTES: usize = 4 << 20;

/// A frame's header, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    pub(super) payload_bytes: u32,
    pub(super) offset: u64,
    pub(super) append_time: Timestamp,
    pub(super) id: EventId,
    pub(super) payload_crc: u32,
    pub(super) durable_bytes: u32,
}

impl FrameHeader {
    /// Bytes of header and payload together.
    pub(super) fn frame_bytes(&self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.payload_bytes)
    }

    /// Appends header and payload to `out`.
    pub(super) fn write(&self, payload: &[u8], out: &mut Vec<u8>) {
        let mut head = [0; FRAME_HEADER];
        put(&mut head, 4, &self.payload_bytes.to_le_bytes());
        put(&mut head, 8, &self.offset.to_le_bytes());
        put(&mut head, 16, &self.append_time.0.to_le_bytes());
        put(&mut head, 24, &self.id.0.to_le_bytes());
        put(&mut head, 40, &self.payload_crc.to_le_bytes());
        put(&mut head, 44, &self.durable_bytes.to_le_bytes());
        let crc = crc32fast::hash(&head[4..]);
        put(&mut head, 0, &crc.to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(payload);
    }

    /// Reads the header at the start of `bytes`, without looking at the payload.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let head = bytes.first_chunk::<FRAME_HEADER>().ok_or(Damage::EndsInEntry)?;
        let header = Self::fields(head);
        let intact = header.payload_bytes as usize <= MAX_PAYLOAD_BYTES
            && crc32fast::hash(&head[4..]) == u32::from_le_bytes(take(head, 0));
        if intact { Ok(header) } else { Err(Damage::EntryHeader) }
    }

    fn fields(head: &[u8; FRAME_HEADER]) -> Self {
        Self {
            payload_bytes: u32::from_le_bytes(take(head, 4)),
            offset: u64::from_le_bytes(take(head, 8)),
            append_time: Timestamp(i64::from_le_bytes(take(head, 16))),
            id: EventId(u128::from_le_bytes(take(head, 24))),
            payload_crc: u32::from_le_bytes(take(head, 40)),
            durable_bytes: u32::from_le_bytes(take(head, 44)),
        }
    }

    pub(super) fn entry(&self, partition: u16, payload: Bytes) -> Entry {
        let position = Position { partition, offset: self.offset };
        Entry { position, append_time: self.append_time, id: self.id, payload }
    }
}

/// Could a frame's header start here? Cheap, for looking at every byte of a damaged tail.
pub(super) fn may_start_frame(bytes: &[u8], first_offset: u64, offsets: u64) -> bool {
    let Some(head) = bytes.first_chunk::<FRAME_HEADER>() else { return false };
    let offset = u64::from_le_bytes(take(head, 8));
    (first_offset..first_offset.saturating_add(offsets)).contains(&offset)
}

pub(super) fn put(place: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(slot) = place.get_mut(at..at + bytes.len()) {
        slot.copy_from_slice(bytes);
    }
}

/// `N` bytes of a fixed-size header; zeros where there are none, which no caller asks for.
pub(super) fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
