//! The ledger's database: committed versions of one book, the last few of which a replica may lack.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{Hash, Hasher};

use litfass_ledger::{
    Amount, Book, CatchUp, CommandOutcome, ControlId, Effect, Failure, Limit, Operation, Outcome, PartitionKind,
    Refused, Stand, Swept, execute, sweep,
};
use litfass_types::Timestamp;

use crate::bounds::TERMS;
use crate::breach::Breach;
use crate::fingerprint::Printed;
use crate::setup::ACCOUNT;

/// A book as it was committed. Two of them are the same state where they agree in all that a plan reads, in the outcomes and
/// in the sums of what plans only append: how billing was cut into batches and postings is history. A claim billed later
/// counts like one billed at once.
#[derive(Clone, Debug)]
pub(crate) struct Version(pub(crate) Book);

impl Hash for Version {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Book { partitions, state, keys, leases, controls, funding, daily, pending, commands, .. } = &self.0;
        (partitions, state, keys, leases).hash(to);
        (controls, funding, daily, pending, commands).hash(to);
        self.0.outcomes.iter().filter(|(_, outcome)| **outcome != Outcome::Billed).for_each(|row| row.hash(to));
        let posted = self
            .0
            .postings
            .iter()
            .fold((0, 0), |sum: (i128, u64), posting| (sum.0 + posting.amount.nanos(), sum.1 + posting.events));
        let claims: u64 = self.0.batches.iter().map(|batch| batch.claims).sum();
        (posted, claims).hash(to);
    }
}

/// Which limit of which control: the offset of the command that set it.
pub(crate) type Ceilings = BTreeMap<(ControlId, u64), Amount>;

#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) now: Printed<Version>,
    /// What a replica may stand at, the oldest first.
    pub(crate) before: Vec<Printed<Version>>,
    /// How many of them are kept.
    pub(crate) replica_lag: usize,
    pub(crate) promoted: bool,
    /// The ceilings that limits had when they were first applied.
    pub(crate) first: Printed<Ceilings>,
    pub(crate) breach: Option<Breach>,
}

impl Database {
    pub(crate) fn new(book: Book, replica_lag: usize, breach: Option<Breach>) -> Self {
        let now = Printed::new(Version(book));
        let first = Printed::new(Ceilings::new());
        Self { now, before: Vec::new(), replica_lag, promoted: false, first, breach }
    }

    pub(crate) fn book(&self) -> &Book {
        &self.now.0
    }

    /// One transaction; also says whether it changed anything.
    pub(crate) fn run<O: Operation>(&mut self, operation: &O) -> Result<(O::Receipt, bool), Refused> {
        self.transact(|book| execute(book, operation))
    }

    pub(crate) fn sweep(&mut self) -> Result<(Swept, bool), Refused> {
        self.transact(|book| sweep(book, &TERMS, None))
    }

    fn transact<R>(
        &mut self,
        change: impl FnOnce(&mut Book) -> Result<R, Failure<Infallible>>,
    ) -> Result<(R, bool), Refused> {
        let mut book = self.now.0.clone();
        let receipt = change(&mut book).map_err(refused)?;
        if self.breach == Some(Breach::AncestorsApart) {
            forget_ancestors(&mut book, &self.now.0);
        }
        let changed = book != self.now.0;
        if changed {
            self.commit(book);
        }
        Ok((receipt, changed))
    }

    pub(crate) fn commit(&mut self, book: Book) {
        let next = Printed::new(Version(book));
        let last = std::mem::replace(&mut self.now, next);
        if !self.promoted && self.replica_lag > 0 {
            self.before.push(last);
            let over = self.before.len().saturating_sub(self.replica_lag);
            self.before.drain(..over);
        }
    }

    /// What a process leaves that dies between the two transactions it should not have made.
    pub(crate) fn die_while_billing(&mut self, before: &Book) {
        let mut book = self.book().clone();
        match self.breach {
            Some(Breach::KeysApart) => book.keys.clone_from(&before.keys),
            Some(Breach::OffsetFirst) => {
                let partitions = std::mem::take(&mut book.partitions);
                book = Book { partitions, ..before.clone() };
            }
            _ => return,
        }
        self.now = Printed::new(Version(book));
    }

    /// Closes by the clock: as if every partition had been read until `at`.
    pub(crate) fn pretend_read(&mut self, at: Timestamp) {
        let mut book = self.book().clone();
        let events = book.partitions.values_mut().filter(|row| row.kind == PartitionKind::Events);
        events.for_each(|row| row.appended = row.appended.max(Some(at)));
        self.now = Printed::new(Version(book));
    }

    /// A replica without the last `lost` transactions takes over, on a timeline of its own.
    pub(crate) fn fail_over(&mut self, lost: usize) -> bool {
        let Some(at) = self.before.len().checked_sub(lost) else { return false };
        let Some(replica) = self.before.get(at) else { return false };
        let mut book = replica.0.clone();
        book.state.runs.number += 1;
        (self.now, self.before, self.promoted) = (Printed::new(Version(book)), Vec::new(), true);
        true
    }

    pub(crate) fn waits_for_promotion(&self) -> bool {
        let state = self.book().state;
        state.runs != state.promoted
    }

    /// How the ledger itself says that it stands.
    pub(crate) fn waits(&self) -> Result<Option<CatchUp>, Refused> {
        execute(&mut self.book().clone(), &Stand).map(|standing| standing.waits).map_err(refused)
    }

    /// After one command: the ceilings of the controls that it limited, where it was not applied before.
    pub(crate) fn note_ceilings(&mut self, offset: u64) {
        let book = &self.now.0;
        let record = book.commands.values().find(|record| record.entry.position.offset == offset);
        let Some(record) = record.filter(|record| record.outcome == CommandOutcome::Applied) else { return };
        let limited = |id: &ControlId| limits(&record.entry.command.effect, *id);
        let ceilings: Vec<_> = book.controls.iter().filter(|(id, _)| limited(id)).collect();
        let ceilings = ceilings.into_iter().map(|(id, control)| ((*id, offset), control.ceiling));
        let new: Vec<_> = ceilings.filter(|(of, _)| !self.first.contains_key(of)).collect();
        if !new.is_empty() {
            self.first.edit(|first| first.extend(new));
        }
    }
}

/// Whether a command of that effect sets the limit of that control.
pub(crate) fn limits(effect: &Effect, id: ControlId) -> bool {
    match (effect, id) {
        (Effect::Deposit { .. } | Effect::Adjust { .. }, ControlId::Account(_))
        | (Effect::SetLimit(Limit::Credit { .. }), ControlId::Account(_))
        | (Effect::SetLimit(Limit::CampaignLifetime { .. }), ControlId::Campaign(_)) => effect.account() == ACCOUNT,
        (Effect::SetLimit(Limit::CampaignDaily { from, .. }), ControlId::CampaignDay(_, day)) => day >= *from,
        (Effect::SetLimit(Limit::LineItem { line_item, .. }), ControlId::LineItem(id)) => *line_item == id,
        _ => false,
    }
}

/// Only the line items of what a transaction moved were committed.
fn forget_ancestors(book: &mut Book, before: &Book) {
    for (id, control) in &mut book.controls {
        let kept = before.controls.get(id).filter(|_| !matches!(id, ControlId::LineItem(_)));
        if let Some(kept) = kept {
            (control.leased, control.spent) = (kept.leased, kept.spent);
        }
    }
}

pub(crate) fn refused(failure: Failure<Infallible>) -> Refused {
    match failure {
        Failure::Refused(refused) => refused,
        Failure::Store(never) => match never {},
    }
}
