//! What the entrance costs a request: its key, its rate, who it is, and where from. Run with `--release`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints its figures, over files that it makes itself"
)]

#[path = "../tests/it/mmdb.rs"]
mod mmdb;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use litfass_decide::Context as AdContext;
use litfass_server::access::rate::Allowance;
use litfass_server::access::{Keys, Role, Scope, Shown, Wanted};
use litfass_server::config::Config;
use litfass_server::data_dir::DataDir;
use litfass_server::gateway::agents::Agent;
use litfass_server::gateway::{Arrival, Gateway};
use litfass_types::{TenantId, Timestamp};

const KEYS: u64 = 200;
const NETWORKS: u32 = 20_000;
const REQUESTS: u32 = 200_000;
const AGENT: &str =
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Mobile Safari/537.36";

fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("litfass-gateway-{}", std::process::id()));
    let (keys, texts) = keys(&DataDir::open(&folder)?)?;
    let gateway = gateway(&folder)?;
    let mut took = Histogram::<u64>::new(3)?;
    for n in 0..REQUESTS {
        let address = IpAddr::from(Ipv4Addr::from(n.wrapping_mul(2_654_435_761)));
        let key = &texts[n as usize % texts.len()];
        let began = Instant::now();
        let caller = keys.caller(Shown::Key(key), Timestamp(i64::from(n)));
        let arrival = Arrival { address: Some(address), agent: Some(Agent::new(AGENT)) };
        let mut context = AdContext::default();
        let traffic = gateway.traffic(&arrival);
        gateway.enrich(&mut context, &arrival);
        took.record(u64::try_from(began.elapsed().as_nanos())?)?;
        std::hint::black_box((caller.is_ok(), traffic, context));
    }
    let us = |quantile: f64| Duration::from_nanos(took.value_at_quantile(quantile));
    println!(
        "{REQUESTS} requests, {KEYS} keys, {NETWORKS} networks: p50 {:?}, p99 {:?}, max {:?}",
        us(0.5),
        us(0.99),
        us(1.0)
    );
    std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())
}

fn keys(data: &DataDir) -> Result<(Keys, Vec<String>)> {
    let allowance = Allowance { per_second: 1_000_000, burst: Duration::from_secs(60) };
    let keys = Keys::open(&data.database(), true, allowance)?;
    let wanted = || Wanted {
        role: Role::Serving,
        scope: Scope::Tenant(TenantId(1)),
        name: String::new(),
        expires: None,
        rate: None,
    };
    let made = (0..KEYS).map(|_| keys.create(wanted(), "example", Timestamp(0)).map(|made| made.text));
    let texts = made.collect::<Result<_>>()?;
    Ok((keys, texts))
}

/// Half of all addresses are in the geo database; every other small network is a data centre's.
fn gateway(folder: &std::path::Path) -> Result<Gateway> {
    let rows: Vec<mmdb::Row> =
        (0..128_u8).map(|n| (Ipv4Addr::new(n * 2, 0, 0, 0), 8, ["DE", "BE", "Berlin"])).collect();
    let (places, networks) = (folder.join("places.mmdb"), folder.join("networks.txt"));
    std::fs::write(&places, mmdb::database(&rows))?;
    let lines = (0..NETWORKS).map(|n| format!("{}/24\n", Ipv4Addr::from((n * 2) << 8 | 0x0a00_0000)));
    std::fs::write(&networks, lines.collect::<String>())?;
    let text = format!(
        "[gateway]\ngeo_database = {:?}\ndata_centre_networks = {:?}\n",
        places.display().to_string(),
        networks.display().to_string()
    );
    Gateway::open(&Config::from_text(&text, [])?.gateway)
}
