//! The ledger's ports: one conformance suite for every database, and what only SQLite has to show.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../../../core/ledger/tests/it/driven.rs"]
mod driven;
#[allow(dead_code, reason = "the ledger's own tests use more of it")]
#[path = "../../../../../core/ledger/tests/it/ids.rs"]
mod ids;
#[path = "../../../../../core/ledger/tests/it/steps.rs"]
mod steps;

#[cfg(feature = "postgres")]
#[allow(dead_code, reason = "the server's tests use more of it")]
pub(crate) mod cluster;
mod conformance;
mod exports;
mod memory;
mod ports;
#[cfg(feature = "postgres")]
mod real_postgres;
#[cfg(feature = "tls")]
mod real_postgres_tls;
mod sqlite;
