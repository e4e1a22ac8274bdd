//! The simulated world through its public boundary.

#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

mod budget;
mod catalog_file;
mod driving;
mod pacing;
mod replaying;
mod server;
mod shop;
