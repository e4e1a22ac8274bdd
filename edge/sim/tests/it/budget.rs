//! The money's promises, in worlds in which everything fails.

use litfass_sim::budget::{Figures, live, simulate};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_is_billed_beyond_a_budget_whatever_fails() {
    let first = setting("LITFASS_SEED", 0);
    let mut figures = Figures::default();
    simulate(first..first + setting("LITFASS_SEEDS", 300), live, &mut figures, |_, _| true);
    println!("{figures}");
    assert!(figures.holds(), "{figures}");
}

#[test]
fn the_same_seed_is_the_same_world() {
    assert_eq!(live(5), live(5));
    assert_ne!(live(5).unwrap().trace, live(6).unwrap().trace);
}
