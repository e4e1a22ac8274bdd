//! `litfass ledger verify|export`.

use std::io::{BufWriter, Write};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use litfass_ledger::check::{ALWAYS, Violation};
use litfass_store::audit::{AuditLog, Head, Tampered};
use litfass_store::ledger::{Accounted, verify};

use super::Folder;
use super::past::Past;
use crate::console::numbers::grouped;
use crate::ledger_rows::{end, line};
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
    /// Write everything that the ledger says of money, as of one instant, one JSON object a line; docs/specs/accounts.md describes them.
    /// A server may be running.
    Export {
        #[command(flatten)]
        folder: Folder,
    },
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        match self.command {
            Command::Verify { log, expect_head, folder } => check(log, expect_head, &folder),
            Command::Export { folder } => export(&folder),
        }
    }
}

/// Row by row: no more than a row of the ledger is in memory, whatever it holds.
fn export(folder: &Folder) -> Result<()> {
    let vault = Vault::open(&folder.configured()?, &folder.existing()?)?;
    let (mut out, mut rows, mut written) = (BufWriter::new(std::io::stdout()), 0, Ok(()));
    let exported = vault.reader()?.export(&mut |row| {
        rows += 1;
        written = writeln!(out, "{}", line(&row));
        written.is_ok()
    });
    written?;
    exported.with_context(|| vault.to_string())?;
    writeln!(out, "{}", end(rows))?;
    Ok(out.flush()?)
}

fn check(log: bool, expect_head: Option<Head>, folder: &Folder) -> Result<()> {
    let past = Past::open(folder)?;
    let named = || past.place.to_string();
    let vault = Vault::open(&folder.configured()?, &past.data)?;
    let reader = vault.reader()?;
    let mut violations = verify(&*reader).with_context(|| vault.to_string())?;
    let mut out = std::io::stdout();
    writeln!(out, "the ledger itself: {} invariants, {} violated", ALWAYS.len(), violations.len())?;
    if log {
        violations.extend(against_log(&past, &reader.accounted().with_context(|| vault.to_string())?)?);
    }
    let audit = AuditLog::open(&past.place).with_context(named)?;
    let (rows, tampered) = audit.check(expect_head).with_context(named)?;
    let head = audit.head().with_context(named)?.map_or_else(|| "none yet".to_owned(), |head| head.to_string());
    writeln!(out, "the audit log: {} rows in the chain, head {head}", grouped(rows))?;
    told(&violations, tampered)
}

fn against_log(past: &Past, accounted: &Accounted) -> Result<Vec<Violation>> {
    let (found, mut out) = (recount(&*past.log, accounted)?, std::io::stdout());
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
    Ok(found.violations)
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
