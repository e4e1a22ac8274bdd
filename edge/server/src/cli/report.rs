//! `litfass report`.

use std::io::Write;

use anyhow::{Context, Result, bail};

use super::Folder;
use crate::api::invalid::{Invalid, one_of};
use crate::api::reports::{ROWS_MAX, ReportParams, Told};
use crate::node::system_clock;
use crate::vault::Vault;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    params: ReportParams,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Clone, Copy)]
enum Format {
    Table,
    Json,
    Csv,
}

fn format(name: &str) -> Option<Format> {
    match name {
        "table" => Some(Format::Table),
        "json" => Some(Format::Json),
        "csv" => Some(Format::Csv),
        _ => None,
    }
}

fn said(invalid: &Invalid) -> anyhow::Error {
    anyhow::anyhow!("--{}: {}", invalid.field.replace('_', "-"), invalid.detail)
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let names = ["table", "json", "csv"].into_iter();
        let format = one_of("format", self.params.format.as_deref(), format, names).map_err(|e| said(&e))?;
        let wanted = self.params.check(system_clock().now()).map_err(|e| said(&e))?;
        let data = self.folder.existing()?;
        let vault = Vault::open(&self.folder.configured()?, &data)?;
        let Some(report) = vault.reader()?.report(&wanted.ask).with_context(|| vault.to_string())? else {
            bail!("the report has more than {ROWS_MAX} rows: ask for fewer dimensions or a shorter time");
        };
        let told = Told { wanted: &wanted, report: &report };
        let text = match format.unwrap_or(Format::Table) {
            Format::Table => told.table(),
            Format::Json => format!("{:#}\n", told.json()),
            Format::Csv => told.csv(),
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}
