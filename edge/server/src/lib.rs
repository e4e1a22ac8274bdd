//! placeholder
pub mod console;
pub mod problem;
pub mod secrets;
