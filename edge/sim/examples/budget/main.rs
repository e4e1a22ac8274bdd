//! Seeds of the money's simulation without the rest of the product: `budget FIRST COUNT`. Fails where an invariant does not
//! hold.
#![expect(clippy::print_stdout, reason = "a developer's tool talks on its terminal")]

use std::process::ExitCode;
use std::time::Instant;

use litfass_sim::budget::{Figures, Scratch, live, simulate};

fn main() -> std::io::Result<ExitCode> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().unwrap_or(0));
    let (first, count) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(1));
    let scratch = Scratch::new()?;
    let (start, mut figures) = (Instant::now(), Figures::default());
    simulate(first..first + count, |seed| live(seed, &scratch), &mut figures, |_, _| true);
    println!("{figures}{} ms", start.elapsed().as_millis());
    Ok(if figures.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
