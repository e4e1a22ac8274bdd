//! The events themselves. Their times stand in the envelope.

use litfass_types::{TenantId, UserHash};

use crate::token::Token;

/// The longest order id, in bytes.
pub const MAX_ORDER_ID_BYTES: usize = 64;
/// The most lines of one order that are kept.
pub const MAX_CONVERSION_ITEMS: usize = 100;

/// What can happen after a decision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// The ad was rendered.
    Impression,
    /// Half of it was in view for a second.
    Viewable,
    Click,
    /// An order, a sign-up: what the advertiser is after.
    Conversion,
    /// The viewer looked at an item's page, without an ad.
    View,
}

impl EventKind {
    pub const ALL: [Self; 5] = [Self::Impression, Self::Viewable, Self::Click, Self::Conversion, Self::View];

    /// Metric label and the `type` of `POST /v1/events`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Impression => "impression",
            Self::Viewable => "viewable",
            Self::Click => "click",
            Self::Conversion => "conversion",
            Self::View => "view",
        }
    }

    /// The number that records and ids keep; never reused.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Impression => 1,
            Self::Viewable => 2,
            Self::Click => 3,
            Self::Conversion => 4,
            Self::View => 5,
        }
    }

    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A shown ad was rendered, seen or clicked. `kind` is one of those three; an order is a [`Conversion`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    pub kind: EventKind,
    pub token: Token,
}

/// One line of an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Purchased {
    /// XXH64, seed 42, of `item=<SKU>`.
    pub item: u64,
    /// Its category's term.
    pub category: Option<u64>,
    pub quantity: u32,
}

/// An order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conversion {
    pub tenant: TenantId,
    pub user: Option<UserHash>,
    /// The click that led here, where the shop kept its token.
    pub click: Option<Token>,
    /// The shop's own number of the order, at most `MAX_ORDER_ID_BYTES`.
    pub order_id: String,
    /// The order's worth in micros of the settlement currency; negative where goods came back.
    pub value_micros: i64,
    /// At most `MAX_CONVERSION_ITEMS`.
    pub items: Vec<Purchased>,
}

impl Conversion {
    /// Whose order it is: the click's viewer where a token came with it.
    #[must_use]
    pub fn buyer(&self) -> Option<UserHash> {
        self.click.as_ref().and_then(|click| click.user).or(self.user)
    }
}

/// A viewer looked at an item's page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ItemView {
    pub tenant: TenantId,
    pub user: UserHash,
    /// XXH64, seed 42, of `item=<SKU>`.
    pub item: u64,
    /// Its category's term.
    pub category: Option<u64>,
}
