//! Features through their public boundary.

mod popularity;
mod profile;
mod rows;
