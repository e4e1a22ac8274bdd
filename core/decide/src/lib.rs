//! One ad request, decided: `shortlist` and `settle` as pure functions of what was observed and of one version of the world.
//!
//! ```text
//! AdRequest ──gather──▶ Observed ──shortlist──▶ Shortlist ──predict──▶ predictions ──settle──▶ Decision ──commit──▶ response
//!             (edge)                                        (edge)                                        (edge)
//! ```
//!
//! Invariants: every candidate ends in exactly one fate at every placement; the same facts give the same decision on any CPU
//! and in any build; nothing here reads a clock, a file or a random source.

mod record;
mod request;
mod settle;

pub use record::{CandidateRecord, DecisionRecord, Full, Inputs, Market, ShownRecord, StageName, WorldVersion};
pub use request::{AdRequest, Context, PlacementRequest};
pub use settle::Settled;
