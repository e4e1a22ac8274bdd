//! Pacing: how much of its bid, or how often, a line item takes part now, so that its budget lasts as long as it has to.
//!
//! A plan says which share of a budget should be spent by now: a curve over the traffic that is forecast for the line item,
//! not over the clock. A controller compares it with what was spent and sets one number: the share of the bid (auctioned line
//! items) or the share of requests (fixed prices and guaranteed quotas). `owed` is what conversions that have not come yet
//! will cost: it counts as spent.
//!
//! Invariants: integers only, so the same history gives the same table on every machine; state per line item, never pooled;
//! of several budgets the one furthest ahead of its plan decides; who has less left than one price gets nothing; what is
//! published is never more than the whole bid. Nothing here reads a clock, and nothing here protects a budget: holds and the
//! ledger do that.

mod control;
mod curve;
mod fixed;
mod owed;
mod plan;
mod shape;

pub use control::{Actuator, Pace, State, Why};
pub use curve::{BadCurve, Curve, POINTS_MAX, Points};
pub use owed::Owed;
pub use plan::{LEAD_MAX, Plan};
pub use shape::{HOURS, Shape, hour_of_week};
