//! The money ledger: double entry, append-only.
//!
//! A posting moves one amount from one account's debit side to another's credit side, so the ledger sums to zero however many
//! postings there are. Balances are folds of postings. Revenue, refunds, house and residue are kept per tenant, because nothing
//! crosses a tenant; an advertiser's funds are its account.

use litfass_types::{AdvertiserId, TenantId};

use crate::amount::{Amount, Overflow};
use crate::command::CommandId;
use crate::control::Chain;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LedgerAccount {
    /// What an advertiser paid in and has not spent.
    Funds(AdvertiserId),
    Revenue(TenantId),
    Refunds(TenantId),
    /// Where deposits come from and adjustments go.
    House(TenantId),
    /// What a statement rounds away and carries over.
    Residue(TenantId),
}

/// Both sides of an account; their difference is the balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Balance {
    pub debits: Amount,
    pub credits: Amount,
}

impl Balance {
    /// Credits − debits: what an advertiser still has, what was earned.
    #[must_use]
    pub const fn net(&self) -> i128 {
        self.credits.nanos() - self.debits.nanos()
    }
}

/// Why money moved.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PostingKind {
    Bill,
    Deposit,
    Refund,
    Adjustment,
}

/// What made a posting: it names the log entry or the batch it is derived from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cause {
    /// The batch whose first partition was read up to, not including, this offset.
    Batch {
        partition: u16,
        next: u64,
    },
    Command(CommandId),
    /// Pending events that fitted once something was given back or a lease closed.
    Retry,
}

/// One movement of money; bills are aggregated per (batch, line item, budget day).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Posting {
    pub kind: PostingKind,
    pub cause: Cause,
    pub tenant: TenantId,
    pub debit: LedgerAccount,
    pub credit: LedgerAccount,
    pub amount: Amount,
    /// Billed events in it; 1 for a command.
    pub events: u64,
    /// The line item's day that it concerns; none for deposits and adjustments.
    pub chain: Option<Chain>,
    /// Whether a refund restored its day too.
    pub restores_day: bool,
}

impl Balance {
    pub(crate) fn debit(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.debits = self.debits.plus(amount)?;
        Ok(())
    }

    pub(crate) fn credit(&mut self, amount: Amount) -> Result<(), Overflow> {
        self.credits = self.credits.plus(amount)?;
        Ok(())
    }
}
