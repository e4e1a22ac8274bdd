//! The event log in segments and in Kafka, side by side on this machine:
//! `KAFKA_BROKERS=127.0.0.1:9092 cargo run --release -p litfass-store --features kafka --example two_logs`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use bytes::Bytes;
use litfass_events::PartitionKey;
use litfass_store::log::kafka::{KafkaLog, KafkaOptions};
use litfass_store::log::{Clock, EventLog, LogOptions, NewEntry, SegmentLog, Until};
use litfass_store::storage::{Disk, ensure_dir};
use litfass_types::{EventId, Position, Timestamp};

const PARTITIONS: u16 = 4;
const EVENT_BYTES: usize = 250;
const RECORD_BYTES: usize = 1_500;

/// So many clients, each waiting for an append of so many entries before its next.
struct Load {
    name: &'static str,
    clients: u64,
    appends: u64,
    batch: u64,
    bytes: usize,
    until: Until,
}

const LOADS: [Load; 5] = [
    Load {
        name: "event, committed, 1 client",
        clients: 1,
        appends: 2_000,
        batch: 1,
        bytes: EVENT_BYTES,
        until: Until::Committed,
    },
    Load {
        name: "event, committed, 64 clients",
        clients: 64,
        appends: 300,
        batch: 1,
        bytes: EVENT_BYTES,
        until: Until::Committed,
    },
    Load {
        name: "100 events, committed, 8 clients",
        clients: 8,
        appends: 500,
        batch: 100,
        bytes: EVENT_BYTES,
        until: Until::Committed,
    },
    Load {
        name: "record, written, 1 client",
        clients: 1,
        appends: 2_000,
        batch: 1,
        bytes: RECORD_BYTES,
        until: Until::Written,
    },
    Load {
        name: "record, written, 64 clients",
        clients: 64,
        appends: 300,
        batch: 1,
        bytes: RECORD_BYTES,
        until: Until::Written,
    },
];

fn main() -> Result<()> {
    let brokers = std::env::var("KAFKA_BROKERS").context("KAFKA_BROKERS says where Kafka is")?;
    let dir = std::env::temp_dir().join(format!("litfass-log-{}", std::process::id()));
    ensure_dir(&Disk, &dir)?;
    let segments = LogOptions::new(&[("server", PARTITIONS)]);
    let segments = SegmentLog::open(Arc::new(Disk), &dir.join("log"), &segments, &Clock::new(now))?.log;
    let prefix = format!("bench-{}", now().0);
    let kafka =
        KafkaLog::open(&KafkaOptions::new(&brokers, &prefix, &["server"]).writing("server", "server", PARTITIONS))?;
    println!("| load | log | entries/s | p50 | p99 | µs of CPU each |\n|---|---|---|---|---|---|");
    for load in &LOADS {
        // Both take turns, so that what else the machine does meets both.
        measure("segments", &segments, load)?;
        measure("Kafka", &kafka, load)?;
    }
    println!("\n| reading | log | entries/s |\n|---|---|---|");
    read("segments", &segments)?;
    let again = KafkaLog::open(&KafkaOptions::new(&brokers, &prefix, &["server"]))?;
    read("Kafka", &again)?;
    drop(segments);
    std::fs::remove_dir_all(&dir).context("removing the log")
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn measure(name: &str, log: &dyn EventLog, load: &Load) -> Result<()> {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut times = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..load.clients).map(|client| scope.spawn(move || one(log, load, client))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    let count = load.clients * load.appends * load.batch;
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let (rate, each) = (count as f64 / wall, cpu / count as f64 * 1e6);
    println!("| {} | {name} | {rate:.0} | {:.2?} | {:.2?} | {each:.1} |", load.name, at(50), at(99));
    Ok(())
}

fn one(log: &dyn EventLog, load: &Load, client: u64) -> Result<Vec<Duration>> {
    let partition = log.partition("server", PartitionKey(client)).context("a writer")?;
    let payload = Bytes::from(vec![7; load.bytes]);
    let mut times = Vec::new();
    for append in 0..load.appends {
        let entry = |n| NewEntry {
            partition,
            id: EventId(u128::from(client << 40 | append << 20 | n) + 1),
            payload: payload.clone(),
        };
        let sent = Instant::now();
        for result in log.append((0..load.batch).map(entry).collect(), load.until).wait() {
            result?;
        }
        times.push(sent.elapsed());
    }
    Ok(times)
}

/// Everything, partition by partition, from the beginning.
fn read(name: &str, log: &dyn EventLog) -> Result<()> {
    let (begun, mut count) = (Instant::now(), 0_u64);
    for head in log.wait(&[], Duration::ZERO)? {
        let mut from = Position { offset: 0, ..head.next };
        while from < head.next {
            let batch = log.read(from, 1 << 20)?;
            count += batch.entries.len() as u64;
            from = batch.next;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    println!("| all {count} entries | {name} | {rate:.0} |");
    Ok(())
}

/// Of this process; the broker's own is not in it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
