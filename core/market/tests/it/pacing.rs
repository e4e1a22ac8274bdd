//! Published results, and what a controller does to its spend.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use litfass_market::pacing::{Actuator, Curve, HOURS, Plan, Shape, State, Why};
use litfass_types::{Duration, PPM, Seed, Timestamp};

const UNIT: i128 = 1_000_000_000;
const START: Timestamp = Timestamp(1_794_787_200_000);

fn day<'a>(budget: i128, spent: i128, price: i128, shape: &'a Shape) -> Plan<'a> {
    Plan { budget, spent, start: START, end: START + Duration::days(1), price, curve: &Curve::Even, shape }
}

/// A million draws in 0 … 1 by number.
fn unit(seed: u64, number: u64) -> f64 {
    f64::from(u32::try_from(Seed(seed).derive(number).below(1_000_000)).unwrap()) / 1e6
}

#[expect(clippy::cast_possible_truncation, reason = "a price of at most one unit")]
fn nanos(units: f64) -> i128 {
    (units * 1e9) as i128
}

/// An advertiser with a value and a highest rival bid for each of many auctions; `bought` says what it pays at a multiplier.
/// Returns the mean of 1 / multiplier over the second half, and the share of the budget that was spent.
fn stationary(per_auction: f64, bought: impl Fn(u64, f64) -> Option<f64>) -> (f64, f64) {
    const AUCTIONS: u64 = 400_000;
    let (flat, auctions) = (Shape::flat(), f64::from(u32::try_from(AUCTIONS).unwrap()));
    let budget = nanos(per_auction * auctions);
    let (mut state, mut spent, mut pace) = (State::new(Actuator::Bid, START), 0, f64::from(PPM));
    let (mut sum, mut steps) = (0.0, 0.0);
    for number in 0..AUCTIONS {
        let now =
            START + Duration(Duration::days(1).0 * i64::try_from(number).unwrap() / i64::try_from(AUCTIONS).unwrap());
        if number % 10 == 0 {
            pace = f64::from(state.step(&[day(budget, spent, UNIT, &flat)], now).ppm) / f64::from(PPM);
            if number > AUCTIONS / 2 && number < AUCTIONS * 99 / 100 {
                sum += 1.0 / pace;
                steps += 1.0;
            }
        }
        if pace > 0.0 && budget - spent >= UNIT {
            spent += bought(number, pace).map_or(0, nanos);
        }
    }
    let share = i32::try_from(spent * 1_000_000 / budget).unwrap();
    (sum / steps, f64::from(share) / 1e6)
}

/// Balseiro and Gur: values and rival bids uniform; 1 / multiplier is 1 + μ.
fn second_price(number: u64, pace: f64) -> Option<f64> {
    let (value, rival) = (unit(1, number), unit(2, number));
    (value * pace > rival).then_some(rival)
}

#[test]
fn in_uniform_second_price_auctions_a_24th_a_round_gives_mu_1() {
    let (inverse, spent) = stationary(1.0 / 24.0, second_price);
    assert!((inverse - 2.0).abs() < 0.04, "μ = {}", inverse - 1.0);
    assert!((0.999..=1.0).contains(&spent), "{spent}");
}

#[test]
fn in_uniform_second_price_auctions_a_54th_a_round_gives_mu_2() {
    let (inverse, spent) = stationary(1.0 / 54.0, second_price);
    assert!((inverse - 3.0).abs() < 0.06, "μ = {}", inverse - 1.0);
    assert!((0.999..=1.0).contains(&spent), "{spent}");
}

/// One unit each and values uniform: who may have 30 % takes what is worth more than 0.7. Bids are ten times the value, so that the
/// multiplier 1 / (10·μ) is below one.
#[test]
fn dual_descent_at_unit_cost_and_30_percent_finds_the_threshold_of_70_percent() {
    let (inverse, spent) = stationary(0.3, |number, pace| (10.0 * unit(3, number) * pace >= 1.0).then_some(1.0));
    assert!((inverse / 10.0 - 0.7).abs() < 0.01, "μ = {}", inverse / 10.0);
    assert!((0.999..=1.0).contains(&spent), "{spent}");
}

/// Agarwal et al. 2014: 24 hours of 40 + 30·sin((h − 6)·2π/24) requests at one unit each, budget 300, an update a minute.
struct Diurnal {
    hourly: [f64; 24],
    shape: Shape,
}

impl Diurnal {
    fn new() -> Self {
        let hourly: [f64; 24] = std::array::from_fn(|hour| {
            let hour = f64::from(u32::try_from(hour).unwrap());
            40.0 + 30.0 * ((hour - 6.0) / 24.0 * std::f64::consts::TAU).sin()
        });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few thousand")]
        let shape = Shape::of(&std::array::from_fn::<u64, HOURS, _>(|hour| (hourly[hour % 24] * 1e6) as u64));
        Self { hourly, shape }
    }

    /// The spend at the end, and the largest distance from the plan after two hours.
    fn live(&self, mut participation: impl FnMut(Timestamp, f64, f64) -> f64) -> (f64, f64) {
        let (total, mut passed, mut spent, mut off) = (self.hourly.iter().sum::<f64>(), 0.0, 0.0_f64, 0.0_f64);
        for minute in 0..1_440 {
            let requests = self.hourly[minute / 60] / 60.0;
            let now = START + Duration::minutes(i64::try_from(minute).unwrap());
            let share = participation(now, spent, 300.0 * passed / total);
            spent += (requests * share).min(300.0 - spent);
            passed += requests;
            if minute >= 120 {
                off = off.max((spent / 300.0 - passed / total).abs());
            }
        }
        (spent, off)
    }
}

#[test]
fn the_published_throttle_spends_299_35_of_300_and_ours_all_of_it_closer_to_the_plan() {
    let world = Diurnal::new();
    let mut rate = 0.1_f64;
    let (published, published_off) = world.live(|now, spent, allocated| {
        if now > START {
            rate = if spent <= allocated { (rate * 1.1).min(1.0) } else { rate * 0.9 };
        }
        rate
    });
    assert!((published - 299.35).abs() < 0.01, "{published}");
    assert!(published_off <= 0.007, "{published_off}");

    let mut state = State::new(Actuator::Participation, START);
    let (ours, ours_off) = world.live(|now, spent, _| {
        let plan = day(300 * UNIT, nanos(spent), UNIT / 1_000, &world.shape);
        f64::from(state.step(&[plan], now).ppm) / f64::from(PPM)
    });
    assert!((299.9..=300.000_001).contains(&ours), "{ours}");
    // Ours is through ten minutes before the end, which is a hundredth of this budget's plan at most.
    assert!(ours_off <= 0.01, "{ours_off}");
}

#[test]
fn who_is_ahead_beyond_the_slack_waits_until_the_plan_has_caught_up() {
    let flat = Shape::flat();
    let mut state = State::new(Actuator::Bid, START);
    let noon = START + Duration::hours(12);
    assert_eq!(state.step(&[day(1_000 * UNIT, 520 * UNIT, UNIT, &flat)], noon).why, Why::Ahead);
    let pace = state.step(&[day(1_000 * UNIT, 520 * UNIT, UNIT, &flat)], noon + Duration::minutes(20));
    assert!(pace.ppm > 0 && pace.why == Why::Steered, "{pace:?}");
}

#[test]
fn who_is_behind_takes_part_with_everything_and_that_is_said() {
    let flat = Shape::flat();
    for actuator in [Actuator::Bid, Actuator::Participation] {
        let mut state = State::new(actuator, START);
        let behind = day(1_000 * UNIT, 0, UNIT, &flat);
        let paces = (0..200).map(|n| state.step(&[behind], START + Duration::minutes(60 + n)));
        let last = paces.last().unwrap();
        assert_eq!((last.ppm, last.why), (PPM, Why::Unheld), "{actuator:?}");
    }
}

#[test]
fn the_budget_furthest_ahead_decides_and_one_without_a_price_left_stops() {
    let flat = Shape::flat();
    let noon = START + Duration::hours(12);
    let mut state = State::new(Actuator::Bid, START);
    let plans = [day(1_000 * UNIT, 0, UNIT, &flat), day(1_000 * UNIT, 600 * UNIT, UNIT, &flat)];
    assert_eq!(state.step(&plans, noon).ppm, 0);
    let spent = [day(1_000 * UNIT, 0, UNIT, &flat), day(1_000 * UNIT, 999 * UNIT + 1, UNIT, &flat)];
    assert_eq!(state.step(&spent, START + Duration::days(1)).why, Why::Spent);
    assert_eq!(state.step(&[], noon).why, Why::NoPlan);
}

#[test]
fn what_is_left_once_the_plan_is_through_is_spent() {
    let flat = Shape::flat();
    let mut state = State::new(Actuator::Participation, START);
    let late = START + Duration::days(1) - Duration::minutes(5);
    let pace = state.step(&[day(1_000 * UNIT, 997 * UNIT, UNIT, &flat)], late);
    assert_eq!((pace.ppm, pace.why), (PPM, Why::CleanUp));
}

#[test]
fn a_controller_that_takes_over_publishes_what_the_one_before_did() {
    let flat = Shape::flat();
    let mut state = State::new(Actuator::Bid, START);
    for minute in 0..300 {
        // Spends twice as fast as planned at the whole bid, half as fast at a third.
        let now = START + Duration::minutes(minute);
        let spent = UNIT * i128::from(minute) * 1_000 / 1_440 + UNIT * i128::from(minute % 7);
        let plan = day(1_000 * UNIT, spent, UNIT, &flat);
        let mut next = state;
        let pace = next.step(&[plan], now);
        if pace.ppm > 10_000 && pace.ppm < PPM {
            let mut other = State::resumed(Actuator::Bid, pace.ppm, &[plan], now);
            let resumed = other.step(&[plan], now).ppm;
            assert!(resumed.abs_diff(pace.ppm) <= 2, "minute {minute}: {resumed} after {}", pace.ppm);
        }
        state = next;
    }
}
