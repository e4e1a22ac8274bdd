//! The catalog at rest: an append-only list of changes in the database, filled by `litfass catalog load` and by edits of the
//! admin API.
//!
//! Invariants: a change has a sequence number and is never altered; a file is loaded all or not at all; what is in the store is
//! a valid catalog at every sequence number; loading a file again changes nothing. A load reads, compares and validates on a
//! snapshot and takes the database's write lock only to append, so that the ledger beside it waits as little as possible.

mod beside;
mod edit;
mod file;
mod follow;
mod groups;
mod index;
mod limit;
mod load;
mod loaded;
mod owner;
mod past;
mod payload;
mod read;
mod repeats;
mod store;
mod view;

use std::path::PathBuf;

pub use edit::{Done, EXTERNAL_ID_BYTES_MAX, Edit, Edited, ROWS_MAX, Refusal, RowDone, RowEdit, RowResult, Target};
pub use file::{FILE_BYTES_MAX, field_path, section};
pub use follow::{Follower, Update};
pub use index::Filter;
pub use limit::{LIMIT_MICROS_MAX, Limit, LimitField};
pub use load::LoadReport;
pub use past::{PartHistory, Wanted};
pub use read::Changes;
pub use repeats::{Answer, REMEMBERED, Repeatable};
pub use store::CatalogStore;
pub use view::{Page, View};

use crate::database::DatabaseError;

/// Objects of one stretch of a list.
pub const LIST_MAX: usize = 1_000;

/// Why a catalog could not be loaded or read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Whoever wrote the file has to change it; each line names a path in it, such as `line_items[3].bid.micros`.
    #[error("the catalog file was refused, nothing was loaded:\n{}", .0.join("\n"))]
    Refused(Vec<String>),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path}: {bytes} bytes, at most {FILE_BYTES_MAX}")]
    FileTooLarge { path: PathBuf, bytes: u64 },
    /// The disk, its permissions, a server that is gone, or another process that kept the database locked; a retry may help.
    #[error("the catalog's database failed: {0}")]
    Database(#[from] DatabaseError),
    /// The store itself is damaged or was written by a newer version.
    #[error("catalog change {sequence} ({object}) cannot be read: {reason}")]
    Damaged { sequence: u64, object: String, reason: String },
    /// What is stored is no valid catalog: ours to explain.
    #[error("the stored catalog is not valid: {}", .0.join("; "))]
    Inconsistent(Vec<String>),
    #[error("other loads kept changing the catalog: run it again")]
    Contended,
}
