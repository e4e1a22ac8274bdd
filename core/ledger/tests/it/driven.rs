//! What a world drives: anything that answers like a ledger.

use litfass_ledger::check::{Audit, Kept};
use litfass_ledger::{
    Applied, Apply, Batch, Bill, Billed, Book, Commands, Failure, GiveBack, Grant, GrantAnswer, GrantRequest,
    Membership, Operation, Promote, Refused, Return, Settled, Swept, Target, Terms, execute, sweep,
};
use litfass_types::{LeaseId, Timestamp};

pub(crate) trait Driven {
    fn grant(&mut self, requests: &[GrantRequest], now: Timestamp) -> Vec<GrantAnswer>;
    fn bill(&mut self, batch: &Batch) -> Result<Billed, Refused>;
    fn give_back(&mut self, returns: &[Return]) -> Settled;
    fn sweep(&mut self) -> Swept;
    fn apply(&mut self, commands: &Commands) -> Result<Applied, Refused>;
    fn partitions(&mut self, changes: &[Membership]);
    /// Puts it on another timeline and promotes it; the leases that were open.
    fn fail_over(&mut self, targets: &[Target]) -> Vec<LeaseId>;
    fn kept(&mut self) -> Kept;
    /// Panics where an invariant does not hold.
    fn check(&mut self);
}

/// The shipped transitions on rows in memory.
pub(crate) struct InMemory {
    pub(crate) book: Book,
    pub(crate) terms: Terms,
}

impl InMemory {
    pub(crate) fn new(terms: Terms) -> Self {
        Self { book: Book::default(), terms }
    }

    pub(crate) fn run<O: Operation>(&mut self, operation: &O) -> Result<O::Receipt, Refused> {
        execute(&mut self.book, operation).map_err(refused)
    }
}

fn refused(failure: Failure<std::convert::Infallible>) -> Refused {
    match failure {
        Failure::Refused(refused) => refused,
        Failure::Store(never) => match never {},
    }
}

impl Driven for InMemory {
    fn grant(&mut self, requests: &[GrantRequest], now: Timestamp) -> Vec<GrantAnswer> {
        let terms = self.terms;
        self.run(&Grant { requests, now, terms: &terms }).unwrap()
    }

    fn bill(&mut self, batch: &Batch) -> Result<Billed, Refused> {
        let terms = self.terms;
        self.run(&Bill { batch, terms: &terms })
    }

    fn give_back(&mut self, returns: &[Return]) -> Settled {
        self.run(&GiveBack { returns }).unwrap()
    }

    fn sweep(&mut self) -> Swept {
        let terms = self.terms;
        let mut swept = sweep(&mut self.book, &terms, None).map_err(refused).unwrap();
        while swept.more {
            swept.extend(sweep(&mut self.book, &terms, swept.next).map_err(refused).unwrap());
        }
        swept
    }

    fn apply(&mut self, commands: &Commands) -> Result<Applied, Refused> {
        self.run(&Apply { commands })
    }

    fn partitions(&mut self, changes: &[Membership]) {
        self.run(&changes).unwrap();
    }

    fn fail_over(&mut self, targets: &[Target]) -> Vec<LeaseId> {
        self.book.state.runs.number += 1;
        let timeline = self.book.state.runs;
        self.run(&Promote { timeline, targets }).unwrap().closed
    }

    fn kept(&mut self) -> Kept {
        Audit::of(&self.book).kept().clone()
    }

    fn check(&mut self) {
        let violations = litfass_ledger::check::violations(&Audit::of(&self.book));
        assert!(violations.is_empty(), "{violations:?}");
    }
}
