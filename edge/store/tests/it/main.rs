//! What the stores promise, through their public boundary.

mod catalog;
mod damage;
mod event_log;
mod fold;
mod ledger;
mod power_loss;
mod storage;
mod wire;
