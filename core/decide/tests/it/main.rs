//! Decisions through their public boundary, in random worlds: what a shortlist, a page and a record promise.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod determinism;
mod dice;
mod fixture;
mod made;
mod naive;
mod page;
mod recompute;
mod record;
mod scene;
mod shop;
mod shortlist;
