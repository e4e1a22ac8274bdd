//! The catalog through its public boundary: what it refuses, what it finds, and that its index says what its definition says.

mod changes;
mod eligibility;
mod naive;
mod semantics;
mod validation;
mod world;
