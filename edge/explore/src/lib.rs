//! Every interleaving of a small world around the shipped ledger.
//!
//! A [`World`] is one database ([`litfass_ledger::Book`]), a log of two event partitions and an admin one, deciding processes
//! with the shipped [`litfass_ledger::Holds`], readers that may crash or come back late, and clocks that disagree. An [`Act`] is
//! one step of it; [`explore`] takes every act in every state within [`Bounds`], checks every invariant of the money after each
//! transaction, and drains every state to rest. Nothing is drawn at random: what is not found within the bounds is not there.
//!
//! A [`Breach`] makes the world around the ledger break one rule of the protocol, to see that the rule is needed.

mod act;
mod bounds;
mod breach;
mod check;
mod database;
mod explore;
mod fingerprint;
mod log;
mod outcomes;
mod rest;
mod setup;
mod step;
mod tables;
mod trace;
mod world;

pub use act::Act;
pub use bounds::{Bounds, Item, Skew, Wish};
pub use breach::Breach;
pub use check::Violation;
pub use explore::{Found, Quest, Report, explore};
pub use tables::{LARGE, SMALL};
pub use trace::Counterexample;
pub use world::World;
