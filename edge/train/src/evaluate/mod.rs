//! Judging on a real shop's log: whoever ranks shows five products to each basket's customer; a shown product that is in the
//! basket counts as clicked. Showing has no effect in such a log, so this judges purchase prediction, not advertising.

pub mod judge;
pub mod policy;
pub mod replay;
pub mod sample;
