//! `litfass export events`.

use std::io::Write;

use anyhow::{Result, anyhow};
use clap::Subcommand;

use super::Folder;
use super::past::{Past, Stretch};
use crate::export::{Export, Format, Wanted, Whose};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Impressions, viewables, clicks, conversions and views as they were recorded, one a line. A server may be running.
    Events {
        #[command(flatten)]
        folder: Folder,
        /// By when they were recorded.
        #[command(flatten)]
        stretch: Stretch,
        /// ndjson or csv.
        #[arg(long, default_value = "ndjson", value_parser = format)]
        format: Format,
    },
}

fn format(name: &str) -> Result<Format> {
    Format::parse(name).ok_or_else(|| anyhow!("is one of {}", Format::NAMES.join(", ")))
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let Command::Events { folder, stretch, format } = self.command;
        let past = Past::open(&folder)?;
        let window = stretch.window();
        let wanted = Wanted { from: window.from, to: window.until, whose: Whose::Everybodys };
        let mut export = Export::new(&*past.log, wanted)?;
        let mut out = std::io::stdout().lock();
        out.write_all(format.head().as_bytes())?;
        while let Some(rows) = export.next_rows()? {
            out.write_all(format.write(&rows)?.as_bytes())?;
        }
        Ok(())
    }
}
