//! Everything Litfass keeps: ports with their contracts, and the embedded adapters behind them.

pub mod audit;
pub mod backup;
pub mod caps;
pub mod catalog;
pub mod database;
pub mod fold;
pub mod keys;
pub mod ledger;
pub mod log;
pub mod migrate;
pub mod storage;
pub mod wire;
