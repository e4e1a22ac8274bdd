//! `cargo xtask bench [NAME…]`: the benchmarks, each a release program that prints what it measured; nothing is written.

use anyhow::{Result, bail};

use crate::step;

/// A benchmark: its name, the crate whose example it is, and the features that it takes.
const BENCHES: [(&str, &str, &str, &str); 9] = [
    ("eligibility", "litfass-catalog", "eligibility", ""),
    ("pacing", "litfass-market", "pacing", ""),
    ("decide", "litfass-decide", "decide", ""),
    ("caps", "litfass-store", "caps", "redis"),
    ("log", "litfass-store", "log", ""),
    ("billing", "litfass-store", "billing", "postgres"),
    ("report", "litfass-store", "report", ""),
    ("explain", "litfass-server", "explain", ""),
    ("serve", "litfass-sim", "load", ""),
];

/// What one installs: optimised across crates, which takes minutes to build.
const PROFILE: &str = "dist";

/// Runs those named, or all.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| !BENCHES.iter().any(|(known, ..)| known == name)) {
        let known: Vec<&str> = BENCHES.iter().map(|(name, ..)| *name).collect();
        bail!("no benchmark `{unknown}`; there are {}", known.join(", "));
    }
    // `serve` starts the binary that lies beside it.
    step::run(step::cargo().args(["build", "--quiet", "--profile", PROFILE, "--bin", "litfass"]))?;
    let chosen = BENCHES.iter().filter(|(name, ..)| names.is_empty() || names.iter().any(|wanted| wanted == name));
    for (name, package, example, features) in chosen {
        println!("\n## {name}\n");
        let mut program = step::cargo();
        program.args(["run", "--quiet", "--profile", PROFILE, "-p", package, "--features", features]);
        step::run(program.args(["--example", example]))?;
    }
    Ok(())
}
