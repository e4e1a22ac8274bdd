//! What one world had and did: the material of the figures.

use litfass_ledger::Amount;
use litfass_types::Unit;

use super::token::Token;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Seen {
    pub decisions: u64,
    pub shown: u64,
    pub events: u64,
    pub crashes: u64,
    pub cuts: u64,
    pub edits: u64,
    /// Accounts whose calendar turned a day during the flight.
    pub day_changes: u64,
    pub seals: u64,
    pub failovers: u64,
    pub commits: u64,
    pub campaigns: u64,
    pub exhausted: u64,
    /// The longest time, in milliseconds, between a lease's grant and its close.
    pub stuck: i64,
    pub sql: bool,
    /// Whether line items were paced, and how often another process took over the controllers.
    pub paced: bool,
    pub taken_over: u64,
    /// Statements at which the shipped SQL was cut off.
    pub sql_cuts: u64,
    pub delivered: Vec<Campaign>,
    /// A fold of every outcome in its order.
    pub trace: u64,
}

/// What a campaign delivered of one billable kind.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Campaign {
    pub per_click: bool,
    /// In nanos.
    pub billed: i128,
    pub unbilled: i128,
    /// The dearest price.
    pub price: i128,
    /// Whether an event came after its hold.
    pub late: bool,
    /// Of its binding budget, where it was exhausted.
    pub under_delivered: Option<f64>,
}

impl Campaign {
    pub(super) fn count(&mut self, token: &Token, billed: bool, unbilled: bool, late: bool) {
        let amount = Amount::of(token.price).nanos();
        self.per_click = token.price.per == Unit::Click;
        self.price = self.price.max(amount);
        self.billed += if billed { amount } else { 0 };
        self.unbilled += if unbilled { amount } else { 0 };
        self.late |= late;
    }

    /// Delivered and never billed, of what was delivered.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    pub fn unbilled_share(&self) -> f64 {
        self.unbilled as f64 / (self.billed + self.unbilled).max(1) as f64
    }
}
