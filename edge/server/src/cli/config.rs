//! `litfass config`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;

use crate::config::{self, Config};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Read the file and the environment and say everything that is wrong with them.
    Check(File),
    /// Print every setting with its value, and who said it: the file, a variable of the environment, or nobody.
    Print(File),
    /// Print the reference of all settings.
    Docs,
}

#[derive(clap::Args, Debug)]
struct File {
    /// Configuration file.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let text = match self.command {
            Command::Check(file) => file.read().map(|_| "the configuration is sound\n".to_owned())?,
            Command::Print(file) => file.read()?,
            Command::Docs => config::docs(),
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

impl File {
    fn read(&self) -> Result<String> {
        let printed = Config::printed(self.config.as_deref(), std::env::vars());
        printed.context("the configuration is not sound")
    }
}
