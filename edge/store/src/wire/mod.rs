//! What lies in the log, as Protobuf: `schemas/litfass/v1`, and the way between it and the domain's types.
//!
//! Invariants: what was encoded decodes to the same; fields that are not known are passed over; what is missing, out of range
//! or too long is an error that names the field. Nothing here is read by a decision.

mod command;
mod decision;
mod event;
mod field;
mod full;
mod gathered;
mod market;
mod outline;
mod pacing;
mod privacy;
mod token;

use bytes::Bytes;
use litfass_decide::DecisionRecord;
use litfass_events::{Conversion, Delivery, Envelope, EventKind, ItemView, PacingTable, PartitionKey, Privacy};
use litfass_ledger::Command;
use litfass_types::{EventId, Position, Timestamp, Traffic};
use prost::Message;

use crate::log::{Entry, NewEntry};
use field::{Within, id128};

pub use field::WireError;
pub use outline::{Outline, ShownOutline};

#[allow(
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    unused_qualifications,
    missing_debug_implementations,
    reason = "generated; see `cargo xtask codegen`"
)]
mod proto {
    include!("generated/litfass.v1.rs");
}

/// What an entry of the log says.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    Decision(Box<DecisionRecord>),
    /// A decision as `outline` reads it. Never appended.
    Outline(Box<Outline>),
    Delivery(Box<Delivery>),
    Conversion(Box<Conversion>),
    ItemView(ItemView),
    Command(Command),
    Pacing(PacingTable),
    Privacy(Privacy),
    /// Nothing older will come in this partition.
    Heartbeat,
    /// Written by a later version. Readers count it and go on.
    Unknown,
}

/// An entry, decoded.
#[derive(Clone, PartialEq, Debug)]
pub struct Logged {
    pub position: Position,
    pub envelope: Envelope,
    pub body: Body,
}

impl Body {
    /// Whose doing it is; what is no viewer's doing is taken as people's.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        match self {
            Self::Decision(record) => record.inputs.request.traffic,
            Self::Outline(decision) => decision.traffic,
            Self::Delivery(delivery) => delivery.token.traffic,
            Self::Conversion(order) => order.click.as_ref().map_or(Traffic::Human, |token| token.traffic),
            Self::ItemView(_)
            | Self::Command(_)
            | Self::Pacing(_)
            | Self::Privacy(_)
            | Self::Heartbeat
            | Self::Unknown => Traffic::Human,
        }
    }

    /// For metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Decision(_) | Self::Outline(_) => "decision",
            Self::Delivery(delivery) => delivery.kind.name(),
            Self::Conversion(_) => EventKind::Conversion.name(),
            Self::ItemView(_) => EventKind::View.name(),
            Self::Command(_) => "command",
            Self::Pacing(_) => "pacing",
            Self::Privacy(_) => "privacy",
            Self::Heartbeat => "heartbeat",
            Self::Unknown => "unknown",
        }
    }
}

/// An entry to append. `event_time` is when it happened; the log adds the append time.
///
/// A heartbeat, an outline or an unknown body has nothing to append: its payload is empty, and the log refuses it.
#[must_use]
pub fn entry(partition: u16, id: EventId, event_time: Timestamp, key: PartitionKey, body: &Body) -> NewEntry {
    let payload = to_proto(body).map_or_else(Bytes::new, |body| payload(id, event_time, key, body));
    NewEntry { partition, id, payload }
}

/// A decision's entry. A record is found by its decision: they share the id.
#[must_use]
pub fn decision_entry(record: &DecisionRecord, key: PartitionKey) -> NewEntry {
    let (id, body) = (EventId(record.id.0), proto::envelope::Body::Decision(decision::to_proto(record)));
    NewEntry { partition: record.id.partition(), id, payload: payload(id, record.inputs.now, key, body) }
}

fn payload(id: EventId, event_time: Timestamp, key: PartitionKey, body: proto::envelope::Body) -> Bytes {
    let event_id = id.0.to_be_bytes().to_vec();
    let envelope = proto::Envelope { event_id, event_time_ms: event_time.0, partition_key: key.0, body: Some(body) };
    Bytes::from(envelope.encode_to_vec())
}

/// What an entry of the log says.
///
/// # Errors
/// Where the payload is no envelope, or a field of it is missing, out of range or too long.
pub fn decode(entry: &Entry) -> Result<Logged, WireError> {
    if entry.is_heartbeat() {
        return Ok(heartbeat(entry));
    }
    let message = proto::Envelope::decode(entry.payload.clone()).map_err(|e| WireError::malformed(&e))?;
    let envelope = envelope(entry, &message.event_id, message.event_time_ms, message.partition_key)?;
    Ok(Logged { position: entry.position, envelope, body: from_proto(message.body)? })
}

/// The same for those who follow events: a decision in outline, a command or a pacing table as something unknown. Most of
/// a log is decisions, and most of a decision is columns: it takes a small part of the time.
///
/// # Errors
/// As `decode`; what is skipped is not looked at.
pub fn outline(entry: &Entry) -> Result<Logged, WireError> {
    use proto::envelope_outline::Body as Message;
    if entry.is_heartbeat() {
        return Ok(heartbeat(entry));
    }
    let message = proto::EnvelopeOutline::decode(entry.payload.clone()).map_err(|e| WireError::malformed(&e))?;
    let envelope = envelope(entry, &message.event_id, message.event_time_ms, message.partition_key)?;
    let body = match message.body {
        Some(Message::Decision(m)) => Body::Outline(Box::new(outline::from_proto(m).within("decision")?)),
        Some(Message::Delivery(m)) => from_proto(Some(proto::envelope::Body::Delivery(m)))?,
        Some(Message::Conversion(m)) => from_proto(Some(proto::envelope::Body::Conversion(m)))?,
        Some(Message::ItemView(m)) => from_proto(Some(proto::envelope::Body::ItemView(m)))?,
        Some(Message::Privacy(m)) => from_proto(Some(proto::envelope::Body::Privacy(m)))?,
        None => Body::Unknown,
    };
    Ok(Logged { position: entry.position, envelope, body })
}

fn heartbeat(entry: &Entry) -> Logged {
    let (position, append_time) = (entry.position, entry.append_time);
    let event_id = litfass_events::heartbeat_id(position.partition, position.offset);
    let envelope = Envelope { event_id, event_time: append_time, append_time, partition_key: PartitionKey(0) };
    Logged { position, envelope, body: Body::Heartbeat }
}

fn envelope(entry: &Entry, event_id: &[u8], event_time_ms: i64, key: u64) -> Result<Envelope, WireError> {
    let event_id = EventId(id128(event_id).within("event_id")?);
    if event_id != entry.id {
        return Err(WireError::invalid("is not the id of the entry").named("event_id"));
    }
    let (event_time, partition_key) = (Timestamp(event_time_ms), PartitionKey(key));
    Ok(Envelope { event_id, event_time, append_time: entry.append_time, partition_key })
}

/// Whether an entry is a pacing table, without reading what it says; damaged entries are none.
#[must_use]
pub fn is_pacing(entry: &Entry) -> bool {
    let mut rest = entry.payload.clone();
    while let Ok((tag, wire_type)) = prost::encoding::decode_key(&mut rest) {
        if tag == PACING_TAG {
            return true;
        }
        let skipped = prost::encoding::skip_field(wire_type, tag, &mut rest, prost::encoding::DecodeContext::default());
        if skipped.is_err() {
            return false;
        }
    }
    false
}

/// The envelope's field for pacing tables.
const PACING_TAG: u32 = 13;

fn to_proto(body: &Body) -> Option<proto::envelope::Body> {
    use proto::envelope::Body as Message;
    match body {
        Body::Decision(record) => Some(Message::Decision(decision::to_proto(record))),
        Body::Delivery(delivery) => Some(Message::Delivery(event::delivery_to_proto(delivery))),
        Body::Conversion(conversion) => Some(Message::Conversion(event::conversion_to_proto(conversion))),
        Body::ItemView(view) => Some(Message::ItemView(event::view_to_proto(view))),
        Body::Command(command) => Some(Message::Command(command::to_proto(command))),
        Body::Pacing(table) => Some(Message::Pacing(pacing::to_proto(table))),
        Body::Privacy(privacy) => Some(Message::Privacy(privacy::to_proto(privacy))),
        Body::Outline(_) | Body::Heartbeat | Body::Unknown => None,
    }
}

fn from_proto(body: Option<proto::envelope::Body>) -> Result<Body, WireError> {
    use proto::envelope::Body as Message;
    match body {
        Some(Message::Decision(m)) => Ok(Body::Decision(Box::new(decision::from_proto(m).within("decision")?))),
        Some(Message::Delivery(m)) => Ok(Body::Delivery(Box::new(event::delivery_from_proto(m).within("delivery")?))),
        Some(Message::Conversion(m)) => {
            Ok(Body::Conversion(Box::new(event::conversion_from_proto(m).within("conversion")?)))
        }
        Some(Message::ItemView(m)) => Ok(Body::ItemView(event::view_from_proto(m).within("item_view")?)),
        Some(Message::Command(m)) => Ok(Body::Command(command::from_proto(m).within("command")?)),
        Some(Message::Pacing(m)) => Ok(Body::Pacing(pacing::from_proto(m).within("pacing")?)),
        Some(Message::Privacy(m)) => Ok(Body::Privacy(privacy::from_proto(&m).within("privacy")?)),
        None => Ok(Body::Unknown),
    }
}
