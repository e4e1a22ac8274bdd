//! `litfass catalog load`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use litfass_store::catalog::CatalogStore;

use crate::data_dir::DataDir;
use crate::node::system_clock;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Load a catalog file: all of it or, where anything is wrong, nothing. A running server serves it within a second.
    Load {
        /// JSON; docs/specs/catalog-file.md describes it.
        file: PathBuf,
        /// The folder with all state.
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let Command::Load { file, data_dir } = self.command;
        let config = super::configured(None, data_dir.as_deref(), None)?;
        let data = DataDir::open(&config.server.data_dir)?;
        let mut store = CatalogStore::open(&data.database()).with_context(|| data.database().display().to_string())?;
        let loaded = store.load(&file, system_clock().now());
        let report = loaded.with_context(|| file.display().to_string())?;
        let (inserted, changed, unchanged) = (report.inserted, report.changed, report.unchanged);
        let (limits, sequence) = (report.limits.len(), report.version.sequence);
        writeln!(
            std::io::stdout(),
            "loaded: {inserted} new, {changed} changed, {unchanged} unchanged objects; {limits} limits; sequence {sequence}"
        )?;
        Ok(())
    }
}
