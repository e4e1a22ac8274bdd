//! `litfass train`.

use std::io::Write;

use anyhow::{Result, bail};

use super::Folder;
use super::past::Past;
use crate::node::system_clock;
use crate::training::{CLICKS_MIN, train};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A running server swaps the new model in within a second.
    #[command(flatten)]
    folder: Folder,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        self.folder.configured()?.telemetry.log_format.start();
        // As a reader only: the server keeps its partitions.
        let Past { data, log, .. } = Past::open(&self.folder)?;
        let run = train(&*log, &data.artifacts(), system_clock().now())?;
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
