//! Learning and judging through their public boundary.

mod artifact;
mod feature_hash;
mod from_log;
mod ftrl;
mod import;
mod learn;
mod power_loss;
mod real_shop;
mod synthetic;
