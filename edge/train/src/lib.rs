//! Learning and judging: datasets, trainers, artifacts, evaluation.

pub mod artifact;
pub mod dataset;
pub mod evaluate;
pub mod examples;
pub mod from_log;
pub mod ftrl;
pub mod import;
pub mod learn;
