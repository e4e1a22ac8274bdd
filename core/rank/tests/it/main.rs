//! Ranking models through their public boundary.

mod calibration;
mod metrics;
mod model;
