//! Bytes of the log that are cut off or changed: always noticed, always with the place.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use litfass_store::log::{
    Clock, Damage, EventLog, LogOptions, NewEntry, OpenError, Opened, ReadError, SegmentLog, TruncatedTail, Until,
};
use litfass_store::storage::SimDisk;
use litfass_types::{EventId, Position, Timestamp};

const HEADER: usize = 56;
const FRAME: usize = 48;
const PAYLOAD: usize = 10;
const ENTRIES: usize = 4;
const FIRST: &str = "/log/server-0/00000000000000000000.seg";

fn open(disk: &SimDisk, segment_bytes: u32) -> Result<Opened, OpenError> {
    let mut options = LogOptions::new(&[("server", 1)]);
    options.segment_bytes = segment_bytes;
    options.heartbeat = None;
    options.commit_interval = Duration::from_secs(86_400);
    SegmentLog::open(Arc::new(disk.clone()), Path::new("/log"), &options, &Clock::new(|| Timestamp(7)))
}

fn append(log: &SegmentLog, id: usize, until: Until) {
    let payload = Bytes::from(vec![u8::try_from(id).unwrap(); PAYLOAD]);
    let entry = NewEntry { partition: 0, id: EventId(id as u128), payload };
    log.append(vec![entry], until).wait().remove(0).unwrap();
}

/// Entries 1 … `ENTRIES` committed one by one, and the writer killed.
fn committed(segment_bytes: u32) -> SimDisk {
    let disk = SimDisk::new();
    let log = open(&disk, segment_bytes).unwrap().log;
    (1..=ENTRIES).for_each(|id| append(&log, id, Until::Committed));
    let next = disk.after_kill();
    drop(log);
    next
}

fn damaged(disk: &SimDisk, path: &str, damage: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.bytes(Path::new(path)).unwrap();
    damage(&mut bytes);
    disk.put(Path::new(path), bytes);
}

fn ids(log: &SegmentLog) -> Result<Vec<u128>, ReadError> {
    let mut from = Position { partition: 0, offset: 0 };
    let mut ids = Vec::new();
    loop {
        let batch = log.read(from, 1)?;
        if batch.entries.is_empty() {
            return Ok(ids);
        }
        from = batch.next;
        ids.extend(batch.entries.iter().map(|entry| entry.id.0));
    }
}

fn frame_start(at: usize) -> usize {
    if at < HEADER { 0 } else { at - (at - HEADER) % (FRAME + PAYLOAD) }
}

#[test]
fn committed_entries_cut_off_at_any_byte_are_missed() {
    let length = HEADER + ENTRIES * (FRAME + PAYLOAD);
    for cut in 0..length {
        let disk = committed(1 << 20);
        damaged(&disk, FIRST, |bytes| bytes.truncate(cut));
        let Err(OpenError::Corrupt(found)) = open(&disk, 1 << 20) else { panic!("cut at {cut} was not noticed") };
        let kept = frame_start(cut) as u64;
        assert_eq!((found.partition, found.segment, found.at), (0, PathBuf::from(FIRST), kept), "cut at {cut}");
        let missing = Damage::CommittedMissing { missing: length as u64 - kept };
        assert!(
            found.reason == missing || (cut < HEADER && found.reason == Damage::SegmentHeader),
            "{:?}",
            found.reason
        );
    }
}

#[test]
fn a_changed_bit_in_committed_entries_is_found_and_placed() {
    for at in 0..HEADER + ENTRIES * (FRAME + PAYLOAD) {
        let disk = committed(1 << 20);
        damaged(&disk, FIRST, |bytes| bytes[at] ^= 1 << (at % 8));
        let Err(OpenError::Corrupt(found)) = open(&disk, 1 << 20) else { panic!("byte {at} was not noticed") };
        assert_eq!((found.segment, found.at), (PathBuf::from(FIRST), frame_start(at) as u64), "byte {at}");
    }
}

#[test]
fn without_the_mark_a_changed_bit_is_damage_where_later_entries_prove_it_and_a_cut_tail_else() {
    for at in HEADER..HEADER + ENTRIES * (FRAME + PAYLOAD) {
        let disk = committed(1 << 20);
        damaged(&disk, "/log/server-0/committed", |bytes| bytes.fill(0));
        damaged(&disk, FIRST, |bytes| bytes[at] ^= 1 << (at % 8));
        let last = frame_start(at) == HEADER + (ENTRIES - 1) * (FRAME + PAYLOAD);
        match open(&disk, 1 << 20) {
            Err(OpenError::Corrupt(found)) => assert!(!last && found.at == frame_start(at) as u64, "byte {at}"),
            Ok(opened) => assert!(last && opened.truncated[0].at == frame_start(at) as u64, "byte {at}"),
            Err(e) => panic!("byte {at}: {e}"),
        }
    }
}

#[test]
fn an_unfinished_entry_is_cut_off_and_named_and_what_is_whole_before_it_stays() {
    let whole = HEADER + FRAME + PAYLOAD;
    for cut in whole..=whole + FRAME + PAYLOAD {
        let disk = SimDisk::new();
        let log = open(&disk, 1 << 20).unwrap().log;
        append(&log, 1, Until::Committed);
        append(&log, 2, Until::Written);
        let disk = disk.after_kill();
        drop(log);
        damaged(&disk, FIRST, |bytes| bytes.truncate(cut));
        let Opened { log, truncated } = open(&disk, 1 << 20).unwrap();
        let (at, bytes) = (whole as u64, (cut - whole) as u64);
        let tail = TruncatedTail { partition: 0, segment: FIRST.into(), at, bytes, reason: Damage::EndsInEntry };
        match cut - whole {
            0 => assert_eq!((truncated, ids(&log).unwrap()), (vec![], vec![1])),
            n if n == FRAME + PAYLOAD => assert_eq!((truncated, ids(&log).unwrap()), (vec![], vec![1, 2])),
            _ => assert_eq!((truncated, ids(&log).unwrap()), (vec![tail], vec![1]), "cut at {cut}"),
        }
    }
}

#[test]
fn an_older_segment_that_was_cut_or_taken_away_is_missed_on_opening() {
    let second = "/log/server-0/00000000000000000001.seg";
    let length = HEADER + FRAME + PAYLOAD;
    for cut in 0..length {
        let disk = committed(1);
        damaged(&disk, second, |bytes| bytes.truncate(cut));
        let Err(OpenError::Corrupt(found)) = open(&disk, 1) else { panic!("cut at {cut} was not noticed") };
        assert_eq!(found.segment, PathBuf::from(second), "cut at {cut}");
    }
    let disk = committed(1);
    litfass_store::storage::Storage::remove(&disk, Path::new(second)).unwrap();
    let Err(OpenError::Corrupt(found)) = open(&disk, 1) else { panic!("a missing segment was not noticed") };
    assert_eq!((found.segment, found.reason), (PathBuf::from(second), Damage::SegmentMissing));
}

#[test]
fn a_changed_bit_in_an_older_segment_is_found_at_the_latest_by_its_reader() {
    let second = "/log/server-0/00000000000000000001.seg";
    for at in 0..HEADER + FRAME + PAYLOAD {
        let disk = committed(1);
        damaged(&disk, second, |bytes| bytes[at] ^= 1 << (at % 8));
        let found = match open(&disk, 1) {
            Err(OpenError::Corrupt(found)) => found,
            Ok(opened) => match ids(&opened.log) {
                Err(ReadError::Corrupt(found)) => found,
                other => panic!("byte {at}: {other:?}"),
            },
            Err(e) => panic!("byte {at}: {e}"),
        };
        assert_eq!((found.segment, found.at), (PathBuf::from(second), frame_start(at) as u64), "byte {at}");
    }
}

#[test]
fn the_last_segment_that_was_taken_away_is_missed() {
    let disk = committed(1 << 20);
    litfass_store::storage::Storage::remove(&disk, Path::new(FIRST)).unwrap();
    let Err(OpenError::Corrupt(found)) = open(&disk, 1 << 20) else { panic!("not noticed") };
    assert_eq!((found.segment, found.reason), (PathBuf::from(FIRST), Damage::SegmentMissing));
}

#[test]
fn a_changed_bit_in_the_mark_hides_nothing() {
    let length = 512 + 44;
    for at in 0..length {
        let disk = committed(1 << 20);
        damaged(&disk, "/log/server-0/committed", |bytes| bytes[at] ^= 1);
        assert_eq!(ids(&open(&disk, 1 << 20).unwrap().log).unwrap(), [1, 2, 3, 4], "byte {at}");
    }
}

#[test]
fn a_damaged_register_is_named_with_its_line() {
    let disk = committed(1 << 20);
    damaged(&disk, "/log/partitions", |bytes| bytes.extend_from_slice(b"nonsense\n"));
    let found = open(&disk, 1 << 20).unwrap_err();
    assert!(found.to_string().contains("/log/partitions") && found.to_string().contains("line 2"), "{found}");
}
