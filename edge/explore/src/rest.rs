//! To rest: no process does anything more, what was appended is read, every lease and every token ends.

use litfass_ledger::check::{Audit, nothing_pending_fits};
use litfass_ledger::{CommandOutcome, Outcome};
use litfass_types::Timestamp;

use crate::bounds::{START, TERMS, TOKEN_TTL};
use crate::check::{PLAN, Violation};
use crate::fingerprint::{Print, Prints, print};
use crate::log::Read;
use crate::setup::lease_life;
use crate::world::World;

const COMPLETE: &str = "after a failover the log completes the ledger";
const CLOSED: &str = "every lease ends closed, and no budget stays leased";
const ENDED: &str = "what waits ends at token life";
/// Keys are dropped by the day; no clock of a world is further ahead of another.
const DAY_MS: i64 = 86_400_000;

/// Drains states to rest, each that is different once its log has been read.
#[derive(Debug, Default)]
pub(crate) struct Rests {
    seen: Prints,
}

impl Rests {
    pub(crate) fn count(&self) -> usize {
        self.seen.len()
    }

    pub(crate) fn drain(&mut self, world: &World) -> Result<(), Vec<Violation>> {
        let mut rest = world.clone();
        rest.read_to_the_end()?;
        if !self.seen.insert(rest.ledger_print()) {
            return Ok(());
        }
        rest.leases_end()?;
        rest.tokens_end()
    }
}

impl World {
    /// What the processes in memory know is of no concern any more.
    fn ledger_print(&self) -> Print {
        let database = &self.database;
        print(&(database.now.print(), database.promoted, database.first.print(), self.log.print(), self.tokens.print()))
    }

    fn read_to_the_end(&mut self) -> Result<(), Vec<Violation>> {
        if self.database.waits_for_promotion() && self.promote().map_err(one)? {
            self.check()?;
        }
        self.read_commands_and_events()?;
        let waits = self.database.waits().map_err(|refused| one(Violation::new(PLAN, refused.to_string())))?;
        waits.map_or(Ok(()), |waits| Err(one(Violation::new(COMPLETE, format!("it waits for {}", waits.name())))))
    }

    fn read_commands_and_events(&mut self) -> Result<(), Vec<Violation>> {
        while self.apply(false).map_err(one)? {
            self.check()?;
        }
        let unread: Vec<Read> = (0..2).filter_map(|partition| self.unread(partition)).collect();
        if unread.is_empty() {
            return Ok(());
        }
        self.bill_now(&unread).map_err(one)?;
        self.check()
    }

    fn check(&self) -> Result<(), Vec<Violation>> {
        let found = self.violations();
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Every partition with a writer goes on until `at`, is read, and the sweep finds nothing more to do.
    fn pass(&mut self, at: Timestamp) -> Result<(), Vec<Violation>> {
        self.beat(|_, _| at);
        self.read_to_the_end()?;
        while self.sweep().map_err(one)? {
            self.check()?;
        }
        Ok(())
    }

    fn leases_end(&mut self) -> Result<(), Vec<Violation>> {
        let last = self.database.book().leases.values().map(|lease| lease.expires).max();
        let last = last.unwrap_or(START).max(self.last_append());
        self.pass(Timestamp(last.0 + 1))?;
        let book = self.database.book();
        let open = book.leases.iter().find(|(_, lease)| !lease.closed);
        let leased = book.controls.iter().find(|(_, control)| !control.leased.is_zero());
        if open.is_some() || leased.is_some() {
            return Err(one(Violation::new(CLOSED, format!("{open:?}, {leased:?}"))));
        }
        nothing_pending_fits(&Audit::of(book)).map_err(|v| one(Violation::new(v.invariant, v.detail)))
    }

    fn tokens_end(&mut self) -> Result<(), Vec<Violation>> {
        let life = TOKEN_TTL + lease_life() + TERMS.key_life;
        self.pass(Timestamp(self.last_append().max(START).0 + life.0 + DAY_MS))?;
        let book = self.database.book();
        let waits = book.outcomes.values().any(|outcome| matches!(outcome, Outcome::Pending(_)));
        let refunds = book.commands.values().any(|record| record.outcome == CommandOutcome::Waiting);
        if waits || refunds || !book.pending.is_empty() || !book.keys.is_empty() {
            let detail = format!("{:?}, {:?}, refunds wait: {refunds}", book.pending, book.keys);
            return Err(one(Violation::new(ENDED, detail)));
        }
        Ok(())
    }

    fn last_append(&self) -> Timestamp {
        self.log.events.iter().flatten().map(|line| line.appended()).max().unwrap_or(START)
    }
}

fn one(violation: Violation) -> Vec<Violation> {
    vec![violation]
}
