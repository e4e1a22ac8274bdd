//! `litfass catalog load`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;
use litfass_store::catalog::CatalogStore;

use super::Folder;
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
        #[command(flatten)]
        folder: Folder,
    },
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let Command::Load { file, folder } = self.command;
        let place = folder.place()?;
        let mut store = CatalogStore::open(&place).with_context(|| place.to_string())?;
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
