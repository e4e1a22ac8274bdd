//! `litfass evaluate`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use litfass_train::dataset::Dataset;
use litfass_train::evaluate::{Options, evaluate};
use litfass_types::{Calendar, Timestamp};

use crate::telemetry::LogFormat;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A folder made by `litfass import`.
    #[arg(long)]
    dataset: PathBuf,
    /// Train on baskets before this day (UTC), judge those from it on.
    #[arg(long, default_value = "2011-08-01")]
    cut: String,
    /// Products shown to each basket's customer.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=10))]
    slots: u8,
    /// Bootstrap resamples of customers.
    #[arg(long, default_value_t = 1_000)]
    resamples: u32,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        LogFormat::Text.start();
        let cut =
            day_start(&self.cut).with_context(|| format!("--cut {:?} is not a day such as 2011-08-01", self.cut))?;
        let dataset = Dataset::read(&self.dataset)?;
        let options = Options { cut, slots: self.slots, resamples: self.resamples, ..Options::default() };
        let report = evaluate(&dataset, &options)?;
        writeln!(std::io::stdout(), "{report}")?;
        Ok(())
    }
}

fn day_start(day: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = day.parse().ok()?;
    let days = jiff::civil::date(1970, 1, 1).until(date).ok()?.get_days();
    let utc = Calendar::named("UTC").ok()?;
    Some(utc.start(litfass_types::Day(days)))
}
