//! Letters: calls to the database, what it makes of them, and its answers.

use litfass_ledger::check::Violation;
use litfass_ledger::{Apply, Batch, Bill, Commands, GiveBack, Grant, Refused, Terms};
use litfass_types::LeaseId;

use super::agenda::Instant;
use super::database::Database;
use super::network::{Answer, Call, Letter};
use super::setting::DECIDERS;
use super::watch::{Scene, broken};
use super::world::World;

const PLAN: &str = "every operation has a plan";

impl World {
    pub(super) fn letter(&mut self, slot: usize) -> Result<(), Violation> {
        match self.network.take(slot) {
            Some(Letter::Call { from, life, call }) => self.serve(from, life, call),
            Some(Letter::Answer { to, life, answer }) => {
                self.answered(to, life, answer);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn serve(&mut self, from: usize, life: u32, call: Call) -> Result<(), Violation> {
        if !self.database.serves(&call, self.now) {
            return Ok(());
        }
        let answer = self.execute(from, call)?;
        if let Some(answer) = answer {
            self.network.send(&mut self.agenda, self.now, Letter::Answer { to: from, life, answer });
        }
        if self.database.is_to_fail() { self.fail_over() } else { Ok(()) }
    }

    fn execute(&mut self, from: usize, call: Call) -> Result<Option<Answer>, Violation> {
        match call {
            Call::Grant(requests) => {
                let (now, terms) = (self.database.now(self.now), self.database.terms);
                let answers = self
                    .database
                    .run(from, self.now, &Grant { requests: &requests, now, terms: &terms })?
                    .map_err(|refused| no_plan(&refused))?;
                let campaign = |lease: LeaseId| requests.iter().find(|r| r.lease == lease).map(|r| r.chain.campaign);
                let scene = scene(&self.database, &terms, self.now);
                self.watch.granted(&scene, &answers, campaign)?;
                Ok(Some(Answer::Granted(answers)))
            }
            Call::GiveBack(returns) => {
                let settled = self
                    .database
                    .run(from, self.now, &GiveBack { returns: &returns })?
                    .map_err(|refused| no_plan(&refused))?;
                let terms = self.database.terms;
                self.watch.given_back(&scene(&self.database, &terms, self.now), &settled)?;
                Ok(None)
            }
            Call::Bill(batch) => {
                self.bill(from, &batch)?;
                Ok(Some(Answer::Stands(self.database.stands())))
            }
            Call::Apply(commands) => {
                self.apply(from, &commands)?;
                Ok(Some(Answer::Stands(self.database.stands())))
            }
            Call::Sweep => self.sweep(from).map(|()| None),
            Call::Stands => {
                let known = self.known();
                self.database.run(from, self.now, &known.as_slice())?.map_err(|refused| no_plan(&refused))?;
                Ok(Some(Answer::Stands(self.database.stands())))
            }
        }
    }

    pub(super) fn bill(&mut self, from: usize, batch: &Batch) -> Result<(), Violation> {
        let terms = self.database.terms;
        match self.database.run(from, self.now, &Bill { batch, terms: &terms })? {
            Ok(billed) => self.watch.billed(&scene(&self.database, &terms, self.now), batch, &billed),
            Err(refused) => read_again(refused),
        }
    }

    pub(super) fn apply(&mut self, from: usize, commands: &Commands) -> Result<(), Violation> {
        let terms = self.database.terms;
        match self.database.run(from, self.now, &Apply { commands })? {
            Ok(applied) => {
                let scene = scene(&self.database, &terms, self.now);
                self.watch.applied(&scene, &commands.entries, &applied.outcomes)
            }
            Err(refused) => read_again(refused),
        }
    }

    pub(super) fn sweep(&mut self, from: usize) -> Result<(), Violation> {
        let terms = self.database.terms;
        let swept = self.database.sweep(from)?.map_err(|refused| no_plan(&refused))?;
        self.watch.swept(&scene(&self.database, &terms, self.now), &swept)
    }

    fn answered(&mut self, to: usize, life: u32, answer: Answer) {
        match answer {
            Answer::Granted(answers) if self.deciders[to].body.life == life && self.deciders[to].body.up => {
                let (holds, monotonic) = self.deciders[to].holds(self.now);
                holds.granted(&answers, monotonic);
            }
            Answer::Stands(stands) if self.billers[to - DECIDERS].body.life == life => {
                self.billers[to - DECIDERS].stands(stands);
            }
            Answer::Granted(_) | Answer::Stands(_) => {}
        }
    }
}

fn scene<'a>(database: &'a Database, terms: &'a Terms, now: Instant) -> Scene<'a> {
    Scene {
        book: &database.book,
        terms,
        now,
        ahead: database.ahead,
        failed_over: database.failovers > 0,
        knows_its_limits: database.knows_its_limits(),
    }
}

/// A reader that continued from elsewhere reads again; any other refusal is ours.
fn read_again(refused: Refused) -> Result<(), Violation> {
    match refused {
        Refused::Position { .. } | Refused::Partition(_) => Ok(()),
        ours @ (Refused::NotRead(_) | Refused::Overflow(_) | Refused::Outside(_)) => Err(no_plan(&ours)),
    }
}

pub(super) fn no_plan(refused: &Refused) -> Violation {
    broken(PLAN, || refused.to_string())
}
