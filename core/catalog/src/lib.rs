//! The catalog: tenants → advertisers → campaigns → line items → ads → creatives as one validated, immutable value.
//!
//! [`Builder`] takes objects and gives a [`Catalog`] or every problem at once. [`Catalog::with_changes`] makes the next version
//! in time proportional to what changed; [`Catalog::merged`] folds what has piled up. [`Catalog::eligible`] says which
//! line items and ads may take part in a request, by bitmaps; [`targeting::matches`] says what that has to agree with.
//!
//! **Invariants.** What is in a catalog is valid: every parent exists, nothing crosses a tenant, every number is within its
//! range. Rows have dense numbers that mean something only in catalogs of the same layout. Nothing here reads a clock.

mod bitset;
mod builder;
mod catalog;
mod changes;
mod dnf;
mod draft;
mod eligible;
mod encoded;
mod index;
mod items;
pub mod limits;
mod link;
pub mod model;
mod orders;
mod problem;
mod rows;
mod schedule;
mod segment;
mod surroundings;
pub mod targeting;
mod text;
mod validate;

pub use bitset::Bitset;
pub use builder::Builder;
pub use catalog::{Catalog, Layout};
pub use eligible::{Eligible, Failures, PREDICATES, Query, Scratch};
pub use orders::AdOrder;
pub use problem::{ObjectKind, ObjectRef, Problem};
pub use rows::{AdRow, AdvertiserRow, AppliedCap, CampaignRow, CapScope, CreativeRow};
pub use schedule::Schedule;
pub use segment::{AdvertiserIx, CampaignIx, CreativeIx, LineItemRow, category_hash, item_hash};
pub use targeting::{Targeting, placement_term};
