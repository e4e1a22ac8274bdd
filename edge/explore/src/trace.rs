//! A counterexample as one reads it: the fewest acts that still break the invariant, each with the state it leads to.

use std::fmt;

use litfass_ledger::{ControlId, Level};

use crate::act::Act;
use crate::bounds::{Bounds, COIN};
use crate::breach::Breach;
use crate::check::Violation;
use crate::explore::Quest;
use crate::rest::Rests;
use crate::world::World;

/// Acts from the start of a world to a broken invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counterexample {
    pub bounds: &'static str,
    pub acts: Vec<Act>,
    /// What the world looks like after each act.
    pub states: Vec<String>,
    pub found: Vec<Violation>,
}

impl Counterexample {
    /// Whether that invariant is among those that do not hold.
    #[must_use]
    pub fn names(&self, invariant: &str) -> bool {
        self.found.iter().any(|violation| violation.invariant == invariant)
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "in {}, after {} acts:", self.bounds, self.acts.len())?;
        for (act, state) in self.acts.iter().zip(self.states.iter().map(Some).chain(std::iter::repeat(None))) {
            writeln!(f, "  {act}")?;
            state.map_or(Ok(()), |state| writeln!(f, "      {state}"))?;
        }
        self.found.iter().try_for_each(|v| writeln!(f, "broken: {}: {}", v.invariant, v.detail))
    }
}

/// Leaves out acts as long as the same invariant breaks.
pub(crate) fn shortest(
    bounds: &'static Bounds,
    quest: Quest<'_>,
    mut acts: Vec<Act>,
    mut found: Vec<Violation>,
) -> Counterexample {
    let breach = quest.breach;
    let Some(invariant) = quest.invariant.or(found.first().map(|v| v.invariant)).map(str::to_owned) else {
        return Counterexample { bounds: bounds.name, acts, states: Vec::new(), found };
    };
    let mut at = acts.len();
    while at > 0 {
        at -= 1;
        let mut fewer = acts.clone();
        fewer.remove(at);
        let Some((taken, still)) = replay(bounds, breach, &fewer) else { continue };
        if still.iter().any(|violation| violation.invariant == invariant) {
            fewer.truncate(taken);
            (acts, found) = (fewer, still);
            at = acts.len();
        }
    }
    let states = states(bounds, breach, &acts);
    Counterexample { bounds: bounds.name, acts, states, found }
}

/// After how many of the acts what breaks; nothing where they are no way of this world or nothing breaks.
fn replay(bounds: &'static Bounds, breach: Option<Breach>, acts: &[Act]) -> Option<(usize, Vec<Violation>)> {
    let mut world = World::new(bounds, breach).ok()?;
    for (at, act) in acts.iter().enumerate() {
        match world.step(*act) {
            Ok(next) => world = next?,
            Err(found) => return Some((at + 1, vec![found])),
        }
        let found = world.violations();
        if !found.is_empty() {
            return Some((at + 1, found));
        }
    }
    Rests::default().drain(&world).err().map(|found| (acts.len(), found))
}

fn states(bounds: &'static Bounds, breach: Option<Breach>, acts: &[Act]) -> Vec<String> {
    let mut states = Vec::new();
    let Ok(mut world) = World::new(bounds, breach) else { return states };
    for act in acts {
        let Ok(Some(next)) = world.step(*act) else { break };
        states.push(next.to_string());
        world = next;
    }
    states
}

impl fmt::Display for World {
    /// Seconds, the controls in coins, how far partitions were read, and what waits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.seconds())?;
        let book = self.database.book();
        for (id, control) in &book.controls {
            let coins = |amount: litfass_ledger::Amount| amount.nanos() / i128::from(COIN);
            let name = match id {
                ControlId::LineItem(item) => format!("item {}", item.0.saturating_sub(1)),
                ControlId::CampaignDay(_, day) => format!("day {day}"),
                ControlId::Account(_) | ControlId::Campaign(_) => id.level().name().to_owned(),
            };
            let limited = id.level() == Level::Account || control.limit != litfass_ledger::UNLIMITED;
            write!(f, "; {name}: spent {}, leased {}", coins(control.spent), coins(control.leased))?;
            if limited {
                write!(f, " of {}", coins(control.limit))?;
            }
        }
        for (partition, row) in &book.partitions {
            write!(f, "; {partition} read to {}", row.next)?;
        }
        write!(f, "; {} wait", book.pending.len())
    }
}
