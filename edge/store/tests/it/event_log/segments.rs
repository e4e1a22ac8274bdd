//! What segment files promise besides, on the disk in memory and on a real one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use litfass_store::log::{
    Clock, Entry, EventLog, LogOptions, OFFSETS_PER_SEGMENT, OpenError, ReadError, Retention, SegmentLog, Share,
    Shares, Timeline, Until,
};
use litfass_store::storage::{Disk, SimDisk, Storage, ensure_dir};
use litfass_types::{DecisionId, EventId, Position, Timestamp};

use super::contract::contract;
use super::{How, LONG, Medium, append, entry, ids, read};

/// A disk in memory, with a clock that ticks at every look.
struct OnDisk {
    storage: Arc<dyn Storage>,
    clock: Arc<AtomicI64>,
}

impl OnDisk {
    fn new() -> Self {
        Self { storage: sim(), clock: Arc::new(AtomicI64::new(1_000)) }
    }
}

impl Medium for OnDisk {
    fn open(&self, how: &How) -> Result<Arc<dyn EventLog>, OpenError> {
        let own = LogOptions::new(&how.writers);
        let quick = Duration::from_millis(1);
        let (heartbeat, queue_entries) = (how.heartbeat, how.queue_entries);
        let small = LogOptions { segment_bytes: 2_000, handover: Duration::ZERO, ..own };
        let options = LogOptions { heartbeat, queue_entries, commit_interval: quick, ..small };
        let clock = Arc::clone(&self.clock);
        let ticking = Clock::new(move || Timestamp(clock.fetch_add(1, Ordering::Relaxed)));
        let opened = SegmentLog::open(Arc::clone(&self.storage), Path::new("/log"), &options, &ticking)?;
        Ok(Arc::new(opened.log))
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::Relaxed))
    }
}

contract!(OnDisk::new());

pub(super) fn options(writers: &[(&str, u16)]) -> LogOptions {
    LogOptions { heartbeat: None, commit_interval: LONG, handover: Duration::ZERO, ..LogOptions::new(writers) }
}

fn open_at(storage: &Arc<dyn Storage>, root: &Path, options: &LogOptions, now: i64) -> SegmentLog {
    SegmentLog::open(Arc::clone(storage), root, options, &Clock::new(move || Timestamp(now))).unwrap().log
}

pub(super) fn open(storage: &Arc<dyn Storage>, options: &LogOptions) -> SegmentLog {
    open_at(storage, Path::new("/log"), options, 1_000)
}

fn sim() -> Arc<dyn Storage> {
    Arc::new(SimDisk::new())
}

/// What every file system must do for it.
fn keeps_what_it_is_given(storage: &Arc<dyn Storage>, root: &Path) {
    let small = LogOptions { segment_bytes: 300, ..options(&[("server", 2), ("admin", 1)]) };
    let log = open_at(storage, root, &small, 1_000);
    for id in 0..40 {
        append(&log, u16::try_from(id % 3).unwrap(), id, Until::Written);
    }
    drop(log);
    let log = open_at(storage, root, &small, 2_000);
    append(&log, 0, 100, Until::Committed);
    let expected: Vec<u128> = (0..40).filter(|id| id % 3 == 0).chain([100]).collect();
    assert_eq!(ids(&log, 0), expected);
    assert_eq!(ids(&log, 2), (0..40).filter(|id| id % 3 == 2).collect::<Vec<_>>());
    let again = SegmentLog::open(Arc::clone(storage), root, &small, &Clock::new(|| Timestamp(0))).unwrap_err();
    assert!(matches!(again, OpenError::InUse { .. }), "{again}");
}

#[test]
fn a_simulated_disk_keeps_what_it_is_given() {
    keeps_what_it_is_given(&sim(), Path::new("/log"));
}

#[test]
fn a_real_disk_keeps_what_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let storage: Arc<dyn Storage> = Arc::new(Disk);
    let data = dir.path().join("data");
    ensure_dir(&*storage, &data).unwrap();
    keeps_what_it_is_given(&storage, &data.join("log"));
}

#[test]
fn nobody_sees_an_entry_before_it_is_committed() {
    let storage = sim();
    let log = open(&storage, &options(&[("server", 1)]));
    let elsewhere = open(&storage, &options(&[]));
    append(&log, 0, 1, Until::Written);
    assert_eq!((ids(&log, 0), ids(&elsewhere, 0)), (vec![], vec![]));
    append(&log, 0, 2, Until::Committed);
    assert_eq!((ids(&log, 0), ids(&elsewhere, 0)), (vec![1, 2], vec![1, 2]));
}

#[test]
fn entries_that_nobody_waits_for_are_committed_after_a_while() {
    let quick = LogOptions { commit_interval: Duration::from_millis(1), ..options(&[("server", 1)]) };
    let log = open(&sim(), &quick);
    let at = append(&log, 0, 1, Until::Written);
    let heads = log.wait(&[at], LONG).unwrap();
    assert_eq!((heads[0].next.offset, ids(&log, 0)), (at.offset + 1, vec![1]));
}

#[test]
fn offsets_go_on_above_everything_that_was_ever_handed_out() {
    let storage = sim();
    let log = open(&storage, &options(&[("server", 1)]));
    let before = append(&log, 0, 1, Until::Committed);
    drop(log);
    let log = open(&storage, &options(&[("server", 1)]));
    let after = append(&log, 0, 2, Until::Committed);
    assert_eq!((before.offset, after.offset), (0, OFFSETS_PER_SEGMENT));
    let batch = log.read(Position { partition: 0, offset: 5 }, 1_000).unwrap();
    assert_eq!((batch.entries[0].id, batch.next.offset), (EventId(2), after.offset + 1));
}

#[test]
fn a_log_that_was_opened_for_nothing_ends_where_its_last_entry_does() {
    let storage = sim();
    let options = options(&[("server", 1)]);
    let at = append(&open(&storage, &options), 0, 1, Until::Committed);
    drop(open(&storage, &options));
    let log = open(&storage, &options);
    let end = Position { offset: at.offset + 1, ..at };
    assert_eq!(log.wait(&[], Duration::ZERO).unwrap()[0].next, end);
    assert_eq!(log.read(end, 64).unwrap().next, end, "there is nothing behind it to go on to");
    let next = append(&log, 0, 2, Until::Committed);
    assert!(next > end);
    assert_eq!(log.read(end, 64).unwrap().entries[0].position, next);
}

#[test]
fn append_times_never_go_back_not_even_with_the_clock() {
    let storage = sim();
    let (clock, first) = (Arc::new(AtomicI64::new(5_000)), options(&[("server", 1)]));
    let now = Arc::clone(&clock);
    let ticking = Clock::new(move || Timestamp(now.load(Ordering::Relaxed)));
    let log = SegmentLog::open(Arc::clone(&storage), Path::new("/log"), &first, &ticking).unwrap().log;
    append(&log, 0, 1, Until::Committed);
    clock.store(3_000, Ordering::Relaxed);
    append(&log, 0, 2, Until::Committed);
    drop(log);
    let log = open_at(&storage, Path::new("/log"), &first, 4_000);
    append(&log, 0, 3, Until::Committed);
    let times: Vec<i64> = read(&log, 0).iter().map(|entry| entry.append_time.0).collect();
    assert_eq!(times, [5_000, 5_000, 5_000]);
}

#[test]
fn a_new_partition_begins_where_it_is_told_to_whatever_the_clock_says() {
    let (storage, root) = (sim(), Path::new("/log"));
    let log = open_at(&storage, root, &options(&[("server", 1)]), 1_000);
    log.begin_at(Timestamp(7_000));
    log.begin_at(Timestamp(5_000));
    append(&log, 0, 1, Until::Committed);
    let times: Vec<i64> = read(&log, 0).iter().map(|entry| entry.append_time.0).collect();
    assert_eq!(times, [7_000]);
}

#[test]
fn a_heartbeat_has_the_time_of_the_clock() {
    let beating = LogOptions {
        heartbeat: Some(Duration::from_millis(1)),
        commit_interval: Duration::from_millis(1),
        ..options(&[("server", 1)])
    };
    let log = open(&sim(), &beating);
    let heads = log.wait(&[Position { partition: 0, offset: 0 }], LONG).unwrap();
    assert_eq!(heads[0].append_time, Timestamp(1_000));
    assert!(read(&log, 0).iter().all(Entry::is_heartbeat));
}

#[test]
fn a_decision_is_found_by_its_id_in_whichever_segment_it_lies() {
    let storage = sim();
    let clock = Arc::new(AtomicI64::new(0));
    let now = Arc::clone(&clock);
    let small = LogOptions { segment_bytes: 2_000, ..options(&[("server", 2)]) };
    let ticking = Clock::new(move || Timestamp(now.load(Ordering::Relaxed)));
    let log = SegmentLog::open(Arc::clone(&storage), Path::new("/log"), &small, &ticking).unwrap().log;
    let decisions: Vec<DecisionId> =
        (0..300).map(|i| DecisionId::new(Timestamp(i * 700), 1, i.unsigned_abs())).collect();
    for id in &decisions {
        clock.store(id.time().0 + 3, Ordering::Relaxed);
        append(&log, 1, id.0, Until::Committed);
    }
    let elsewhere = open(&storage, &options(&[]));
    for id in &decisions {
        assert_eq!(log.find(*id).unwrap().unwrap().id.0, id.0);
        assert_eq!(elsewhere.find(*id).unwrap().unwrap().id.0, id.0);
    }
    assert_eq!(log.find(DecisionId::new(Timestamp(700), 1, 99)).unwrap(), None);
    assert_eq!(log.find(DecisionId::new(Timestamp(700), 77, 1)).unwrap(), None);
}

#[test]
fn the_record_of_a_slow_decision_is_found_too() {
    let log = open_at(&sim(), Path::new("/log"), &options(&[("server", 1)]), 50_000);
    let late = DecisionId::new(Timestamp(20_000), 0, 1);
    let early = DecisionId::new(Timestamp(55_000), 0, 2);
    append(&log, 0, late.0, Until::Committed);
    append(&log, 0, early.0, Until::Committed);
    assert_eq!(log.find(late).unwrap().unwrap().id.0, late.0);
    assert_eq!(log.find(early).unwrap().unwrap().id.0, early.0);
}

#[test]
fn a_full_disk_refuses_entries_until_there_is_room_and_loses_none() {
    let disk = SimDisk::new();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let log = open(&storage, &options(&[("server", 1)]));
    append(&log, 0, 1, Until::Committed);
    for room in 0..60 {
        let length = disk.bytes(Path::new("/log/server-0/00000000000000000000.seg")).unwrap().len();
        let others = disk.bytes(Path::new("/log/partitions")).unwrap().len() + 512 + 44;
        disk.set_capacity(Some(length + others + room));
        let result = log.append(vec![entry(0, 2 + room as u128)], Until::Committed).wait().remove(0);
        assert_eq!(result.is_ok(), room >= 48 + b"entry 99".len(), "{room}: {result:?}");
        disk.set_capacity(None);
    }
    append(&log, 0, 100, Until::Committed);
    let expected: Vec<u128> = [1].into_iter().chain(58..62).chain([100]).collect();
    assert_eq!(ids(&log, 0), expected);
    drop(log);
    assert_eq!(ids(&open(&storage, &options(&[("server", 1)])), 0), expected);
}

#[test]
fn a_partition_whose_mark_is_lost_is_not_taken_for_an_empty_one() {
    let disk = SimDisk::new();
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let log = open(&storage, &options(&[("server", 1)]));
    append(&log, 0, 1, Until::Committed);
    disk.put(Path::new("/log/server-0/committed"), Vec::new());
    let reading = open(&storage, &options(&[]));
    let error = reading.read(Position { partition: 0, offset: 0 }, 100).unwrap_err();
    assert!(matches!(error, ReadError::Unmarked { partition: 0, .. }), "{error}");
    append(&log, 0, 2, Until::Committed);
    assert_eq!(ids(&reading, 0), [1, 2]);
}

#[test]
fn a_timeline_crosses_segments() {
    let storage = sim();
    let tick = Arc::new(AtomicI64::new(0));
    let ticking = Arc::clone(&tick);
    let small = LogOptions { segment_bytes: 300, ..options(&[("server", 3), ("admin", 1)]) };
    let clock = Clock::new(move || Timestamp(ticking.load(Ordering::SeqCst)));
    let log = SegmentLog::open(Arc::clone(&storage), Path::new("/log"), &small, &clock).unwrap().log;
    for id in 0..60_u128 {
        tick.store(i64::try_from(id / 2).unwrap() * 10, Ordering::SeqCst);
        append(&log, u16::try_from(id * 7 % 4).unwrap(), id, Until::Committed);
    }
    let between = |from: i64, until: i64| -> Vec<Entry> {
        Timeline::between(&log, Timestamp(from), Timestamp(until)).unwrap().map(Result::unwrap).collect()
    };
    for (from, until) in [(i64::MIN, i64::MAX), (0, 300), (95, 200), (100, 101), (290, 291), (291, i64::MAX), (50, 50)]
    {
        let found = between(from, until);
        assert!(found.is_sorted_by_key(|entry| entry.append_time), "{from} … {until}");
        let mut ids: Vec<u128> = found.iter().map(|entry| entry.id.0).collect();
        ids.sort_unstable();
        let expected = (0..60_u128).filter(|id| (from..until).contains(&(i64::try_from(id / 2).unwrap() * 10)));
        assert_eq!(ids, expected.collect::<Vec<_>>(), "{from} … {until}");
    }
}

/// Beats so fast that no test has to wait.
fn beating(writers: &[(&str, u16)]) -> LogOptions {
    LogOptions {
        heartbeat: Some(Duration::from_millis(1)),
        commit_interval: Duration::from_millis(1),
        stand_in_after: Duration::ZERO,
        handover: LONG,
        ..LogOptions::new(writers)
    }
}

#[test]
fn another_process_stands_in_for_a_writer_that_is_gone_and_hands_its_partition_back() {
    let storage = sim();
    drop(open(&storage, &options(&[("decide_1", 1)])));
    let other = open_at(&storage, Path::new("/log"), &beating(&[("events_1", 1)]), 7_000);
    other.tend().unwrap();
    let heads = other.wait(&[Position { partition: 0, offset: 0 }], LONG).unwrap();
    assert_eq!(heads[0].append_time, Timestamp(7_000), "time passes in the partition that nobody writes");

    let returning = {
        let storage = Arc::clone(&storage);
        std::thread::spawn(move || open(&storage, &beating(&[("decide_1", 1)])))
    };
    while !returning.is_finished() {
        other.tend().unwrap();
        std::thread::yield_now();
    }
    let returned = returning.join().unwrap();
    append(&returned, 0, 1, Until::Committed);
    assert_eq!(ids(&other, 0).into_iter().filter(|id| *id > 0).collect::<Vec<_>>(), [1]);
    other.tend().unwrap();
    append(&returned, 0, 2, Until::Committed);
}

#[test]
fn nobody_stands_in_for_a_writer_that_lives() {
    let storage = sim();
    let living = open(&storage, &options(&[("decide_1", 1)]));
    let other = open(&storage, &LogOptions { stand_in_after: Duration::ZERO, ..options(&[("events_1", 1)]) });
    (0..3).for_each(|_| other.tend().unwrap());
    append(&living, 0, 1, Until::Committed);
    assert_eq!(ids(&other, 0), [1]);
}

/// Looks three times: at the free ones, takes one, takes another.
fn looked(shares: &mut Shares, partitions: &[u16]) -> Vec<u16> {
    (0..partitions.len() * 2).for_each(|_| drop(shares.look(partitions).unwrap()));
    shares.look(partitions).unwrap().into_iter().collect()
}

#[test]
fn every_partition_has_one_biller_and_the_one_who_writes_it_is_asked_first() {
    let storage = sim();
    let open =
        |home: &[u16]| Shares::open(Arc::clone(&storage), Path::new("/turns"), home.iter().copied().collect()).unwrap();
    let all = [0, 1, 2, 3];
    let mut first = open(&[0, 1]);
    assert_eq!(looked(&mut first, &all), [0, 1, 2, 3], "alone it takes everything");
    let mut second = open(&[2]);
    second.look(&all).unwrap();
    first.look(&all).unwrap();
    assert_eq!(looked(&mut second, &all), [2], "its own is handed over");
    assert_eq!(looked(&mut first, &all), [0, 1, 3]);
    drop(first);
    assert_eq!(looked(&mut second, &all), [0, 1, 2, 3], "who is gone holds nothing back");
}

#[test]
fn whoever_has_read_a_segment_to_its_end_misses_nothing_when_it_is_removed() {
    let storage = sim();
    let end = Position { offset: 1, ..append(&open(&storage, &options(&[("server", 1)])), 0, 1, Until::Committed) };
    let log = open(&storage, &options(&[("server", 1)]));
    let next = append(&log, 0, 2, Until::Committed);
    let elsewhere = open(&storage, &options(&[]));
    assert_eq!(elsewhere.read(end, 64).unwrap().entries[0].position, next);
    let all = || Ok::<_, ReadError>(BTreeMap::from([(0, end.offset)]));
    let retired = log.retire("server", Retention { bytes_max: Some(0), before: None }, all).unwrap();
    assert_eq!(retired.segments, 1);
    for log in [&log, &elsewhere, &open(&storage, &options(&[]))] {
        assert_eq!(log.read(end, 64).unwrap().entries[0].position, next);
        let gone = log.read(Position { offset: 0, ..end }, 64).unwrap_err();
        assert!(matches!(gone, ReadError::Gone { wanted: 0, .. }), "{gone}");
    }
}
