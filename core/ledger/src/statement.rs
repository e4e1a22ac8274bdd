//! A month's statement of one account: a pure fold of what was billed per line item and budget day, and of the commands that
//! moved money.
//!
//! Nothing is rounded but a balance that is shown in micros, downwards; what is left of a nano stands beside it and is carried
//! over, so that **a month's closing balance is the next month's opening one, to the nano**, and all statements of an account
//! add up to its funds in the ledger. A charge belongs to the month of its budget day, everything else to the month in which
//! its command was appended, both by the account's own calendar.

use std::collections::BTreeMap;

use litfass_types::{AdvertiserId, CampaignId, Day, LineItemId, Timestamp};

use crate::amount::Amount;
use crate::claim::Count;
use crate::command::{CommandId, CommandRecord, Effect, Funding, Note};
use crate::control::{Chain, Control};

const NANOS_PER_MICRO: i128 = 1_000;

/// An account as of one instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub id: AdvertiserId,
    pub funding: Funding,
    pub control: Control,
    /// Commands that were applied and moved money, in position order.
    pub moves: Vec<CommandRecord>,
    /// What was billed per line item and budget day.
    pub billed: Vec<(Chain, Count)>,
}

/// Commands that move money, by what they are to the account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MoveKind {
    Deposit,
    Adjustment,
    Refund,
}

impl MoveKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Adjustment => "adjustment",
            Self::Refund => "refund",
        }
    }
}

/// One movement besides charges.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    pub command: CommandId,
    pub at: Timestamp,
    pub kind: MoveKind,
    /// What the account gained; negative for an adjustment downwards.
    pub nanos: i128,
    /// What was refunded.
    pub chain: Option<Chain>,
    pub note: Note,
}

impl Move {
    /// `None` for a limit, which moves nothing.
    #[must_use]
    pub fn of(record: &CommandRecord) -> Option<Self> {
        let (kind, nanos, chain) = match record.entry.command.effect {
            Effect::Deposit { amount, .. } => (MoveKind::Deposit, amount.nanos(), None),
            Effect::Adjust { nanos, .. } => (MoveKind::Adjustment, nanos, None),
            Effect::Refund { chain, amount, .. } => (MoveKind::Refund, amount.nanos(), Some(chain)),
            Effect::SetLimit(_) => return None,
        };
        let command = &record.entry.command;
        Some(Self { command: command.id, at: record.entry.appended, kind, nanos, chain, note: command.note.clone() })
    }
}

/// What was charged for one line item on one budget day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Charge {
    pub day: Day,
    pub campaign: CampaignId,
    pub line_item: LineItemId,
    pub events: u64,
    pub amount: Amount,
}

/// Days [from, to).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Days {
    pub from: Day,
    pub to: Day,
}

impl Days {
    #[must_use]
    pub fn contains(&self, day: Day) -> bool {
        self.from <= day && day < self.to
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// Nanos before the first day; negative where credit is used.
    pub opening: i128,
    /// By day, campaign and line item.
    pub charges: Vec<Charge>,
    /// In position order.
    pub moves: Vec<Move>,
    pub closing: i128,
}

/// Nanos as whole micros, rounded down, and the rest: 0 … 999 nanos.
#[must_use]
pub const fn carried(nanos: i128) -> (i128, i128) {
    (nanos.div_euclid(NANOS_PER_MICRO), nanos.rem_euclid(NANOS_PER_MICRO))
}

impl Account {
    /// The statement of these days. `day_of` is the account's calendar.
    #[must_use]
    pub fn statement(&self, days: Days, day_of: impl Fn(Timestamp) -> Day) -> Statement {
        let moves: Vec<_> = self.moves.iter().filter_map(Move::of).map(|m| (day_of(m.at), m)).collect();
        let moved_before: i128 = moves.iter().filter(|(day, _)| *day < days.from).map(|(_, m)| m.nanos).sum();
        let earlier = self.billed.iter().filter(|(chain, _)| chain.day < days.from);
        let charged_before: i128 = earlier.map(|(_, count)| count.amount.nanos()).sum();
        let opening = moved_before - charged_before;
        let charges = self.charges(days);
        let moves: Vec<_> = moves.into_iter().filter(|(day, _)| days.contains(*day)).map(|(_, m)| m).collect();
        let moved: i128 = moves.iter().map(|m| m.nanos).sum();
        let charged: i128 = charges.iter().map(|charge| charge.amount.nanos()).sum();
        Statement { opening, charges, moves, closing: opening + moved - charged }
    }

    fn charges(&self, days: Days) -> Vec<Charge> {
        let inside = self.billed.iter().filter(|(chain, count)| days.contains(chain.day) && count.events > 0);
        let charge = |(chain, count): &(Chain, Count)| Charge {
            day: chain.day,
            campaign: chain.campaign,
            line_item: chain.line_item,
            events: count.events,
            amount: count.amount,
        };
        let mut charges: Vec<_> = inside.map(charge).collect();
        charges.sort_unstable();
        charges
    }

    /// The sum of one kind of movement.
    #[must_use]
    pub fn moved(&self, kind: MoveKind) -> i128 {
        self.moves.iter().filter_map(Move::of).filter(|m| m.kind == kind).map(|m| m.nanos).sum()
    }

    /// Deposits + adjustments + refunds − what was billed: what the ledger holds for the account.
    #[must_use]
    pub fn balance(&self) -> i128 {
        let moved: i128 = self.moves.iter().filter_map(Move::of).map(|m| m.nanos).sum();
        moved - self.control.spent.nanos()
    }

    /// What was billed and not refunded, per line item and budget day, where anything is left.
    #[must_use]
    pub fn refundable(&self, wanted: impl Fn(&Chain) -> bool) -> Vec<(Chain, Amount)> {
        let mut back: BTreeMap<Chain, i128> = BTreeMap::new();
        for refund in self.moves.iter().filter_map(Move::of) {
            if let Some(chain) = refund.chain {
                *back.entry(chain).or_default() += refund.nanos;
            }
        }
        let mut left = Vec::new();
        for (chain, count) in self.billed.iter().filter(|(chain, _)| wanted(chain)) {
            let rest = (count.amount.nanos() - back.get(chain).copied().unwrap_or(0)).max(0);
            let rest = Amount::new(rest).unwrap_or(Amount::ZERO);
            if !rest.is_zero() {
                left.push((*chain, rest));
            }
        }
        left
    }
}
