//! How long the pure part of a decision takes: a shop of 100,000 ads (or of as many as each argument says), 2,000 different
//! requests of known viewers, 500 candidates, 50 entrants, a model of 2²⁰ hashed weights, full records off.
//!
//! `cargo run --release -p litfass-decide --example decide [ADS]…`
#![expect(clippy::print_stdout, reason = "prints its measurements")]
#![expect(clippy::disallowed_methods, reason = "measures elapsed time")]

use std::sync::Arc;
use std::time::Instant;

use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, Flight, Format, FrequencyCap, LineItem, Object, PacedBy, PacingMode,
    Placement, Review, Status, Tenant,
};
use litfass_catalog::{AdOrder, Bitset, Builder, Catalog, Schedule, Targeting, category_hash, item_hash};
use litfass_decide::{
    AdRequest, Context, Hold, Made, Market, Observed, PacingColumns, PlacementRequest, Rules, Settled, Workspace,
    World, WorldVersion, settle_market, shortlist,
};
use litfass_features::{FeatureSet, Interaction, InteractionKind, Popularity, RowNumber, Viewer, ViewerProfile};
use litfass_policy::{CapCounts, caps_of};
use litfass_rank::{Model, RankProfile};
use litfass_retrieval::{AdSignals, Delivered, Shop, SourceIndex, SourceLimits};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CatalogVersion, CreativeId, DecisionId, Device, Duration, LeaseId, LineItemId,
    Nanos, Os, PPM, PlacementId, Price, Reading, Seed, TenantId, TermKind, Timestamp, Unit, UserHash,
};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const TENANT: TenantId = TenantId(1);
const ADVERTISERS: u64 = 1_000;
const PLACEMENTS: u64 = 10;
const REQUESTS: u64 = 2_000;
/// Each request is decided as often; what counts is the quickest time, which others on the machine disturbed least.
const ROUNDS: u32 = 5;
const STEPS: [&str; 4] = ["shortlist", "predict", "settle", "record"];

fn main() {
    let asked: Vec<u64> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![100_000] } else { asked };
    for ads in sizes {
        let start = Instant::now();
        let world = world(ads);
        println!("{ads} ads: made in {:.1} s", start.elapsed().as_secs_f64());
        let requests: Vec<Observed> = (0..REQUESTS).map(|n| observed(&world, ads, Seed(n))).collect();
        measure(&world, &requests);
    }
}

// ── measuring ──

fn measure(world: &World, requests: &[Observed]) {
    let mut workspace = Workspace::default();
    let mut quickest = vec![[u128::MAX; STEPS.len()]; requests.len()];
    let mut every = Vec::new();
    let mut sizes = [0; 3];
    for _ in 0..ROUNDS {
        for (observed, quickest) in requests.iter().zip(&mut quickest) {
            let (laps, counted) = decide(world, observed, &mut workspace);
            quickest.iter_mut().zip(laps).for_each(|(quickest, lap)| *quickest = lap.min(*quickest));
            every.push(laps.iter().sum());
            sizes.iter_mut().zip(counted).for_each(|(sum, n)| *sum += n);
        }
    }
    for (i, step) in STEPS.iter().enumerate() {
        print_quantiles(step, &mut quickest.iter().map(|laps| laps[i]).collect::<Vec<_>>());
    }
    print_quantiles("all", &mut quickest.iter().map(|laps| laps.iter().sum()).collect::<Vec<_>>());
    print_quantiles("as it ran", &mut every);
    let [candidates, entrants, shown] = sizes.map(|n| n / every.len());
    println!("  on average {candidates} candidates, {entrants} entrants, {shown} shown");
}

/// Nanoseconds per step; candidates, entrants, shown ads.
fn decide(world: &World, observed: &Observed, workspace: &mut Workspace) -> ([u128; STEPS.len()], [usize; 3]) {
    let observed = observed.clone();
    let start = Instant::now();
    let shortlist = shortlist(world, &observed, workspace);
    let shortlisted = start.elapsed();
    let market = Market {
        exploration_ppm: world.rules.exploration_ppm,
        placements: shortlist.placements.clone(),
        entrants: shortlist.entrants.clone(),
        predictions: world.profile.last_phase(&shortlist.viewer, &shortlist.rows),
    };
    let predicted = start.elapsed();
    let decision = settle_market(&market, observed.seed, &[], shortlist.board.clone());
    let settled = start.elapsed();
    let sizes = [shortlist.candidates.len(), market.entrants.len(), decision.shown.len()];
    let holds = vec![Hold { lease: LeaseId(1), expires: NOW }; decision.shown.len()];
    let (settled_page, id) = (Settled { decision, refused: Vec::new() }, DecisionId::new(NOW, 0, observed.seed.0));
    let (explain, timings) = (false, Vec::new());
    let made = Made { id, world, observed, shortlist, market, settled: settled_page, holds, explain, timings };
    std::hint::black_box(made.into_record());
    let recorded = start.elapsed();
    let steps = [shortlisted, predicted - shortlisted, settled - predicted, recorded - settled];
    (steps.map(|lap| lap.as_nanos()), sizes)
}

fn print_quantiles(what: &str, nanos: &mut [u128]) {
    nanos.sort_unstable();
    let at = |share: usize| nanos[(nanos.len() - 1) * share / 1_000] / 1_000;
    let mean = nanos.iter().sum::<u128>() / nanos.len() as u128 / 1_000;
    println!("  {what:>9}: mean {mean:>5} µs, p50 {:>5} µs, p99 {:>5} µs, p99.9 {:>5} µs", at(500), at(990), at(999));
}

// ── the world ──

fn world(ads: u64) -> World {
    let mut builder = Builder::new();
    objects(ads).for_each(|object| builder.push(object));
    let catalog = builder.finish(CatalogVersion::default(), AdOrder::ByLineItem);
    let catalog = catalog.unwrap_or_else(|problems| panic!("the generated catalog is not valid: {}", problems[0]));
    let signals = signals(&catalog, ads);
    let sources = SourceIndex::build(&catalog, &signals, NOW);
    let line_items = catalog.line_items();
    let paced_out: Bitset = (0..line_items).filter(|l| l % 20 == 0).collect();
    let multiplier = |l| if paced_out.contains(l) { 0 } else { PPM - l % 7 * 100_000 };
    let multipliers_ppm = (0..line_items).map(multiplier).collect();
    let funded = Bitset::full(line_items as usize);
    let version = WorldVersion {
        catalog: catalog.version(),
        profile: [0; 32],
        rules: [0; 32],
        pacing: 1,
        signals: 1,
        time_zones: litfass_types::time_zone_database().to_owned(),
    };
    World {
        version,
        schedule: Arc::new(Schedule::at(&catalog, NOW)),
        signals: Arc::new(signals),
        sources: Arc::new(sources),
        profile: Arc::new(profile()),
        pacing: Arc::new(PacingColumns { number: 1, multipliers_ppm, funded, paced_out, by_requests: Vec::new() }),
        rules: Arc::new(Rules {
            sources: SourceLimits::default(),
            entrants_max: 50,
            exploration_ppm: 20_000,
            record_full_ppm: 0,
            features: FeatureSet::v1(),
        }),
        catalog: Arc::new(catalog),
    }
}

fn profile() -> RankProfile {
    let mut profile = RankProfile::prior();
    let mut last = Model::zero(20);
    last.row[RowNumber::ClickRate.column()] = [2.0, 0.0];
    last.row[RowNumber::ConversionRate.column()] = [0.0, 2.0];
    for (hash, weights) in (0..).zip(&mut last.hashed) {
        *weights = [weight(Seed(hash)), weight(Seed(hash).derive(1))];
    }
    profile.first.row[RowNumber::Bought.column()] = 1.5;
    profile.last = last;
    profile
}

/// −0.1 … 0.1.
fn weight(seed: Seed) -> f32 {
    f32::from(i16::try_from(seed.below(2_001)).unwrap_or(0) - 1_000) / 10_000.0
}

fn signals(catalog: &Catalog, ads: u64) -> AdSignals {
    let (mut month, mut week) = (Popularity::new(30), Popularity::new(7));
    for order in 0..20_000 {
        let items = (0..3).map(|i| item_hash(&sku(popular(Seed(order).derive(i), items(ads)))));
        week.add(NOW, items.clone());
        month.add(NOW, items);
    }
    let delivered = (1..=ads).step_by(3).map(|id| {
        let impressions = Seed(id).derive(3).below(20_000);
        let (clicks, conversions) = (impressions / 90, impressions / 2_000);
        (AdId(id), Delivered { impressions, clicks, conversions })
    });
    AdSignals::new(catalog, delivered, [Shop { tenant: TENANT, popularity_30d: &month, popularity_7d: &week }])
}

// ── the catalog ──

const fn items(ads: u64) -> u64 {
    1 + ads / 3
}

fn sku(item: u64) -> String {
    format!("SKU-{item}")
}

fn category(seed: Seed) -> String {
    format!("department {}/aisle {}", popular(seed.derive(1), 20), seed.derive(2).below(20))
}

/// Small numbers more often: the square of a uniform draw.
fn popular(seed: Seed, n: u64) -> u64 {
    seed.derive(1).below(n) * seed.derive(2).below(n) / n.max(1)
}

fn objects(ads: u64) -> impl Iterator<Item = Object> {
    let line_items = ads.div_ceil(5);
    std::iter::once(Object::Tenant(Tenant { id: TENANT, name: "shop".to_owned() }))
        .chain((1..=PLACEMENTS).map(placement))
        .chain((1..=ADVERTISERS).map(advertiser))
        .chain((1..=line_items.div_ceil(5)).map(campaign))
        .chain((1..=line_items).map(line_item))
        .chain((1..=ads).flat_map(move |id| [creative(id), ad(id, ads)]))
}

fn placement(id: u64) -> Object {
    Object::Placement(Placement {
        id: PlacementId(id),
        tenant: TENANT,
        name: format!("placement {id}"),
        page_type: None,
        formats: vec![Format::SponsoredItem],
        slots_max: 10,
        floor: Nanos(10_000),
        max_per_advertiser: 2,
        blocked_advertisers: vec![AdvertiserId(id)],
        blocked_categories: vec![category(Seed(id))],
    })
}

fn advertiser(id: u64) -> Object {
    let time_zone = if id.is_multiple_of(2) { "UTC" } else { "America/New_York" };
    let (tenant, status) = (TENANT, Status::Active);
    let name = format!("seller {id}");
    let (id, time_zone, caps) = (AdvertiserId(id), time_zone.to_owned(), Vec::new());
    Object::Advertiser(Advertiser { id, tenant, name, status, time_zone, caps })
}

fn campaign(id: u64) -> Object {
    Object::Campaign(Campaign {
        id: CampaignId(id),
        advertiser: AdvertiserId(1 + id % ADVERTISERS),
        name: format!("campaign {id}"),
        status: Status::Active,
        flight: Flight::default(),
        caps: vec![FrequencyCap { max: 20, window: Duration::days(1) }],
    })
}

fn line_item(id: u64) -> Object {
    let seed = Seed(id).derive(1);
    let micros = 500_000 + i64::try_from(seed.derive(1).below(2_000_000)).unwrap_or(0);
    let per = if seed.derive(2).below(2) == 0 { Unit::Mille } else { Unit::Click };
    Object::LineItem(LineItem {
        id: LineItemId(id),
        campaign: CampaignId(1 + (id - 1) / 5),
        name: format!("line item {id}"),
        status: Status::Active,
        flight: Flight { start: None, end: Some(NOW + Duration::hours(1)) },
        bid: Price { micros: if per == Unit::Click { micros / 10 } else { micros }, per },
        billable: Billable::Impression,
        pacing: PacingMode::Even,
        paced_by: PacedBy::Bid,
        curve: Vec::new(),
        targeting: targeting(seed.derive(3)),
        caps: vec![FrequencyCap { max: 5, window: Duration::days(1) }],
        exclusions: Vec::new(),
        needs_consent: seed.derive(4).below(10) == 0,
    })
}

/// Half run everywhere; the others look for countries, devices, segments and categories in conjunction.
fn targeting(seed: Seed) -> Targeting {
    let mut parts = Vec::new();
    let mut chance = |what: u64, percent: u64, kind: TermKind, value: &dyn Fn(Seed) -> String| {
        let seed = seed.derive(what);
        if seed.below(100) < percent {
            let values = (0..1 + seed.derive(1).below(4)).map(|i| value(seed.derive(2 + i)));
            parts.push(Targeting::In(kind, values.collect()));
        }
    };
    chance(1, 50, TermKind::Geo, &country);
    chance(2, 30, TermKind::Device, &|seed| Device::ALL[index(popular(seed, 4))].name().to_owned());
    chance(3, 40, TermKind::Segment, &segment);
    chance(4, 20, TermKind::Category, &category);
    chance(5, 10, TermKind::Placement, &|seed| (1 + seed.below(PLACEMENTS)).to_string());
    if seed.derive(9).below(2) == 0 { Targeting::run_of_network() } else { Targeting::All(parts) }
}

fn country(seed: Seed) -> String {
    ["DE", "US", "FR", "GB", "PL", "NL", "IT", "ES"][index(popular(seed, 8))].to_owned()
}

fn segment(seed: Seed) -> String {
    format!("segment {}", popular(seed, 500))
}

fn creative(id: u64) -> Object {
    Object::Creative(Creative {
        id: CreativeId(id),
        advertiser: AdvertiserId(1 + (1 + (id - 1) / 25) % ADVERTISERS),
        format: Format::SponsoredItem,
        title: format!("Item {id:08} in many colours"),
        text: format!("Item {id:08} is made to last, ships today and comes back for free"),
        landing_url: format!("https://shop.example/items/{id:08}"),
        image_url: None,
        review: Review::Approved,
        video: None,
    })
}

fn ad(id: u64, ads: u64) -> Object {
    let seed = Seed(id).derive(2);
    Object::Ad(Ad {
        id: AdId(id),
        line_item: LineItemId(1 + (id - 1) / 5),
        creative: CreativeId(id),
        status: Status::Active,
        item: Some(sku(seed.derive(1).below(items(ads)))),
        categories: vec![category(seed.derive(2)), category(seed.derive(3))],
        created: NOW - Duration::hours(i64::try_from(seed.derive(4).below(5_000)).unwrap_or(0)),
        caps: Vec::new(),
    })
}

// ── requests ──

fn observed(world: &World, ads: u64, seed: Seed) -> Observed {
    let placements = 1 + seed.derive(1).below(2);
    let ask = |id| PlacementRequest { id: PlacementId(id), slots: 5, floor: Nanos(0) };
    let first = 1 + seed.derive(2).below(PLACEMENTS - 1);
    let seen = (0..30).filter_map(|i| world.catalog.ad_by_id(AdId(1 + seed.derive(100 + i).below(ads))));
    let counts: CapCounts =
        seen.flat_map(|ad| caps_of(&world.catalog, ad)).map(|limit| (limit.key, limit.max / 2)).collect();
    Observed {
        request: AdRequest {
            request_id: None,
            tenant: TENANT,
            user: Some(UserHash { key_version: 1, hash: u128::from(seed.0) }),
            personalise: true,
            traffic: litfass_types::Traffic::Human,
            placements: (first..first + placements).map(ask).collect(),
            context: Context {
                device: Some(Device::ALL[index(popular(seed.derive(3), 4))]),
                os: Some(Os::ALL[index(seed.derive(4).below(5))]),
                country: Some(country(seed.derive(5))),
                categories: vec![category(seed.derive(6))],
                segments: (0..5).map(|i| segment(seed.derive(10 + i))).collect(),
                ..Context::default()
            },
        },
        now: NOW,
        seed,
        viewer: Reading::Present { value: viewer(ads, seed.derive(7)), as_of: None },
        caps: Reading::Present { value: counts, as_of: None },
    }
}

fn viewer(ads: u64, seed: Seed) -> Viewer {
    let mut profile = ViewerProfile::default();
    for n in 0..120_u64 {
        let (seed, time) = (seed.derive(n), NOW - Duration::hours(i64::try_from(120 - n / 3).unwrap_or(0)));
        let kind = [InteractionKind::View, InteractionKind::Click, InteractionKind::Purchase][index(seed.below(3))];
        let item = item_hash(&sku(popular(seed.derive(1), items(ads))));
        profile.apply(Interaction { time, kind, item, category: category_hash(&category(seed.derive(2))) });
    }
    profile.as_of(NOW)
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}
