//! The generalised second-price auction of one page, placement by placement and slot by slot.
//!
//! **Allocation** is greedy: a slot goes to the admissible entrant of the highest value. Admissible is who is admitted to the
//! placement, was not refused a hold, clears the floor, stands on the page with neither its ad nor its line item, whose
//! advertiser has slots left here, and who has no rival of a shared exclusion group on the page.
//!
//! **Price** of slot s: the smallest bid that beats the best candidate of another advertiser still admissible at s, given the
//! winners of the slots before it; at least the floor's price, at least one micro, never above the own bid. Equal value is
//! enough only where the tie falls to the winner. Ties fall by a hash of the seed and the stable ad id. Who is paced bids a share
//! of its bid, and that is the bid meant here: holding back makes nothing dearer (Balseiro and Gur 2019). Only a floor, which is
//! met by the whole bid, may ask for more than that share.
//!
//! **Floor**: compared with the revenue expected of an impression at that price, before pacing and quality, so a publisher's
//! floor is met in money however the ranking is weighted. What is worth nothing at all is below every floor.
//!
//! **Exploration**: with probability ε per placement its *last* slot is reserved before the auction; it goes, at the floor's
//! price, to a uniform draw among those still admissible once the other slots are auctioned. The last slot, because then the
//! auctioned slots and their prices are the same whether the page explores or not, and the marginal propensity of every shown
//! ad is known exactly: 1 in a slot that is never reserved; in the last slot ε/n for each of the n admissible, plus 1 − ε for
//! the one of the highest value. It is conditional on what the placements before it show and on the refusals.

use litfass_types::{Fate, Nanos, Prediction, Price, Probability, Row, Seed, Value};

use crate::board::FateBoard;
use crate::entrants::Entrants;
use crate::page::Page;

/// What the auction may be told to do differently. Recorded by hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Rules {
    /// ε: how often a placement's last slot is drawn instead of auctioned, 0 … 1,000,000.
    pub exploration_ppm: u32,
}

/// What one placement offers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AuctionPlacement {
    pub slots: u8,
    /// Per impression.
    pub floor: Nanos,
    /// Slots that one advertiser may have here.
    pub max_per_advertiser: u8,
}

/// Everything an auction reads: with the refusals it determines the page.
#[derive(Clone, Copy, Debug)]
pub struct Auction<'a> {
    pub rules: &'a Rules,
    /// In the order in which they are settled; at most `PLACEMENTS_MAX`.
    pub placements: &'a [AuctionPlacement],
    pub entrants: &'a Entrants,
    /// One per entrant, calibrated. An entrant without one is worth nothing.
    pub predictions: &'a [Prediction],
    pub seed: Seed,
}

/// A budget or cap hold that was not granted: `HoldRefused` or `Capped`, at every placement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub row: Row,
    pub fate: Fate,
}

/// What the price of a slot came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PricedBy {
    /// The best other advertiser still in the running.
    Rival(Row),
    /// The placement's floor, or the smallest amount there is.
    Floor,
}

/// An ad that won a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    pub row: Row,
    /// Position in `Auction::entrants`.
    pub entrant: usize,
    pub placement: u8,
    /// 0 is the first.
    pub slot: u8,
    /// Of its bid.
    pub value: Value,
    pub price: Price,
    pub priced_by: PricedBy,
    /// Drawn into a reserved slot, not auctioned.
    pub explored: bool,
    /// How probable it was that this slot would show this ad. Certainty is the largest probability there is.
    pub propensity: Probability,
}

/// A settled page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// By placement, then slot.
    pub shown: Vec<Shown>,
    /// Every cell is marked.
    pub fates: FateBoard,
}

/// Runs the auction. Run again with the refusals so far, on the same board as the first time, when a hold was not granted.
///
/// Marks that `board` has already stand, and what is marked does not compete. A cell that nobody marked and for which no
/// entrant was admitted did not enter the auction: `BelowCut`.
#[must_use]
pub fn settle(auction: &Auction<'_>, refused: &[Refusal], board: FateBoard) -> Decision {
    let mut page = Page::new(auction, refused, board);
    for placement in 0..auction.placements.len() {
        page.settle_placement(placement);
    }
    page.finish()
}
