//! Budgets and credit limits that stand in the catalog file. They are no facts of the catalog: each becomes a set-limit command
//! for the admin log, named so that loading a file twice, or sending a command twice, changes nothing.

use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_types::Timestamp;

use super::file::Misfit;

/// The largest limit: 9 billion currency units, so that its nanos fit 63 bits.
pub const LIMIT_MICROS_MAX: i64 = 9_000_000_000_000_000;

/// Which limit of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LimitField {
    /// An advertiser's account: how far it may go below its deposits.
    CreditLimit,
    /// Of a campaign, over its whole life.
    LifetimeBudget,
    /// Of a campaign, on each calendar day of its advertiser.
    DailyBudget,
    /// Of a line item, over its whole life.
    Budget,
}

impl LimitField {
    pub const ALL: [Self; 4] = [Self::CreditLimit, Self::LifetimeBudget, Self::DailyBudget, Self::Budget];

    /// The field's name in the catalog file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreditLimit => "credit_limit_micros",
            Self::LifetimeBudget => "lifetime_budget_micros",
            Self::DailyBudget => "daily_budget_micros",
            Self::Budget => "budget_micros",
        }
    }

    /// The kind of object that has it.
    #[must_use]
    pub const fn of(self) -> ObjectKind {
        match self {
            Self::CreditLimit => ObjectKind::Advertiser,
            Self::LifetimeBudget | Self::DailyBudget => ObjectKind::Campaign,
            Self::Budget => ObjectKind::LineItem,
        }
    }

    /// The number that the store and command ids keep; never reused.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::CreditLimit => 1,
            Self::LifetimeBudget => 2,
            Self::DailyBudget => 3,
            Self::Budget => 4,
        }
    }

    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.number() == number)
    }
}

/// A limit as a file states it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StatedLimit {
    pub(super) field: LimitField,
    pub(super) micros: i64,
}

impl StatedLimit {
    pub(super) fn new(field: LimitField, micros: i64) -> Result<Self, Misfit> {
        if (0..=LIMIT_MICROS_MAX).contains(&micros) {
            return Ok(Self { field, micros });
        }
        Err(Misfit { field: field.name().to_owned(), message: format!("{micros} is not in 0 … {LIMIT_MICROS_MAX}") })
    }
}

/// A limit in force as far as the catalog knows, to be set by a command of this id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    pub object: ObjectRef,
    pub field: LimitField,
    pub micros: i64,
    /// The catalog's sequence when this object's limit last changed.
    pub sequence: u64,
    /// When that was.
    pub loaded: Timestamp,
}

impl Limit {
    /// The first 128 bits of BLAKE3 over kind, object id, field, value and sequence. The same limit set again later, after
    /// another value, is another command, because its sequence is. After a failover of the database sequences come again and limits
    /// of edits that were lost are in force, so there each is set once more: from the second timeline on it is part of the name.
    #[must_use]
    pub fn command_id(&self, timeline: u64) -> u128 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"litfass set-limit v1").update(self.object.kind.name().as_bytes()).update(&[0]);
        hasher.update(&self.object.id.to_be_bytes()).update(&[self.field.number()]);
        hasher.update(&self.micros.to_be_bytes()).update(&self.sequence.to_be_bytes());
        if timeline > 1 {
            hasher.update(&timeline.to_be_bytes());
        }
        let mut half = [0; 16];
        hasher.finalize_xof().fill(&mut half);
        u128::from_be_bytes(half)
    }
}
