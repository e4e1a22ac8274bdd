//! A database behind its ports, driven like a ledger in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use litfass_ledger::check::Kept;
use litfass_ledger::{
    Applied, Batch, Billed, Commands, GrantAnswer, GrantRequest, Membership, Refused, Return, Settled, Swept, Target,
};
use litfass_store::ledger::{BudgetAuthority, Clock, LedgerAdmin, LedgerError, LedgerReader, verify};
use litfass_types::{LeaseId, Timestamp};

use super::driven::Driven;
use super::ids::START;

/// A clock that a test moves.
#[derive(Clone, Debug)]
pub(super) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(START.0)))
    }

    pub(super) fn clock(&self) -> Clock {
        let hand = Arc::clone(&self.0);
        Box::new(move || Timestamp(hand.load(Ordering::Relaxed)))
    }

    fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::Relaxed);
    }
}

/// One process's view of a ledger.
pub(super) struct Ports {
    pub(super) authority: Box<dyn BudgetAuthority>,
    pub(super) admin: Box<dyn LedgerAdmin>,
    pub(super) reader: Box<dyn LedgerReader>,
    pub(super) hand: Hand,
    /// Puts the database on another timeline, as it is.
    pub(super) fail_over: Box<dyn Fn() + Send>,
}

/// What a refusal is; any other failure fails the test.
pub(super) fn refused(error: LedgerError) -> Refused {
    match error {
        LedgerError::Refused(refused) => refused,
        other @ (LedgerError::Database(_) | LedgerError::NewerSchema { .. }) => panic!("{other}"),
    }
}

impl Driven for Ports {
    fn grant(&mut self, requests: &[GrantRequest], now: Timestamp) -> Vec<GrantAnswer> {
        self.hand.set(now);
        self.authority.grant(requests).unwrap()
    }

    fn bill(&mut self, batch: &Batch) -> Result<Billed, Refused> {
        self.authority.bill(batch).map_err(refused)
    }

    fn give_back(&mut self, returns: &[Return]) -> Settled {
        self.authority.give_back(returns).unwrap()
    }

    fn sweep(&mut self) -> Swept {
        self.authority.sweep().unwrap()
    }

    fn apply(&mut self, commands: &Commands) -> Result<Applied, Refused> {
        self.admin.apply(commands).map_err(refused)
    }

    fn partitions(&mut self, changes: &[Membership]) {
        self.admin.partitions(changes).unwrap();
    }

    fn fail_over(&mut self, targets: &[Target]) -> Vec<LeaseId> {
        (self.fail_over)();
        let timeline = self.admin.standing().unwrap().timeline;
        self.admin.promote(timeline, targets).unwrap().closed
    }

    fn kept(&mut self) -> Kept {
        self.reader.audit().unwrap().kept().clone()
    }

    fn check(&mut self) {
        assert_eq!(verify(self.reader.as_ref()).unwrap(), []);
    }
}
