//! `litfass demo`.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use litfass_sim::Tally;
use litfass_types::PPM;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::demo::{STATUS_EVERY, Visit, status};
use crate::live::Truth;
use crate::node::{Node, Running, system_clock};
use crate::serve::{asked_to_stop, serve};
use crate::vault::place;
use crate::workers::learn::LearnWorker;
use crate::workers::{Urgency, Workers};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Where to listen: a loopback address; port 0 picks a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The folder with all state; a later run goes on where this one stopped. Without it: demo-data, or demo-data-log with
    /// a dataset.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// A dataset made by `litfass import`, in place of the simulated shop.
    #[arg(long)]
    dataset: Option<PathBuf>,
    /// Of the simulated shop.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let config = self.configured()?;
        let _telling = config.telemetry.start()?;
        let visit = match &self.dataset {
            Some(dir) => Visit::dataset(dir)?,
            None => Visit::shop(self.seed),
        };
        let data = DataDir::open(&config.server.data_dir)?;
        visit.load_catalog(&data, &place(&config, &data)?, system_clock().now())?;
        let tally = Arc::new(Tally::default());
        let running = Running::open(config, Some(truth(&tally)))?;
        if running.node.keys.exist() {
            running.close();
            bail!("this data directory has API keys and the simulated shoppers have none: give another --data-dir");
        }
        running.node.learning.set_audience(visit.audience());
        play(running, visit, &tally)
    }

    /// Everything is recorded in full, because everything is to be looked at.
    fn configured(&self) -> Result<Config> {
        let usual = if self.dataset.is_some() { "demo-data-log" } else { "demo-data" };
        let data_dir = self.data_dir.as_deref().unwrap_or(Path::new(usual));
        let mut config = super::configured(None, Some(data_dir), self.listen)?;
        config.params.record_full_ppm = PPM;
        Ok(config)
    }
}

fn truth(tally: &Arc<Tally>) -> Box<Truth> {
    let tally = Arc::clone(tally);
    Box::new(move |decision, placement, slot| tally.odds(decision, placement, slot).map(|odds| odds.click))
}

fn play(running: Running, visit: Visit, tally: &Arc<Tally>) -> Result<()> {
    let mut beside = Workers::default();
    let mut shoppers = None;
    let ready = |node: &Arc<Node>, address: SocketAddr| {
        let mut learn = LearnWorker::new(Arc::clone(node));
        beside.spawn("learn", Urgency::Background, move || learn.step())?;
        let (watched, counted) = (Arc::clone(node), Arc::clone(tally));
        beside.spawn("status", Urgency::Background, move || {
            writeln!(std::io::stderr(), "{}", status(&watched, &counted))?;
            Ok(STATUS_EVERY)
        })?;
        // Order ids and walks of different runs on one data directory must differ.
        let run = node.clock.now().0.unsigned_abs();
        shoppers = Some(visit.begin(address, Arc::clone(tally), run));
        writeln!(std::io::stderr(), "open http://{address} in a browser; ctrl-c stops")?;
        Ok(())
    };
    let served = serve(running, ready, asked_to_stop());
    if let Some(shoppers) = shoppers {
        shoppers.finish();
    }
    beside.finish();
    served
}
