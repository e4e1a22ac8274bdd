//! The money's promises, in worlds in which everything fails.

use litfass_sim::budget::{Figures, Scratch, live, simulate};

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_is_billed_beyond_a_budget_whatever_fails() {
    let first = setting("LITFASS_SEED", 0);
    let (mut figures, scratch) = (Figures::default(), Scratch::new().unwrap());
    let live = |seed| live(seed, &scratch);
    simulate(first..first + setting("LITFASS_SEEDS", 300), live, &mut figures, |_, _| true);
    println!("{figures}");
    assert!(figures.holds(), "{figures}");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let scratch = Scratch::new().unwrap();
    let live = |seed| live(seed, &scratch).unwrap();
    assert_eq!(live(5), live(5));
    assert_ne!(live(5).trace, live(6).trace);
    assert_eq!(live(19), live(19), "with the shipped SQL");
}
