//! `cargo run -p litfass-explore --example explore -- [--large] [--breach NAME] [--invariant NAME] [--states N] [NAME…]`: explores the small worlds,
//! or those named, and prints what was gone through; the first broken invariant is printed with the way to it, and is an error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks on its terminal")]

use std::process::ExitCode;

use litfass_explore::{Bounds, Breach, Found, LARGE, Quest, SMALL, explore};

#[derive(Default)]
struct Wanted {
    worlds: Vec<&'static Bounds>,
    breach: Option<Breach>,
    invariant: Option<String>,
    states_max: Option<usize>,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::FAILURE;
        }
    };
    println!("{:<12} {:>12} {:>13} {:>6} {:>11} {:>8}", "world", "states", "transitions", "depth", "rests", "seconds");
    let (breach, states_max) = (wanted.breach, wanted.states_max);
    let quest = Quest { breach, invariant: wanted.invariant.as_deref(), states_max };
    for world in wanted.worlds {
        let found = explore(world, quest);
        let (report, broken) = match found {
            Found::Nothing(report) => (report, None),
            Found::Broken(report, broken) => (report, Some(broken)),
        };
        println!(
            "{:<12} {:>12} {:>13} {:>6} {:>11} {:>8.1}{}",
            world.name,
            report.states,
            report.transitions,
            report.depth,
            report.rests,
            report.seconds,
            if report.complete || broken.is_some() { "" } else { "  not to the end" },
        );
        if let Some(broken) = broken {
            println!("\n{broken}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--large" => wanted.worlds.extend(&LARGE),
            "--breach" => {
                let name = arguments.next().unwrap_or_default();
                let breach = Breach::ALL.into_iter().find(|breach| breach.name() == name);
                wanted.breach = Some(breach.ok_or_else(|| format!("no breach `{name}`"))?);
            }
            "--invariant" => wanted.invariant = arguments.next(),
            "--states" => {
                let count = arguments.next().unwrap_or_default();
                wanted.states_max = Some(count.parse().map_err(|_| format!("`{count}` is no number of states"))?);
            }
            name => {
                let world = SMALL.iter().chain(&LARGE).find(|world| world.name == name);
                wanted.worlds.push(world.ok_or_else(|| format!("no world `{name}`"))?);
            }
        }
    }
    if wanted.worlds.is_empty() {
        wanted.worlds.extend(&SMALL);
    }
    Ok(wanted)
}
