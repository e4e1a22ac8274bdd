//! One ad request, decided: `shortlist` and `settle` as pure functions of what was observed and of one version of the world.
//!
//! ```text
//! AdRequest ──gather──▶ Observed ──shortlist──▶ Shortlist ──predict──▶ Market ──settle──▶ Settled ──commit──▶ DecisionRecord
//!             (edge)                                        (edge)              (holds: edge)        (edge)
//! ```
//!
//! Invariants: every candidate ends in exactly one fate at every placement; the same facts give the same decision on any CPU
//! and in any build; nothing here reads a clock, a file or a random source.

mod assemble;
mod observed;
mod recompute;
mod record;
mod replay;
mod request;
mod settle;
mod shortlist;
mod whynot;
mod world;

pub use assemble::{Hold, Made};
pub use observed::Observed;
pub use recompute::{NotRecomputable, Recomputed, SCORE_TOLERANCE, ScoreDeviation, recompute};
pub use record::{
    CandidateRecord, DecisionRecord, Full, Gathered, Inputs, Market, ShownRecord, StageName, WorldVersion,
};
pub use replay::{At, Difference, differences};
pub use request::{AdRequest, Context, PlacementRequest};
pub use settle::{Settled, settle_market};
pub use shortlist::{Shortlist, Workspace, shortlist};
pub use whynot::{Ending, Standing, Verdict, why_not};
pub use world::{PacingColumns, Rules, World, takes_part};
