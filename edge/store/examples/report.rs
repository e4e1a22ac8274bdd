//! How fast events are added up for reports, and how fast a report is made of them:
//! `cargo run --release -p litfass-store --example report [EVENTS [DAYS [DIR]]]`.
//!
//! By default 10 M events of 30 days: 1,000 ads of 500 line items drawn by Zipf(1), four placements, 20 countries with the same
//! skew, through `bill` itself: every event takes its key and lands in its quarter of an hour, in transactions of 45,000.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use litfass_ledger::{
    Asked, Batch, Billable, Chain, ClaimId, Consumed, Country, Facet, Membership, PartitionKind, Quarter, Sighting,
    Slice, Spot, Terms,
};
use litfass_store::ledger::report::{Bucket, Cell, Dimension, ReportAsk, Stretch};
use litfass_store::ledger::{BudgetAuthority, LedgerAdmin, LedgerReader, SqliteLedger, SqliteLedgerReader};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, Duration, LineItemId, PlacementId, Position, Seed,
    TenantId, Timestamp, Traffic,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const START: Timestamp = Timestamp(20_000 * 86_400_000);
const ADS: u64 = 1_000;
const COUNTRIES: [&str; 20] = [
    "US", "DE", "FR", "GB", "IT", "ES", "PL", "NL", "SE", "AT", "CH", "BE", "DK", "NO", "FI", "PT", "CZ", "IE", "GR",
    "HU",
];
const SLOTS: u64 = 15;
const KINDS: [Billable; 3] = [Billable::Impression, Billable::Viewable, Billable::Click];
/// Events of one decision.
const PER_DECISION: u64 = 45;
const BATCH: u64 = 1_000 * PER_DECISION;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let events: u64 = args.next().map_or(Ok(10_000_000), |n| n.parse())?;
    let days: u64 = args.next().map_or(Ok(30), |n| n.parse())?;
    let parent = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(format!("litfass-report-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let path = dir.join("litfass.db");
    fill(&path, events, days)?;
    measure(&path, days)?;
    Ok(std::fs::remove_dir_all(&dir)?)
}

fn fill(path: &Path, events: u64, days: u64) -> Result<()> {
    let ledger = SqliteLedger::open(path, Terms::default(), Box::new(|| START))?;
    ledger.partitions(&[Membership::Open { partition: 0, kind: PartitionKind::Events }])?;
    let span = days * 86_400_000;
    let ads = Zipf::new(ADS);
    let countries = Zipf::new(COUNTRIES.len() as u64);
    let begun = Instant::now();
    let batches = events / BATCH;
    for number in 0..batches {
        ledger.bill(&batch(number, batches, span, &ads, &countries))?;
    }
    let (counted, took) = (batches * BATCH, begun.elapsed().as_secs_f64());
    println!("{counted} events counted at {:.0}/s", counted as f64 / took);
    println!("file: {:.0} MB", std::fs::metadata(path)?.len() as f64 / 1e6);
    Ok(())
}

/// Ranks by Zipf(1), in integers.
struct Zipf(Vec<u64>);

impl Zipf {
    fn new(n: u64) -> Self {
        let sums = (0..n).scan(0, |sum, rank| {
            *sum += 1_000_000_000 / (rank + 1);
            Some(*sum)
        });
        Self(sums.collect())
    }

    fn draw(&self, seed: Seed) -> u64 {
        let at = seed.below(self.0.last().copied().unwrap_or(1));
        self.0.partition_point(|sum| *sum <= at) as u64
    }
}

fn batch(number: u64, batches: u64, span: u64, ads: &Zipf, countries: &Zipf) -> Batch {
    let from = number * BATCH;
    let time = |offset: u64| {
        let decision = offset / PER_DECISION * PER_DECISION;
        let ms = u128::from(decision) * u128::from(span) / u128::from(batches * BATCH);
        START + Duration(i64::try_from(ms).unwrap_or(0))
    };
    let mut asked: BTreeMap<Spot, Asked> = BTreeMap::new();
    let sightings = (from..from + BATCH).map(|offset| {
        let (decision, within, at) = (offset / PER_DECISION, offset % PER_DECISION, time(offset));
        let seed = Seed(7).derive(offset / 3);
        let (ad, country) = (1 + ads.draw(seed.derive(1)), countries.draw(seed.derive(2)));
        let placement = PlacementId(1 + seed.derive(3).below(4));
        let country = Country::of(COUNTRIES[usize::try_from(country).unwrap_or(0)]);
        let (quarter, traffic, tenant) = (Quarter::of(at), Traffic::Human, TenantId(1));
        if within.is_multiple_of(3) {
            let sum = asked.entry(Spot { tenant, quarter, placement, country, traffic }).or_default();
            *sum = sum.plus(&Asked { requests: 1, eligible: 1, slots: 1, filled: 1 }).unwrap_or(*sum);
        }
        let facet = Facet { quarter, ad: AdId(ad), creative: CreativeId(ad), placement, country, traffic };
        let slot = u8::try_from(within / 3 % SLOTS).unwrap_or(0);
        Sighting {
            position: Position { partition: 0, offset },
            appended: at,
            id: ClaimId {
                decision: DecisionId::new(at, 0, decision),
                slot,
                kind: KINDS[usize::try_from(within % 3).unwrap_or(0)],
                order: String::new(),
            },
            slice: Slice::new(tenant, &chain(ad), facet),
            viewer: None,
            token_expires: at + Duration::days(1),
        }
    });
    let sightings = sightings.collect();
    let consumed = vec![Consumed { partition: 0, from, next: from + BATCH, appended: time(from + BATCH - 1) }];
    Batch { consumed, sightings, asked, ..Batch::default() }
}

const fn chain(ad: u64) -> Chain {
    let line_item = ad / 2;
    Chain {
        account: AdvertiserId(1 + line_item % 50),
        campaign: CampaignId(1 + line_item / 2),
        line_item: LineItemId(1 + line_item),
        day: Day(20_000),
    }
}

fn measure(path: &Path, days: u64) -> Result<()> {
    let reader = SqliteLedgerReader::open(path)?;
    let own = BTreeMap::from([(Dimension::Advertiser, vec![Cell::Id(1)])]);
    let asks = [
        ("total", vec![], Bucket::All, BTreeMap::new()),
        ("by placement, with requests", vec![Dimension::Placement], Bucket::All, BTreeMap::new()),
        ("by campaign", vec![Dimension::Campaign], Bucket::All, BTreeMap::new()),
        ("by campaign and day", vec![Dimension::Campaign], Bucket::Day, BTreeMap::new()),
        ("by country and hour", vec![Dimension::Country], Bucket::Hour, BTreeMap::new()),
        (
            "by ad, placement and country",
            vec![Dimension::Ad, Dimension::Placement, Dimension::Country],
            Bucket::All,
            BTreeMap::new(),
        ),
        ("one advertiser by line item and day", vec![Dimension::LineItem], Bucket::Day, own),
    ];
    for (name, dimensions, bucket, filters) in asks {
        let from = Quarter::of(START);
        let to = Quarter(from.0 + i64::try_from(days).unwrap_or(0) * 96);
        let stretches = vec![Stretch { from, to, ahead: 4 }];
        let ask = ReportAsk { stretches, bucket, dimensions, filters, net: true, requests: true, rows_max: 1_000_000 };
        let (begun, cpu) = (Instant::now(), cpu_seconds());
        let report = reader.report(&ask)?.ok_or("too many rows")?;
        let (took, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        println!("{name}: {} rows in {took:.2} s, {cpu:.2} s CPU", report.rows.len());
    }
    Ok(())
}

/// User and system time of this process so far; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
