//! Imports between the crates of the workspace run only downwards: each crate may use those of lower layers.

use anyhow::Result;

use super::Tree;

/// The crates that stand on one another, lowest first. One row is one layer: its crates do not import each other.
const LAYERS: [&[&str]; 7] = [
    &["types"],
    &["catalog", "features", "market", "ledger", "events", "experiment", "openrtb"],
    &["policy", "retrieval", "rank"],
    &["decide"],
    &["store"],
    &["train", "sim", "explore"],
    &["server"],
];

pub(super) fn check(tree: &Tree) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for member in &tree.members {
        let name = &member.manifest.package.name;
        let own = layer(name);
        if own.is_none() && name != "xtask" {
            findings.push(format!("{name} has no layer; give it one in xtask/src/tidy/layers.rs"));
        }
        let imports = member.imports().map(|(import, _)| import).filter(|import| import.starts_with("litfass-"));
        let upward = imports.filter(|import| !may_import(own, layer(import)));
        findings.extend(upward.map(|import| format!("{} imports {import}, which is not below it", member.folder)));
    }
    Ok(findings)
}

/// xtask, which has no layer, imports no crate of the product.
fn may_import(own: Option<usize>, other: Option<usize>) -> bool {
    own > other && other.is_some()
}

fn layer(name: &str) -> Option<usize> {
    let short = name.strip_prefix("litfass-")?;
    LAYERS.iter().position(|layer| layer.contains(&short))
}

#[cfg(test)]
mod tests {
    use super::{layer, may_import};

    #[test]
    fn a_crate_imports_lower_layers_and_nothing_else() {
        assert!(may_import(layer("litfass-decide"), layer("litfass-types")));
        assert!(!may_import(layer("litfass-types"), layer("litfass-decide")));
        assert!(!may_import(layer("litfass-train"), layer("litfass-sim")));
        assert!(!may_import(layer("xtask"), layer("litfass-types")));
        assert!(!may_import(layer("litfass-server"), layer("litfass-elsewhere")));
    }
}
