//! From millions of ads to the few hundred worth scoring: rule sources, each with its quota, fused into one list.
//!
//! Invariants: only eligible ads come out, each once; no eligible ad is missing while fewer are eligible than asked for; the
//! same facts give the same list in the same order; the work per request is bounded whatever the catalog's size, because
//! every source reads at most the length of its order.

mod distinct;
mod gather;
mod index;
mod signals;
mod source;
mod viewer;

pub use gather::{Candidates, SourceQuery};
pub use index::{CATEGORY_LENGTH_MAX, ORDER_LENGTH_MAX, SourceIndex};
pub use signals::{AdSignals, Delivered, Shop, Signal};
pub use source::{Source, SourceLimits, SourceSet};
