//! Entries as Protobuf: what goes in comes out, and what is wrong is named.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

mod arbitrary;

use bytes::Bytes;
use litfass_events::{PartitionKey, heartbeat_id};
use litfass_store::log::Entry;
use litfass_store::wire::{Body, Outline, ShownOutline, decode, entry, outline};
use litfass_types::{EventId, Position, Timestamp};
use proptest::prelude::*;

const AT: Position = Position { partition: 3, offset: 9 };
const APPENDED: Timestamp = Timestamp(77);

fn logged(body: &Body) -> Entry {
    let new = entry(AT.partition, EventId(5), Timestamp(-4), PartitionKey(u64::MAX), body);
    Entry { position: AT, append_time: APPENDED, id: new.id, payload: new.payload }
}

/// Appends a field of type `bytes` to a message.
fn field(message: &mut Vec<u8>, tag: u8, content: &[u8]) {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 128 && tag < 16);
    message.extend_from_slice(&[tag << 3 | 2, length]);
    message.extend_from_slice(content);
}

fn problem(payload: Vec<u8>) -> String {
    let entry = Entry { position: AT, append_time: APPENDED, id: EventId(5), payload: Bytes::from(payload) };
    decode(&entry).unwrap_err().to_string()
}

/// An envelope around a body's message.
fn envelope(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    field(&mut message, 1, &5_u128.to_be_bytes());
    field(&mut message, tag, body);
    message
}

/// What a follower of events is to see of it.
fn followed(body: Body) -> Body {
    match &body {
        Body::Command(_) | Body::Pacing(_) => Body::Unknown,
        Body::Decision(record) => {
            let request = record.inputs.request.clone();
            let shown = record.shown.iter().map(|shown| ShownOutline {
                placement: shown.placement_id,
                ad: shown.ad,
                creative: shown.creative,
                line_item: shown.line_item,
                campaign: shown.campaign,
                advertiser: shown.advertiser,
            });
            Body::Outline(Box::new(Outline {
                id: record.id,
                now: record.inputs.now,
                tenant: request.tenant,
                user: request.user,
                personalise: request.personalise,
                traffic: request.traffic,
                candidates: record
                    .counts
                    .iter()
                    .map(|row| row.iter().map(|(_, count)| u64::from(*count)).sum())
                    .collect(),
                placements: request.placements,
                country: request.context.country,
                degraded: !record.inputs.degraded.is_empty(),
                shown: shown.collect(),
            }))
        }
        Body::Outline(_)
        | Body::Delivery(_)
        | Body::Conversion(_)
        | Body::ItemView(_)
        | Body::Privacy(_)
        | Body::Heartbeat
        | Body::Unknown => body,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_encoded_decodes_to_the_same(body in arbitrary::body()) {
        let read = decode(&logged(&body)).unwrap();
        prop_assert_eq!(read.position, AT);
        prop_assert_eq!(read.envelope.event_id, EventId(5));
        prop_assert_eq!(read.envelope.event_time, Timestamp(-4));
        prop_assert_eq!(read.envelope.append_time, APPENDED);
        prop_assert_eq!(read.envelope.partition_key, PartitionKey(u64::MAX));
        prop_assert_eq!(read.body, body);
    }

    #[test]
    fn an_outline_says_of_an_entry_what_the_whole_says(body in arbitrary::body()) {
        let (whole, glance) = (decode(&logged(&body)).unwrap(), outline(&logged(&body)).unwrap());
        prop_assert_eq!(glance.envelope, whole.envelope);
        prop_assert_eq!(glance.body, followed(whole.body));
    }

    #[test]
    fn fields_of_a_later_version_are_passed_over(body in arbitrary::body(), content in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut entry = logged(&body);
        let mut payload = entry.payload.to_vec();
        field(&mut payload, 15, &content);
        entry.payload = payload.into();
        prop_assert_eq!(decode(&entry).unwrap().body, body);
    }

    #[test]
    fn no_bytes_make_decoding_panic(payload in prop::collection::vec(any::<u8>(), 1..300)) {
        let entry = Entry { position: AT, append_time: APPENDED, id: EventId(5), payload: payload.into() };
        if let Err(e) = decode(&entry) {
            prop_assert!(!e.to_string().is_empty());
        }
    }

    #[test]
    fn no_changed_byte_makes_decoding_panic(body in arbitrary::body(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut entry = logged(&body);
        let mut payload = entry.payload.to_vec();
        let at = at.index(payload.len());
        payload[at] = to;
        entry.payload = payload.into();
        if let Err(e) = decode(&entry) {
            prop_assert!(!e.to_string().is_empty());
        }
    }
}

#[test]
fn a_heartbeat_is_an_entry_without_a_payload() {
    let entry = Entry { position: AT, append_time: APPENDED, id: EventId(0), payload: Bytes::new() };
    let read = decode(&entry).unwrap();
    assert_eq!((read.body, read.envelope.event_id), (Body::Heartbeat, heartbeat_id(3, 9)));
}

#[test]
fn a_body_of_a_later_version_is_known_to_be_unknown() {
    let entry = Entry { position: AT, append_time: APPENDED, id: EventId(5), payload: envelope(15, b"new").into() };
    assert_eq!(decode(&entry).unwrap().body, Body::Unknown);
}

#[test]
fn an_error_names_the_field_down_to_the_list_index() {
    let mut short_id = Vec::new();
    field(&mut short_id, 1, b"abc");
    assert_eq!(problem(short_id), "event_id has 3 bytes instead of 16");

    assert_eq!(problem(envelope(9, &[])), "delivery.token is missing");

    let mut token = Vec::new();
    field(&mut token, 1, &[0; 16]);
    let mut delivery = Vec::new();
    field(&mut delivery, 2, &token);
    assert_eq!(problem(envelope(9, &delivery)), "delivery.kind is unknown: 0");

    delivery.extend_from_slice(&[1 << 3, 1]);
    assert_eq!(problem(envelope(9, &delivery)), "delivery.token.price is missing");

    let pacing = [3 << 3 | 2, 2, 1, 2, 4 << 3 | 2, 1, 1];
    assert_eq!(problem(envelope(13, &pacing)), "pacing.multipliers_ppm has 1 entries instead of 2");

    let mut decision = Vec::new();
    field(&mut decision, 1, &[0; 16]);
    field(&mut decision, 4, &[2 << 3, 99]);
    assert_eq!(problem(envelope(8, &decision)), "decision.inputs is missing");
}

#[test]
fn a_list_that_is_too_long_is_refused() {
    let mut conversion = Vec::new();
    for _ in 0..101 {
        conversion.extend_from_slice(&[6 << 3 | 2, 0]);
    }
    let mut message = Vec::new();
    field(&mut message, 1, &5_u128.to_be_bytes());
    message.extend_from_slice(&[10 << 3 | 2, 202, 1]);
    message.extend_from_slice(&conversion);
    assert_eq!(problem(message), "conversion.items has 101 entries: at most 100 are allowed");
}

#[test]
fn an_entry_under_another_id_is_not_believed() {
    let mut entry = logged(&arbitrary::plain_view());
    entry.id = EventId(6);
    assert_eq!(decode(&entry).unwrap_err().to_string(), "event_id is not the id of the entry");
}

#[test]
fn bytes_that_are_no_message_are_said_to_be_none() {
    assert!(problem(vec![0xff]).starts_with("the entry is no envelope"));
}
