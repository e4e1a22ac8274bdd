//! From predictions to a page: the auction on recorded integers, and again without what was refused.

use litfass_market::{Auction, Decision, FateBoard, Refusal, Rules, settle};
use litfass_types::Seed;

use crate::record::Market;

/// A page and the refusals it was settled with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    pub decision: Decision,
    pub refused: Vec<Refusal>,
}

/// Settles `market` on `board`, which holds the marks of the phases before.
#[must_use]
pub fn settle_market(market: &Market, seed: Seed, refused: &[Refusal], board: FateBoard) -> Decision {
    let rules = Rules { exploration_ppm: market.exploration_ppm };
    let auction = Auction {
        rules: &rules,
        placements: &market.placements,
        entrants: &market.entrants,
        predictions: &market.predictions,
        seed,
    };
    settle(&auction, refused, board)
}

/// The same from the record alone: the board holds nothing but the entrants' rows.
pub(crate) fn replay(market: &Market, seed: Seed, refused: &[Refusal]) -> Decision {
    let rows = market.entrants.rows().iter().map(|row| usize::from(row.0) + 1).max().unwrap_or(0);
    settle_market(market, seed, refused, FateBoard::new(rows, market.placements.len()))
}
