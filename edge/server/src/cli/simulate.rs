//! `litfass simulate budget` and `litfass simulate pacing`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use litfass_sim::budget::{Figures, Scratch, live, simulate};
use litfass_sim::pacing::{self, Inputs, Outcome, Prices, Traffic};
use serde::{Deserialize, Serialize};

/// How often progress is told and kept, in seeds.
const TOLD_EVERY: u64 = 25;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// The ledger among processes that crash, messages that are lost, clocks that are off and a database that fails over.
    /// Fails where a promise about the money does not hold, naming it and the seed.
    Budget(Budget),
    /// Pacing on days with rising and falling traffic, outages, wrong forecasts, pauses. Prints a table of how close spend kept
    /// to the plan and what the budget bought; fails where a target is missed.
    Pacing(Pacing),
}

#[derive(clap::Args, Debug)]
struct Pacing {
    /// Only this scenario.
    #[arg(long)]
    scenario: Option<String>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Traffic by hour of the week instead of the built-in curve: CSV with region_id,dow,hour,traffic_share, or that as .zst.
    #[arg(long)]
    traffic: Option<PathBuf>,
    /// Rivals' prices instead of the built-in distribution: a histogram as JSON with `price_counter_train`.
    #[arg(long)]
    prices: Option<PathBuf>,
    /// Draws each scenario into this folder, as SVG.
    #[arg(long)]
    svg: Option<PathBuf>,
}

#[derive(clap::Args, Debug)]
struct Budget {
    /// How many worlds, each with at least 20,000 decisions.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from_seed: u64,
    /// Keeps what the seeds came to so far in this file; a later run with it goes on from there.
    #[arg(long)]
    progress: Option<PathBuf>,
}

/// How far a run has come.
#[derive(Default, Serialize, Deserialize)]
struct Progress {
    first: u64,
    next: u64,
    milliseconds: u64,
    figures: Figures,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        match self.command {
            Command::Budget(budget) => budget.run(),
            Command::Pacing(pacing) => pacing.run(),
        }
    }
}

impl Pacing {
    fn run(&self) -> Result<()> {
        let inputs = self.inputs()?;
        let mut scenarios = pacing::scenarios(&inputs);
        if let Some(name) = &self.scenario {
            let names: Vec<_> = scenarios.iter().map(|scenario| scenario.name).collect();
            scenarios.retain(|scenario| scenario.name == name);
            if scenarios.is_empty() {
                bail!("no scenario `{name}`; there are {}", names.join(", "));
            }
        }
        let mut out = std::io::stdout();
        writeln!(out, "{}", Outcome::HEAD)?;
        let mut missed = Vec::new();
        for scenario in &scenarios {
            let outcome = pacing::live(scenario, &inputs);
            write!(out, "{outcome}")?;
            missed.extend(outcome.missed());
            self.draw(&outcome)?;
        }
        if missed.is_empty() { Ok(()) } else { bail!("targets missed: {}", missed.join("; ")) }
    }

    fn inputs(&self) -> Result<Inputs> {
        let named = |path: &Path| path.display().to_string();
        let traffic =
            self.traffic.as_deref().map(|path| Traffic::read(path).with_context(|| named(path))).transpose()?;
        let prices = self.prices.as_deref().map(|path| Prices::read(path).with_context(|| named(path))).transpose()?;
        Ok(Inputs { traffic: traffic.unwrap_or_default(), prices: prices.unwrap_or_default(), seed: self.seed })
    }

    fn draw(&self, outcome: &Outcome) -> Result<()> {
        let Some(folder) = &self.svg else { return Ok(()) };
        let drawing = outcome.drawing();
        let path = folder.join(&drawing.file);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, &drawing.svg))
            .with_context(|| path.display().to_string())
    }
}

impl Budget {
    fn run(&self) -> Result<()> {
        let scratch = Scratch::new().context("a folder for simulated databases")?;
        let Progress { next, milliseconds, mut figures, .. } = self.begun()?;
        let (start, end) = (Instant::now(), self.from_seed + self.seeds);
        let taken = || milliseconds + u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut kept = Ok(());
        simulate(
            next..end.max(next),
            |seed| live(seed, &scratch),
            &mut figures,
            |next, figures| {
                if next.is_multiple_of(TOLD_EVERY) || next == end || !figures.failed.is_empty() {
                    let figures = figures.clone();
                    kept = self.keep(&Progress { first: self.from_seed, next, milliseconds: taken(), figures });
                }
                kept.is_ok()
            },
        );
        kept?;
        told(&figures, taken())
    }

    fn begun(&self) -> Result<Progress> {
        let fresh = Progress { first: self.from_seed, next: self.from_seed, ..Progress::default() };
        let Some(path) = self.progress.as_deref().filter(|path| path.exists()) else { return Ok(fresh) };
        let named = || path.display().to_string();
        let progress: Progress = serde_json::from_slice(&fs::read(path).with_context(named)?).with_context(named)?;
        let ours = progress.first == self.from_seed && progress.next <= self.from_seed + self.seeds;
        Ok(if ours { progress } else { fresh })
    }

    fn keep(&self, progress: &Progress) -> Result<()> {
        let Progress { next, figures, .. } = progress;
        let (end, failed) = (self.from_seed + self.seeds, figures.failed.len());
        writeln!(std::io::stderr(), "seed {next} of {end}, {failed} failed")?;
        self.progress.as_deref().map_or(Ok(()), |path| replace(path, &serde_json::to_vec(progress)?))
    }
}

fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).with_context(|| path.display().to_string())
}

fn told(figures: &Figures, milliseconds: u64) -> Result<()> {
    let mut out = std::io::stdout();
    let speed = figures.decisions.saturating_mul(1_000) / milliseconds.max(1);
    writeln!(out, "{figures}speed: {speed} simulated decisions/s")?;
    if !figures.clicks_within_bound() {
        bail!("clicks delivered and never billed are more than 1 % on average");
    }
    if let Some(failed) = figures.failed.first() {
        bail!("{} of {} seeds broke a promise, the first is seed {}", figures.failed.len(), figures.seeds, failed.seed);
    }
    Ok(())
}
