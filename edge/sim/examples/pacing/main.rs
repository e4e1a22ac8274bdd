//! Pacing's simulated days without the rest of the product: `pacing SEED [FOLDER]` prints the table, and draws into the folder. Fails
//! where a target is missed.
#![expect(clippy::print_stdout, reason = "a developer's tool talks on its terminal")]

use std::path::Path;
use std::process::ExitCode;

use litfass_sim::pacing::{Inputs, Outcome, live, scenarios};

fn main() -> std::io::Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let seed = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let (folder, inputs) = (words.next(), Inputs { seed, ..Inputs::default() });
    println!("{}", Outcome::HEAD);
    let mut missed = Vec::new();
    for scenario in scenarios(&inputs) {
        let outcome = live(&scenario, &inputs);
        print!("{outcome}");
        missed.extend(outcome.missed());
        if let Some(folder) = &folder {
            let drawing = outcome.drawing();
            std::fs::write(Path::new(folder).join(drawing.file), drawing.svg)?;
        }
    }
    missed.iter().for_each(|what| println!("missed: {what}"));
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
