//! `litfass ledger verify`.

use std::io::Write;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use litfass_ledger::check::{ALWAYS, Violation};
use litfass_store::ledger::{LedgerReader, SqliteLedgerReader, verify};

use super::Folder;
use super::past::Past;
use crate::console::numbers::grouped;
use crate::recount::recount;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Check every invariant of the money; fails where one does not hold. A server may be running.
    Verify {
        /// Also work out again from the event log what was to be billed.
        #[arg(long)]
        log: bool,
        #[command(flatten)]
        folder: Folder,
    },
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let Command::Verify { log, folder } = self.command;
        let past = Past::open(&folder)?;
        let named = || past.data.database().display().to_string();
        let reader = SqliteLedgerReader::open(&past.data.database()).with_context(named)?;
        let mut violations = verify(&reader).with_context(named)?;
        let mut out = std::io::stdout();
        writeln!(out, "the ledger itself: {} invariants, {} violated", ALWAYS.len(), violations.len())?;
        if log {
            let found = recount(&past.log, &reader.accounted().with_context(named)?)?;
            let (entries, claims, billed) = (grouped(found.entries), grouped(found.claims), grouped(found.billed));
            let (commands, wrong) = (grouped(found.commands), found.violations.len());
            writeln!(
                out,
                "against the log: {entries} entries, {claims} claims, {billed} billed, {commands} commands; {wrong} violations"
            )?;
            for (partition, first) in &found.begins {
                writeln!(
                    out,
                    "partition {partition} of the log begins at entry {first}: what came before is no longer kept and was not counted again"
                )?;
            }
            violations.extend(found.violations);
        }
        told(&violations)
    }
}

fn told(violations: &[Violation]) -> Result<()> {
    let mut out = std::io::stdout();
    for violation in violations {
        writeln!(out, "violated: {violation}")?;
    }
    if violations.is_empty() {
        writeln!(out, "verified")?;
        return Ok(());
    }
    bail!("{} invariants do not hold", violations.len())
}
