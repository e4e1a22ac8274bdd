//! The whole server under load: catalogs of three sizes, records on, latency from the intended send time.
//!
//! `cargo xtask bench serve`, or `cargo run --release -p litfass-sim --example load -- [ADS…]`. The server is pinned to one
//! core and this program to another; what each used of its core is printed beside every figure. Arrivals are Poisson and do
//! not wait for answers, so a slow answer delays nobody but is counted against everybody who came meanwhile.
//! Prints Markdown; writes only into a temporary directory.
#![expect(clippy::print_stdout, reason = "prints its measurements")]

mod catalog;
mod edits;
mod generator;
mod machine;
mod report;
mod server;
mod traffic;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use generator::{Load, Run};
use report::{Catalogued, Served};
use server::Server;
use traffic::Shoppers;

const SIZES: [u64; 3] = [1_000, 100_000, 1_000_000];
/// Share of the highest rate at which latency is measured.
const SHARE: f64 = 0.7;
const WARM_UP: Duration = Duration::from_secs(3);
const SPAN: Duration = Duration::from_secs(10);
/// Enough to keep one core busy, few enough that queues stay in the server.
const CONNECTIONS: usize = 48;
const EVENTS_PER_BATCH: usize = 200;
const BATCH_CONNECTIONS: usize = 8;
const BEACON_CONNECTIONS: usize = 128;
/// Decisions whose tokens the event runs spend.
const TOKEN_DECISIONS: usize = 30_000;

fn main() -> Result<()> {
    let sizes =
        std::env::args().skip(1).map(|text| text.parse().context("a number of ads")).collect::<Result<Vec<u64>>>()?;
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    machine::pin(std::process::id(), machine::GENERATOR_CORE)?;
    println!("{}\n", machine::description()?);
    let (mut catalogued, mut served) = (Vec::new(), Vec::new());
    for ads in sizes {
        eprintln_step(&format!("{ads} ads"));
        let (loaded, runs) = measure(ads)?;
        catalogued.push(loaded);
        served.push(runs);
    }
    println!("{}", report::catalogs(&catalogued));
    println!("{}", report::decisions(&served));
    println!("{}", report::events(&served));
    println!("{}", report::edits(&served));
    Ok(())
}

fn measure(ads: u64) -> Result<(Catalogued, Served)> {
    let folder = tempfile::tempdir()?;
    let empty = Server::start(&folder.path().join("empty"))?;
    let base_bytes = empty.resident_bytes()?;
    drop(empty);

    let (file, data) = (folder.path().join("catalog.json"), folder.path().join("data"));
    catalog::write(&file, ads)?;
    let start = Instant::now();
    server::load_catalog(&file, &data)?;
    let loaded_s = start.elapsed().as_secs_f64();
    std::fs::remove_file(&file)?;
    // The first start sends the limits to the ledger; the second is what a restart costs.
    drop(Server::start(&data)?);
    let server = Server::start(&data)?;
    let bytes = server.resident_bytes()?;
    let catalogued = Catalogued { ads, loaded_s, started_s: server.started_s, bytes, base_bytes };
    Ok((catalogued, exercise(ads, &server, &data)?))
}

/// Events first, so that there are profiles and something to learn from; then the decisions, with what was learned.
fn exercise(ads: u64, server: &Server, data: &std::path::Path) -> Result<Served> {
    let shoppers = Shoppers::new(ads);
    eprintln_step("collecting tokens");
    let tokens = traffic::collect(server, &shoppers, TOKEN_DECISIONS)?;
    eprintln_step("events in batches");
    let batches = traffic::batches(server.address, &tokens.first_half(), &shoppers, EVENTS_PER_BATCH);
    let events = generator::as_fast_as_possible(server, &Load::each_once(batches), BATCH_CONNECTIONS, SPAN)?;
    eprintln_step("single beacons");
    let beacons = traffic::beacons(server.address, &tokens.second_half());
    let beacons = generator::as_fast_as_possible(server, &Load::each_once(beacons), BEACON_CONNECTIONS, SPAN)?;
    eprintln_step("training");
    let trained = server::train(data)?;
    let requests = Load::again_and_again(traffic::decisions(server.address, &shoppers));
    eprintln_step("decisions, as many as possible");
    generator::as_fast_as_possible(server, &requests, CONNECTIONS, WARM_UP)?;
    let most = generator::as_fast_as_possible(server, &requests, CONNECTIONS, SPAN)?;
    let rate = most.per_second() * SHARE;
    eprintln_step(&format!("decisions, {rate:.0} a second"));
    let steady = generator::at_rate(server, &requests, CONNECTIONS, rate, SPAN)?;
    let filled = traffic::filled_share(server, &shoppers)?;
    eprintln_step("edits");
    let edited = edits::measure(server, &shoppers, catalog::line_items(ads))?;
    Ok(Served { ads, trained, most, steady, filled, events: scaled(events, EVENTS_PER_BATCH), beacons, edited })
}

/// A batch counts as its events.
fn scaled(run: Run, per_request: usize) -> Run {
    Run { done: run.done * per_request as u64, ..run }
}

#[expect(clippy::print_stderr, reason = "progress, apart from the table")]
fn eprintln_step(step: &str) {
    eprintln!("… {step}");
}
