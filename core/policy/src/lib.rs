//! Who may see what: ordered rules as data, marked on a request's board before anything is scored.
//!
//! Invariants: the first rule of the table that a candidate breaks at a placement is the fate it has there, technical reasons
//! before business ones; rules read a small case and nothing else; what the viewer did enters as counts, never as a clock.

mod caps;
mod columns;
mod placement;
mod request;
mod rules;

pub use caps::{CapCounts, CapKey, CapLimit, caps_of};
pub use columns::{Bidder, CandidateColumns};
pub use placement::PlacementRules;
pub use request::PolicyRequest;
pub use rules::{Case, RULES, Rule, all_broken, first_broken};
