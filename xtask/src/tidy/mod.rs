//! `cargo xtask tidy`: what a compiler does not check. Reads manifests and text only, so it takes seconds.
//!
//! Each check returns its findings, one line each; all are shown before it fails.

mod dependencies;
mod layers;
mod licences;
mod links;
mod text;

use anyhow::{Context, Result, bail};

use crate::{codegen, step, workspace};

/// A check: its name and what it finds.
type Check = (&'static str, fn(&Tree) -> Result<Vec<String>>);

const CHECKS: [Check; 10] = [
    ("imports run only downwards", layers::check),
    ("core crates import only what they may", dependencies::core_is_lean),
    ("versions and lints stand in the workspace", dependencies::inherited),
    ("no dependency is left behind", dependencies::used),
    ("every dependency has its line in an ADR", dependencies::recorded),
    ("generated sources are current", generated),
    ("licences are allowed ones", licences::check),
    ("links lead somewhere", links::check),
    ("no unfinished words, no paths of one machine", text::words),
    ("files stay one idea long", text::lengths),
];

/// What the checks look at.
pub(crate) struct Tree {
    members: Vec<workspace::Member>,
    /// Paths of the files git tracks or would track, relative to the root.
    files: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    let tree = Tree { members: workspace::members()?, files: files()? };
    let mut findings = 0;
    for (name, check) in CHECKS {
        let found = check(&tree)?;
        println!("tidy: {name}: {}", if found.is_empty() { "ok" } else { "NO" });
        found.iter().for_each(|finding| println!("    {finding}"));
        findings += found.len();
    }
    if findings > 0 {
        bail!("tidy found {findings} things to mend");
    }
    Ok(())
}

fn files() -> Result<Vec<String>> {
    let listed = step::capture(step::command("git").args(["ls-files", "-co", "--exclude-standard"]))?;
    let there = |path: &&str| workspace::root().join(path).is_file();
    Ok(listed.lines().filter(there).map(str::to_owned).collect())
}

fn generated(_: &Tree) -> Result<Vec<String>> {
    Ok(codegen::run(true).err().map(|problem| problem.to_string()).into_iter().collect())
}

/// The text of a file of the tree; none where it is not text.
fn read(path: &str) -> Result<Option<String>> {
    let bytes = std::fs::read(workspace::root().join(path)).with_context(|| format!("reading {path}"))?;
    Ok(String::from_utf8(bytes).ok())
}
