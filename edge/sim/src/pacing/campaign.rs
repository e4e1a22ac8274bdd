//! Who advertises in a scenario, and what happens to them.

use litfass_market::pacing::{Actuator, Curve, Shape};
use litfass_types::{Price, Unit};

/// One campaign with one line item and one budget, over the day of its scenario.
#[derive(Clone, Debug)]
pub(super) struct Campaign {
    pub(super) name: &'static str,
    pub(super) actuator: Actuator,
    pub(super) curve: Curve,
    /// Nanos; impressions where the price is fixed.
    pub(super) budget: i64,
    pub(super) bid: Price,
    /// pCTR and pCVR of the mean impression.
    pub(super) click: f64,
    pub(super) conversion: f64,
    /// The share of requests that it is for.
    pub(super) reach: f64,
    /// What the forecast says of its traffic.
    pub(super) forecast: Shape,
    pub(super) events: Vec<(f64, Event)>,
}

/// What happens at an hour of the day.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Event {
    Paused,
    Resumed,
    /// The budget is so many times what it was.
    Budget(f64),
    /// Until this hour it spent so many times its plan.
    Came(f64),
    /// Another controller takes over from what was published.
    Replaced,
}

impl Campaign {
    /// Per mille, auctioned; spread evenly.
    pub(super) fn per_mille(name: &'static str, budget: i64, bid_micros: i64, forecast: &Shape) -> Self {
        Self {
            name,
            actuator: Actuator::Bid,
            curve: Curve::Even,
            budget,
            bid: Price { micros: bid_micros, per: Unit::Mille },
            click: 0.01,
            conversion: 0.05,
            reach: 1.0,
            forecast: forecast.clone(),
            events: Vec::new(),
        }
    }

    /// So many impressions at a fixed price, before everybody else.
    pub(super) fn guaranteed(name: &'static str, impressions: i64, forecast: &Shape) -> Self {
        Self { actuator: Actuator::Participation, ..Self::per_mille(name, impressions, 1, forecast) }
    }

    pub(super) fn at(mut self, hour: f64, event: Event) -> Self {
        self.events.push((hour, event));
        self
    }

    pub(super) fn curved(self, curve: Curve) -> Self {
        Self { curve, ..self }
    }

    pub(super) fn per(self, per: Unit, micros: i64) -> Self {
        Self { bid: Price { micros, per }, ..self }
    }

    /// What one event may cost at most, in the budget's unit.
    pub(super) fn price(&self) -> i64 {
        match self.actuator {
            Actuator::Bid => self.bid.per_event().0,
            Actuator::Participation => 1,
        }
    }
}
