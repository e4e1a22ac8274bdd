//! End to end: the real binary, started on a directory of its own and driven over HTTP as its callers drive it.

mod caller;
mod catalogs;
mod process;
mod serving;
