//! How fast the ledger bills and how fast holds are made, on this machine's disk:
//! `cargo run --release -p litfass-store --features postgres --example billing [EVENTS [BATCH [DIR]]]`.
//!
//! On SQLite, and on a PostgreSQL server of its own on a socket, with fsync and synchronous_commit on; its CPU time is that of the
//! backends that serve the ledger, without the checkpointer and its like.
//!
//! 2,000 campaigns, 4,000 line items drawn by Zipf(1), 1 % copies, three slots a decision, time-ordered decision ids, everything
//! in the transaction: keys, leases, controls with their CHECKs, postings, counters, figures of reports, position. After each 50
//! batches every line item asks for a new lease, and the old ones are returned. The ledger is verified at the end.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

#[cfg(feature = "postgres")]
#[expect(clippy::unwrap_used, dead_code, reason = "it is the tests' server")]
#[path = "../tests/it/ledger/cluster.rs"]
mod cluster;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration as Elapsed, Instant};

use litfass_ledger::{
    Amount, Batch, Billable, BudgetDay, Chain, Claim, ClaimId, Command, CommandEntry, CommandId, Commands, Consumed,
    Country, Effect, Entrant, Entry, Facet, GrantAnswer, GrantRequest, Granted, HolderId, Holds, Limit, Membership,
    Note, PartitionKind, Quarter, Return, Terms,
};
use litfass_store::ledger::{Clock, Ledger, LedgerReader, SqliteLedger, SqliteLedgerReader, verify};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, Duration, LeaseId, LineItemId, PlacementId, Position,
    Price, Probability, Seed, TenantId, Timestamp, Unit,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LINE_ITEMS: u64 = 4_000;
const ACCOUNTS: u64 = 200;
const START: Timestamp = Timestamp(20_000 * 86_400_000 + 3_600_000);
const DAY: Day = Day(20_000);
const EVENTS_PER_MS: u64 = 20;
const ADMIN: u16 = 9;
const BATCHES_PER_LEASE: u64 = 50;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let events = args.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let batch = args.next().map_or(Ok(2_000), |n| n.parse())?;
    let parent = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    on_sqlite(&parent, events, batch)?;
    #[cfg(feature = "postgres")]
    server::bill(&parent, events, batch)?;
    hold();
    Ok(())
}

/// The clock of grants: the log's time.
fn clock(hand: &Arc<AtomicI64>) -> Clock {
    let hand = Arc::clone(hand);
    Box::new(move || Timestamp(hand.load(Ordering::Relaxed)))
}

fn on_sqlite(parent: &Path, events: u64, batch: u64) -> Result<()> {
    let dir = parent.join(format!("litfass-billing-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let (path, now) = (dir.join("litfass.db"), Arc::new(AtomicI64::new(START.0)));
    println!("SQLite, synchronous=FULL");
    let ledger = SqliteLedger::open(&path, Terms::default(), clock(&now))?;
    bill(&ledger, &now, (events, batch), &|| 0.0)?;
    println!("file: {:.0} MB", std::fs::metadata(&path)?.len() as f64 / 1e6);
    check(&SqliteLedgerReader::open(&path)?)?;
    Ok(std::fs::remove_dir_all(&dir)?)
}

#[cfg(feature = "postgres")]
mod server {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicI64;

    use litfass_ledger::Terms;
    use litfass_store::ledger::{PostgresLedger, PostgresLedgerReader};
    use postgres::{Client, NoTls};

    use super::cluster::Cluster;
    use super::{Result, START, check, clock};

    pub(crate) fn bill(parent: &Path, events: u64, batch: u64) -> Result<()> {
        let settings = ["fsync=on", "synchronous_commit=on", "shared_buffers=512MB", "max_wal_size=4GB"];
        let cluster = Cluster::start_in(parent, &settings);
        let url = cluster.database();
        let (mut client, now) = (Client::connect(&url, NoTls)?, Arc::new(AtomicI64::new(START.0)));
        let mut show = |name: &str| client.query_one(&format!("SHOW {name}"), &[]).map(|row| row.get::<_, String>(0));
        let (version, fsync, commit) = (show("server_version")?, show("fsync")?, show("synchronous_commit")?);
        println!("PostgreSQL {version}, fsync={fsync}, synchronous_commit={commit}, {}", settings[2..].join(", "));
        let ledger = PostgresLedger::open(&url, Terms::default())?.with_clock(clock(&now));
        let backends = client
            .query("SELECT pid FROM pg_stat_activity WHERE application_name = 'litfass'", &[])?
            .iter()
            .map(|row| row.get(0))
            .collect::<Vec<i32>>();
        super::bill(&ledger, &now, (events, batch), &|| backends.iter().map(cpu_seconds).sum())?;
        let size = client.query_one("SELECT pg_database_size(current_database())", &[])?.get::<_, i64>(0);
        println!("database: {:.0} MB", size as f64 / 1e6);
        check(&PostgresLedgerReader::open(&url)?)
    }

    fn cpu_seconds(process: &i32) -> f64 {
        super::scheduled(&format!("/proc/{process}/schedstat"))
    }
}

fn chain(line_item: u64) -> Chain {
    let campaign = line_item / 2;
    let account = AdvertiserId(1 + campaign % ACCOUNTS);
    Chain { account, campaign: CampaignId(1 + campaign), line_item: LineItemId(1 + line_item), day: DAY }
}

fn window() -> BudgetDay {
    let starts = Timestamp(20_000 * 86_400_000);
    BudgetDay { day: DAY, starts, ends: starts + Duration::days(1) }
}

/// Line items by Zipf(1): the inverse of the cumulated harmonic series, in integers.
struct Zipf(Vec<u64>);

impl Zipf {
    fn new(n: u64) -> Self {
        let weight = |rank: u64| 1_000_000_000 / (rank + 1);
        Self(
            (0..n)
                .scan(0, |sum, rank| {
                    Some({
                        *sum += weight(rank);
                        *sum
                    })
                })
                .collect(),
        )
    }

    fn draw(&self, seed: Seed) -> u64 {
        let at = seed.below(self.0.last().copied().unwrap_or(1));
        self.0.partition_point(|sum| *sum <= at) as u64
    }
}

fn bill(ledger: &dyn Ledger, now: &AtomicI64, (events, batch): (u64, u64), server_cpu: &dyn Fn() -> f64) -> Result<()> {
    open(ledger)?;
    let zipf = Zipf::new(LINE_ITEMS);
    let (mut latencies, mut granting, mut leases) = (Vec::new(), Elapsed::ZERO, 0);
    let (mut billing, mut cpu, mut server) = (Elapsed::ZERO, 0.0, 0.0);
    for number in 0..events / batch {
        if number % BATCHES_PER_LEASE == 0 {
            let begun = Instant::now();
            leases += lease(ledger, number / BATCHES_PER_LEASE)?;
            granting += begun.elapsed();
        }
        let batch = batch_of(&zipf, number, batch);
        now.store(batch.consumed[0].appended.0, Ordering::Relaxed);
        let (begun, before) = (Instant::now(), (cpu_seconds(), server_cpu()));
        ledger.bill(&batch)?;
        cpu += cpu_seconds() - before.0;
        latencies.push(begun.elapsed());
        billing += begun.elapsed();
        server += server_cpu() - before.1;
    }
    latencies.sort();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100].as_secs_f64() * 1e3;
    let billed = (events / batch * batch) as f64;
    println!("billed events/s in batches of {batch}: {:.0}", billed / billing.as_secs_f64());
    let [client, server] = [cpu, server].map(|seconds| seconds * 1e6 / billed);
    let total = client + server;
    println!("batch p50 {:.1} ms, p99 {:.1} ms", at(50), at(99));
    println!("CPU per event: {total:.1} µs ({client:.1} of the process, {server:.1} of the server)");
    println!("grants and returns/s: {:.0}", f64::from(leases) / granting.as_secs_f64());
    Ok(())
}

fn check(reader: &dyn LedgerReader) -> Result<()> {
    let begun = Instant::now();
    let violations = verify(reader)?;
    assert!(violations.is_empty(), "{violations:?}");
    println!("verified in {:.1} s\n", begun.elapsed().as_secs_f64());
    Ok(())
}

fn open(ledger: &dyn Ledger) -> Result<()> {
    ledger.partitions(&[
        Membership::Open { partition: 0, kind: PartitionKind::Events },
        Membership::Open { partition: ADMIN, kind: PartitionKind::Admin },
    ])?;
    let credit = |account| Effect::SetLimit(Limit::Credit { account: AdvertiserId(1 + account), limit: Amount::MAX });
    let entry = |offset: u64| CommandEntry {
        position: Position { partition: ADMIN, offset },
        appended: START,
        command: Command {
            id: CommandId(u128::from(offset)),
            tenant: TenantId(1),
            effect: credit(offset),
            note: Note::default(),
        },
    };
    let consumed = Consumed { partition: ADMIN, from: 0, next: ACCOUNTS, appended: START };
    ledger.apply(&Commands { consumed, entries: (0..ACCOUNTS).map(entry).collect() })?;
    Ok(())
}

const fn lease_of(line_item: u64, round: u64) -> LeaseId {
    LeaseId((litfass_types::hash_pair(line_item, round) as u128) << 64 | line_item as u128)
}

/// A lease for every line item, in batches of a hundred, and the last round's returned.
fn lease(ledger: &dyn Ledger, round: u64) -> Result<u32> {
    let mut made = 0;
    for first in (0..LINE_ITEMS).step_by(100) {
        let request = |line_item| GrantRequest {
            lease: lease_of(line_item, round),
            holder: HolderId(1),
            chain: chain(line_item),
            window: window(),
            bid: Price { micros: 5_000_000, per: Unit::Mille },
            demand: Amount::new(50_000_000_000).unwrap_or_default(),
        };
        let requests: Vec<GrantRequest> = (first..first + 100).map(request).collect();
        made += ledger.grant(&requests)?.iter().map(|answer| u32::from(answer.result.is_ok())).sum::<u32>();
        if round > 0 {
            let back = |line_item| Return { lease: lease_of(line_item, round - 1), total: Amount::MAX };
            ledger.give_back(&(first..first + 100).map(back).collect::<Vec<_>>())?;
        }
    }
    Ok(made)
}

fn batch_of(zipf: &Zipf, number: u64, size: u64) -> Batch {
    let from = number * size;
    let appended = START + Duration(i64::try_from(from / EVENTS_PER_MS).unwrap_or(i64::MAX));
    let entry = |offset: u64| {
        let draw = Seed(1).derive(offset);
        // One in a hundred repeats an event of shortly before.
        let event = if draw.below(100) == 0 { offset.saturating_sub(draw.derive(1).below(5_000)) } else { offset };
        let claim = claim(zipf, event, number / BATCHES_PER_LEASE);
        Entry { position: Position { partition: 0, offset }, appended, claim }
    };
    let consumed = Consumed { partition: 0, from, next: from + size, appended };
    Batch { consumed: vec![consumed], entries: (from..from + size).map(entry).collect(), ..Batch::default() }
}

fn claim(zipf: &Zipf, event: u64, round: u64) -> Claim {
    let (decision, slot) = (event / 3, u8::try_from(event % 3).unwrap_or(0));
    let decided = START + Duration(i64::try_from(decision * 3 / EVENTS_PER_MS).unwrap_or(i64::MAX));
    let line_item = zipf.draw(Seed(2).derive(event));
    Claim {
        id: ClaimId {
            decision: DecisionId::new(decided, 0, Seed(3).derive(decision).0),
            slot,
            kind: Billable::Impression,
            order: String::new(),
        },
        tenant: TenantId(1),
        chain: chain(line_item),
        facet: Facet {
            quarter: Quarter::of(decided),
            ad: AdId(line_item),
            creative: CreativeId(line_item),
            placement: PlacementId(1 + event % 5),
            country: Country::of(["DE", "FR", "US"][usize::try_from(event % 3).unwrap_or(0)]),
            traffic: litfass_types::Traffic::Human,
        },
        viewer: None,
        price: Price { micros: 1_000_000 + i64::try_from(event % 4_000_000).unwrap_or(0), per: Unit::Mille },
        lease: lease_of(line_item, round),
        hold_expires: decided + Duration::minutes(5),
        token_expires: decided + Duration::hours(24),
    }
}

/// Holds against local leases, one core, without a lock.
fn hold() {
    let mut holds = Holds::new(HolderId(1), Terms::default());
    for line_item in 0..LINE_ITEMS {
        let bid = Price { micros: 5_000_000, per: Unit::Mille };
        holds.want(&Entrant { chain: chain(line_item), window: window(), bid }, 0);
    }
    let mut lease = 0;
    let requests = holds.wanted(0, || {
        lease += 1;
        LeaseId(lease)
    });
    let granted = Granted { amount: Amount::MAX, at: START };
    let answers: Vec<GrantAnswer> =
        requests.iter().map(|request| GrantAnswer { lease: request.lease, result: Ok(granted) }).collect();
    holds.granted(&answers, 1);
    let zipf = Zipf::new(LINE_ITEMS);
    let drawn: Vec<LineItemId> = (0..65_536).map(|n| LineItemId(1 + zipf.draw(Seed(4).derive(n)))).collect();
    let (rounds, p_click) = (200_u64, Probability::from_f64(0.01));
    let begun = Instant::now();
    let mut made = 0_u64;
    for round in 0..rounds {
        for (nth, line_item) in (0_i64..).zip(&drawn) {
            let price = Price { micros: 1_000_000 + nth, per: Unit::Mille };
            made += u64::from(holds.try_hold(*line_item, DAY, price, p_click, round).is_ok());
        }
    }
    println!("holds/s per core: {:.1} M", made as f64 / begun.elapsed().as_secs_f64() / 1e6);
}

/// Time this process spent on a CPU, all its threads: some of the ledger's work has one of its own.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.split_whitespace().skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

/// As Linux reports them to every process.
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(feature = "postgres")]
fn scheduled(path: &str) -> f64 {
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    stat.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or_default() / 1e9
}
