//! What every event log does, whatever it lies in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_executor::block_on;
use litfass_events::PartitionKey;
use litfass_store::log::{AppendError, Entry, EventLog, MAX_PAYLOAD_BYTES, NewEntry, OpenError, Timeline, Until};
use litfass_types::{DecisionId, Duration as Span, EventId, Position, Timestamp};

use super::{How, LONG, Medium, append, entry, ids, read};

/// A test of each sentence, against one medium.
macro_rules! contract {
    ($medium:expr) => {
        contract! { $medium;
            what_was_acknowledged_is_read_in_order_by_everybody
            a_log_is_read_from_anywhere
            another_process_follows_by_what_is_committed
            partitions_that_another_process_makes_later_are_found
            append_times_never_go_back
            an_idle_partition_says_that_time_has_passed
            a_key_always_falls_into_the_same_partition_of_its_writer
            a_writer_can_get_more_partitions_but_not_fewer
            what_cannot_be_appended_is_an_error_for_that_entry_alone
            a_full_queue_is_an_error_at_once
            an_append_can_be_awaited
            what_was_written_before_the_log_was_closed_is_read
            a_decision_is_found_by_its_id
            nothing_appended_since_an_instant_is_missed
            a_timeline_brings_every_entry_of_its_window_once_and_in_order
            nobody_waits_for_a_partition_at_its_end_in_vain
        }
    };
    ($medium:expr; $($name:ident)*) => {$(
        #[test]
        fn $name() {
            crate::event_log::contract::$name(&$medium);
        }
    )*};
}
pub(super) use contract;

fn writing(medium: &dyn Medium, partitions: u16) -> (Arc<dyn EventLog>, Vec<u16>) {
    let log = medium.open(&How::writing(&[("server", partitions)])).unwrap();
    let numbers = numbers(&*log, "server", partitions);
    (log, numbers)
}

/// The writer's partitions, by index.
fn numbers(log: &dyn EventLog, writer: &str, partitions: u16) -> Vec<u16> {
    (0..partitions).map(|index| log.partition(writer, PartitionKey(index.into())).unwrap()).collect()
}

pub(super) fn what_was_acknowledged_is_read_in_order_by_everybody(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 3);
    let appended: Vec<_> = (0..300).map(|id| entry(numbers[id as usize % 3], id)).collect();
    for chunk in appended.chunks(50) {
        let results = log.append(chunk.to_vec(), Until::Committed).wait();
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
    let elsewhere = medium.open(&How::reading()).unwrap();
    for (index, number) in numbers.iter().enumerate() {
        let expected: Vec<u128> = (0..300).filter(|id| id % 3 == index as u128).collect();
        assert_eq!(ids(&*log, *number), expected);
        assert_eq!(ids(&*elsewhere, *number), expected);
        assert_eq!(read(&*log, *number), read(&*elsewhere, *number), "the same to every process");
        assert!(read(&*log, *number).iter().all(|entry| entry.payload == format!("entry {}", entry.id.0)));
    }
}

pub(super) fn a_log_is_read_from_anywhere(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 1);
    let positions: Vec<Position> = (0..20).map(|id| append(&*log, numbers[0], id, Until::Committed)).collect();
    let elsewhere = medium.open(&How::reading()).unwrap();
    for (at, position) in positions.iter().enumerate().rev() {
        for log in [&log, &elsewhere] {
            let batch = log.read(*position, 1).unwrap();
            assert_eq!(batch.entries[0].position, *position);
            assert_eq!(batch.entries[0].id.0, at as u128);
            assert!(batch.next > batch.entries.last().unwrap().position);
        }
    }
}

pub(super) fn another_process_follows_by_what_is_committed(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 1);
    let (number, elsewhere) = (numbers[0], medium.open(&How::reading()).unwrap());
    let follower = std::thread::spawn(move || {
        let (mut from, mut seen) = (Position { partition: number, offset: 0 }, Vec::new());
        while seen.len() < 200 {
            elsewhere.wait(&[from], LONG).unwrap();
            let batch = elsewhere.read(from, 50).unwrap();
            from = batch.next;
            seen.extend(batch.entries.into_iter().map(|entry| entry.id.0));
        }
        seen
    });
    for id in 0..200 {
        append(&*log, number, id, if id % 7 == 0 { Until::Written } else { Until::Committed });
    }
    append(&*log, number, 200, Until::Committed);
    assert_eq!(follower.join().unwrap()[..200], (0..200).collect::<Vec<_>>());
}

pub(super) fn partitions_that_another_process_makes_later_are_found(medium: &dyn Medium) {
    let early = medium.open(&How::reading()).unwrap();
    assert_eq!(early.wait(&[], LONG).unwrap(), []);
    let log = medium.open(&How::writing(&[("admin", 1)])).unwrap();
    let at = append(&*log, numbers(&*log, "admin", 1)[0], 1, Until::Committed);
    let heads = early.wait(&[], LONG).unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!((heads[0].next.partition, heads[0].next.offset), (at.partition, at.offset + 1));
    assert_eq!(ids(&*early, at.partition), [1]);
}

pub(super) fn append_times_never_go_back(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 1);
    let before = medium.now();
    for id in 0..30 {
        append(&*log, numbers[0], id, Until::Committed);
    }
    let entries = read(&*log, numbers[0]);
    assert!(entries.is_sorted_by_key(|entry| entry.append_time));
    assert!(entries.iter().all(|entry| entry.append_time >= before && entry.append_time <= medium.now()));
    let head = log.wait(&[], Duration::ZERO).unwrap();
    assert_eq!(head[0].append_time, entries.last().unwrap().append_time);
}

pub(super) fn an_idle_partition_says_that_time_has_passed(medium: &dyn Medium) {
    let beating = How { heartbeat: Some(Duration::from_millis(20)), ..How::writing(&[("server", 2)]) };
    let log = medium.open(&beating).unwrap();
    for number in numbers(&*log, "server", 2) {
        let begin = Position { partition: number, offset: 0 };
        log.wait(&[begin], LONG).unwrap();
        let batch = log.read(begin, 1).unwrap();
        assert!(batch.entries.iter().all(Entry::is_heartbeat), "{batch:?}");
        log.wait(&[batch.next], LONG).unwrap();
        assert!(!log.read(batch.next, 1).unwrap().entries.is_empty(), "and says so again");
    }
}

pub(super) fn a_key_always_falls_into_the_same_partition_of_its_writer(medium: &dyn Medium) {
    let log = medium.open(&How::writing(&[("server", 4), ("admin", 1)])).unwrap();
    let placed: Vec<_> = (0..100).map(|key| log.partition("server", PartitionKey(key)).unwrap()).collect();
    assert!(numbers(&*log, "server", 4).iter().all(|partition| placed.contains(partition)), "{placed:?}");
    drop(log);
    let log = medium.open(&How::writing(&[("server", 4)])).unwrap();
    let again: Vec<_> = (0..100).map(|key| log.partition("server", PartitionKey(key)).unwrap()).collect();
    assert_eq!((placed, log.partition("admin", PartitionKey(0))), (again, None));
}

pub(super) fn a_writer_can_get_more_partitions_but_not_fewer(medium: &dyn Medium) {
    let (log, two) = writing(medium, 2);
    append(&*log, two[1], 1, Until::Committed);
    drop(log);
    let (log, three) = writing(medium, 3);
    append(&*log, three[2], 2, Until::Committed);
    assert_eq!(three[..2], two);
    assert_eq!((ids(&*log, three[1]), ids(&*log, three[2])), (vec![1], vec![2]));
    drop(log);
    let fewer = medium.open(&How::writing(&[("server", 2)])).unwrap_err();
    assert!(matches!(fewer, OpenError::Shrunk { registered: 3, asked: 2, .. }), "{fewer}");
}

pub(super) fn what_cannot_be_appended_is_an_error_for_that_entry_alone(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 1);
    let (ours, other) = (numbers[0], numbers[0] + 9);
    let largest = NewEntry { payload: Bytes::from(vec![7; MAX_PAYLOAD_BYTES]), ..entry(ours, 6) };
    let huge = NewEntry { payload: Bytes::from(vec![0; MAX_PAYLOAD_BYTES + 1]), ..entry(ours, 2) };
    let empty = NewEntry { payload: Bytes::new(), ..entry(ours, 3) };
    let entries = vec![entry(ours, 1), huge, empty, entry(other, 4), entry(ours, 5), largest];
    let results = log.append(entries, Until::Committed).wait();
    assert!(results[0].is_ok() && results[4].is_ok() && results[5].is_ok(), "{results:?}");
    assert_eq!(results[1], Err(AppendError::BadSize { bytes: MAX_PAYLOAD_BYTES + 1 }));
    assert_eq!(results[2], Err(AppendError::BadSize { bytes: 0 }));
    assert_eq!(results[3], Err(AppendError::NotOurs { partition: other }));
    assert_eq!(ids(&*log, ours), [1, 5, 6]);
}

pub(super) fn a_full_queue_is_an_error_at_once(medium: &dyn Medium) {
    let log = medium.open(&How { queue_entries: 0, ..How::writing(&[("server", 1)]) }).unwrap();
    let partition = numbers(&*log, "server", 1)[0];
    let results = log.append(vec![entry(partition, 1)], Until::Committed).wait();
    assert_eq!(results, [Err(AppendError::Overloaded { partition, queued: 0 })]);
}

pub(super) fn an_append_can_be_awaited(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 2);
    let entries = (0..100).map(|id| entry(numbers[id as usize % 2], id)).collect();
    let positions = block_on(log.append(entries, Until::Committed));
    let offsets: Vec<u64> = positions.iter().map(|at| at.as_ref().unwrap().offset).collect();
    assert!(offsets.iter().step_by(2).is_sorted() && offsets.iter().skip(1).step_by(2).is_sorted());
    assert_eq!(block_on(log.append(Vec::new(), Until::Committed)), []);
}

pub(super) fn what_was_written_before_the_log_was_closed_is_read(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 1);
    // Nobody waits for it.
    drop(log.append((0..100).map(|id| entry(numbers[0], id)).collect(), Until::Written));
    drop(log);
    assert_eq!(ids(&*medium.open(&How::reading()).unwrap(), numbers[0]), (0..100).collect::<Vec<_>>());
}

pub(super) fn a_decision_is_found_by_its_id(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 2);
    let id = |n: u64| DecisionId::new(medium.now() - Span(3), numbers[1], n);
    let decisions: Vec<DecisionId> = (0..100).map(id).collect();
    for id in &decisions {
        append(&*log, numbers[1], id.0, Until::Committed);
    }
    let elsewhere = medium.open(&How::reading()).unwrap();
    for id in &decisions {
        assert_eq!(log.find(*id).unwrap().unwrap().id.0, id.0);
        assert_eq!(elsewhere.find(*id).unwrap().unwrap().id.0, id.0);
    }
    let never = |partition| DecisionId::new(medium.now(), partition, 1_000);
    assert_eq!(log.find(never(numbers[1])).unwrap(), None);
    assert_eq!(log.find(never(numbers[1] + 77)).unwrap(), None);
}

pub(super) fn nothing_appended_since_an_instant_is_missed(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 1);
    append(&*log, numbers[0], 0, Until::Committed);
    let instant = medium.now();
    for id in 1..20 {
        append(&*log, numbers[0], id, Until::Committed);
    }
    for log in [&log, &medium.open(&How::reading()).unwrap()] {
        let from = log.since(numbers[0], instant).unwrap();
        let batch = log.read(from, 100_000).unwrap();
        assert!(batch.entries.iter().filter(|entry| entry.append_time >= instant).count() >= 19, "{batch:?}");
        let begin = log.since(numbers[0], Timestamp(i64::MIN)).unwrap();
        assert_eq!(log.read(begin, 1).unwrap().entries[0].id, EventId(0));
        log.since(numbers[0], instant + Span::days(1)).unwrap();
    }
}

pub(super) fn a_timeline_brings_every_entry_of_its_window_once_and_in_order(medium: &dyn Medium) {
    let log = medium.open(&How::writing(&[("server", 3), ("admin", 1)])).unwrap();
    let partitions = [numbers(&*log, "server", 3), numbers(&*log, "admin", 1)].concat();
    for id in 0..120 {
        append(&*log, partitions[id as usize * 7 % 4], id, Until::Committed);
    }
    let all: Vec<Entry> = partitions.iter().flat_map(|partition| read(&*log, *partition)).collect();
    let (first, last) = (all.iter().map(|e| e.append_time).min(), all.iter().map(|e| e.append_time).max());
    let (first, last) = (first.unwrap(), last.unwrap());
    let middle = Timestamp(first.0.midpoint(last.0));
    let ends =
        [(Timestamp(i64::MIN), Timestamp(i64::MAX)), (first, last), (middle, last), (first, middle), (last, first)];
    for (from, until) in ends {
        let found: Vec<Entry> = Timeline::between(&*log, from, until).unwrap().map(Result::unwrap).collect();
        assert!(found.is_sorted_by_key(|entry| entry.append_time), "{from:?} … {until:?}");
        let sorted = |entries: &mut dyn Iterator<Item = &Entry>| {
            let mut ids: Vec<u128> = entries.map(|entry| entry.id.0).collect();
            ids.sort_unstable();
            ids
        };
        let expected = all.iter().filter(|entry| (from..until).contains(&entry.append_time));
        assert_eq!(sorted(&mut found.iter()), sorted(&mut expected.into_iter()), "{from:?} … {until:?}");
    }
}

pub(super) fn nobody_waits_for_a_partition_at_its_end_in_vain(medium: &dyn Medium) {
    let (log, numbers) = writing(medium, 2);
    let at = append(&*log, numbers[0], 1, Until::Committed);
    let end = Position { offset: at.offset + 1, ..at };
    assert_eq!(log.read(end, 100).unwrap().next, end);
    let heads = log.wait(&[end], Duration::from_millis(1)).unwrap();
    assert_eq!(heads.iter().map(|head| head.next.partition).collect::<Vec<_>>(), numbers);
    let waiting = Arc::clone(&log);
    let waiter = std::thread::spawn(move || waiting.wait(&[end], LONG).unwrap());
    let next = append(&*log, numbers[0], 2, Until::Committed);
    assert!(waiter.join().unwrap().iter().any(|head| head.next.partition == at.partition && head.next > next));
    assert_eq!(log.read(end, 100).unwrap().entries[0].position, next);
}
