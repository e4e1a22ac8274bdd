//! `litfass ledger verify`.

use std::io::Write;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use litfass_ledger::check::{ALWAYS, Violation};
use litfass_store::audit::{AuditLog, Head, Tampered};
use litfass_store::ledger::verify;

use super::Folder;
use super::past::Past;
use crate::console::numbers::grouped;
use crate::recount::recount;
use crate::vault::Vault;

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
        /// A head of the audit log that was printed before: fails where the log does not lead up to it and beyond.
        #[arg(long, value_name = "ID:LINK")]
        expect_head: Option<Head>,
        #[command(flatten)]
        folder: Folder,
    },
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let Command::Verify { log, expect_head, folder } = self.command;
        let past = Past::open(&folder)?;
        let named = || past.place.to_string();
        let vault = Vault::open(&folder.configured()?, &past.data)?;
        let (kept, reader) = (|| vault.to_string(), vault.reader()?);
        let mut violations = verify(&*reader).with_context(kept)?;
        let mut out = std::io::stdout();
        writeln!(out, "the ledger itself: {} invariants, {} violated", ALWAYS.len(), violations.len())?;
        if log {
            let found = recount(&*past.log, &reader.accounted().with_context(kept)?)?;
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
        let audit = AuditLog::open(&past.place).with_context(named)?;
        let (rows, tampered) = audit.check(expect_head).with_context(named)?;
        let head = audit.head().with_context(named)?.map_or_else(|| "none yet".to_owned(), |head| head.to_string());
        writeln!(out, "the audit log: {} rows in the chain, head {head}", grouped(rows))?;
        told(&violations, tampered)
    }
}

fn told(violations: &[Violation], tampered: Option<Tampered>) -> Result<()> {
    let mut out = std::io::stdout();
    for violation in violations {
        writeln!(out, "violated: {violation}")?;
    }
    match (violations.len(), tampered) {
        (0, None) => Ok(writeln!(out, "verified")?),
        (0, Some(tampered)) => bail!("{tampered}"),
        (broken, None) => bail!("{broken} invariants do not hold"),
        (broken, Some(tampered)) => bail!("{broken} invariants do not hold, and {tampered}"),
    }
}
