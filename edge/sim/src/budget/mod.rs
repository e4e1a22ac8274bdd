//! A seeded world in which the shipped ledger has to keep its promises.
//!
//! Three decide processes hold leases of the shipped [`litfass_ledger::Holds`], two events processes bill from an event log
//! of several partitions and an admin partition, and one database runs the shipped operations. Clocks are skewed; messages
//! are lost, copied, delayed and cut off; processes crash and start again at any time, losing their memory; the database goes
//! down, and fails over to a replica that lacks its last commits. What money.md promises is checked after every commit, and
//! once everything is at rest against the log alone.
//!
//! In one seed of ten the shipped SQL runs beside the ledger in memory, on one file shared by all processes, cut off at statements,
//! and has to keep the same rows.
//!
//! The same seed gives the same world, to the last outcome.

mod agenda;
mod crew;
mod cut;
mod database;
mod decide;
mod desk;
mod faults;
mod figures;
mod log;
mod market;
mod network;
mod pacing;
mod process;
mod rest;
mod scratch;
mod seen;
mod serve;
mod setting;
mod sql;
mod token;
mod watch;
mod world;

pub use crew::simulate;
pub use figures::{Failed, Figures, Worst};
use litfass_ledger::check::Violation;
pub use scratch::Scratch;
pub use seen::{Campaign, Seen};

/// What a seed's world came to.
///
/// # Errors
/// The first invariant that did not hold.
pub fn live(seed: u64, scratch: &Scratch) -> Result<Seen, Violation> {
    world::World::new(setting::Setting::of(seed), scratch)?.live()
}
