//! State that is a fold over the event log: viewers, caps, ad signals, traffic by hour, conversions to come.
//!
//! Invariants: a state is a function of the log's entries up to one position per partition, so it can always be built again from
//! the log for as long as that is kept; a snapshot saves time, and a damaged one is named and passed over. What users chose
//! outlives the log, so a start that would lose it is refused. An event that is in the log twice counts
//! once; what a crawler or the operator's own people did counts in none. All folds of a process are driven by one [`FoldRunner`]; their states are read from any thread while it runs.
//!
//! Memory is bounded by the number of viewers each fold is given; what is forgotten starts anew.

mod bounded;
mod caps;
mod choices;
mod codec;
mod gate;
mod packed;
mod restore;
mod runner;
mod signals;
mod snapshot;
mod traffic;
mod unconverted;
mod viewers;

use std::fmt::Debug;

pub use caps::{CapCounters, LateRender};
pub use choices::Choices;
pub use codec::BadState;
pub(crate) use codec::{Reader, Writer};
pub use gate::Fact;
pub use runner::{FoldError, FoldOptions, FoldRunner, FoldThread, LostChoices, Progress, SeenEvents};
pub use signals::{AdTotals, HALF_LIFE_DAYS, ShopCounts, SignalCounts, SignalsAt};
pub use snapshot::snapshots_from;
pub use traffic::{TrafficAt, TrafficCounts, TrafficSource};
pub use unconverted::{CONVERSION_HALF_LIFE, Unconverted};
pub use viewers::Viewers;

/// One fold. Facts of one partition come in their order, from one thread; readers may look in between.
pub trait Fold: Debug + Send + Sync {
    /// Unique among a process's folds: names its state in snapshots and its metrics.
    fn name(&self) -> &'static str;
    /// Raised with every change of `snapshot`'s layout or of what `apply` means; an older state is then built anew.
    fn version(&self) -> u32;
    fn apply(&self, fact: &Fact<'_>);
    /// Everything that was applied, as bytes.
    fn snapshot(&self) -> Vec<u8>;
    /// Takes a state in the place of its own.
    ///
    /// # Errors
    /// When the bytes are no state of this version; what is held then is undefined until `clear` or another `restore`.
    fn restore(&self, bytes: &[u8]) -> Result<(), BadState>;
    /// Back to nothing.
    fn clear(&self);
    /// Whether it may not begin in the middle of the log: what it would not know then is not for us to forget.
    fn must_be_whole(&self) -> bool {
        false
    }
}
