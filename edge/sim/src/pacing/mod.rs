//! Pacing, simulated: the shipped controllers against traffic that rises and falls, rivals with real prices, and what goes
//! wrong on a day.
//!
//! Requests come at random at the traffic's rate; each is won by whoever's paced bid is worth most, at the price that the
//! shipped value function gives; spend is what was billed. The controllers see what the server's see: the ledger's figures,
//! every five seconds, late where the scenario says so. The same seed gives the same day.

mod campaign;
mod chart;
mod drawing;
mod figures;
mod prices;
mod run;
mod scenario;
mod traffic;
mod world;

pub use drawing::Drawing;
pub use figures::{Figures, Outcome, Sample};
pub use prices::Prices;
pub use scenario::{Scenario, named, scenarios};
pub use traffic::{Traffic, Unread};

/// What the days are made of.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub traffic: Traffic,
    pub prices: Prices,
    pub seed: u64,
}

/// Lives through a scenario's day.
#[must_use]
pub fn live(scenario: &Scenario, inputs: &Inputs) -> Outcome {
    world::World::new(scenario, inputs).live()
}
