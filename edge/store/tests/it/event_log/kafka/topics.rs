//! Topics that are not as they should be, and what others did to them.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use litfass_store::log::kafka::{KafkaLog, KafkaOptions, NotOpened, NotRead, Setting};
use litfass_store::log::{EventLog, LogHealth, OpenError, ReadError, Until};
use litfass_types::Position;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::super::{append, entry, ids, read};
use super::{Topics, broker};

const BEGIN: Position = Position { partition: 0, offset: 0 };

fn admin() -> AdminClient<DefaultClientContext> {
    broker::client().create().unwrap()
}

/// Polls until it is ready.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        std::thread::yield_now();
    }
}

fn make(name: &str, settings: &[(&str, &str)]) {
    let new = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
    finish(admin().create_topics([&new], &AdminOptions::new())).unwrap().remove(0).unwrap();
}

const RIGHT: [(&str, &str); 2] = [("message.timestamp.type", "LogAppendTime"), ("max.message.bytes", "8000000")];

#[test]
fn a_topic_that_is_set_up_otherwise_is_refused_by_name_and_setting() {
    let wrong = [
        (Setting::TimestampType, "CreateTime"),
        (Setting::CleanupPolicy, "compact"),
        (Setting::UncleanElection, "true"),
        (Setting::MaxMessageBytes, "1000000"),
    ];
    for (setting, value) in wrong {
        let topics = Topics::new();
        let name = format!("{}.server", topics.prefix);
        let others = RIGHT.iter().filter(|(name, _)| *name != setting.name());
        make(&name, &others.copied().chain([(setting.name(), value)]).collect::<Vec<_>>());
        for writers in [&[("server", 1)][..], &[]] {
            let refused = KafkaLog::open(&topics.options(writers)).unwrap_err();
            let said = refused.to_string();
            assert!(said.contains(&name) && said.contains(setting.name()) && said.contains(value), "{said}");
            let OpenError::Kafka(NotOpened::Setting { topic, setting: found, .. }) = refused else { panic!("{said}") };
            assert_eq!((topic, found), (name.clone(), setting));
        }
    }
    let topics = Topics::new();
    make(&format!("{}.server", topics.prefix), &RIGHT);
    append(&topics.open(&[("server", 1)]), 0, 1, Until::Committed);
}

#[test]
fn topics_that_there_are_not_are_refused() {
    let topics = Topics::new();
    let options = topics.options(&[("stranger", 1)]);
    assert!(matches!(KafkaLog::open(&options), Err(OpenError::Kafka(NotOpened::UnknownTopic(_)))));
    let many = KafkaOptions { topics: (0..5).map(|n| format!("topic_{n}")).collect(), ..topics.options(&[]) };
    assert!(matches!(KafkaLog::open(&many), Err(OpenError::Kafka(NotOpened::TooManyTopics))));
    let options = KafkaOptions { topics: vec!["No Name".to_owned()], ..topics.options(&[("No Name", 1)]) };
    assert!(matches!(KafkaLog::open(&options), Err(OpenError::BadName(_))));
}

#[test]
fn entries_that_are_kept_no_longer_are_said_to_be_gone() {
    let topics = Topics::new();
    let log = topics.open(&[("server", 1)]);
    let positions: Vec<_> = (0..30).map(|id| append(&log, 0, id, Until::Committed)).collect();
    let mut list = TopicPartitionList::new();
    let until = Offset::Offset(i64::try_from(positions[20].offset).unwrap());
    list.add_partition_offset(&format!("{}.server", topics.prefix), 0, until).unwrap();
    finish(admin().delete_records(&list, &AdminOptions::new())).unwrap();
    let reader = topics.open(&[]);
    match reader.read(BEGIN, 1_000) {
        Err(ReadError::Gone { partition: 0, wanted: 0, first }) => assert_eq!(first, positions[20].offset),
        other => panic!("{other:?}"),
    }
    let begin = reader.since(0, litfass_types::Timestamp(0)).unwrap();
    assert_eq!(reader.read(begin, 1).unwrap().entries[0].id.0, 20);
    assert_eq!(ids_from(&reader, begin), (20..30).collect::<Vec<_>>());
}

#[test]
fn a_log_that_is_shorter_than_what_was_read_is_an_error() {
    let topics = Topics::new();
    let log = topics.open(&[("server", 1)]);
    let last = (0..30).map(|id| append(&log, 0, id, Until::Committed)).last().unwrap();
    drop(log);
    let name = format!("{}.server", topics.prefix);
    finish(admin().delete_topics(&[&name], &AdminOptions::new())).unwrap().remove(0).unwrap();
    let patience = Instant::now() + Duration::from_secs(30);
    while !topics.open(&[]).wait(&[], Duration::ZERO).unwrap().is_empty() {
        assert!(Instant::now() < patience, "the topic goes");
    }
    let log = topics.open(&[("server", 1)]);
    append(&log, 0, 100, Until::Committed);
    let from = Position { offset: last.offset + 1, ..last };
    let is_lost = |error: &ReadError| matches!(error, ReadError::Kafka(NotRead::Lost { partition: 0, wanted: 30, .. }));
    let error = log.read(from, 100).unwrap_err();
    assert!(is_lost(&error), "{error}");
    let error = log.wait(&[from], Duration::from_secs(60)).unwrap_err();
    assert!(is_lost(&error), "{error}");
}

#[test]
fn records_of_transactions_are_passed_over() {
    let topics = Topics::new();
    let log = topics.open(&[("server", 1)]);
    append(&log, 0, 1, Until::Committed);
    let name = format!("{}.server", topics.prefix);
    let foreign: BaseProducer = broker::client().set("transactional.id", &topics.prefix).create().unwrap();
    let soon = Duration::from_secs(20);
    foreign.init_transactions(soon).unwrap();
    foreign.begin_transaction().unwrap();
    let (key, payload) = (7_u128.to_be_bytes(), b"aborted");
    foreign.send(BaseRecord::<[u8], [u8]>::to(&name).key(&key).payload(payload)).unwrap();
    foreign.flush(soon).unwrap();
    foreign.abort_transaction(soon).unwrap();
    // The marker comes a moment after the answer. It and the aborted record have offsets of their own.
    let last = (2..10_000).find(|id| append(&log, 0, *id, Until::Committed).offset == u64::try_from(*id).unwrap() + 1);
    let expected: Vec<u128> = (1..=last.unwrap()).collect();
    assert_eq!(ids(&log, 0), expected);
    assert_eq!(ids(&topics.open(&[]), 0), expected);
}

#[test]
fn a_record_of_somebody_else_is_named_and_not_passed_over() {
    let topics = Topics::new();
    let log = topics.open(&[("server", 1)]);
    let at = append(&log, 0, 1, Until::Committed);
    let foreign: BaseProducer = broker::client().create().unwrap();
    let name = format!("{}.server", topics.prefix);
    foreign.send(BaseRecord::<[u8], [u8]>::to(&name).key(b"a name").payload(b"a value")).unwrap();
    foreign.flush(Duration::from_secs(20)).unwrap();
    append(&log, 0, 2, Until::Committed);
    let next = Position { offset: at.offset + 1, ..at };
    for log in [&log, &topics.open(&[])] {
        assert_eq!(log.read(BEGIN, 1).unwrap().entries[0].id.0, 1);
        let error = log.read(next, 1).unwrap_err();
        assert!(matches!(error, ReadError::Kafka(NotRead::Foreign { partition: 0, offset: 1, .. })), "{error}");
    }
    assert!(log.ailment().unwrap().contains("offset 1"), "{:?}", log.ailment());
}

fn ids_from(log: &KafkaLog, mut from: Position) -> Vec<u128> {
    let mut ids = Vec::new();
    loop {
        let batch = log.read(from, 100).unwrap();
        if batch.entries.is_empty() {
            return ids;
        }
        from = batch.next;
        ids.extend(batch.entries.iter().map(|entry| entry.id.0));
    }
}

#[test]
fn entries_of_the_largest_size_share_a_batch_with_small_ones() {
    let topics = Topics::new();
    let log = topics.open(&[("server", 1)]);
    let large = |id| litfass_store::log::NewEntry {
        payload: bytes::Bytes::from(vec![b'x'; litfass_store::log::MAX_PAYLOAD_BYTES]),
        ..entry(0, id)
    };
    let entries = vec![entry(0, 0), large(1), entry(0, 2), large(3), large(4), entry(0, 5)];
    assert!(log.append(entries, Until::Committed).wait().iter().all(Result::is_ok));
    for log in [&log, &topics.open(&[])] {
        assert_eq!(read(log, 0).iter().map(|entry| entry.id.0).collect::<Vec<_>>(), (0..6).collect::<Vec<_>>());
    }
}
