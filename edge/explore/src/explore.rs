//! Depth first over every act in every state. A state is known by its print; each new one is drained to rest once.

use std::time::Instant;

use crate::act::Act;
use crate::bounds::Bounds;
use crate::breach::Breach;
use crate::check::Violation;
use crate::fingerprint::Prints;
use crate::rest::Rests;
use crate::trace::{Counterexample, shortest};
use crate::world::World;

/// What was gone through.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Report {
    pub states: usize,
    pub transitions: u64,
    /// The longest way from the start that was gone.
    pub depth: usize,
    /// Different states of ledger and log that were drained to rest.
    pub rests: usize,
    pub seconds: f64,
    /// False where the limit of states was reached first.
    pub complete: bool,
}

/// How an exploration ended.
#[derive(Debug)]
pub enum Found {
    Nothing(Report),
    Broken(Report, Box<Counterexample>),
}

struct Frame {
    world: World,
    acts: Vec<Act>,
    next: usize,
}

impl Frame {
    fn new(world: World) -> Self {
        Self { acts: world.acts(), world, next: 0 }
    }
}

/// What is looked for, and how far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quest<'a> {
    pub breach: Option<Breach>,
    /// Only this invariant: a state in which others are broken is left behind.
    pub invariant: Option<&'a str>,
    /// None: until every state was seen.
    pub states_max: Option<usize>,
}

impl Quest<'_> {
    fn looks_for(&self, found: &[Violation]) -> bool {
        self.invariant.is_none_or(|invariant| found.iter().any(|violation| violation.invariant == invariant))
    }
}

struct Search<'a> {
    quest: Quest<'a>,
    seen: Prints,
    rests: Rests,
    path: Vec<Frame>,
    report: Report,
}

/// Takes every act in every state, until nothing new is found, an invariant is broken, or enough states were seen.
#[must_use]
pub fn explore(bounds: &'static Bounds, quest: Quest<'_>) -> Found {
    let started = Instant::now();
    let (seen, rests, path, report) = (Prints::default(), Rests::default(), Vec::new(), Report::default());
    let mut search = Search { quest, seen, rests, path, report };
    let ended = search.run(bounds);
    let mut report = search.report;
    (report.states, report.rests) = (search.seen.len(), search.rests.count());
    report.seconds = started.elapsed().as_secs_f64();
    match ended {
        Ok(complete) => Found::Nothing(Report { complete, ..report }),
        Err((acts, found)) => Found::Broken(report, Box::new(shortest(bounds, quest, acts, found))),
    }
}

/// The acts that led there, and what does not hold.
type Broken = (Vec<Act>, Vec<Violation>);

impl Search<'_> {
    fn run(&mut self, bounds: &'static Bounds) -> Result<bool, Broken> {
        let start = World::new(bounds, self.quest.breach);
        let start =
            start.map_err(|refused| (Vec::new(), vec![Violation::new("a world begins", refused.to_string())]))?;
        self.enter(start, None, true)?;
        while let Some(frame) = self.path.last_mut() {
            let Some(act) = frame.acts.get(frame.next).copied() else {
                self.path.pop();
                continue;
            };
            frame.next += 1;
            let stepped = frame.world.step(act);
            match stepped {
                Ok(None) => {}
                Ok(Some(next)) => {
                    self.report.transitions += 1;
                    let written = !next.database.now.same(&frame.world.database.now);
                    self.enter(next, Some(act), written)?;
                }
                Err(found) => {
                    if self.quest.looks_for(std::slice::from_ref(&found)) {
                        return Err((self.acts_to(Some(act)), vec![found]));
                    }
                }
            }
            if self.quest.states_max.is_some_and(|max| self.seen.len() >= max) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The invariants are asked where the transaction that led here may have broken them.
    fn enter(&mut self, world: World, by: Option<Act>, written: bool) -> Result<(), Broken> {
        if !self.seen.insert(world.print()) {
            return Ok(());
        }
        let mut found = if written { world.violations() } else { Vec::new() };
        if found.is_empty() {
            found = self.rests.drain(&world).err().unwrap_or_default();
        }
        if !found.is_empty() {
            return if self.quest.looks_for(&found) { Err((self.acts_to(by), found)) } else { Ok(()) };
        }
        self.path.push(Frame::new(world));
        self.report.depth = self.report.depth.max(self.path.len() - 1);
        Ok(())
    }

    fn acts_to(&self, last: Option<Act>) -> Vec<Act> {
        let taken = self.path.iter().filter_map(|frame| frame.acts.get(frame.next.checked_sub(1)?).copied());
        match last {
            Some(_) => taken.collect(),
            None => Vec::new(),
        }
    }
}
