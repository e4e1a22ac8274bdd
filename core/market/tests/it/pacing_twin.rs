//! A naive twin of each controller: the law as written down, in floats, over random histories.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use litfass_market::pacing::{Actuator, Curve, HOURS, Plan, Points, Shape, State};
use litfass_types::{Duration, PPM, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct History {
    hours: Vec<u64>,
    curve: Curve,
    actuator: Actuator,
    minutes: i64,
    budget: i64,
    price: i64,
    /// Minutes since the step before, and how far the spend then is off the plan, in parts per million of the budget.
    steps: Vec<(i64, i64)>,
}

fn curve() -> impl Strategy<Value = Curve> {
    let custom = (1..PPM, 0..=PPM).prop_map(|point| Curve::Custom(Points::new(vec![point]).unwrap()));
    prop_oneof![Just(Curve::Even), Just(Curve::FrontLoaded), custom]
}

fn history() -> impl Strategy<Value = History> {
    let steps = vec((0_i64..40, -12_000_i64..12_000), 1..40);
    let actuator = prop_oneof![Just(Actuator::Bid), Just(Actuator::Participation)];
    (vec(0_u64..500, HOURS), curve(), actuator, 60_i64..20_000, 1_000_000_i64..1 << 50, 1_i64..1_000_000, steps)
        .prop_map(|(hours, curve, actuator, minutes, budget, price, steps)| History {
            hours,
            curve,
            actuator,
            minutes,
            budget,
            price,
            steps,
        })
}

#[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
fn real(of: i128, whole: i128) -> f64 {
    of as f64 / whole as f64
}

/// The law in floats: logarithm of the level, and the planned share at the last step.
struct Naive {
    actuator: Actuator,
    log: f64,
    planned: f64,
}

impl Naive {
    fn new(actuator: Actuator) -> Self {
        let first = if actuator == Actuator::Bid { 0.5_f64 } else { 0.1 };
        Self { actuator, log: first.ln(), planned: 0.0 }
    }

    fn gain(&self, plan: &Plan<'_>) -> f64 {
        let prices = real(plan.budget, plan.price).floor();
        let by_price = if self.actuator == Actuator::Bid { prices / 5.0 } else { prices / 2.0 };
        let minutes = real((plan.end - plan.start).0.into(), 60_000).floor();
        150.0_f64.min((minutes / 5.0).floor()).min(by_price.floor()).max(1.0)
    }

    /// The share to take part with; `None` where the rules around the law decide.
    fn step(&mut self, plan: &Plan<'_>, now: Timestamp) -> Option<f64> {
        let planned = real(plan.target(now), plan.budget);
        let since = planned - std::mem::replace(&mut self.planned, planned);
        let behind = planned - real(plan.spent, plan.budget);
        let slack = 0.01_f64.max(2.0 * real(plan.price, plan.budget));
        if behind < -slack + 1e-9 || now >= plan.through() || !plan.has_left() {
            return None;
        }
        let gain = self.gain(plan);
        let least = if self.actuator == Actuator::Bid { 0.01 } else { 0.0001 };
        let output = (self.log + (gain * behind).clamp(-2.0, 2.0)).exp();
        if !(output >= 1.0 && behind > 0.0 || output <= least && behind < 0.0) {
            self.log += (gain * gain / 6.0 * behind * since).clamp(-0.2, 0.2).ln_1p();
            self.log = self.log.clamp(least.ln(), 2.0_f64.ln());
        }
        Some(output.clamp(least, 1.0))
    }
}

proptest! {
    #[test]
    fn a_controller_does_what_the_law_says(history in history()) {
        let shape = Shape::of(&std::array::from_fn(|hour| history.hours[hour]));
        let start = Timestamp(1_794_800_000_000);
        let end = start + Duration::minutes(history.minutes);
        let plan = Plan {
            budget: history.budget.into(), spent: 0, start, end, price: history.price.into(), curve: &history.curve, shape: &shape,
        };
        let (mut state, mut naive) = (State::new(history.actuator, start), Naive::new(history.actuator));
        let mut now = start;
        for (minutes, off) in history.steps {
            now = now + Duration::minutes(minutes);
            let spent = (plan.target(now) - plan.budget * i128::from(off) / 1_000_000).clamp(0, plan.budget);
            let plan = Plan { spent, ..plan };
            let pace = state.step(&[plan], now);
            // Where the rules around the law decide there is nothing to compare.
            let Some(expected) = naive.step(&plan, now) else { break };
            let got = f64::from(pace.ppm) / f64::from(PPM);
            prop_assert!((got / expected - 1.0).abs() < 0.03, "{got} instead of {expected} at {now:?}, {pace:?}");
        }
    }

    #[test]
    fn what_is_published_never_exceeds_the_whole(history in history()) {
        let shape = Shape::of(&std::array::from_fn(|hour| history.hours[hour]));
        let start = Timestamp(1_794_800_000_000);
        let end = start + Duration::minutes(history.minutes);
        let (mut state, mut now) = (State::new(history.actuator, start), start - Duration::minutes(100));
        for (minutes, off) in history.steps {
            now = now + Duration::minutes(3 * minutes);
            let spent = i128::from(history.budget) * i128::from(off) / 10_000;
            let plan = Plan {
                budget: history.budget.into(), spent, start, end, price: history.price.into(), curve: &history.curve, shape: &shape,
            };
            let pace = state.step(&[plan, Plan { budget: i128::MAX, spent: i128::MAX / 3, ..plan }], now);
            prop_assert!(pace.ppm <= PPM);
            prop_assert!(plan.has_left() || pace.ppm == 0, "{pace:?}");
        }
    }
}
