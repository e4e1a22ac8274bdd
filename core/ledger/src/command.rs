//! Admin commands: deposits, limits, refunds and adjustments, read from a log partition of their own.
//!
//! A command's id, position and effect are one transaction. It takes effect at most once, in position order.

use std::collections::BTreeMap;
use std::fmt;

use litfass_types::{AdvertiserId, CampaignId, Day, LineItemId, Position, TenantId, Timestamp};

use crate::amount::Amount;
use crate::claim::Consumed;
use crate::control::{Chain, UNLIMITED};

/// Names one wish of an administrator; what is sent twice carries the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandId(pub u128);

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Command {
    pub id: CommandId,
    pub tenant: TenantId,
    pub effect: Effect,
    pub note: Note,
}

/// Who wished it and why, as it was said. Nothing depends on it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Note {
    pub by: String,
    pub reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// The advertiser paid in.
    Deposit {
        account: AdvertiserId,
        amount: Amount,
    },
    SetLimit(Limit),
    /// Gives back what was spent. It restores line item, lifetime and account, and the day only where the command was appended
    /// before `day_ends`, the first instant after that budget day.
    Refund {
        chain: Chain,
        day_ends: Timestamp,
        amount: Amount,
    },
    /// Corrects an account's funds, in nanos, up or down.
    Adjust {
        account: AdvertiserId,
        nanos: i128,
    },
}

/// Absolute limits; where the limit is optional, none means unlimited.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Limit {
    /// What the account may spend beyond its deposits.
    Credit {
        account: AdvertiserId,
        limit: Amount,
    },
    CampaignLifetime {
        account: AdvertiserId,
        campaign: CampaignId,
        limit: Option<Amount>,
    },
    /// For `from` and every later day of the campaign.
    CampaignDaily {
        account: AdvertiserId,
        campaign: CampaignId,
        from: Day,
        limit: Option<Amount>,
    },
    LineItem {
        account: AdvertiserId,
        line_item: LineItemId,
        limit: Option<Amount>,
    },
}

impl Effect {
    /// The account below which something may become available.
    #[must_use]
    pub const fn account(&self) -> AdvertiserId {
        match self {
            Self::Deposit { account, .. } | Self::Adjust { account, .. } => *account,
            Self::Refund { chain, .. } => chain.account,
            Self::SetLimit(limit) => match limit {
                Limit::Credit { account, .. }
                | Limit::CampaignLifetime { account, .. }
                | Limit::CampaignDaily { account, .. }
                | Limit::LineItem { account, .. } => *account,
            },
        }
    }
}

/// A command and the log entry that brought it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CommandEntry {
    pub position: Position,
    pub appended: Timestamp,
    pub command: Command,
}

/// A range of the admin partition and the commands in it, in position order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commands {
    pub consumed: Consumed,
    pub entries: Vec<CommandEntry>,
}

/// What became of a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CommandOutcome {
    Applied,
    /// A copy of a command that has its own outcome.
    Repeated,
    /// A refund of more than has been spent so far: tried again after every billing.
    Waiting,
    Refused(Objection),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum Objection {
    #[error("the amount is zero")]
    NothingToMove,
    #[error("the account has less than that available")]
    BeyondAvailable,
    #[error("the refund exceeds what was spent by everything appended before it")]
    BeyondSpent,
    #[error("the amount is beyond what an account can hold")]
    OutOfRange,
}

/// What is kept of a command.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CommandRecord {
    pub entry: CommandEntry,
    pub outcome: CommandOutcome,
}

/// The parts of an account's limit = deposits + adjustments + credit, kept apart because none of them is negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Funding {
    /// Deposits and upward adjustments.
    pub added: Amount,
    /// Downward adjustments.
    pub removed: Amount,
    pub credit: Amount,
}

impl Funding {
    /// Never below zero: an account whose credit was cut below what it was adjusted by has nothing available either way.
    /// Never above [`UNLIMITED`]: an account with unlimited credit stays so.
    #[must_use]
    pub fn limit(&self) -> Amount {
        self.added.plus(self.credit).unwrap_or(UNLIMITED).less(self.removed)
    }
}

/// A campaign's daily limit through time: each step holds from its day on.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct DailyLimits(pub BTreeMap<Day, Amount>);

impl DailyLimits {
    #[must_use]
    pub fn on(&self, day: Day) -> Amount {
        self.0.range(..=day).next_back().map_or(UNLIMITED, |(_, limit)| *limit)
    }

    /// Replaces every step from that day on.
    pub(crate) fn set(&mut self, from: Day, limit: Amount) {
        self.0.retain(|day, _| *day < from);
        self.0.insert(from, limit);
    }
}
