//! Letters: calls to the database, what it makes of them, and its answers.

use litfass_ledger::check::Violation;
use litfass_ledger::{
    Apply, Batch, Bill, Commands, GiveBack, Grant, GrantRequest, Promote, Refused, Target, Terms, Timeline,
};
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
        if self.database.is_down(self.now) {
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
            Call::Grant(requests) => return self.grant(from, &requests),
            Call::GiveBack(returns) => {
                if let Some(settled) = caught_up(self.database.run(from, self.now, &GiveBack { returns: &returns })?)? {
                    let terms = self.database.terms;
                    self.watch.given_back(&scene(&self.database, &terms, self.now), &settled)?;
                }
                return Ok(None);
            }
            Call::Sweep => return self.sweep(from).map(|()| None),
            Call::Bill(batch) => self.bill(from, &batch)?,
            Call::Apply(commands) => self.apply(from, &commands)?,
            Call::Stands => self.make_known(from)?,
            Call::Promote(timeline, targets) => self.promote(from, timeline, &targets)?,
        }
        Ok(Some(Answer::Stands(self.database.stands(), self.database.standing()?)))
    }

    /// Nothing while the ledger has to be completed first: whoever asked asks again.
    fn grant(&mut self, from: usize, requests: &[GrantRequest]) -> Result<Option<Answer>, Violation> {
        let (now, terms) = (self.database.now(self.now), self.database.terms);
        let granted = self.database.run(from, self.now, &Grant { requests, now, terms: &terms })?;
        let Some(answers) = caught_up(granted)? else { return Ok(None) };
        let campaign = |lease: LeaseId| requests.iter().find(|r| r.lease == lease).map(|r| r.chain.campaign);
        let scene = scene(&self.database, &terms, self.now);
        self.watch.granted(&scene, &answers, campaign)?;
        Ok(Some(Answer::Granted(answers)))
    }

    fn make_known(&mut self, from: usize) -> Result<(), Violation> {
        let known = self.known();
        self.database.run(from, self.now, &known.as_slice())?.map_err(|refused| no_plan(&refused))
    }

    /// Targets that were read on the timeline before are refused.
    pub(super) fn promote(&mut self, from: usize, timeline: Timeline, targets: &[Target]) -> Result<(), Violation> {
        match self.database.run(from, self.now, &Promote { timeline, targets })? {
            Ok(promoted) => {
                let terms = self.database.terms;
                self.watch.promoted(&scene(&self.database, &terms, self.now), &promoted)
            }
            Err(refused) => read_again(refused),
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
        match caught_up(self.database.sweep(from)?)? {
            Some(swept) => self.watch.swept(&scene(&self.database, &terms, self.now), &swept),
            None => Ok(()),
        }
    }

    fn answered(&mut self, to: usize, life: u32, answer: Answer) {
        match answer {
            Answer::Granted(answers) if self.deciders[to].body.life == life && self.deciders[to].body.up => {
                let (holds, monotonic) = self.deciders[to].holds(self.now);
                holds.granted(&answers, monotonic);
            }
            Answer::Stands(stands, standing) if self.billers[to - DECIDERS].body.life == life => {
                self.billers[to - DECIDERS].stands(stands, standing);
            }
            Answer::Granted(_) | Answer::Stands(..) => {}
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
        Refused::Position { .. } | Refused::Partition(_) | Refused::CatchingUp(_) | Refused::Timeline { .. } => Ok(()),
        ours @ (Refused::NotRead(_) | Refused::Overflow(_) | Refused::Outside(_)) => Err(no_plan(&ours)),
    }
}

/// Nothing where the ledger waits for the log.
fn caught_up<T>(done: Result<T, Refused>) -> Result<Option<T>, Violation> {
    match done {
        Ok(receipt) => Ok(Some(receipt)),
        Err(Refused::CatchingUp(_)) => Ok(None),
        Err(ours) => Err(no_plan(&ours)),
    }
}

pub(super) fn no_plan(refused: &Refused) -> Violation {
    broken(PLAN, || refused.to_string())
}
