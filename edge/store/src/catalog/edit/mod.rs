//! Edits of the admin API: rows of JSON members, each made, changed or refused by itself.
//!
//! Invariants: a row that is refused changes nothing and keeps no other from being taken; what is taken is appended in one
//! transaction with its place in the index, its audit rows and the answer kept for a repeated request; an object that the caller may not see
//! does not exist for it, whichever field names it. Rows are read and validated on a snapshot, as a file's load is, and the
//! database's write lock is held only to append.

mod neighbours;
mod row;
mod stage;

use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_types::{CatalogVersion, Timestamp};
use serde_json::{Map, Value};

use super::CatalogError;
use super::index;
use super::repeats::{self, Answer, Before, Repeatable};
use super::store::{CatalogStore, append_all, version};
use super::view::View;
use crate::audit;
use crate::database::sql::Transaction;
use crate::keys::Scope;
use stage::{Staged, Stager};

/// Rows of one edit.
pub const ROWS_MAX: usize = 10_000;
/// Bytes of the caller's own name for an object.
pub const EXTERNAL_ID_BYTES_MAX: usize = 128;

/// How often an edit starts again because another writer was quicker.
const ATTEMPTS: usize = 5;

/// One or more objects of a kind to be made or changed.
#[derive(Debug)]
pub struct Edit<'a> {
    pub scope: Scope,
    pub kind: ObjectKind,
    pub rows: Vec<RowEdit>,
    /// For the audit log: who, and what is done to objects that are there.
    pub who: &'a str,
    pub action: &'a str,
    /// Everything but the change.
    pub dry_run: bool,
    pub repeatable: Option<Repeatable>,
    pub now: Timestamp,
}

#[derive(Clone, PartialEq, Debug)]
pub struct RowEdit {
    pub target: Target,
    /// What is not among them stays as it is, or is the default of the catalog file; `null` takes a member away.
    pub members: Map<String, Value>,
    /// The version that the caller has seen: a later one refuses the row.
    pub seen: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// An object that does not exist yet.
    New,
    Existing(u64),
    /// The object of that `id` or `external_id` where there is one, else a new one.
    Named,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    Created,
    Changed,
    Unchanged,
}

/// What became of a row.
#[derive(Clone, PartialEq, Debug)]
pub struct RowDone {
    pub done: Done,
    /// The object after it.
    pub view: View,
}

/// Why a row was not taken. The caller's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A member that is wrong, or that names what is not there.
    Invalid { field: String, message: String },
    /// There is no such object.
    Unknown(ObjectRef),
    /// The object was changed since the caller saw it: what it is at now.
    Stale { version: u64 },
}

pub type RowResult = Result<RowDone, Refusal>;

/// What became of an edit.
#[derive(Debug)]
pub enum Edited {
    Fresh {
        rows: Vec<RowResult>,
        version: CatalogVersion,
    },
    /// The same request was answered before.
    Repeated(Answer),
    /// The idempotency key was used for another request.
    KeyTaken,
}

impl CatalogStore {
    /// Takes the rows that can be taken. `answer` says what is kept for the request's repetition; only where a row was taken.
    ///
    /// # Errors
    /// The database's; then nothing was changed.
    pub fn edit(&mut self, edit: &Edit<'_>, answer: &dyn Fn(&[RowResult]) -> Answer) -> Result<Edited, CatalogError> {
        self.bring_index_up_to_date()?;
        for _ in 0..ATTEMPTS {
            let staged = match self.database.read(|tx| stage(tx, edit))? {
                Ok(staged) => staged,
                Err(before) => return Ok(before),
            };
            // The answer is kept for a repetition also where everything was as it should be; not where everything was refused.
            let kept = edit.repeatable.as_ref().filter(|_| staged.rows.iter().any(Result::is_ok));
            if edit.dry_run || (staged.changes_nothing() && kept.is_none()) {
                return Ok(Edited::Fresh { version: staged.at, rows: staged.rows });
            }
            let kept = kept.map(|repeatable| (repeatable, answer(&staged.rows)));
            if let Some(version) = self.database.write(|tx| commit(tx, edit.now, &staged, kept.as_ref()))? {
                return Ok(Edited::Fresh { version, rows: staged.rows });
            }
        }
        Err(CatalogError::Contended)
    }
}

/// The inner error is the answer that there is already.
fn stage(tx: &Transaction<'_>, edit: &Edit<'_>) -> Result<Result<Staged, Edited>, CatalogError> {
    if let Some(repeatable) = &edit.repeatable {
        match repeats::before(tx, repeatable, edit.now)? {
            Before::Unknown => {}
            Before::Answered(answer) => return Ok(Err(Edited::Repeated(answer))),
            Before::Taken => return Ok(Err(Edited::KeyTaken)),
        }
    }
    let at = version(tx)?;
    Stager::new(tx, edit)?.stage(at).map(Ok)
}

/// Appends if the catalog is still what the rows were compared with; else `None`.
fn commit(
    tx: &Transaction<'_>,
    now: Timestamp,
    staged: &Staged,
    kept: Option<&(&Repeatable, Answer)>,
) -> Result<Option<CatalogVersion>, CatalogError> {
    // The same request may have been answered by another process meanwhile.
    let answered = kept.map(|(repeatable, _)| repeats::before(tx, repeatable, now)).transpose()?;
    if version(tx)? != staged.at || answered.is_some_and(|before| before != Before::Unknown) {
        return Ok(None);
    }
    let version = append_all(tx, staged.at, &staged.changes, &staged.limits, now)?;
    index::catch_up(tx)?;
    staged.audits.iter().try_for_each(|entry| audit::append(tx, entry))?;
    if let Some((repeatable, answer)) = kept {
        repeats::keep(tx, repeatable, answer, now)?;
    }
    Ok(Some(version))
}
