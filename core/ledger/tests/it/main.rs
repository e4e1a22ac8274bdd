//! What the ledger promises, through its public boundary.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod desk;
mod driven;
mod failover;
mod holds;
mod honest;
mod ids;
mod random;
mod rollup;
mod scenarios;
mod statements;
mod steps;
mod tampering;
mod twin;
