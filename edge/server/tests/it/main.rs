//! End to end: the real binary, started on a directory of its own and driven over HTTP as its callers drive it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails where it cannot go on, and prints its seeds"
)]

mod access;
mod accounts;
mod backup;
mod billing;
mod bodies;
mod books;
mod browser;
mod caller;
mod caps;
mod catalog_api;
mod catalog_changes;
mod catalogs;
#[cfg(feature = "postgres")]
#[allow(dead_code, reason = "the ledger's own tests use more of it")]
#[path = "../../../store/tests/it/ledger/cluster.rs"]
mod cluster;
#[cfg(all(feature = "kafka", feature = "postgres"))]
mod deployment;
mod dice;
mod disk;
mod failures;
mod gateway;
#[cfg(feature = "kafka")]
mod kafka;
mod kill;
mod marketplace;
mod migration;
mod mmdb;
mod openapi;
mod operations;
mod operator;
mod operator_browser;
mod pacing;
mod power_loss;
mod process;
mod processes;
#[cfg(feature = "postgres")]
mod real_postgres;
#[cfg(feature = "redis")]
mod real_redis;
#[cfg(feature = "redis")]
#[allow(dead_code, reason = "the stores' own tests use more of it")]
#[path = "../../../store/tests/it/caps/server.rs"]
mod redis_server;
mod refusals;
mod replay;
mod replay_fixture;
mod reports;
mod retries;
mod serving;
mod sessions;
mod simulate;
mod tenants;
#[cfg(feature = "otel")]
mod traces;
mod tracking;
mod users;
mod why_not;
