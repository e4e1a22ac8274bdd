//! Ranking models: logistic regression in two phases, calibration, and the metrics that judge them.
//!
//! Invariants: the same artifact and the same features give the same bits in debug and release; what leaves a prediction is
//! an integer (`Probability`); calibration changes no order.

mod calibration;
mod linear;
pub mod metrics;
mod model;
mod profile;

pub use calibration::{Calibration, KNOTS_MAX, Outcome, isotonic, undo_downsampling};
pub use linear::Linear;
pub use model::{Head, Model, SLOTS, Weights};
pub use profile::{BadTensor, RankProfile, Tensor};
