//! placeholder
pub mod console;
pub mod config;
#[cfg(test)]
mod generated;
pub mod metrics;
pub mod problem;
pub mod secrets;
pub mod tokens;
