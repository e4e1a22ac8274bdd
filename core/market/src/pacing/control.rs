//! The two controllers: one law, two actuators.
//!
//! **Law.** With x = planned − spent as a share of the budget, and time counted in planned share τ, the logarithm of the
//! output is u = K·x + ∫ (K² / 6)·x dτ. Its derivative is K·((1 + x·K/6) − ds/dτ): dual descent on the multiplier, λ ← λ·exp(−K·(ρ − z)),
//! where the rate ρ asked for is the plan's and what catches up within 6/K of the budget (Balseiro and Gur 2019; Balseiro, Lu
//! and Mirrokni 2020, with the entropy as mirror map). Because time is counted in planned share, a controller is as patient at
//! night as there is little traffic then, and a month is handled like a day.
//!
//! With e = d ln(spend) / du the loop is s² + K·e·s + K²·e/6: damped for e ≥ ⅔, and still steady where e is small. K is at
//! most 150; so small that a minute of late news turns nothing around (its crossover is below a third of a radian for each 90
//! seconds); and so small that one price more or less moves a bid by at most a fifth.
//!
//! **Actuators.** A bid multiplier for what is auctioned: the same share of every bid is the best that one budget can do. A
//! participation rate for fixed prices and guaranteed quotas, where a lower bid buys nothing cheaper; there one price may
//! move the rate by half, because a restless rate costs nothing.
//!
//! **Around it.** Ahead by more than a hundredth of the budget or two prices: nothing until the plan has caught up, which is
//! what works where nobody competes; whoever runs into that stood far too high and goes on at half the level. Once the plan is through: everything, until the budget is gone (clean-up). Less left
//! than one price: nothing.

use litfass_types::{PPM, Timestamp};

use super::fixed::{ONE, part, share, times_exp};
use super::plan::Plan;

/// What a controller moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Actuator {
    /// The share of its bid with which a line item takes part.
    Bid,
    /// The share of requests in which it takes part, with its whole bid.
    Participation,
}

/// Why a line item has the pace it has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Why {
    /// No budget with a time to last.
    NoPlan,
    /// Somewhere between nothing and everything.
    Steered,
    /// Behind, and at everything already: it is not for pacing that it spends no more.
    Unheld,
    /// So far ahead that it waits.
    Ahead,
    /// The plan is through: what is left is spent.
    CleanUp,
    /// Less left than one price.
    Spent,
}

/// What is published for one line item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Parts per million: 1,000,000 is everything, 0 nothing.
    pub ppm: u32,
    pub why: Why,
}

/// The least short of nothing: a hundredth of the bid, a ten-thousandth of the requests.
const BID_MIN: i64 = WHOLE / 100;
const PARTICIPATION_MIN: i64 = WHOLE / 10_000;
/// Where they start.
const BID_FIRST: i64 = WHOLE / 2;
const PARTICIPATION_FIRST: i64 = WHOLE / 10;

/// Levels are finer than what is published: 2⁴⁴ is the whole.
const WHOLE: i64 = 1 << 44;
/// The level may stand above the whole, so that being a little ahead does not yet hold back who needs its whole bid.
const LEVEL_MAX: i64 = 2 * WHOLE;

const GAIN_MAX: i64 = 150;
/// K is at most one per so many minutes that the budget has to last.
const MINUTES_PER_GAIN: i64 = 5;
/// The gain of the integral is K² / 6.
const PATIENCE: i128 = 6;
/// The most one update moves the level by, as a share of itself.
const STEP_MAX: i128 = ONE as i128 / 5;
/// Ahead by more than this share of the budget: wait.
const SLACK: i64 = ONE / 100;

/// A controller's memory: one level per line item. It can be had back from what was published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    actuator: Actuator,
    level: i64,
    at: Timestamp,
    /// It was ahead by more than the slack at the last step.
    waits: bool,
}

/// The budget that decides, and how far behind it is.
#[derive(Clone, Copy)]
struct Binding<'a> {
    plan: Plan<'a>,
    behind: i64,
}

impl State {
    /// At the start of a flight.
    #[must_use]
    pub const fn new(actuator: Actuator, now: Timestamp) -> Self {
        let level = match actuator {
            Actuator::Bid => BID_FIRST,
            Actuator::Participation => PARTICIPATION_FIRST,
        };
        Self { actuator, level, at: now, waits: false }
    }

    /// Goes on where another controller published `ppm`: its next pace is the one in force. Of everything it is known that the
    /// level was no less; of nothing, nothing.
    #[must_use]
    pub fn resumed(actuator: Actuator, ppm: u32, plans: &[Plan<'_>], now: Timestamp) -> Self {
        let fresh = Self::new(actuator, now);
        let Some(binding) = binding(plans, now).filter(|_| ppm > 0) else { return fresh };
        if ppm >= PPM {
            return Self { level: WHOLE, ..fresh };
        }
        let output = i64::try_from(part(ppm.into(), WHOLE.into(), PPM.into())).unwrap_or(WHOLE);
        let level = times_exp(output, -fresh.exponent(&binding));
        Self { level: level.clamp(actuator.least(), LEVEL_MAX), ..fresh }
    }

    #[must_use]
    pub const fn actuator(&self) -> Actuator {
        self.actuator
    }

    /// The pace from `now` on, by every budget that binds the line item.
    pub fn step(&mut self, plans: &[Plan<'_>], now: Timestamp) -> Pace {
        let since = self.at;
        self.at = since.max(now);
        let Some(binding) = binding(plans, now) else { return Pace { ppm: PPM, why: Why::NoPlan } };
        if plans.iter().any(|plan| !plan.has_left()) {
            return Pace { ppm: 0, why: Why::Spent };
        }
        if binding.behind < -binding.slack() {
            self.wait();
            return Pace { ppm: 0, why: Why::Ahead };
        }
        self.waits = false;
        if now >= binding.plan.through() && binding.behind >= 0 {
            return Pace { ppm: PPM, why: Why::CleanUp };
        }
        let output = times_exp(self.level, self.exponent(&binding));
        self.learn(&binding, output, since);
        let why = if output >= WHOLE && binding.behind > 0 { Why::Unheld } else { Why::Steered };
        Pace { ppm: self.published(output), why }
    }

    /// Who ran into the stop stood far too high: the level is halved, once each time.
    fn wait(&mut self) {
        if !self.waits {
            self.level = (self.level / 2).max(self.actuator.least());
        }
        self.waits = true;
    }

    /// K·x.
    fn exponent(&self, binding: &Binding<'_>) -> i64 {
        binding.behind.saturating_mul(self.gain(&binding.plan))
    }

    fn gain(&self, plan: &Plan<'_>) -> i64 {
        let by_price = match self.actuator {
            Actuator::Bid => plan.prices() / 5,
            Actuator::Participation => plan.prices() / 2,
        };
        GAIN_MAX.min(plan.minutes() / MINUTES_PER_GAIN).min(by_price).max(1)
    }

    /// Moves the level, but not further out where the output cannot follow.
    fn learn(&mut self, binding: &Binding<'_>, output: i64, since: Timestamp) {
        let behind = binding.behind;
        if (output >= WHOLE && behind > 0) || (output <= self.actuator.least() && behind < 0) {
            return;
        }
        let gain = i128::from(self.gain(&binding.plan));
        let planned = binding.plan.share(self.at) - binding.plan.share(since);
        let moved = part(i128::from(behind) * gain * gain, planned.into(), ONE.into()) / PATIENCE;
        let step = i128::from(self.level) * moved.clamp(-STEP_MAX, STEP_MAX) / i128::from(ONE);
        let level = self.level.saturating_add(i64::try_from(step).unwrap_or(0));
        self.level = level.clamp(self.actuator.least(), LEVEL_MAX);
    }

    fn published(&self, output: i64) -> u32 {
        let output = output.clamp(self.actuator.least(), WHOLE);
        u32::try_from(part(output.into(), PPM.into(), WHOLE.into())).unwrap_or(PPM)
    }
}

impl Actuator {
    const fn least(self) -> i64 {
        match self {
            Self::Bid => BID_MIN,
            Self::Participation => PARTICIPATION_MIN,
        }
    }
}

/// The budget furthest ahead of its plan.
fn binding<'a>(plans: &[Plan<'a>], now: Timestamp) -> Option<Binding<'a>> {
    let all = plans.iter().map(|plan| Binding { plan: *plan, behind: plan.behind(now) });
    all.min_by_key(|binding| binding.behind)
}

impl Binding<'_> {
    fn slack(&self) -> i64 {
        SLACK.max(share(2 * self.plan.price.max(0), self.plan.budget.max(1)))
    }
}
