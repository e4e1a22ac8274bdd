//! `litfass simulate budget` as it is typed.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn simulate(seeds: u64, progress: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_litfass"));
    command.args(["simulate", "budget", "--seeds", &seeds.to_string(), "--progress"]).arg(progress);
    command.output().unwrap()
}

/// Its figures without its speed.
fn figures(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|line| !line.starts_with("speed: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_simulation_that_was_interrupted_goes_on_and_comes_to_the_same() {
    let dir = TempDir::new().unwrap();
    let (one, other) = (dir.path().join("one.json"), dir.path().join("other.json"));
    simulate(1, &one);
    let resumed = figures(&simulate(3, &one));
    assert_eq!(resumed, figures(&simulate(3, &other)));
    assert!(resumed.contains("billed beyond budget: 0 of 3 seeds"), "{resumed}");
}
