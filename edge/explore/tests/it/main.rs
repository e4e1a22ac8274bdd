//! Every test of the crate in one binary.

mod exploring;
