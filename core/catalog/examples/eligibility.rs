//! How long eligibility takes and what a catalog weighs: builds one of a million ads (or of as many as the first argument
//! says) with targeting over every kind of predicate, then asks 2,000 different requests.
//!
//! `cargo run --release -p litfass-catalog --example eligibility [ADS]`
#![expect(clippy::print_stdout, reason = "prints its measurements")]
#![expect(clippy::disallowed_methods, reason = "measures elapsed time")]

use std::time::Instant;

use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, Flight, Format, LineItem, Object, PacedBy, PacingMode, Placement,
    Review, Status, Tenant,
};
use litfass_catalog::{AdOrder, Bitset, Builder, Catalog, Query, Schedule, Scratch, Targeting, placement_term};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CatalogVersion, CreativeId, Device, LineItemId, Nanos, Os, PlacementId, Price,
    Seed, TenantId, Term, TermKind, Timestamp, Unit,
};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const ADS_PER_LINE_ITEM: u64 = 5;
const PLACEMENTS: u64 = 20;
const ADVERTISERS: u64 = 1_000;

fn main() {
    let ads: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let (before, start) = (resident_bytes(), Instant::now());
    let catalog = build(ads);
    let seconds = start.elapsed().as_secs_f64();
    let bytes = resident_bytes().saturating_sub(before);
    println!(
        "{ads} ads, {} line items: built in {seconds:.2} s, {} B per ad",
        catalog.line_items(),
        bytes / ads.max(1)
    );
    measure(&catalog);
}

fn measure(catalog: &Catalog) {
    let start = Instant::now();
    let schedule = Schedule::at(catalog, NOW);
    println!("schedule: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    let funded = Bitset::full(catalog.line_items() as usize);
    let paced_out: Bitset = (0..catalog.line_items()).filter(|line_item| line_item % 20 == 0).collect();
    let mut scratch = Scratch::default();
    let mut nanos = Vec::new();
    let mut quiet = Vec::new();
    let (mut line_items, mut eligible_ads) = (0, 0);
    for request in 0..2_000 {
        let terms = request_terms(Seed(request));
        let placements = [placement_term(PlacementId(1 + request % PLACEMENTS))];
        let (tenant, now, schedule) = (TenantId(1), NOW, &schedule);
        let (terms, placements, funded, paced_out) = (&terms, &placements, &funded, &paced_out);
        let query = Query { tenant, terms, placements, now, schedule, funded, paced_out };
        let mut runs = [0; 3];
        for run in &mut runs {
            let start = Instant::now();
            catalog.eligible(&query, &mut scratch);
            *run = start.elapsed().as_nanos();
        }
        nanos.extend(runs);
        quiet.extend(runs.into_iter().min());
        let eligible = catalog.eligible(&query, &mut scratch);
        line_items += eligible.line_items().count();
        eligible_ads += eligible.ads().count();
    }
    print_quantiles("eligibility", &mut nanos);
    print_quantiles("the quickest of three runs of each request", &mut quiet);
    println!("eligible on average: {} line items, {} ads", line_items / quiet.len(), eligible_ads / quiet.len());
    measure_changes(catalog);
}

fn print_quantiles(what: &str, nanos: &mut [u128]) {
    nanos.sort_unstable();
    let at = |share: usize| nanos[(nanos.len() - 1) * share / 100] / 1_000;
    println!("{what}: median {} µs, p99 {} µs, max {} µs", at(50), at(99), at(100));
}

fn measure_changes(catalog: &Catalog) {
    let line_item = catalog.line_item_object(catalog.live_line_items().next().expect("a line item"));
    let creative = catalog.creative_object(catalog.live_creatives().next().expect("a creative"));
    let (start, version) = (Instant::now(), CatalogVersion { timeline: 0, sequence: 1 });
    let changed = catalog.with_changes(version, [Object::LineItem(line_item)]).expect("a valid change");
    println!("a changed line item: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let changed = changed.with_changes(version, [Object::Creative(creative)]).expect("a valid change");
    println!("a changed creative: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    let merged = changed.merged(AdOrder::ByLineItem);
    println!("a merge: {:.2} s, {} ads", start.elapsed().as_secs_f64(), merged.ads());
}

fn build(ads: u64) -> Catalog {
    let start = cpu_seconds();
    objects(ads).for_each(|object| drop(std::hint::black_box(object)));
    let made = cpu_seconds();
    let mut builder = Builder::new();
    objects(ads).for_each(|object| builder.push(object));
    let catalog = builder.finish(CatalogVersion::default(), AdOrder::ByLineItem);
    let built = cpu_seconds() - made - (made - start);
    println!("building: {built:.2} CPU seconds, besides {:.2} for making the objects", made - start);
    catalog.unwrap_or_else(|problems| panic!("the generated catalog is not valid: {}", problems[0]))
}

fn objects(ads: u64) -> impl Iterator<Item = Object> {
    let line_items = ads.div_ceil(ADS_PER_LINE_ITEM);
    let tenant = Object::Tenant(Tenant { id: TenantId(1), name: "shop".to_owned() });
    std::iter::once(tenant)
        .chain((1..=PLACEMENTS).map(|id| Object::Placement(placement(id))))
        .chain((1..=ADVERTISERS).map(|id| Object::Advertiser(advertiser(id))))
        .chain((1..=line_items.div_ceil(5)).map(|id| Object::Campaign(campaign(id))))
        .chain((1..=line_items).map(|id| Object::LineItem(line_item(id))))
        .chain((1..=ads).map(|id| Object::Creative(creative(id))))
        .chain((1..=ads).map(|id| Object::Ad(ad(id))))
}

fn placement(id: u64) -> Placement {
    Placement {
        id: PlacementId(id),
        tenant: TenantId(1),
        name: format!("placement {id}"),
        page_type: None,
        formats: Vec::new(),
        slots_max: 10,
        floor: Nanos(0),
        max_per_advertiser: 10,
        blocked_advertisers: Vec::new(),
        blocked_categories: Vec::new(),
    }
}

fn advertiser(id: u64) -> Advertiser {
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Tokyo"];
    let time_zone = zones[index(id) % zones.len()].to_owned();
    Advertiser {
        id: AdvertiserId(id),
        tenant: TenantId(1),
        name: format!("seller {id}"),
        status: Status::Active,
        time_zone,
        caps: Vec::new(),
    }
}

fn campaign(id: u64) -> Campaign {
    Campaign {
        id: CampaignId(id),
        advertiser: AdvertiserId(1 + id % ADVERTISERS),
        name: format!("campaign {id}"),
        status: Status::Active,
        flight: Flight::default(),
        caps: Vec::new(),
    }
}

fn line_item(id: u64) -> LineItem {
    let seed = Seed(id).derive(1);
    LineItem {
        id: LineItemId(id),
        campaign: CampaignId(1 + (id - 1) / 5),
        name: format!("line item {id}"),
        status: if seed.derive(1).below(20) == 0 { Status::Paused } else { Status::Active },
        flight: Flight {
            start: Some(NOW - days(&seed, 30)),
            end: Some(NOW + litfass_types::Duration::hours(1) + days(&seed, 60)),
        },
        bid: Price { micros: 1_000_000 + i64::from(u16::try_from(id % 60_000).unwrap_or(0)), per: Unit::Mille },
        billable: Billable::Impression,
        pacing: PacingMode::Even,
        paced_by: PacedBy::Bid,
        curve: Vec::new(),
        targeting: targeting(seed.derive(3)),
        caps: Vec::new(),
        exclusions: Vec::new(),
        needs_consent: false,
    }
}

fn days(seed: &Seed, most: u64) -> litfass_types::Duration {
    litfass_types::Duration::days(i64::try_from(seed.derive(9).below(most)).unwrap_or(0))
}

/// 220 bytes of texts and URLs, its own to the last.
fn creative(id: u64) -> Creative {
    Creative {
        id: CreativeId(id),
        advertiser: AdvertiserId(1 + (1 + (id - 1) / (ADS_PER_LINE_ITEM * 5)) % ADVERTISERS),
        format: Format::SponsoredItem,
        title: format!("Item {id:08} in many colours"),
        text: format!("Item {id:08} is made to last, ships today and comes back for free if it does not fit you"),
        landing_url: format!("https://shop.example/items/{id:08}?from=sponsored"),
        image_url: Some(format!("https://images.shop.example/items/{id:08}/600x600.jpg")),
        review: Review::Approved,
        video: None,
    }
}

fn ad(id: u64) -> Ad {
    let seed = Seed(id).derive(2);
    let category = |i| format!("department {}/aisle {}", seed.derive(i).below(20), seed.derive(i + 2).below(20));
    Ad {
        id: AdId(id),
        line_item: LineItemId(1 + (id - 1) / ADS_PER_LINE_ITEM),
        creative: CreativeId(id),
        status: if seed.derive(7).below(50) == 0 { Status::Paused } else { Status::Active },
        item: Some(format!("SKU-{id}")),
        categories: vec![category(1), category(2)],
        created: NOW - days(&seed, 300),
        caps: Vec::new(),
    }
}

/// Includes and excludes over every kind; a fifth has two alternatives, a twentieth runs everywhere.
fn targeting(seed: Seed) -> Targeting {
    if seed.derive(1).below(20) == 0 {
        return Targeting::run_of_network();
    }
    let one = Targeting::All(predicates(seed.derive(2)));
    if seed.derive(3).below(5) == 0 {
        return Targeting::Any(vec![one, Targeting::All(predicates(seed.derive(4)))]);
    }
    one
}

fn predicates(seed: Seed) -> Vec<Targeting> {
    let mut parts = Vec::new();
    let mut chance = |what: u64, percent: u64, make: &dyn Fn(Seed) -> Targeting| {
        let seed = seed.derive(what);
        if seed.derive(0).below(100) < percent {
            parts.push(make(seed.derive(1)));
        }
    };
    let list = |kind: TermKind, most: u64| move |seed: Seed| values(kind, most, seed);
    let not = |kind: TermKind, most: u64| move |seed: Seed| Targeting::Not(Box::new(values(kind, most, seed)));
    chance(1, 70, &list(TermKind::Geo, 3));
    chance(2, 10, &not(TermKind::Geo, 2));
    chance(3, 40, &list(TermKind::Device, 2));
    chance(4, 20, &list(TermKind::Os, 2));
    chance(5, 50, &list(TermKind::Segment, 5));
    chance(6, 15, &list(TermKind::Segment, 20));
    chance(7, 15, &not(TermKind::Segment, 3));
    chance(8, 30, &list(TermKind::KeyValue, 4));
    chance(9, 10, &list(TermKind::KeyValue, 4));
    chance(10, 10, &list(TermKind::Keyword, 10));
    chance(11, 20, &list(TermKind::Category, 5));
    chance(12, 10, &list(TermKind::Placement, 3));
    chance(13, 20, &daypart);
    parts
}

fn daypart(seed: Seed) -> Targeting {
    let (first, hours) = (index(seed.derive(1).below(12)), 6 + index(seed.derive(2).below(10)));
    let days = if seed.derive(3).below(2) == 0 { 0..5 } else { 0..7 };
    let hour = |day: usize, hour: usize| u8::try_from(day * 24 + hour).unwrap_or(0);
    Targeting::Daypart(days.flat_map(|day| (first..(first + hours).min(24)).map(move |h| hour(day, h))).collect())
}

fn values(kind: TermKind, most: u64, seed: Seed) -> Targeting {
    let count = 1 + seed.derive(0).below(most);
    Targeting::In(kind, (1..=count).map(|i| value(kind, seed.derive(i))).collect())
}

/// Popular values are small numbers: the square of a uniform draw.
fn value(kind: TermKind, seed: Seed) -> String {
    let popular = |n: u64| seed.derive(1).below(n) * seed.derive(2).below(n) / n;
    match kind {
        TermKind::Geo => {
            place(seed.derive(3).below(3), popular(30), seed.derive(4).below(10), seed.derive(5).below(10))
        }
        TermKind::Device => Device::ALL[index(popular(6))].name().to_owned(),
        TermKind::Os => Os::ALL[index(popular(6))].name().to_owned(),
        TermKind::Placement => (1 + popular(PLACEMENTS)).to_string(),
        TermKind::Category => format!("department {}/aisle {}", popular(20), seed.derive(3).below(20)),
        TermKind::Segment => format!("segment {}", popular(2_000)),
        TermKind::KeyValue => format!("key {}={}", seed.derive(3).below(10), popular(50)),
        TermKind::Keyword | TermKind::Daypart => format!("keyword {}", popular(10_000)),
    }
}

fn place(level: u64, country: u64, region: u64, city: u64) -> String {
    match level {
        0 => format!("C{country}"),
        1 => format!("C{country}-{region}"),
        _ => format!("C{country}-{region}/City {city}"),
    }
}

/// 15 terms, as a page with a known viewer has them.
fn request_terms(seed: Seed) -> Vec<Term> {
    let country = seed.derive(1).below(30) * seed.derive(2).below(30) / 30;
    let (region, city) = (seed.derive(3).below(10), seed.derive(4).below(10));
    let mut terms: Vec<Term> =
        (0..3).map(|level| Term::new(TermKind::Geo, &place(level, country, region, city))).collect();
    let counts = [
        (TermKind::Device, 1),
        (TermKind::Os, 1),
        (TermKind::Category, 2),
        (TermKind::Segment, 4),
        (TermKind::Keyword, 2),
        (TermKind::KeyValue, 2),
    ];
    for (at, (kind, count)) in (10..).zip(counts) {
        terms.extend((0..count).map(|i| Term::new(kind, &value(kind, seed.derive(at).derive(i)))));
    }
    terms
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

/// Resident memory of this process by its own account; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

/// Processor time of this process so far, in steps of 10 ms; 0 where the system does not tell.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.split(' ').skip(13).take(2).filter_map(|field| field.parse::<u32>().ok()).sum::<u32>();
    f64::from(ticks) / 100.0
}
