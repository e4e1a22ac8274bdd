//! placeholder
pub mod console;
