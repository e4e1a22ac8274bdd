//! `litfass replay`.

use std::io::Write;

use anyhow::{Result, bail};
use litfass_decide::DecisionRecord;
use serde_json::{Value, json};

use super::past::{Folder, Past, Progress, Stretch};
use crate::console::numbers::moment;
use crate::replay::{Differing, LISTED_MAX, Replayed, replay};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    stretch: Stretch,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Fails where anything differs, so that a script notices.
    pub(super) fn run(self) -> Result<()> {
        let past = Past::open(self.folder.data_dir.as_deref())?;
        let mut progress = Progress::new();
        let window = self.stretch.window();
        let found = replay(&past.log, window, DecisionRecord::replay, |n, at| progress.tell(n, at))?;
        drop(progress);
        let text = if self.json { format!("{:#}", as_json(&found)) } else { as_text(&found) };
        writeln!(std::io::stdout(), "{text}")?;
        if !found.is_identical() {
            bail!("{} of {} decisions differ", found.differing, found.decisions);
        }
        Ok(())
    }
}

fn as_json(found: &Replayed) -> Value {
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

fn as_text(found: &Replayed) -> String {
    let mut lines: Vec<String> = Vec::new();
    for Differing { id, differences } in &found.listed {
        lines.push(format!("decision {id}"));
        lines.extend(differences.iter().map(|difference| format!("  {difference}")));
    }
    if found.differing > LISTED_MAX as u64 {
        lines.push(format!("… and {} more", found.differing - LISTED_MAX as u64));
    }
    let when =
        found.span.map_or_else(String::new, |(first, last)| format!(", {} … {}", moment(first.0), moment(last.0)));
    let identical = found.decisions - found.differing;
    lines.push(format!(
        "{} decisions settled again{when}: {identical} identical, {} differ",
        found.decisions, found.differing
    ));
    lines.join("\n")
}
