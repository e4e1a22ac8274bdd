//! The catalog through its public boundary: what it refuses, what it finds, and that its index says what its definition says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod eligibility;
mod naive;
mod semantics;
mod validation;
mod world;
