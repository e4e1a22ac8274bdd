//! The log in Kafka, on a real broker: `cargo xtask verify kafka` starts one and says where.

mod broker;
mod crash;
mod group;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use litfass_events::PartitionKey;
use litfass_store::log::kafka::{KafkaLog, KafkaOptions};
use litfass_store::log::{EventLog, LogHealth, OpenError, Until};
use litfass_types::Timestamp;

use super::contract::contract;
use super::{How, Medium, append, entry, ids};

/// Topics that no other test has.
pub(crate) struct Topics {
    prefix: String,
}

impl Topics {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let now = now().0;
        Self { prefix: format!("test-{now}-{}", NEXT.fetch_add(1, Ordering::Relaxed)) }
    }

    /// Every writer has a topic of its name.
    fn options(&self, writers: &[(&str, u16)]) -> KafkaOptions {
        let reading = KafkaOptions::new(&broker::address(), &self.prefix, &["server", "admin"]);
        let quiet = KafkaOptions { heartbeat: None, ..reading };
        writers.iter().fold(quiet, |options, (name, partitions)| options.writing(name, name, *partitions))
    }

    fn open(&self, writers: &[(&str, u16)]) -> KafkaLog {
        KafkaLog::open(&self.options(writers)).unwrap()
    }
}

impl Medium for Topics {
    fn open(&self, how: &How) -> Result<Arc<dyn EventLog>, OpenError> {
        let (heartbeat, queue_entries) = (how.heartbeat, how.queue_entries);
        let options = KafkaOptions { heartbeat, queue_entries, ..self.options(&how.writers) };
        Ok(Arc::new(KafkaLog::open(&options)?))
    }

    fn now(&self) -> Timestamp {
        now()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

contract!(Topics::new());

#[test]
fn partitions_are_numbered_by_the_places_of_their_topics() {
    let topics = Topics::new();
    let log = topics.open(&[("server", 3), ("admin", 1)]);
    let numbers: Vec<_> = (0..3).map(|k| log.partition("server", PartitionKey(k)).unwrap()).collect();
    assert_eq!((numbers, log.partition("admin", PartitionKey(0))), (vec![0, 1, 2], Some(256)));
    let named = |topic: &str| topic.to_owned();
    let expected = [(0, named("server")), (1, named("server")), (2, named("server")), (256, named("admin"))];
    assert_eq!(topics.open(&[]).writers().unwrap(), expected);
    assert_eq!(topics.open(&[("admin", 1)]).partition("admin", PartitionKey(0)), Some(256));
}

#[test]
fn several_writers_of_one_topic_each_keep_their_order() {
    let topics = Topics::new();
    let options = |writer: u16| topics.options(&[]).writing(&format!("decide_{writer}"), "server", 2);
    let logs: Vec<KafkaLog> = (0..3).map(|writer| KafkaLog::open(&options(writer)).unwrap()).collect();
    let key = PartitionKey(1);
    assert_eq!((logs[2].partition("decide_2", key), logs[2].partition("decide_1", key)), (Some(1), None));
    std::thread::scope(|scope| {
        for (writer, log) in (0_u128..).zip(&logs) {
            scope.spawn(move || {
                for chunk in 0..20 {
                    let of = |n: u128| entry(u16::try_from(n % 2).unwrap(), writer * 1_000_000 + chunk * 100 + n);
                    let results = log.append((0..100).map(of).collect(), Until::Committed).wait();
                    assert!(results.iter().all(Result::is_ok), "{results:?}");
                }
            });
        }
    });
    let reader = topics.open(&[]);
    for partition in 0..2 {
        let found = ids(&reader, partition);
        assert_eq!(found.len(), 3_000);
        for writer in 0..3 {
            let own: Vec<_> = found.iter().filter(|id| *id / 1_000_000 == writer).collect();
            assert_eq!(own.len(), 1_000);
            assert!(own.is_sorted(), "writer {writer}");
        }
    }
}

#[test]
fn a_position_far_back_is_read_by_several_at_once() {
    let topics = Topics::new();
    let log = topics.open(&[("server", 1)]);
    for chunk in 0..10 {
        let entries = (chunk * 500..(chunk + 1) * 500).map(|id| entry(0, id)).collect();
        assert!(log.append(entries, Until::Committed).wait().iter().all(Result::is_ok));
    }
    let reader = topics.open(&[]);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| assert_eq!(ids(&reader, 0), (0..5_000).collect::<Vec<_>>()));
        }
    });
}

#[test]
fn a_log_that_works_has_no_ailment_and_one_that_no_broker_has_is_not_opened() {
    let topics = Topics::new();
    let log = topics.open(&[("server", 1)]);
    append(&log, 0, 1, Until::Committed);
    assert_eq!(log.ailment(), None);
    assert_eq!(log.cluster_id().unwrap(), topics.open(&[]).cluster_id().unwrap());
    let nobody = KafkaOptions { brokers: "127.0.0.1:1".to_owned(), ..topics.options(&[]) };
    let refused = KafkaLog::open(&KafkaOptions { delivery_timeout: Duration::from_secs(1), ..nobody }).unwrap_err();
    assert!(refused.to_string().starts_with("Kafka, "), "{refused}");
}
