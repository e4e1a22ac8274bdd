//! Pacing within the money's worlds: the shipped controllers hold line items back by what the database says was spent.
//!
//! One process that decides runs them, whichever is the first that is up. When it dies the next one goes on from what was
//! published, which must change nothing at that instant; while the database is down what was published stays.

use std::collections::BTreeMap;

use litfass_ledger::check::Violation;
use litfass_ledger::{Control, ControlId, UNLIMITED};
use litfass_market::pacing::{Actuator, Curve, Plan, Shape, State, Why};
use litfass_types::{PPM, Timestamp};

use super::agenda::{Due, Instant};
use super::watch::broken;
use super::world::World;
use crate::draw::Draw;

pub(super) const TAKEN_OVER: &str = "a controller that takes over goes on from what was published";

const PACE_EVERY: Instant = 2_000;
/// Published shares may differ by rounding.
const ROUNDING_PPM: u32 = 100;

#[derive(Debug)]
pub(super) struct Pacer {
    /// By line item: the share of requests in which it takes part, in force until the next is published.
    published: Vec<u32>,
    states: BTreeMap<usize, State>,
    /// The process that runs the controllers, and its life.
    by: Option<(usize, u32)>,
    draws: Draw,
    shape: Shape,
    pub(super) taken_over: u64,
}

impl Pacer {
    pub(super) fn new(line_items: usize, draws: Draw) -> Self {
        let (published, states) = (vec![PPM; line_items], BTreeMap::new());
        Self { published, states, by: None, draws, shape: Shape::flat(), taken_over: 0 }
    }

    /// Whether a line item takes part in a request.
    pub(super) fn takes_part(&mut self, line_item: usize) -> bool {
        self.published[line_item] == PPM || self.draws.below(PPM as usize) < self.published[line_item] as usize
    }
}

impl World {
    pub(super) fn pace(&mut self) -> Result<(), Violation> {
        if !self.flying {
            return Ok(());
        }
        self.agenda.note(self.now + PACE_EVERY, Due::Pace);
        let up = (0..self.deciders.len()).find(|n| self.deciders[*n].body.up);
        let Some(process) = up.filter(|_| self.now >= self.database.down_until) else { return Ok(()) };
        let by = Some((process, self.deciders[process].body.life));
        if self.pacer.by != by {
            self.pacer.taken_over += u64::from(self.pacer.by.is_some());
            self.pacer.by = by;
            self.pacer.states.clear();
        }
        (0..self.market.line_items.len()).try_for_each(|line_item| self.steer(line_item, process))
    }

    fn steer(&mut self, line_item: usize, process: usize) -> Result<(), Violation> {
        let now = self.deciders[process].body.wall(self.now);
        let (published, known) = (self.pacer.published[line_item], self.pacer.states.get(&line_item).copied());
        let plans = self.plans(line_item, now);
        let first = known.is_none() && published < PPM && published > 0;
        let mut state = match known {
            Some(state) => state,
            None if first => State::resumed(Actuator::Participation, published, &plans, now),
            None => State::new(Actuator::Participation, now),
        };
        let pace = state.step(&plans, now);
        let jumped = first && pace.why == Why::Steered && pace.ppm.abs_diff(published) > ROUNDING_PPM;
        self.pacer.states.insert(line_item, state);
        self.pacer.published[line_item] = pace.ppm;
        if jumped {
            Err(broken(TAKEN_OVER, || format!("line item {line_item}: {published}, then {pace:?}")))
        } else {
            Ok(())
        }
    }

    /// Budgets last for three quarters of the flight: in the last one they are exhausted.
    fn plans(&self, line_item: usize, now: Timestamp) -> Vec<Plan<'_>> {
        let (from, until) = (self.market.starts, self.market.starts + self.setting.flight / 4 * 3);
        let window = self.market.entrant(line_item, now).window;
        let chain = self.market.chain(line_item, window.day);
        let flight = (Timestamp(from), Timestamp(until));
        let day = (window.starts.max(flight.0), window.ends.min(flight.1));
        let budgets = [
            (ControlId::Campaign(chain.campaign), flight),
            (ControlId::CampaignDay(chain.campaign, chain.day), day),
            (ControlId::LineItem(chain.line_item), flight),
        ];
        let plan = |(id, (start, end)): (ControlId, (Timestamp, Timestamp))| {
            let control: &Control = self.database.book.controls.get(&id)?;
            (control.limit != UNLIMITED && start < end).then(|| Plan {
                budget: control.total().nanos(),
                spent: control.spent.nanos(),
                start,
                end,
                price: self.market.line_items[line_item].bid.per_event().0.into(),
                curve: &Curve::Even,
                shape: &self.pacer.shape,
            })
        };
        budgets.into_iter().filter_map(plan).collect()
    }
}
