//! `litfass train`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use litfass_store::log::{LogOptions, SegmentLog};
use litfass_store::storage::Disk;

use crate::data_dir::DataDir;
use crate::node::system_clock;
use crate::training::{CLICKS_MIN, train};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The folder with all state. A server may be running on it; it swaps the new model in within a second.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        super::start_logging();
        let config = super::configured(None, self.data_dir.as_deref(), None)?;
        let data = DataDir::open(&config.server.data_dir)?;
        let clock = system_clock();
        // As a reader only: the server keeps its partitions.
        let log = SegmentLog::open(Arc::new(Disk), &data.log(), &LogOptions::new(&[]), &clock)?.log;
        let run = train(&log, &data.artifacts(), clock.now())?;
        let counts = run.counts;
        writeln!(
            std::io::stdout(),
            "{} rendered impressions of {} decisions, {} clicks, {} orders",
            counts.rendered,
            counts.decisions,
            counts.clicked,
            counts.converted
        )?;
        let Some((dir, artifact)) = run.trained else {
            bail!("too little to learn from: {} clicks, at least {CLICKS_MIN} are needed", counts.clicked);
        };
        for (head, q) in &artifact.manifest.quality {
            writeln!(
                std::io::stdout(),
                "{head}: AUC {}, log loss {}, normalised entropy {}, calibration {} on {} held-out rows",
                shown(q.auc),
                shown(q.log_loss),
                shown(q.normalised_entropy),
                shown(q.calibration_ratio),
                q.rows
            )?;
        }
        writeln!(std::io::stdout(), "written to {} in {} ms", dir.display(), run.took_ms)?;
        Ok(())
    }
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |x| format!("{x:.4}"))
}
