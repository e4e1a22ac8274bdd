//! `cargo xtask test`: what the suite needs, then the suite. A test that did not run counts as a failure.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::{browser, postgres, redis, step, workspace};

/// Sums over the closing lines of all test binaries.
#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Totals {
    /// Reads `test result: ok. 7 passed; 0 failed; 0 ignored; …`; other lines are not its business.
    fn read(&mut self, line: &str) {
        let Some(closing) = line.trim_start().strip_prefix("test result: ") else { return };
        self.passed += count(closing, "passed");
        self.failed += count(closing, "failed");
        self.ignored += count(closing, "ignored");
    }
}

/// The number before `what` in a closing line.
fn count(closing: &str, what: &str) -> u64 {
    let words: Vec<&str> = closing.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
    let found = words.windows(2).find(|pair| pair[1] == what);
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let chromium = browser::ready()?;
    let (postgres, redis, shared) = (postgres::ready()?, redis::ready()?, real_data()?);
    let mut whole = step::cargo();
    whole.args(["test", "--workspace", "--no-fail-fast"]).env("LITFASS_CHROMIUM", chromium).args(arguments);
    whole.envs(shared.iter().map(|folder| ("LITFASS_SHARED", folder)));
    whole.envs(postgres.iter().map(|folder| ("LITFASS_POSTGRES", folder)));
    whole.envs(redis.iter().map(|program| ("LITFASS_REDIS", program)));
    let left_out = [
        ("real_shop", shared.is_some()),
        ("real_postgres", postgres.is_some()),
        ("real_redis", redis.is_some()),
        ("on_a_small_mount", mounts()?),
    ];
    whole.arg("--");
    for (name, _) in left_out.iter().filter(|(_, runs)| !runs) {
        whole.args(["--skip", name]);
    }
    let mut totals = Totals::default();
    let mut outcome = step::watch(&mut whole, |line| totals.read(line));
    if let (Some(shared), []) = (&shared, arguments) {
        outcome = outcome.and(step::watch(&mut judged(shared), |line| totals.read(line)));
    }
    println!("{} passed, {} failed, {} skipped", totals.passed, totals.failed, totals.ignored);
    outcome?;
    ensure!(totals.passed > 0, "no test ran");
    ensure!(totals.ignored == 0, "{} tests are ignored; a test that does not run counts as a failure", totals.ignored);
    Ok(())
}

/// Ranking judged on a real shop's log, which takes an optimised build.
fn judged(shared: &Path) -> Command {
    let mut command = step::cargo();
    command.args(["test", "--release", "-p", "litfass-train", "--test", "it", "litfass_beats_the_rules"]);
    command.env("LITFASS_SHARED", shared);
    command
}

/// Where the real shop's log lies; in CI it must be there, elsewhere the tests that read it are left out.
fn real_data() -> Result<Option<PathBuf>> {
    let shared = workspace::shared();
    if shared.is_none() && workspace::in_ci() {
        bail!(
            "the real data is not there: put it into ../shared beside the checkout, or set LITFASS_SHARED to its folder"
        );
    }
    if shared.is_none() {
        println!("note: no ../shared beside the checkout and no LITFASS_SHARED: tests on real data are left out");
    }
    Ok(shared)
}

/// Whether a file system may be mounted, as the tests of full and read-only disks do; in CI it must be so, elsewhere they are left
/// out.
fn mounts() -> Result<bool> {
    let folder = workspace::root().join("target/mount");
    std::fs::create_dir_all(&folder)?;
    let done = |command: &mut Command| command.arg(&folder).output().is_ok_and(|output| output.status.success());
    let mounted = done(Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]));
    if mounted {
        ensure!(done(&mut Command::new("umount")), "{} cannot be unmounted", folder.display());
    }
    if !mounted && workspace::in_ci() {
        bail!("no file system can be mounted: the tests of full and read-only disks need root (and CAP_SYS_ADMIN)");
    }
    if !mounted {
        println!("note: this user may not mount a file system: tests of full and read-only disks are left out");
    }
    Ok(mounted)
}

#[cfg(test)]
mod tests {
    use super::{Totals, count};

    #[test]
    fn closing_lines_of_several_binaries_add_up() {
        let mut totals = Totals::default();
        totals.read("test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        totals.read("test a::b ... ok");
        totals
            .read("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        assert_eq!((totals.passed, totals.failed, totals.ignored), (10, 2, 1));
    }

    #[test]
    fn a_line_without_the_word_counts_nothing() {
        assert_eq!(count("ok. x passed", "failed"), 0);
    }
}
