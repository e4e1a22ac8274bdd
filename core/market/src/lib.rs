//! The market: what a candidate is worth, who gets which slot, and what it pays.
//!
//! Invariants: integers only, so the same entrants give the same page on every machine; a price is the exact inverse of the
//! value that ranked, so one micro less would have lost; every cell of the board ends with exactly one fate. Nothing here reads
//! a catalog: the entrants' columns, their predictions, the rules and a seed are all there is, and all of it is recorded.

mod auction;
mod board;
mod entrants;
pub mod pacing;
mod page;
mod value;

pub use auction::{Auction, AuctionPlacement, Decision, PricedBy, Refusal, Rules, Shown, settle};
pub use board::{FateBoard, FateCounts};
pub use entrants::{Entrant, Entrants, PLACEMENTS_MAX};
pub use value::{Factors, MULTIPLIER_PPM_MAX, value};
