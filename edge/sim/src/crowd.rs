//! Who asks next and what becomes of what is shown: the one seam between the driver and whoever it drives.

use serde_json::Value;

use crate::truth::Odds;

/// A source of requests and of the reactions to what they brought.
///
/// `next` must not depend on how earlier visits ended, so that the same seed asks the same whatever the server answers.
pub trait Crowd: Send {
    /// The next visit; `None` at the end of a log.
    fn next(&mut self) -> Option<Visit>;

    /// What the visitor of the latest visit does with the ads shown, one reaction per ad.
    fn react(&mut self, shown: &[ShownAd]) -> Vec<Reaction>;
}

/// One page view that asks for ads.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// The body of `POST /v1/decisions`.
    pub body: Value,
    /// Absent for a visitor who is not signed in.
    pub user: Option<String>,
    pub slots: u32,
    /// What the visitor looks at on the page itself, not an ad.
    pub viewed: Option<ViewedItem>,
}

/// A product looked at outside of ads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewedItem {
    pub item: String,
    pub category: String,
}

/// An ad in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownAd {
    pub placement: u64,
    pub slot: u8,
    pub ad_id: u64,
    pub item: Option<String>,
}

/// What happens to a shown ad. Nothing follows where it is not rendered; a purchase follows a click only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reaction {
    pub rendered: bool,
    pub viewable: bool,
    pub clicked: bool,
    pub bought: Option<Purchase>,
    /// Absent where nobody knows.
    pub odds: Option<Odds>,
}

/// An order that follows a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub order_id: String,
    pub value_micros: i64,
    pub items: Vec<Bought>,
    /// Sent with the click's token; otherwise by user, to be attributed.
    pub by_token: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    pub item: String,
    pub category: String,
    pub quantity: u32,
}
