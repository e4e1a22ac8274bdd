//! One campaign's day: what its controller sees and says, what it wins and pays.

use std::collections::VecDeque;

use litfass_market::Factors;
use litfass_market::pacing::{Actuator, Curve, Owed, Pace, Plan, State, Why};
use litfass_types::{Duration, PPM, Prediction, Price, Probability, Timestamp, Unit, Value};

use super::campaign::{Campaign, Event};
use super::figures::{Figures, Sample};
use super::prices::nanos;
use super::traffic::number;
use super::world::{delay, worth};
use crate::draw::Draw;

/// Half of the conversions come later than this.
pub(super) const HALF_LIFE: Duration = Duration::hours(2);
/// Deviation of the logarithm of a prediction.
const SPREAD: f64 = 0.5;
const DAY: Duration = Duration::days(1);

pub(super) struct Run {
    campaign: Campaign,
    starts: Timestamp,
    state: State,
    pace: Pace,
    budget: i64,
    spent: i64,
    /// What was spent at past steps, for whoever learns of it late.
    history: VecDeque<(Timestamp, i64)>,
    owed: Owed,
    /// Conversions on their way, and what each costs.
    coming: Vec<(Timestamp, i64)>,
    unbilled: i64,
    paused: bool,
    came: Option<f64>,
    pub(super) chances: u64,
    gained: f64,
    could: Vec<Chance>,
    samples: Vec<Sample>,
}

/// An impression that the whole bid would have won.
#[derive(Clone, Copy)]
struct Chance {
    hour: usize,
    value: f64,
    cost: f64,
}

/// A line item's bid for one request.
#[derive(Clone, Copy)]
pub(super) struct Offer {
    prediction: Prediction,
    pub(super) paced: Value,
    whole: Value,
}

impl Run {
    pub(super) fn new(campaign: &Campaign, starts: Timestamp) -> Self {
        Self {
            campaign: campaign.clone(),
            starts,
            state: State::new(campaign.actuator, starts),
            pace: Pace { ppm: PPM, why: Why::Steered },
            budget: campaign.budget,
            spent: 0,
            history: VecDeque::new(),
            owed: Owed::default(),
            coming: Vec::new(),
            unbilled: 0,
            paused: false,
            came: None,
            chances: 0,
            gained: 0.0,
            could: Vec::new(),
            samples: Vec::new(),
        }
    }

    fn plan(&self, spent: i128) -> Plan<'_> {
        Plan {
            budget: self.budget.into(),
            spent,
            start: self.starts,
            end: self.starts + DAY,
            price: self.campaign.price().into(),
            curve: &self.campaign.curve,
            shape: &self.campaign.forecast,
        }
    }

    // -- what happens to it

    pub(super) fn happens(&mut self, from: f64, until: f64, now: Timestamp) {
        let came = self.campaign.events.iter().find_map(|(hour, event)| match event {
            Event::Came(times) => Some(*times).filter(|_| from < *hour),
            Event::Paused | Event::Resumed | Event::Budget(_) | Event::Replaced => None,
        });
        self.came = came;
        let due = self.campaign.events.iter().filter(|(hour, _)| (from..until).contains(hour));
        for event in due.map(|(_, event)| *event).collect::<Vec<_>>() {
            self.takes(event, now);
        }
        if let Some(times) = self.came {
            let planned = i64::try_from(self.plan(0).target(now)).unwrap_or(0);
            self.spent = nanos(number(usize::try_from(planned).unwrap_or(0)) * times).min(self.budget);
        }
    }

    fn takes(&mut self, event: Event, now: Timestamp) {
        let actuator = self.campaign.actuator;
        match event {
            Event::Paused => self.paused = true,
            Event::Resumed => self.paused = false,
            Event::Budget(times) => self.budget = nanos(number(usize::try_from(self.budget).unwrap_or(0)) * times),
            Event::Came(_) => self.state = State::new(actuator, now),
            Event::Replaced => {
                self.state = State::resumed(actuator, self.pace.ppm, &[self.plan(self.spent.into())], now);
            }
        }
    }

    /// The controller's step with figures that are `late` seconds old.
    pub(super) fn control(&mut self, now: Timestamp, late: i64) {
        self.history.push_back((now, self.spent));
        while self.history.get(1).is_some_and(|(at, _)| *at <= now - Duration::seconds(late)) {
            self.history.pop_front();
        }
        let old = self.history.front().filter(|(at, _)| *at <= now - Duration::seconds(late));
        let known = old.map_or(0, |(_, spent)| *spent);
        if !self.serves() {
            return;
        }
        let owed =
            if self.campaign.bid.per == Unit::Action { self.owed.nanos(self.campaign.bid, now, HALF_LIFE) } else { 0 };
        let mut state = self.state;
        let pace = state.step(&[self.plan(i128::from(known) + owed)], now);
        (self.state, self.pace) = (state, pace);
    }

    const fn serves(&self) -> bool {
        !self.paused && self.came.is_none()
    }

    fn has_left(&self) -> bool {
        self.budget - self.spent >= self.campaign.price()
    }

    // -- requests

    pub(super) fn takes_part(&self, draw: &mut Draw) -> bool {
        self.campaign.actuator == Actuator::Participation
            && self.serves()
            && self.has_left()
            && draw.below(PPM as usize) < self.pace.ppm as usize
    }

    pub(super) const fn shown_at_fixed_price(&mut self) {
        self.spent += 1;
    }

    pub(super) fn offer(&self, draw: &mut Draw) -> Option<Offer> {
        if self.campaign.actuator != Actuator::Bid || !self.serves() || !self.has_left() {
            return None;
        }
        if !draw.chance(self.campaign.reach) {
            return None;
        }
        let around = (SPREAD * draw.normal() - SPREAD * SPREAD / 2.0).exp();
        let prediction = Prediction {
            click: Probability::from_f64((self.campaign.click * around).min(1.0)),
            conversion: Probability::from_f64(self.campaign.conversion),
        };
        let factors = self.factors(prediction);
        let value = |ppm| Factors { pacing_ppm: ppm, ..factors }.value(self.campaign.bid.micros);
        Some(Offer { prediction, paced: value(self.pace.ppm), whole: value(PPM) })
    }

    fn factors(&self, prediction: Prediction) -> Factors {
        Factors::revenue(self.campaign.bid.per, prediction)
    }

    /// What the whole bid would have won goes into the offline optimum.
    pub(super) fn could_win(&mut self, offer: &Offer, next: Value, hour: usize) {
        if offer.whole > next {
            self.could.push(Chance { hour, value: self.worth(offer), cost: worth(next) });
        }
    }

    /// What an impression is worth to the advertiser: itself, its clicks or its conversions.
    fn worth(&self, offer: &Offer) -> f64 {
        let click = offer.prediction.click.to_f64();
        match self.campaign.bid.per {
            Unit::Mille => 1.0,
            Unit::Click => click,
            Unit::Action => click * offer.prediction.conversion.to_f64(),
        }
    }

    pub(super) fn won(&mut self, offer: &Offer, next: Value, now: Timestamp, draw: &mut Draw) {
        let bid = self.campaign.bid;
        let micros = self.factors(offer.prediction).price_for(Value(next.0 + 1)).unwrap_or(bid.micros).min(bid.micros);
        let price = Price { micros, per: bid.per };
        let (click, all) = (offer.prediction.click.to_f64(), self.worth(offer));
        match bid.per {
            Unit::Mille => self.bill(price.per_event().0),
            Unit::Click if draw.chance(click) => self.bill(price.per_event().0),
            Unit::Click => {}
            Unit::Action => {
                self.owed.rendered(price, offer.prediction, now, HALF_LIFE);
                if draw.chance(all) {
                    self.coming.push((now + delay(HALF_LIFE, draw), price.per_event().0));
                }
            }
        }
    }

    fn bill(&mut self, amount: i64) {
        if self.spent + amount <= self.budget {
            self.spent += amount;
            self.gained += 1.0;
        } else {
            self.unbilled += amount;
        }
    }

    /// Conversions that came by now.
    pub(super) fn convert(&mut self, now: Timestamp) {
        let (come, coming): (Vec<_>, Vec<_>) = self.coming.iter().partition(|(at, _)| *at <= now);
        self.coming = coming;
        come.into_iter().for_each(|(_, amount)| self.bill(amount));
    }

    /// All that still come.
    pub(super) fn land(&mut self) {
        self.coming.sort_unstable();
        self.convert(Timestamp(i64::MAX));
    }

    // -- what it came to

    pub(super) fn note(&mut self, hour: f64, now: Timestamp) {
        let plan = self.plan(self.spent.into());
        let share = |amount: i128| {
            number(usize::try_from(amount.max(0)).unwrap_or(0)) / number(usize::try_from(plan.budget).unwrap_or(1))
        };
        let sample = Sample {
            hour,
            spent: share(plan.spent),
            planned: share(plan.target(now)),
            pace: if self.serves() { f64::from(self.pace.ppm) / f64::from(PPM) } else { 0.0 },
        };
        self.samples.push(sample);
    }

    /// Of an even plan the most that the whole budget could have bought at any time of the day; of another curve the most that
    /// each hour's part of it could have.
    fn optimum(&self, budget: f64) -> f64 {
        if self.campaign.curve == Curve::Even {
            return most(self.could.clone(), budget);
        }
        let planned = |hour: usize| {
            let at = self.starts + Duration::hours(i64::try_from(hour).unwrap_or(0));
            number(usize::try_from(self.plan(0).target(at)).unwrap_or(0))
        };
        let of = |hour: usize| self.could.iter().filter(|chance| chance.hour == hour).copied().collect();
        (0..24).map(|hour| most(of(hour), planned(hour + 1) - planned(hour))).sum()
    }

    pub(super) fn outcome(self, disturbed_until: Option<f64>) -> (Figures, Vec<Sample>) {
        let budget = number(usize::try_from(self.budget).unwrap_or(1));
        let spent = number(usize::try_from(self.spent).unwrap_or(0));
        let price = number(usize::try_from(self.campaign.price()).unwrap_or(0));
        let bids = self.campaign.actuator == Actuator::Bid;
        let could: f64 = if bids {
            self.could.iter().map(|chance| chance.cost).sum()
        } else {
            number(usize::try_from(self.chances).unwrap_or(0))
        };
        let came = self.campaign.events.iter().any(|(_, event)| matches!(event, Event::Came(_)));
        let could = if came { budget } else { could.min(budget) };
        let figures = Figures {
            campaign: self.campaign.name,
            disturbed_until,
            off: off(&self.samples, 2.0),
            back_hours: disturbed_until.and_then(|from| back(&self.samples, from)),
            value: (bids && !came).then(|| self.gained / self.optimum(budget)),
            short: (could - spent).max(0.0) / could,
            two_prices: 2.0 * price / could,
            spent: spent / budget,
            unbilled: number(usize::try_from(self.unbilled).unwrap_or(0)) / budget,
            per_action: self.campaign.bid.per == Unit::Action,
        };
        (figures, self.samples)
    }
}

/// The largest distance from the plan from an hour on.
fn off(samples: &[Sample], from: f64) -> f64 {
    let later = samples.iter().filter(|sample| sample.hour >= from);
    later.map(|sample| (sample.spent - sample.planned).abs()).fold(0.0, f64::max)
}

/// Hours from then on after which it was never again more than two hundredths away; none where it was until the end.
fn back(samples: &[Sample], from: f64) -> Option<f64> {
    let away = |sample: &&Sample| sample.hour >= from && (sample.spent - sample.planned).abs() > 0.02;
    match samples.iter().rev().find(away) {
        None => Some(0.0),
        Some(last) => samples.iter().find(|sample| sample.hour > last.hour).map(|first| first.hour - from),
    }
}

/// The most that so much could have bought, with every request known: the best value per cost first.
fn most(mut chances: Vec<Chance>, budget: f64) -> f64 {
    chances.sort_by(|a, b| (b.value / b.cost.max(1.0)).total_cmp(&(a.value / a.cost.max(1.0))));
    let (mut value, mut left) = (0.0, budget);
    for chance in chances {
        if chance.cost > left {
            return value + chance.value * left / chance.cost;
        }
        value += chance.value;
        left -= chance.cost;
    }
    value
}
