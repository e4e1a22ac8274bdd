//! `cargo xtask verify mutants`: the test of the test. The rules of the money are broken one at a time, and the exploration must name
//! the invariant that fails. A rule of the ledger is broken in a copy of the few crates it takes; a rule of the world around it
//! by an option of the explorer. `LITFASS_MUTANT` chooses those with that text in their names. A mutant that survives, fails for another reason or no longer matches its source is an error.

mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::{step, workspace};
use table::{Change, MUTANTS, Mutant, Rule};

/// What is copied; nothing here imports more.
const CRATES: [&str; 3] = ["core/types", "core/ledger", "edge/explore"];
/// Far more than any mutant needs.
const STATES_MAX: &str = "1000000";

pub(crate) fn verify() -> Result<()> {
    let copy = Copy::new()?;
    let mut wrong = Vec::new();
    let chosen = std::env::var("LITFASS_MUTANT").unwrap_or_default();
    for mutant in MUTANTS.iter().filter(|mutant| mutant.name.contains(&chosen)) {
        let start = Instant::now();
        let outcome = copy.judge(mutant).with_context(|| format!("mutant `{}`", mutant.name))?;
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(world) => println!("{:<44} {world:<9} {seconds:>6.1} s  {}", mutant.name, mutant.invariant),
            Err(instead) => {
                println!("{:<44} WRONG: {instead}", mutant.name);
                wrong.push(mutant.name);
            }
        }
    }
    ensure!(wrong.is_empty(), "{} of {} mutants were not named: {}", wrong.len(), MUTANTS.len(), wrong.join(", "));
    println!("each mutant failed its invariant");
    Ok(())
}

/// The crates as they are, in a workspace of their own below `target`.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn new() -> Result<Self> {
        let copy = Self { root: workspace::root().join("target/mutants/tree") };
        let manifest = fs::read_to_string(workspace::root().join("Cargo.toml"))?;
        let members = Change {
            file: "Cargo.toml",
            old: "members = [\"core/*\", \"edge/*\", \"xtask\"]\ndefault-members = [\"edge/server\"]",
            new: "members = [\"core/*\", \"edge/*\"]",
        };
        copy.write(Path::new("Cargo.toml"), changed(&manifest, &members)?.as_bytes())?;
        copy.write(Path::new("Cargo.lock"), &fs::read(workspace::root().join("Cargo.lock"))?)?;
        copy.restore()?;
        Ok(copy)
    }

    /// The sources as they are. Files that are the same stay as old as they were, so that little is built again.
    fn restore(&self) -> Result<()> {
        CRATES.iter().try_for_each(|folder| self.copy(Path::new(folder)))
    }

    fn copy(&self, path: &Path) -> Result<()> {
        let from = workspace::root().join(path);
        if !from.is_dir() {
            return self.write(path, &fs::read(&from)?);
        }
        for entry in fs::read_dir(&from).with_context(|| format!("reading {}", from.display()))? {
            self.copy(&path.join(entry?.file_name()))?;
        }
        Ok(())
    }

    fn write(&self, path: &Path, text: &[u8]) -> Result<()> {
        let to = self.root.join(path);
        if fs::read(&to).is_ok_and(|there| there == text) {
            return Ok(());
        }
        fs::create_dir_all(to.parent().unwrap_or(&self.root))?;
        fs::write(&to, text).with_context(|| format!("writing {}", to.display()))
    }

    /// The world in which the invariant was named, or what came instead.
    fn judge(&self, mutant: &Mutant) -> Result<Result<&'static str, String>> {
        if let Rule::Ledger(changes) = mutant.rule {
            for change in changes {
                let text = fs::read_to_string(self.root.join(change.file))?;
                self.write(Path::new(change.file), changed(&text, change)?.as_bytes())?;
            }
        }
        let judged = self.explored(mutant);
        self.restore()?;
        judged
    }

    fn explored(&self, mutant: &Mutant) -> Result<Result<&'static str, String>> {
        let build =
            self.cargo().args(["build", "--quiet", "-p", "litfass-explore", "--example", "explore"]).status()?;
        ensure!(build.success(), "it does not compile");
        for world in mutant.worlds {
            let mut command = self.cargo();
            command.args(["run", "--quiet", "-p", "litfass-explore", "--example", "explore", "--"]);
            command.args([world, "--states", STATES_MAX, "--invariant", mutant.invariant]);
            if let Rule::World(breach) = mutant.rule {
                command.args(["--breach", breach]);
            }
            let output = command.output()?;
            let said = String::from_utf8_lossy(&output.stdout);
            if said.lines().any(|line| line.starts_with(&format!("broken: {}:", mutant.invariant))) {
                return Ok(Ok(*world));
            }
            if !output.status.success() {
                return Ok(Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr))));
            }
        }
        Ok(Err(format!("nothing fails in {}", mutant.worlds.join(", "))))
    }

    fn cargo(&self) -> Command {
        let mut command = step::cargo();
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", self.root.with_file_name("build"));
        command
    }
}

/// The text with one change, whose place must be there exactly once.
fn changed(text: &str, change: &Change) -> Result<String> {
    match text.matches(change.old).count() {
        1 => Ok(text.replace(change.old, change.new)),
        found => bail!("{} has this {found} times, not once:\n{}", change.file, change.old),
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, MUTANTS, Rule, changed};
    use crate::workspace;

    #[test]
    fn every_mutant_finds_its_place_exactly_once() {
        let ledger = MUTANTS.iter().filter_map(|mutant| match mutant.rule {
            Rule::Ledger(changes) => Some(changes),
            Rule::World(_) => None,
        });
        for change in ledger.flatten() {
            let text = std::fs::read_to_string(workspace::root().join(change.file)).unwrap();
            assert_ne!(changed(&text, change).unwrap(), text);
        }
    }

    #[test]
    fn a_place_that_is_gone_or_there_twice_is_an_error() {
        let change = Change { file: "a.rs", old: "x", new: "y" };
        assert!(changed("a", &change).is_err());
        assert!(changed("xx", &change).is_err());
    }
}
