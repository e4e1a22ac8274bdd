//! `cargo xtask …`: the one entrance for developers.
//!
//! Every subcommand works from any folder of the checkout, prints the commands it runs with the time they took, and
//! leaves the tree as it was unless it says otherwise.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a developer's tool talks on its terminal")]

mod apt;
mod bench;
mod browser;
mod codegen;
mod fuzz;
mod kafka;
mod mutants;
mod postgres;
mod quickstart;
mod redis;
mod screenshots;
mod step;
mod suite;
mod tidy;
mod traces;
mod verify;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask <command>

  test [-- ARGS]        install the browser where it is missing, then run every test of the workspace
  tidy                  layering, dependencies, licences, words, links and sizes, in seconds
  codegen [--check]     writes the Rust of schemas/ into edge/store/src/wire/generated, or says that it is not current
  bench [NAME…]         the benchmarks, as a table for docs/benchmarks.md
  screenshots           the pictures in docs/images, taken from the pages of a running demo
  verify [AREA…]        the long tier; without an area: what there is
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> anyhow::Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        print!("{HELP}");
        return Ok(());
    };
    match command.as_str() {
        "test" => suite::run(rest),
        "tidy" => tidy::run(),
        "codegen" => codegen::run(rest.iter().any(|argument| argument == "--check")),
        "bench" => bench::run(rest),
        "screenshots" => screenshots::run(),
        "verify" => verify::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => anyhow::bail!("unknown command `{other}`\n\n{HELP}"),
    }
}
