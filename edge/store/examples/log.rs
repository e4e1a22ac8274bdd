//! How fast the event log takes entries, on this machine's disk: `cargo run --release -p litfass-store --example log [DIR]`.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use bytes::Bytes;
use litfass_store::log::{Appended, Clock, EventLog, LogOptions, NewEntry, SegmentLog, Until};
use litfass_store::storage::{Disk, ensure_dir};
use litfass_types::{DecisionId, EventId, Position, Timestamp};

const RECORDS: u64 = 300_000;
const RECORD_BYTES: usize = 1_500;
const EVENT_BYTES: usize = 250;
const BATCH: u64 = 100;

fn main() -> Result<()> {
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("litfass-log-{}", std::process::id()));
    ensure_dir(&Disk, &dir)?;
    let clock = Clock::new(now);
    let log = SegmentLog::open(Arc::new(Disk), &dir.join("log"), &LogOptions::new(&[("server", 4)]), &clock)?.log;
    let ids = records(&log)?;
    find(&log, &ids)?;
    follow(&log)?;
    batches(&log)?;
    singles(&log)?;
    drop(log);
    reopen(&dir)?;
    std::fs::remove_dir_all(&dir).context("removing the log")
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn entry(partition: u16, id: u128, bytes: usize) -> NewEntry {
    NewEntry { partition, id: EventId(id), payload: Bytes::from(vec![7; bytes]) }
}

fn finished(appended: Appended) -> Result<()> {
    appended.wait().into_iter().try_for_each(|result| result.map(|_| ()).map_err(Into::into))
}

/// Decision records: one append each, up to 512 on their way, acknowledged when written.
fn records(log: &SegmentLog) -> Result<Vec<DecisionId>> {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut on_their_way = VecDeque::new();
    let mut ids = Vec::new();
    for i in 0..RECORDS {
        let partition = u16::try_from(i % 4)?;
        let id = DecisionId::new(now(), partition, i);
        ids.push(id);
        on_their_way.push_back(log.append(vec![entry(partition, id.0, RECORD_BYTES)], Until::Written));
        if on_their_way.len() > 512 {
            on_their_way.pop_front().map(finished).transpose()?;
        }
    }
    on_their_way.into_iter().try_for_each(finished)?;
    report("records written, 1.5 KB, one by one", RECORDS, begun, cpu);
    Ok(ids)
}

fn find(log: &SegmentLog, ids: &[DecisionId]) -> Result<()> {
    finished(log.append((0..4).map(|partition| entry(partition, 1, 10)).collect(), Until::Committed))?;
    let mut times = Vec::new();
    for id in ids.iter().step_by(ids.len() / 200) {
        let begun = Instant::now();
        log.find(*id)?.context("a record is not found")?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!(
        "record found by its id: median {:?}, worst of {} {:?}",
        times[times.len() / 2],
        times.len(),
        times[times.len() - 1]
    );
    Ok(())
}

fn follow(log: &SegmentLog) -> Result<()> {
    let (begun, cpu, mut count) = (Instant::now(), cpu_seconds(), 0);
    for partition in 0..4 {
        let mut from = Position { partition, offset: 0 };
        loop {
            let batch = log.read(from, 1 << 20)?;
            if batch.entries.is_empty() {
                break;
            }
            (from, count) = (batch.next, count + batch.entries.len() as u64);
        }
    }
    report("entries read back", count, begun, cpu);
    Ok(())
}

/// Events in batches: 8 clients, 100 a request, each request acknowledged when all of it is durable.
fn batches(log: &SegmentLog) -> Result<()> {
    let (begun, cpu, requests) = (Instant::now(), cpu_seconds(), 250);
    let mut times = clients(8, |client| {
        let mut times = Vec::new();
        for request in 0..requests {
            let first = (client * requests + request) * BATCH;
            let events =
                (first..first + BATCH).map(|id| entry(u16::try_from(id % 4).unwrap_or(0), u128::from(id), EVENT_BYTES));
            let sent = Instant::now();
            finished(log.append(events.collect(), Until::Committed))?;
            times.push(sent.elapsed());
        }
        Ok(times)
    })?;
    report("events durable, 250 B, 100 a batch, 8 clients", 8 * requests * BATCH, begun, cpu);
    quantiles(&mut times);
    Ok(())
}

/// Single events: 64 clients that each wait for theirs to be durable.
fn singles(log: &SegmentLog) -> Result<()> {
    let (begun, cpu, requests) = (Instant::now(), cpu_seconds(), 300);
    let mut times = clients(64, |client| {
        let mut times = Vec::new();
        for request in 0..requests {
            let sent = Instant::now();
            let event = entry(u16::try_from(client % 4)?, u128::from(client * requests + request), EVENT_BYTES);
            finished(log.append(vec![event], Until::Committed))?;
            times.push(sent.elapsed());
        }
        Ok(times)
    })?;
    report("events durable, 250 B, one by one, 64 clients", 64 * requests, begun, cpu);
    quantiles(&mut times);
    Ok(())
}

fn clients(n: u64, run: impl Fn(u64) -> Result<Vec<Duration>> + Sync) -> Result<Vec<Duration>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n)
            .map(|client| {
                scope.spawn({
                    let run = &run;
                    move || run(client)
                })
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        Ok(all)
    })
}

fn reopen(dir: &std::path::Path) -> Result<()> {
    let begun = Instant::now();
    let options = LogOptions::new(&[("server", 4)]);
    drop(SegmentLog::open(Arc::new(Disk), &dir.join("log"), &options, &Clock::new(now))?);
    println!("opened again in {:?}", begun.elapsed());
    Ok(())
}

fn report(what: &str, count: u64, begun: Instant, cpu: f64) {
    let wall = begun.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu;
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let count = count as f64;
    println!("{what}: {:.0}/s, {:.1} µs of CPU each", count / wall, cpu / count * 1e6);
}

fn quantiles(times: &mut [Duration]) {
    times.sort_unstable();
    println!("    latency p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}

/// User and system time of this process, from the kernel's ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
