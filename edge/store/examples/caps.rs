//! What a decision pays for frequency caps: 500 candidates looked at and one slot held, in the process and on a Redis server of its
//! own, and the bytes that a viewer takes. Prints, writes nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and stops where it cannot go on")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration as Span, Instant};

use litfass_catalog::Catalog;
use litfass_policy::{CandidateColumns, caps_of};
use litfass_store::caps::{
    CapCounters, CapStore, Counted, HOLD_TTL, RedisCaps, RedisOptions, Render, SharedCapStore, Wanted,
};
use litfass_types::{AdId, AdIx, DecisionId, Duration, Timestamp, UserHash};
use serde_json::json;
use tempfile::TempDir;

const START: Timestamp = Timestamp(1_790_000_000_000);
const CANDIDATES: u32 = 500;
const ROUNDS: usize = 20_000;
/// Slots that each viewer was shown before, over so many of the candidates.
const SEEN: [(u64, u64); 3] = [(10, 10), (100, 50), (1_000, 400)];

fn main() {
    let catalog = catalog();
    let redis = Redis::start();
    println!("| store | seen before | step | p50 µs | p99 µs |\n|---|---|---|---|---|");
    for (viewer, (impressions, ads)) in (0_u8..).zip(SEEN) {
        let embedded = CapCounters::new(1_000);
        measure(&embedded, "embedded", &catalog, viewer, (impressions, ads));
        measure(&redis.store, "redis", &catalog, viewer, (impressions, ads));
    }
    println!("\n| seen before | bytes of the record |\n|---|---|");
    for (viewer, (impressions, ads)) in (0_u8..).zip(SEEN) {
        println!("| {impressions} impressions of {ads} ads | {} |", redis.bytes(user(viewer)));
    }
}

fn measure(store: &dyn CapStore, name: &str, catalog: &Catalog, viewer: u8, (impressions, ads): (u64, u64)) {
    let who = user(viewer);
    for n in 0..impressions {
        let at = START - Duration::minutes(i64::try_from(impressions - n).unwrap());
        let ad = AdIx(u32::try_from(n % ads).unwrap());
        let render = Render { decision: DecisionId::new(at, 0, n), slot: 0, counted: wanted(catalog, ad).counted, at };
        store.confirm(who, &render).unwrap();
    }
    let candidates: Vec<AdIx> = (0..CANDIDATES).map(AdIx).collect();
    let columns = CandidateColumns::new(catalog, &candidates);
    let winner = wanted(catalog, AdIx(CANDIDATES - 1));
    let (mut looks, mut holds, mut stopped) = (Vec::new(), Vec::new(), 0);
    for n in 0..ROUNDS {
        let began = Instant::now();
        let (counts, looked) = store.look(who, catalog, START).unwrap();
        let rows = candidates.iter().zip(&columns.ads).zip(&columns.bidders);
        stopped += rows.filter(|((ix, ad), bidder)| counts.stop(catalog, **ix, ad.id, bidder)).count();
        looks.push(began.elapsed());
        let (began, decision) = (Instant::now(), DecisionId::new(START, 1, n as u64));
        store.hold(who, looked, decision, std::slice::from_ref(&winner), START).unwrap();
        holds.push(began.elapsed());
        store.release(who, decision, START);
    }
    assert!(stopped > 0, "some of what was seen is capped");
    for (step, times) in [("look at 500 candidates", &mut looks), ("hold one", &mut holds)] {
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 100].as_nanos() as f64 / 1_000.0;
        println!("| {name} | {impressions} of {ads} ads | {step} | {:.1} | {:.1} |", at(50), at(99));
    }
}

fn user(n: u8) -> UserHash {
    UserHash { key_version: 1, hash: 1 + u128::from(n) }
}

fn wanted(catalog: &Catalog, ad: AdIx) -> Wanted {
    let line_item = catalog.line_item(catalog.line_item_of(ad));
    let (campaign, advertiser) = (line_item.campaign, line_item.advertiser);
    let counted = Counted { ad: catalog.ad(ad).id, line_item: line_item.id, campaign, advertiser };
    Wanted { counted, limits: caps_of(catalog, ad).collect() }
}

/// An ad per line item, ten line items a campaign, five campaigns an advertiser; a cap on each, two on line items.
fn catalog() -> Catalog {
    let day = |max: u32| json!([{"max": max, "window_minutes": 1_440}]);
    let two = json!([{"max": 1, "window_minutes": 60}, {"max": 5, "window_minutes": 10_080}]);
    let each = |n: u32, make: &dyn Fn(u32) -> serde_json::Value| (0..n).map(make).collect::<Vec<_>>();
    let file = json!({
        "tenants": [{"id": 1, "name": "t"}],
        "advertisers": each(10, &|n| json!({"id": 1 + n, "tenant": 1, "name": "a", "frequency_caps": day(1_000_000)})),
        "campaigns": each(50, &|n| json!({"id": 1 + n, "advertiser": 1 + n / 5, "name": "c", "frequency_caps": day(1_000_000)})),
        "line_items": each(CANDIDATES, &|n| json!({"id": 1 + n, "campaign": 1 + n / 10, "name": "l", "frequency_caps": two,
                                                   "bid": {"micros": 1, "per": "mille"}})),
        "creatives": each(10, &|n| json!({"id": 1 + n, "advertiser": 1 + n, "format": "sponsored_item", "title": "t", "text": "",
                                          "landing_url": "https://a.example"})),
        "ads": each(CANDIDATES, &|n| json!({"id": 1 + n, "line_item": 1 + n, "creative": 1 + n / 50, "frequency_caps": day(3)})),
    });
    let dir = tempfile::tempdir().unwrap();
    let mut store = litfass_store::catalog::CatalogStore::open(&dir.path().join("litfass.db")).unwrap();
    store.load_bytes(&serde_json::to_vec(&file).unwrap(), START).unwrap();
    let catalog = store.read_catalog().unwrap();
    assert_eq!(catalog.ad_by_id(AdId(1)).is_some(), catalog.ads() == CANDIDATES);
    catalog
}

/// A server on a port of the loopback interface, as one in a network is reached.
struct Redis {
    _folder: TempDir,
    child: Child,
    port: u16,
    store: RedisCaps,
}

impl Redis {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = std::env::var_os("LITFASS_REDIS").unwrap_or_else(|| "redis-server".into());
        let mut server = Command::new(program);
        server.args(["--save", "", "--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]).arg(folder.path());
        let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("redis-server is on the path");
        let (timeout, prefix) = (Span::from_secs(1), "bench".to_owned());
        let options = RedisOptions { url: url(port), timeout, hold_ttl: HOLD_TTL, prefix };
        let store = RedisCaps::new(options, 1).unwrap();
        while !store.rebuild(&CapCounters::new(10)).unwrap_or(false) {
            // Silent until the server has opened its port.
            std::thread::yield_now();
        }
        Self { _folder: folder, child, port, store }
    }

    fn bytes(&self, who: UserHash) -> usize {
        let mut key = b"bench:caps:v:".to_vec();
        key.push(who.key_version);
        key.extend(who.hash.to_le_bytes());
        let mut connection = redis::Client::open(url(self.port)).unwrap().get_connection().unwrap();
        redis::cmd("STRLEN").arg(key).query(&mut connection).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}/")
}
