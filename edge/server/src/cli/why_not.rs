//! `litfass why-not`.

use std::io::Write;

use anyhow::{Context, Result};
use litfass_store::catalog::CatalogStore;
use litfass_types::LineItemId;

use super::Folder;
use super::past::{Past, Progress, Stretch};
use crate::api::why_not::{ObstacleAnswer, WhyNotAnswer};
use crate::console::numbers::{amount, grouped, moment, percent};
use crate::why_not::{Question, answer};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The line item's id.
    line_item: u64,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    stretch: Stretch,
    /// As JSON, the shape of GET /v1/line_items/ID/why-not.
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let past = Past::open(&self.folder)?;
        let line_item = LineItemId(self.line_item);
        let store = CatalogStore::open(&past.place)?;
        let catalog = store.read_catalog()?;
        let window = self.stretch.window();
        let question = Question { log: &*past.log, catalog: &catalog, line_item, window, decisions_max: u64::MAX };
        let mut progress = Progress::new();
        let found = answer(&question, store, |n, at| progress.tell(n, at))?;
        drop(progress);
        let found = found.with_context(|| format!("there is no line item {line_item}"))?;
        let answer = WhyNotAnswer::new(line_item, &found);
        let out = if self.json { serde_json::to_string_pretty(&answer)? } else { text(&answer) };
        writeln!(std::io::stdout(), "{out}")?;
        Ok(())
    }
}

fn text(answer: &WhyNotAnswer) -> String {
    let span = answer.first_ms.zip(answer.last_ms);
    let when = span.map_or_else(String::new, |(first, last)| format!(", {} … {}", moment(first), moment(last)));
    let mut lines = vec![
        format!("line item {}: {} requests of its tenant{when}", answer.line_item_id, grouped(answer.requests)),
        format!("eligible in {}, shown in {}", grouped(answer.eligible), grouped(answer.shown)),
        format!("{:<20} {:>22} {:>22}", "", "first obstacle", "only obstacle"),
    ];
    lines.extend(answer.predicates.iter().chain(&answer.fates).map(obstacle));
    let others = [
        (answer.not_there_yet, "it was not in the catalog yet"),
        (answer.not_retrieved, "eligible, but no source returned an ad of it"),
        (answer.unrecorded, "eligible, in no auction; these records do not hold the candidates that lost before it"),
        (answer.funds_unknown, "of an older format, which did not keep who had funds: counted as funded"),
        (answer.contradicted, "records contradict what is worked out: please report this"),
    ];
    lines.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{}: {what}", grouped(*n))));
    let gap = answer.median_gap_micros.map(|gap| format!("outbid by {} per mille in the median", amount(gap)));
    lines.extend(gap);
    lines.push(format!("{} of these requests are recorded with every candidate", grouped(answer.recorded_in_full)));
    lines.push(format!("worked out again: {}", answer.recomputed.join(", ")));
    lines.push(format!("from the record: {}", answer.recorded.join(", ")));
    lines.join("\n")
}

fn obstacle(row: &ObstacleAnswer) -> String {
    let count = |n: u64, share: f64| format!("{} ({})", grouped(n), percent(share));
    let (first, only) = (count(row.first, row.first_share), count(row.only, row.only_share));
    format!("{:<20} {first:>22} {only:>22}  {}", row.code, row.text)
}
