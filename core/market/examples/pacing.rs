//! How long one update of every line item's pace takes: a million of them (or as many as the first argument says), each with three
//! budgets and one of a hundred forecasts.
//!
//! `cargo run --release -p litfass-market --example pacing [LINE_ITEMS]`
#![expect(clippy::print_stdout, reason = "prints its measurements")]
#![expect(clippy::disallowed_methods, reason = "measures elapsed time")]

use std::time::Instant;

use litfass_market::pacing::{Actuator, Curve, HOURS, Plan, Shape, State};
use litfass_types::{Duration, Seed, Timestamp};

const START: Timestamp = Timestamp(1_794_787_200_000);
const UPDATES: i64 = 5;

fn main() {
    let line_items: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let shapes: Vec<Shape> = (0..100).map(shape).collect();
    let mut states: Vec<State> = (0..line_items).map(|_| State::new(Actuator::Bid, START)).collect();
    let mut milliseconds = Vec::new();
    for update in 1..=UPDATES {
        let now = START + Duration::hours(10) + Duration::seconds(2 * update);
        let begun = Instant::now();
        let paces = states.iter_mut().zip(0_u64..).map(|(state, number)| {
            let plans = plans(number, &shapes);
            u64::from(state.step(&plans, now).ppm)
        });
        let sum: u64 = paces.sum();
        milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
        assert!(sum > 0, "somebody takes part");
    }
    milliseconds.sort_by(f64::total_cmp);
    let bytes = size_of::<State>();
    println!(
        "{line_items} line items with three budgets each: median {:.0} ms an update, at most {:.0} ms",
        milliseconds[milliseconds.len() / 2],
        milliseconds[milliseconds.len() - 1]
    );
    println!("{bytes} B of state per line item");
}

fn shape(number: u64) -> Shape {
    Shape::of(&std::array::from_fn::<u64, HOURS, _>(|hour| 1 + Seed(number).derive(hour as u64).below(1_000)))
}

/// A day's, a week's and a month's budget, each near its plan.
fn plans(number: u64, shapes: &[Shape]) -> [Plan<'_>; 3] {
    let seed = Seed(number);
    let plan = |days: i64, budget: i128| Plan {
        budget,
        spent: budget * (390 + i128::from(seed.derive(days.unsigned_abs()).below(40))) / 1_000 / i128::from(days),
        start: START,
        end: START + Duration::days(days),
        price: 2_000_000,
        curve: &Curve::Even,
        shape: &shapes[usize::try_from(number % 100).unwrap_or(0)],
    };
    [plan(1, 10_000_000_000), plan(7, 70_000_000_000), plan(30, 300_000_000_000)]
}
