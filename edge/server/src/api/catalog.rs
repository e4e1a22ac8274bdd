//! Catalog objects on the wire: what a row of an edit is, and what became of it.

use litfass_catalog::model::{Review, Status};
use litfass_store::catalog::{Done, Filter, ROWS_MAX, Refusal, RowDone, RowEdit, RowResult, Target, View};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decisions::CreativeAnswer;
use super::invalid::Invalid;
use super::number;
use crate::problem::{Code, Problem};

/// Bytes of a bulk edit.
pub const BULK_BYTES_MAX: usize = 32 << 20;
/// Objects of a page of a list, unless it says otherwise.
const PAGE_DEFAULT: usize = 100;

/// `POST /v1/<objects>/bulk`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    pub rows: Vec<Map<String, Value>>,
    #[serde(default)]
    pub dry_run: bool,
}

/// What an address of one or more objects may be followed by.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// A platform's key means this tenant.
    #[serde(default, deserialize_with = "number::may_be_given")]
    pub tenant: Option<u64>,
    #[serde(default)]
    pub dry_run: bool,
}

/// What a list may be narrowed to.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct ListOptions {
    #[serde(default, deserialize_with = "number::may_be_given")]
    pub tenant: Option<u64>,
    #[serde(default, deserialize_with = "number::may_be_given")]
    pub parent: Option<u64>,
    pub status: Option<StatusName>,
    /// Of creatives.
    pub review: Option<ReviewName>,
    pub external_id: Option<String>,
    pub name_prefix: Option<String>,
    pub limit: Option<usize>,
    pub cursor: Option<String>,
}

#[derive(Deserialize, Clone, Copy, Debug)]
#[serde(rename_all = "lowercase")]
pub enum StatusName {
    Active,
    Paused,
    Archived,
}

#[derive(Deserialize, Clone, Copy, Debug)]
#[serde(rename_all = "lowercase")]
pub enum ReviewName {
    Pending,
    Approved,
    Rejected,
}

/// One stretch of a list.
#[derive(Serialize, Debug)]
pub struct ListAnswer {
    pub objects: Vec<Value>,
    /// To be given as `cursor` for the next stretch; none at the end.
    pub next_cursor: Option<String>,
}

/// What became of the rows of a bulk edit, in their order.
#[derive(Serialize, Debug, Default)]
pub struct BulkAnswer {
    pub created: usize,
    pub changed: usize,
    pub unchanged: usize,
    pub refused: usize,
    pub dry_run: bool,
    pub results: Vec<RowAnswer>,
}

#[derive(Serialize, Debug)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum RowAnswer {
    Created(Taken),
    Changed(Taken),
    Unchanged(Taken),
    Refused { problem: Problem },
}

#[derive(Serialize, Debug)]
pub struct Taken {
    pub id: u64,
    pub external_id: Option<String>,
    pub version: u64,
}

/// `POST /v1/creatives/{id}/reject`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    pub reason: String,
}

/// A campaign or an advertiser that was killed.
#[derive(Serialize, Debug)]
pub struct KillAnswer {
    pub object: Value,
    /// What tokens that are out may still bill of what was reserved for them.
    pub outstanding_micros: i64,
}

/// An ad as a decision would answer it, without tracking: a look at it is no event.
#[derive(Serialize, Debug)]
pub struct PreviewAnswer {
    pub ad_id: u64,
    pub line_item_id: u64,
    pub campaign_id: u64,
    pub advertiser_id: u64,
    pub item: Option<String>,
    pub creative: CreativeAnswer,
    pub landing_url: String,
}

impl Bulk {
    /// # Errors
    /// When there are no rows, or too many, or one says its version wrongly.
    pub fn into_rows(self) -> Result<Vec<RowEdit>, Invalid> {
        if self.rows.is_empty() || self.rows.len() > ROWS_MAX {
            return Err(Invalid::new("rows", format!("give 1 to {ROWS_MAX} rows")));
        }
        let rows = self.rows.into_iter().enumerate();
        rows.map(|(i, row)| row_edit(Target::Named, row).map_err(|e| e.below(&format!("rows[{i}]")))).collect()
    }
}

/// A row of which `version`, if it is stated, is what the caller has seen.
///
/// # Errors
/// When the version is no number.
pub fn row_edit(target: Target, mut members: Map<String, Value>) -> Result<RowEdit, Invalid> {
    let seen = match members.remove("version") {
        None | Some(Value::Null) => None,
        Some(version) => {
            Some(version.as_u64().ok_or_else(|| Invalid::new("version", "is a number that an answer gave"))?)
        }
    };
    Ok(RowEdit { target, members, seen })
}

impl ListOptions {
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, litfass_store::catalog::LIST_MAX)
    }

    /// The id after which the stretch begins.
    ///
    /// # Errors
    /// When the cursor is none that an answer gave.
    pub fn after(&self) -> Result<u64, Invalid> {
        let Some(cursor) = &self.cursor else { return Ok(0) };
        cursor.parse().map_err(|_| Invalid::new("cursor", "is none that an answer gave"))
    }

    #[must_use]
    pub fn filter(self) -> Filter {
        let status = self.status.map(|status| match status {
            StatusName::Active => Status::Active,
            StatusName::Paused => Status::Paused,
            StatusName::Archived => Status::Archived,
        });
        let review = self.review.map(|review| match review {
            ReviewName::Pending => Review::Pending,
            ReviewName::Approved => Review::Approved,
            ReviewName::Rejected => Review::Rejected,
        });
        Filter { parent: self.parent, status, review, external_id: self.external_id, name_prefix: self.name_prefix }
    }
}

/// An object's members and its version.
#[must_use]
pub fn object_answer(view: &View) -> Value {
    let mut members = view.members.clone();
    members.insert("version".to_owned(), view.version.into());
    Value::Object(members)
}

impl BulkAnswer {
    #[must_use]
    pub fn of(rows: &[RowResult], dry_run: bool) -> Self {
        let mut answer = Self { dry_run, ..Self::default() };
        for row in rows {
            *match row {
                Ok(RowDone { done: Done::Created, .. }) => &mut answer.created,
                Ok(RowDone { done: Done::Changed, .. }) => &mut answer.changed,
                Ok(RowDone { done: Done::Unchanged, .. }) => &mut answer.unchanged,
                Err(_) => &mut answer.refused,
            } += 1;
        }
        answer.results = rows.iter().map(RowAnswer::of).collect();
        answer
    }
}

impl RowAnswer {
    fn of(row: &RowResult) -> Self {
        match row {
            Err(refusal) => Self::Refused { problem: refusal.clone().into() },
            Ok(RowDone { done, view }) => {
                let external_id = view.members.get("external_id").and_then(Value::as_str).map(str::to_owned);
                let taken = Taken { id: view.object.id, external_id, version: view.version };
                match done {
                    Done::Created => Self::Created(taken),
                    Done::Changed => Self::Changed(taken),
                    Done::Unchanged => Self::Unchanged(taken),
                }
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid { field, message } if field.is_empty() => Self::new(Code::InvalidObject, message),
            Refusal::Invalid { field, message } => Self::new(Code::InvalidObject, message).at(field),
            Refusal::Unknown(object) => Self::new(Code::UnknownObject, format!("there is no {object}")),
            Refusal::Stale { version } => {
                Self::new(Code::ChangedMeanwhile, format!("it is at version {version} now: read it again"))
                    .version(version)
            }
        }
    }
}
