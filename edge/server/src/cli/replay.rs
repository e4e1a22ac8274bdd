//! `litfass replay`.

use std::io::Write;

use anyhow::{Result, bail};
use litfass_decide::{DecisionRecord, SCORE_TOLERANCE, Workspace};
use litfass_types::{DecisionId, Timestamp};
use serde_json::{Value, json};

use super::Folder;
use super::explain::record_of;
use super::past::{Past, Progress, Stretch, worlds};
use crate::console::numbers::moment;
use crate::replay::{DiffRow, Differing, LISTED_MAX, RecomputeReport, Replayed, diff, one, recompute_window, replay};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    stretch: Stretch,
    /// Decide full records again from what was gathered, in the world of their version, instead of settling all again.
    #[arg(long)]
    recompute: bool,
    /// One decision: as recorded, settled again and decided again, beside each other.
    #[arg(long, value_name = "ID", conflicts_with_all = ["recompute", "from", "to"])]
    diff: Option<DecisionId>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Fails where anything differs, so that a script notices.
    pub(super) fn run(self) -> Result<()> {
        let past = Past::open(&self.folder)?;
        let (text, json, differing) = match self.diff {
            Some(id) => side_by_side(&past, id)?,
            None if self.recompute => self.decided_again(&past)?,
            None => self.settled_again(&past)?,
        };
        let out = if self.json { format!("{json:#}") } else { text };
        writeln!(std::io::stdout(), "{out}")?;
        if differing > 0 {
            bail!("{differing} differ from what was recorded");
        }
        Ok(())
    }

    fn settled_again(&self, past: &Past) -> Result<(String, Value, u64)> {
        let mut progress = Progress::new();
        let tell = |n, at| progress.tell(n, at);
        let found = replay(&*past.log, self.stretch.window(), DecisionRecord::replay, tell)?;
        let mut lines = listed(&found);
        lines.push(summary(&found, "decisions settled again"));
        Ok((lines.join("\n"), replayed_json(&found), found.differing))
    }

    fn decided_again(&self, past: &Past) -> Result<(String, Value, u64)> {
        let window = self.stretch.window();
        let mut worlds = worlds(past, window.from, window.until)?;
        let mut progress = Progress::new();
        let tell = |n, at| progress.tell(n, at);
        let found = recompute_window(&*past.log, window, &mut worlds, tell)?;
        Ok((recomputed_text(&found), recomputed_json(&found), found.replayed.differing + found.scores.beyond))
    }
}

fn side_by_side(past: &Past, id: DecisionId) -> Result<(String, Value, u64)> {
    let record = record_of(past, id)?;
    let at = record.inputs.now;
    let again = one(&record, &mut worlds(past, at, at)?, &mut Workspace::default())?;
    let rows = diff(&record, again.as_ref().ok());
    let differing = rows.iter().filter(|row| row.differs()).count() as u64;
    let mut lines = vec![line("", "what", "recorded", "settled again", "decided again")];
    lines.extend(rows.iter().map(diff_line));
    lines.extend(again.as_ref().err().map(|why| format!("not decided again: {why}")));
    let json = json!({
        "decision": id.to_string(),
        "rows": rows.iter().map(|row| json!({
            "what": row.what, "recorded": row.recorded, "settled": row.settled, "recomputed": row.recomputed, "differs": row.differs(),
        })).collect::<Vec<_>>(),
        "not_recomputed": again.err().map(|why| why.to_string()),
    });
    Ok((lines.join("\n"), json, differing))
}

fn diff_line(row: &DiffRow) -> String {
    let mark = if row.differs() { "*" } else { "" };
    line(mark, &row.what, &row.recorded, &row.settled, row.recomputed.as_deref().unwrap_or(""))
}

fn line(mark: &str, what: &str, recorded: &str, settled: &str, again: &str) -> String {
    format!("{mark:1} {what:<28} {recorded:<28} {settled:<28} {again}").trim_end().to_owned()
}

fn recomputed_text(found: &RecomputeReport) -> String {
    let mut lines = listed(&found.replayed);
    lines.push(summary(&found.replayed, "full records decided again"));
    let scores = &found.scores;
    let (compared, beyond, worst) = (scores.compared, scores.beyond, scores.worst);
    lines.push(format!("{compared} scores compared, {beyond} more than {SCORE_TOLERANCE:e} off, the worst {worst:e}"));
    let left_out = [
        (found.not_full, "records do not hold every candidate"),
        (found.not_gathered, "full records of the first format do not hold what was known of the viewer"),
        (found.other_time_zones, "were decided with another version of the time-zone database"),
    ];
    lines.extend(left_out.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    lines.push("what the sources returned is taken from the record".to_owned());
    lines.join("\n")
}

fn recomputed_json(found: &RecomputeReport) -> Value {
    let mut json = replayed_json(&found.replayed);
    json["scores"] = json!({
        "compared": found.scores.compared, "beyond_tolerance": found.scores.beyond, "worst": found.scores.worst,
        "tolerance": SCORE_TOLERANCE,
    });
    json["not_full"] = json!(found.not_full);
    json["not_gathered"] = json!(found.not_gathered);
    json["other_time_zones"] = json!(found.other_time_zones);
    json["taken_from_the_record"] = json!(["sources"]);
    json
}

fn replayed_json(found: &Replayed) -> Value {
    let listed = found.listed.iter().map(|Differing { id, differences }| {
        json!({ "decision": id.to_string(), "differences": differences.iter().map(ToString::to_string).collect::<Vec<_>>() })
    });
    json!({
        "decisions": found.decisions,
        "identical": found.decisions - found.differing,
        "differing": found.differing,
        "first_ms": found.span.map(|(first, _)| first.0),
        "last_ms": found.span.map(|(_, last)| last.0),
        "listed": listed.collect::<Vec<_>>(),
    })
}

fn listed(found: &Replayed) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for Differing { id, differences } in &found.listed {
        lines.push(format!("decision {id}"));
        lines.extend(differences.iter().map(|difference| format!("  {difference}")));
    }
    if found.differing > LISTED_MAX as u64 {
        lines.push(format!("… and {} more", found.differing - LISTED_MAX as u64));
    }
    lines
}

fn summary(found: &Replayed, what: &str) -> String {
    let span = |(first, last): (Timestamp, Timestamp)| format!(", {} … {}", moment(first.0), moment(last.0));
    let when = found.span.map_or_else(String::new, span);
    let identical = found.decisions - found.differing;
    format!("{} {what}{when}: {identical} identical, {} differ", found.decisions, found.differing)
}
