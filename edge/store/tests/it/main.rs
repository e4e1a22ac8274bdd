//! What the stores promise, through their public boundary.

mod audit;
mod caps;
mod catalog;
mod catalog_misfits;
mod damage;
mod event_log;
mod fold;
mod keys;
mod ledger;
mod own;
mod power_loss;
mod slow_disk;
mod storage;
mod wire;
