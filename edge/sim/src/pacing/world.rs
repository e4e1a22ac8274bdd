//! A scenario's day, five seconds at a time.

use litfass_types::{Duration, Timestamp, Value};

use super::Inputs;
use super::figures::Outcome;
use super::prices::nanos;
use super::run::{Offer, Run};
use super::scenario::{STARTS, Scenario};
use super::traffic::number;
use crate::draw::{Draw, Purpose};

/// How often the controllers look, in seconds.
const STEP: i64 = 5;
const DAY: i64 = 86_400;
/// How often the curves are noted, in seconds.
const NOTED_EVERY: i64 = 300;

pub(super) struct World<'a> {
    scenario: &'a Scenario,
    inputs: &'a Inputs,
    runs: Vec<Run>,
    demand: Draw,
    rivals: Draw,
    clicks: Draw,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, inputs: &'a Inputs) -> Self {
        let draws = |number| Draw::new(inputs.seed, Purpose::Pacing, number);
        let runs = scenario.campaigns.iter().map(|campaign| Run::new(campaign, STARTS));
        Self { scenario, inputs, runs: runs.collect(), demand: draws(0), rivals: draws(1), clicks: draws(2) }
    }

    pub(super) fn live(mut self) -> Outcome {
        for second in (0..DAY / STEP).map(|step| step * STEP) {
            let now = STARTS + Duration::seconds(second);
            for run in &mut self.runs {
                run.happens(hour(second), hour(second + STEP), now);
                run.control(now, self.scenario.late);
                if second % NOTED_EVERY == 0 {
                    run.note(hour(second), now);
                }
            }
            for _ in 0..self.requests(second, now) {
                self.request(now, usize::try_from(second / 3_600).unwrap_or(0));
            }
            self.runs.iter_mut().for_each(|run| run.convert(now));
        }
        let end = STARTS + Duration::seconds(DAY);
        for run in &mut self.runs {
            run.note(24.0, end);
            // Conversions still come for days.
            run.land();
        }
        let disturbed = self.scenario.disturbed_until;
        Outcome {
            scenario: self.scenario.name,
            says: self.scenario.says,
            runs: self.runs.into_iter().map(|run| run.outcome(disturbed)).collect(),
        }
    }

    fn requests(&mut self, second: i64, now: Timestamp) -> u32 {
        let hour = hour(second);
        if self.scenario.outage.is_some_and(|(from, until)| (from..until).contains(&hour)) {
            return 0;
        }
        let rate = self.inputs.traffic.at(litfass_market::pacing::hour_of_week(now));
        let expected = self.scenario.requests / number(24 * 3_600) * rate * number(usize::try_from(STEP).unwrap_or(1));
        poisson(expected, &mut self.demand)
    }

    /// Fixed prices first; then the best bid, at the price of whoever comes next.
    fn request(&mut self, now: Timestamp, hour: usize) {
        let rival = Value(i128::from(self.inputs.prices.draw(&mut self.rivals)) << 32);
        for run in &mut self.runs {
            run.chances += 1;
        }
        if let Some(guaranteed) = self.runs.iter_mut().find(|run| run.takes_part(&mut self.demand)) {
            return guaranteed.shown_at_fixed_price();
        }
        let offers: Vec<Option<Offer>> = self.runs.iter().map(|run| run.offer(&mut self.demand)).collect();
        let bids: Vec<Value> = offers.iter().map(|offer| offer.map_or(Value(0), |offer| offer.paced)).collect();
        let best = (0..bids.len()).max_by_key(|at| bids[*at]).filter(|at| bids[*at] > rival);
        for (at, offer) in offers.iter().enumerate() {
            let Some(offer) = offer else { continue };
            let others = bids.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, value)| *value);
            let next = others.max().unwrap_or_default().max(rival);
            self.runs[at].could_win(offer, next, hour);
            if best == Some(at) {
                self.runs[at].won(offer, next, now, &mut self.clicks);
            }
        }
    }
}

fn hour(second: i64) -> f64 {
    number(usize::try_from(second).unwrap_or(0)) / 3_600.0
}

/// Arrivals where so many are expected, a few at most.
fn poisson(expected: f64, draw: &mut Draw) -> u32 {
    let (mut left, mut arrived) = (draw.unit(), 0);
    let mut chance = (-expected).exp();
    while left > chance && arrived < 1_000 {
        left -= chance;
        arrived += 1;
        chance *= expected / f64::from(arrived);
    }
    arrived
}

/// Nanos of a value, rounded down, for figures.
pub(super) fn worth(value: Value) -> f64 {
    number(usize::try_from(value.nanos()).unwrap_or(0))
}

/// How long after its click a conversion comes.
pub(super) fn delay(half_life: Duration, draw: &mut Draw) -> Duration {
    let halvings = -(1.0 - draw.unit()).log2();
    let seconds = number(usize::try_from(half_life.0 / 1_000).unwrap_or(0)) * halvings;
    Duration::seconds(nanos(seconds))
}
