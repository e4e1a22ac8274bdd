//! What the pacing controller published, as an entry of the log.

use litfass_types::LineItemId;

/// Line items in one table, at most.
pub const MAX_PACED_LINE_ITEMS: usize = 1_000_000;

/// Bid multipliers and who has funds, numbered: decisions name the table they used, so it is in the log before it is in
/// force. A table too long for one entry lies in several with one number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacingTable {
    /// Grows and carries the time.
    pub number: u64,
    /// True: what is not in it is not held back and has no funds. False: what is not in it keeps what the table before said.
    pub full: bool,
    /// Parts per million of the bid, ascending by line item: 1,000,000 is the whole bid, 0 takes no part.
    pub multipliers_ppm: Vec<(LineItemId, u32)>,
    /// Those of them whose number is the share of requests in which they take part, with the whole bid; ascending.
    pub by_requests: Vec<LineItemId>,
    /// `None` in tables of the first format, which did not say.
    pub funds: Option<Funds>,
}

/// Who can still lease its bid at every level, against the table before; ascending.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Funds {
    pub gained: Vec<LineItemId>,
    pub lost: Vec<LineItemId>,
}
