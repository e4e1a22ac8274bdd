//! Relative links in Markdown lead to files of the tree, and so do the paths that the guides name in backticks.

use std::path::Path;

use anyhow::Result;

use super::{Tree, read};
use crate::workspace;

/// Documents whose backticked paths are a map of the code.
const GUIDES: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
const WINGS: [&str; 8] = ["core/", "edge/", "xtask/", "docs/", "schemas/", "fixtures/", "bench/", ".ci/"];

pub(super) fn check(tree: &Tree) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in tree.files.iter().filter(|path| path.ends_with(".md")) {
        let Some(text) = read(path)? else { continue };
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        let links = targets(&text).filter(|target| !exists(&folder.join(target)));
        findings.extend(links.map(|target| format!("{path} links to {target}, which is not there")));
        if GUIDES.contains(&path.as_str()) {
            let named = backticked(&text).filter(|name| !exists(Path::new(name)));
            findings.extend(named.map(|name| format!("{path} names {name}, which is not there")));
        }
    }
    Ok(findings)
}

fn exists(path: &Path) -> bool {
    workspace::root().join(path).exists()
}

/// What inline links point to inside the tree, without anchors.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '\n']).next());
    let inside = links.filter(|link| !link.contains("://") && !link.starts_with('#') && !link.starts_with("mailto:"));
    inside.filter_map(|link| link.split('#').next()).filter(|target| !target.is_empty())
}

/// Paths in backticks that begin with a folder of the tree and hold no pattern.
fn backticked(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|name| {
        WINGS.iter().any(|wing| name.starts_with(wing)) && !name.contains(['*', ' ', '<', '…', '{', '\n'])
    })
}

#[cfg(test)]
mod tests {
    use super::{backticked, targets};

    #[test]
    fn only_links_inside_the_tree_are_looked_at() {
        let text = "[a](docs/a.md#part) [b](https://example.com/b) [c](#here) ![d](img/d.svg)";
        assert_eq!(targets(text).collect::<Vec<_>>(), ["docs/a.md", "img/d.svg"]);
    }

    #[test]
    fn a_pattern_is_not_a_path() {
        let text = "see `core/types/src/money.rs` and `core/*/src`, not `cargo run`";
        assert_eq!(backticked(text).collect::<Vec<_>>(), ["core/types/src/money.rs"]);
    }
}
