//! Everything Litfass keeps: ports with their contracts, and the embedded adapters behind them.

pub mod catalog;
pub mod fold;
pub mod ledger;
pub mod log;
pub mod storage;
pub mod wire;
