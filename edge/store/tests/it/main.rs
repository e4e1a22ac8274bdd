//! What the stores promise, through their public boundary.

mod catalog;
