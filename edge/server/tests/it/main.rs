//! End to end: the real binary, started on a directory of its own and driven over HTTP as its callers drive it.

mod billing;
mod books;
mod browser;
mod caller;
mod catalog_changes;
mod catalogs;
mod kill;
mod process;
mod refusals;
mod serving;
mod tracking;
