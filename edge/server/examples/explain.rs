//! How long it takes to explain a decision, and to replay a log, from the records.
//!
//! `cargo xtask bench explain`. A shop of 2,000 ads serves decisions recorded in full, then some of them are explained: in the
//! server's process, and by the command that lies beside this program. Prints Markdown; writes only into a temporary directory.
#![expect(clippy::print_stdout, reason = "prints its measurements")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use litfass_decide::{AdRequest, Context as Seen, DecisionRecord, PlacementRequest};
use litfass_server::config::Config;
use litfass_server::data_dir::DataDir;
use litfass_server::demo::Visit;
use litfass_server::explain::{Viewpoint, explanation};
use litfass_server::node::{Node, Running, system_clock};
use litfass_server::pacing_tables::PacingHistory;
use litfass_server::replay::{Window, Worlds, recompute_window, replay};
use litfass_store::database::Place;
use litfass_types::{DecisionId, Device, Nanos, PlacementId, TenantId, Timestamp, Traffic, UserHash};

const DECISIONS: u64 = 20_000;
const EXPLAINED: usize = 500;
const COMMANDS: usize = 30;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data_dir = folder.path().join("data");
    let data = DataDir::open(&data_dir)?;
    Visit::shop(1).load_catalog(&data, &Place::from(&data.database()), system_clock().now())?;
    let config = Config::from_text(
        "[params]\nrecord_full_ppm = 1000000\n",
        [("LITFASS_SERVER_DATA_DIR".to_owned(), data_dir.display().to_string())],
    )?;
    let running = Running::open(config, None)?;
    let ids = serve(&running.node)?;
    println!("{DECISIONS} decisions over {} ads, all recorded in full.\n", running.node.world.load().catalog.ads());
    println!("| what | p50 ms | p99 ms |\n|---|---|---|");
    let mut told = told_in_process(&running.node, &ids)?;
    row("record found, read, explained, as JSON", &mut told);
    let mut commands = told_by_command(&data_dir, &ids)?;
    row("`litfass explain ID --json`, the whole process, beside a running server", &mut commands);
    again(&running.node)?;
    running.close();
    Ok(())
}

fn serve(node: &Node) -> Result<Vec<DecisionId>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let catalog = node.world.load().catalog.clone();
    let placements: Vec<PlacementId> = catalog.placements().map(|placement| placement.id).collect();
    let mut ids = Vec::new();
    for number in 0..DECISIONS {
        let placement = placements[usize::try_from(number)? % placements.len()];
        let request = AdRequest {
            request_id: None,
            tenant: TenantId(litfass_sim::Shop::TENANT),
            user: Some(UserHash { key_version: 1, hash: u128::from(number % 700) }),
            personalise: true,
            traffic: Traffic::Human,
            placements: vec![PlacementRequest { id: placement, slots: 4, floor: Nanos(0) }],
            context: Seen { device: Some(Device::Mobile), country: Some("DE".to_owned()), ..Seen::default() },
        };
        ids.push(runtime.block_on(node.decider.decide(request, false))?.record.id);
    }
    // The last records become readable with the next commit.
    while node.record_of(*ids.last().context("there are decisions")?)?.is_none() {
        std::thread::yield_now();
    }
    Ok(ids)
}

/// Spread over the log.
fn chosen(ids: &[DecisionId], n: usize) -> impl Iterator<Item = DecisionId> {
    ids.iter().copied().step_by((ids.len() / n).max(1)).take(n)
}

fn told_in_process(node: &Node, ids: &[DecisionId]) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for id in chosen(ids, EXPLAINED) {
        let began = Instant::now();
        let record = node.record_of(id)?.context("the record is there")?;
        let view = explanation(&record, &node.world.load().catalog, Viewpoint::Platform);
        let bytes = serde_json::to_vec(&view)?;
        took.push(began.elapsed());
        ensure!(bytes.len() > 1_000 && view.full, "an explanation in full");
    }
    Ok(took)
}

fn told_by_command(data_dir: &Path, ids: &[DecisionId]) -> Result<Vec<Duration>> {
    let this = std::env::current_exe()?;
    let program = this.parent().and_then(Path::parent).context("it lies below the build's folder")?.join("litfass");
    let mut took = Vec::new();
    for id in chosen(ids, COMMANDS) {
        let began = Instant::now();
        let mut command = Command::new(&program);
        let output = command.args(["explain", &id.to_string(), "--json", "--data-dir"]).arg(data_dir).output()?;
        took.push(began.elapsed());
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(took)
}

fn again(node: &Node) -> Result<()> {
    let (began, window) = (Instant::now(), Window::default());
    let settled = replay(&*node.log, window, DecisionRecord::replay, |_, _| ())?;
    let settling = began.elapsed();
    let began = Instant::now();
    let tables = PacingHistory::read(&*node.log, Timestamp(0), Timestamp(i64::MAX))?;
    let mut worlds = Worlds::open(node.data.clone(), &node.vault.place(), tables)?;
    let decided = recompute_window(&*node.log, window, &mut worlds, |_, _| ())?;
    let deciding = began.elapsed();
    println!("\n| what | decisions | differ | decisions/s |\n|---|---|---|---|");
    rate("settled again, full records", settled.decisions, settled.differing, settling);
    rate("decided again from what was gathered", decided.replayed.decisions, decided.replayed.differing, deciding);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn rate(what: &str, decisions: u64, differ: u64, took: Duration) {
    println!("| {what} | {decisions} | {differ} | {:.0} |", decisions as f64 / took.as_secs_f64());
}

fn row(what: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1_000.0;
    println!("| {what} | {:.2} | {:.2} |", at(50), at(99));
}
