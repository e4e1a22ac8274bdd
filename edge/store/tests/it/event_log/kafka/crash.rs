//! The broker is killed and comes back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use litfass_store::log::kafka::{KafkaLog, KafkaOptions};
use litfass_store::log::{AppendError, EventLog, LogHealth, Until};
use litfass_types::Position;

use super::super::{LONG, entry, read};
use super::{Topics, broker};

const WRITERS: u128 = 2;
const PARTITIONS: u16 = 2;
/// Acknowledged before the broker is killed, and again after it came back.
const ENOUGH: u64 = 2_000;

/// Everything that one writer appended, in its order, with its answer.
type Told = Vec<(u16, u128, Result<Position, AppendError>)>;

fn write(log: &KafkaLog, writer: u128, stop: &AtomicBool, acknowledged: &AtomicU64) -> Told {
    let (mut told, mut n) = (Told::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        let ids: Vec<(u16, u128)> = (n..n + 20).map(|n| (u16::from(n % 2 == 1), writer * 1_000_000_000 + n)).collect();
        n += 20;
        let results = log.append(ids.iter().map(|(p, id)| entry(*p, *id)).collect(), Until::Committed).wait();
        acknowledged.fetch_add(results.iter().filter(|result| result.is_ok()).count() as u64, Ordering::Relaxed);
        told.extend(ids.into_iter().zip(results).map(|((partition, id), result)| (partition, id, result)));
    }
    told
}

fn follow(log: &KafkaLog, stop: &AtomicBool) -> BTreeMap<u16, Vec<(u64, u128)>> {
    let mut next: Vec<Position> = (0..PARTITIONS).map(|partition| Position { partition, offset: 0 }).collect();
    let mut seen: BTreeMap<u16, Vec<(u64, u128)>> = BTreeMap::new();
    loop {
        let is_last = stop.load(Ordering::Relaxed);
        let mut is_quiet = true;
        for position in &mut next {
            // The broker is away for a while; whoever reads tries again.
            let Ok(batch) = log.read(*position, 10_000) else { continue };
            is_quiet &= batch.entries.is_empty();
            *position = batch.next;
            let of = batch.entries.iter().map(|entry| (entry.position.offset, entry.id.0));
            seen.entry(position.partition).or_default().extend(of);
        }
        if is_last && is_quiet {
            return seen;
        }
        drop(log.wait(&next, Duration::from_millis(50)));
    }
}

fn until(acknowledged: &AtomicU64, more: u64) {
    let goal = acknowledged.load(Ordering::Relaxed) + more;
    let patience = Instant::now() + Duration::from_secs(60);
    while acknowledged.load(Ordering::Relaxed) < goal {
        assert!(Instant::now() < patience, "appends go on");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn what_was_acknowledged_is_read_once_and_in_order_though_the_broker_is_killed() {
    let topics = Topics::new();
    // Some appends fail while the broker is away.
    let options = |writers| KafkaOptions { delivery_timeout: Duration::from_secs(3), ..topics.options(writers) };
    let logs: Vec<KafkaLog> =
        (0..WRITERS).map(|_| KafkaLog::open(&options(&[("server", PARTITIONS)])).unwrap()).collect();
    let reader = topics.open(&[]);
    let (stop, read_all, acknowledged) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let (told, followed) = std::thread::scope(|scope| {
        let following = scope.spawn(|| follow(&reader, &read_all));
        let (stop, counted) = (&stop, &acknowledged);
        let writers = (0..WRITERS).zip(&logs);
        let writing: Vec<_> =
            writers.map(|(writer, log)| scope.spawn(move || write(log, writer, stop, counted))).collect();
        for _ in 0..3 {
            until(&acknowledged, ENOUGH);
            broker::kill();
            broker::start();
        }
        until(&acknowledged, ENOUGH);
        stop.store(true, Ordering::Relaxed);
        let told: Vec<Told> = writing.into_iter().map(|thread| thread.join().unwrap()).collect();
        read_all.store(true, Ordering::Relaxed);
        (told, following.join().unwrap())
    });
    let after = topics.open(&[]);
    for partition in 0..PARTITIONS {
        let found: Vec<(u64, u128)> = read(&after, partition).iter().map(|e| (e.position.offset, e.id.0)).collect();
        assert_eq!(followed[&partition], found, "who followed saw what is there");
        for (writer, told) in (0_u128..).zip(&told) {
            check(partition, writer, told, &found);
        }
    }
    let failed = told.iter().flatten().filter(|(_, _, result)| result.is_err()).count();
    println!("acknowledged {}, failed {failed}", acknowledged.load(Ordering::Relaxed));
}

/// What one writer was told against what lies in a partition.
fn check(partition: u16, writer: u128, told: &Told, found: &[(u64, u128)]) {
    let own: Vec<u128> = found.iter().map(|(_, id)| *id).filter(|id| id / 1_000_000_000 == writer).collect();
    assert!(own.is_sorted_by(|a, b| a < b), "in the order of its appends, none twice, acknowledged or not");
    let at: BTreeMap<u128, u64> = found.iter().map(|(offset, id)| (*id, *offset)).collect();
    for (_, id, result) in told.iter().filter(|(of, _, _)| *of == partition) {
        match result {
            Ok(position) => assert_eq!(at.get(id), Some(&position.offset), "{id} lies where its writer was told"),
            Err(error) => assert!(matches!(error, AppendError::Failed { .. }), "{error}"),
        }
    }
}

#[test]
fn while_no_broker_answers_appends_wait_up_to_a_bound_and_never_block() {
    let topics = Topics::new();
    let patient = KafkaOptions { delivery_timeout: LONG, queue_entries: 10, ..topics.options(&[("server", 1)]) };
    let log = KafkaLog::open(&patient).unwrap();
    broker::kill();
    let waiting = log.append((0..10).map(|id| entry(0, id)).collect(), Until::Committed);
    let refused = log.append(vec![entry(0, 10)], Until::Written).wait();
    assert_eq!(refused, [Err(AppendError::Overloaded { partition: 0, queued: 10 })]);
    let patience = Instant::now() + Duration::from_secs(30);
    while log.ailment().is_none() {
        assert!(Instant::now() < patience, "the log says what ails it");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert!(log.read(Position { partition: 0, offset: 0 }, 1).is_err(), "who reads learns that nobody answers");
    broker::start();
    assert!(waiting.wait().iter().all(Result::is_ok));
    assert_eq!(read(&log, 0).iter().map(|entry| entry.id.0).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert!(log.append(vec![entry(0, 11)], Until::Committed).wait()[0].is_ok());
    while log.ailment().is_some() {
        assert!(Instant::now() < patience + Duration::from_secs(30), "it is well again");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
