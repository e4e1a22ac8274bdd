//! The command line: one subcommand, one file.

mod admin;
mod backup;
mod catalog;
mod config;
mod demo;
mod evaluate;
mod explain;
mod explain_text;
mod export;
mod import;
mod ledger;
pub(crate) mod past;
mod replay;
mod report;
mod run;
mod simulate;
mod train;
mod why_not;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand};
use litfass_store::database::Place;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::vault::place;

/// A self-hosted ad platform: decisions, auctions, budgets, tracking, billing and learning in one binary.
#[derive(Parser, Debug)]
#[command(name = "litfass", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serve ads with every role in this process.
    Run(run::Args),
    /// API keys: make, list, revoke.
    Admin(admin::Args),
    /// Copy a data directory, while a server works on it or not.
    Backup(backup::BackupArgs),
    /// Make a data directory from a backup.
    Restore(backup::RestoreArgs),
    /// Check, print or explain the configuration.
    Config(config::Args),
    /// Load the catalog file that describes advertisers, campaigns, ads and placements.
    Catalog(catalog::Args),
    /// A shop with simulated shoppers, or a real shop's log replayed, served and learned from, with a live page.
    Demo(demo::Args),
    /// Judge ranking on a dataset against simple rules, with confidence intervals.
    Evaluate(evaluate::Args),
    /// Turn a real shop's log into a dataset: catalog, requests and outcomes.
    Import(import::Args),
    /// What a decision showed, why, and how every candidate ended: from its record.
    Explain(explain::Args),
    /// Make recorded decisions again: identical, or the differences are listed and the command fails.
    Replay(replay::Args),
    /// What kept a line item from being shown, over the requests in the log.
    WhyNot(why_not::Args),
    /// Take what was recorded out, for use elsewhere.
    Export(export::Args),
    /// Check the money.
    Ledger(ledger::Args),
    /// What was asked for, shown, clicked, ordered and charged, by any of its dimensions.
    Report(Box<report::Args>),
    /// Worlds in which everything fails, to see what holds.
    Simulate(simulate::Args),
    /// Train a rank profile on what was served and make it the next one to serve.
    Train(train::Args),
}

impl Cli {
    /// # Errors
    /// Whatever the command could not do, said for the person who typed it.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(args) => args.run(),
            Command::Admin(args) => args.run(),
            Command::Catalog(args) => args.run(),
            Command::Backup(args) => args.run(),
            Command::Restore(args) => args.run(),
            Command::Config(args) => args.run(),
            Command::Demo(args) => args.run(),
            Command::Evaluate(args) => args.run(),
            Command::Import(args) => args.run(),
            Command::Explain(args) => args.run(),
            Command::Replay(args) => args.run(),
            Command::WhyNot(args) => args.run(),
            Command::Export(args) => args.run(),
            Command::Ledger(args) => args.run(),
            Command::Report(args) => args.run(),
            Command::Simulate(args) => args.run(),
            Command::Train(args) => args.run(),
        }
    }
}

/// The folder that a command works on.
#[derive(clap::Args, Clone, Debug)]
struct Folder {
    /// Configuration file; docs/generated/config.md lists the settings.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The folder with all state. A server may be running on it.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

impl Folder {
    fn configured(&self) -> anyhow::Result<Config> {
        configured(self.config.as_deref(), self.data_dir.as_deref(), None)
    }

    /// The folder, made where there is none.
    fn open(&self) -> anyhow::Result<DataDir> {
        DataDir::open(&self.configured()?.server.data_dir)
    }

    /// The database with catalog, keys and audit log; the folder is made where there is none.
    fn place(&self) -> anyhow::Result<Place> {
        place(&self.configured()?, &self.open()?)
    }

    /// The folder, which must be there: a command that reads makes none.
    fn existing(&self) -> anyhow::Result<DataDir> {
        DataDir::existing(&self.configured()?.server.data_dir)
    }
}

/// The file and the environment, under what the command line says.
fn configured(file: Option<&Path>, data_dir: Option<&Path>, listen: Option<SocketAddr>) -> anyhow::Result<Config> {
    let said = [
        data_dir.map(|dir| ("LITFASS_SERVER_DATA_DIR".to_owned(), dir.display().to_string())),
        listen.map(|address| ("LITFASS_SERVER_LISTEN".to_owned(), address.to_string())),
    ];
    // Later ones replace earlier ones.
    let environment = std::env::vars().chain(said.into_iter().flatten());
    let loaded = Config::load(file, environment);
    loaded.context("the configuration is not sound")
}
