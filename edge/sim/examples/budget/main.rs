//! Seeds of the money's simulation: `budget FIRST COUNT`. Fails where an invariant does not hold.
use litfass_sim::budget::{Figures, live, simulate};

fn main() -> std::process::ExitCode {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().unwrap_or(0));
    let (first, count) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(1));
    let mut figures = Figures::default();
    let start = std::time::Instant::now();
    simulate(first..first + count, live, &mut figures, |_, _| true);
    print!("{figures}");
    println!("{:.0} simulated decisions/s", figures.decisions as f64 / start.elapsed().as_secs_f64());
    if figures.holds() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
