//! `cargo xtask bench [NAME…]`: the benchmarks, each a release program that prints rows of one Markdown table.

use anyhow::{Result, bail};

use crate::step;

/// A benchmark: its name, and what cargo runs for it.
const BENCHES: [(&str, &[&str]); 1] =
    [("serve", &["run", "--quiet", "--release", "-p", "litfass-server", "--example", "load", "--"])];

pub(crate) fn run(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| !BENCHES.iter().any(|(known, _)| known == name)) {
        let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        bail!("no benchmark `{unknown}`; there are {}", known.join(", "));
    }
    step::run(step::cargo().args(["build", "--release", "--workspace", "--bins", "--examples"]))?;
    let chosen = BENCHES.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|wanted| wanted == name));
    for (_, arguments) in chosen {
        step::run(step::cargo().args(*arguments))?;
    }
    Ok(())
}
