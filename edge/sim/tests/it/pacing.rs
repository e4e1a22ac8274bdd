//! Every scenario of `litfass simulate pacing` keeps its targets.

use litfass_sim::pacing::{Inputs, Outcome, live, named};

fn day(name: &str) -> Outcome {
    let inputs = Inputs::default();
    let outcome = live(&named(name, &inputs).unwrap(), &inputs);
    assert_eq!(outcome.missed(), Vec::<String>::new(), "{}\n{outcome}", Outcome::HEAD);
    outcome
}

fn back_hours(outcome: &Outcome) -> f64 {
    outcome.runs.iter().map(|(figures, _)| figures.back_hours.unwrap()).fold(0.0, f64::max)
}

#[test]
fn spend_follows_an_even_a_front_loaded_and_a_custom_plan_through_the_day() {
    for name in ["even", "front-loaded", "custom"] {
        day(name);
    }
}

#[test]
fn a_whale_does_not_move_four_small_campaigns_off_their_plans() {
    assert_eq!(day("whale").runs.len(), 5);
}

#[test]
fn figures_that_are_a_minute_late_do_not_matter() {
    day("late");
}

#[test]
fn a_guaranteed_flight_of_a_day_delivers_everything_also_after_an_outage() {
    let delivered = |outcome: &Outcome| outcome.runs[0].0.spent;
    assert!(delivered(&day("guaranteed")) > 0.999);
    assert!(delivered(&day("outage-guaranteed")) > 0.999);
}

#[test]
fn clicks_are_paced_like_impressions() {
    day("clicks");
}

#[test]
fn two_campaigns_at_twice_and_none_of_their_plan_are_both_brought_back() {
    assert!(back_hours(&day("apart")) <= 8.0);
}

#[test]
fn an_outage_and_a_pause_are_caught_up_with() {
    assert!(back_hours(&day("outage")) <= 2.0);
    assert!(back_hours(&day("pause")) <= 4.0);
}

#[test]
fn a_budget_raised_in_mid_flight_is_spent() {
    assert!(back_hours(&day("raised")) <= 5.0);
}

#[test]
fn a_forecast_that_is_off_by_two_is_corrected() {
    assert!(back_hours(&day("forecast-too-high")) <= 1.0);
    assert!(back_hours(&day("forecast-too-low")) <= 1.0);
}

#[test]
fn a_controller_that_dies_is_replaced_without_a_jump() {
    let outcome = day("replaced");
    let samples = &outcome.runs[0].1;
    let around = samples.iter().filter(|sample| (11.5..12.5).contains(&sample.hour));
    assert!(
        around.clone().all(|sample| (sample.spent - sample.planned).abs() < 0.01),
        "{:?}",
        around.collect::<Vec<_>>()
    );
}

#[test]
fn conversions_that_have_not_come_count_as_spent() {
    let outcome = day("actions");
    let (figures, _) = &outcome.runs[0];
    assert!(figures.unbilled < 0.05 && figures.short < 0.15, "{figures:?}");
}

#[test]
fn the_same_seed_is_the_same_day_and_another_is_another() {
    let drawn = |seed| {
        let inputs = Inputs { seed, ..Inputs::default() };
        live(&named("even", &inputs).unwrap(), &inputs).drawing()
    };
    assert_eq!(drawn(3), drawn(3));
    assert_ne!(drawn(3), drawn(4));
}
