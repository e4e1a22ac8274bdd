//! Features: definitions, the viewer's profile, and one extraction for serving, training and evaluation.
//!
//! Invariants: a value as of t uses events strictly before t; the same facts give the same bytes on every CPU; what a model
//! reads is what the record holds (numbers, hashed ids, the viewer's last items), crosses follow from it.

mod ad;
mod block;
mod cross;
pub mod exact;
mod known;
mod popularity;
mod profile;
mod rows;
mod set;

pub use ad::{AdCounts, AdFacts, AdSignal, CLICK_RATE_PRIOR, CONVERSION_RATE_PRIOR};
pub use block::{HISTORY_MAX, RequestFacts, ViewerBlock};
pub use cross::{request_hashes, row_hashes};
pub use popularity::Popularity;
pub use profile::{
    BrokenProfile, CATEGORIES_MAX, CategoryTally, ITEMS_MAX, Interaction, InteractionKind, ItemTally, PENDING_MAX,
    RECENT_MAX, Viewer, ViewerProfile,
};
pub use rows::AdRows;
pub use set::{
    Cross, FEATURES, Feature, FeatureSet, Kind, Phase, RequestId, RequestNumber, RowId, RowNumber, Side, item_hash,
};
