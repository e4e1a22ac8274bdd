//! Objects as the admin API shows them: the members of the catalog file, and what is known beside them.

use litfass_catalog::model::Object;
use litfass_catalog::{ObjectKind, ObjectRef};
use serde_json::{Map, Value};

use super::beside::Beside;
use super::file::written;
use super::index::{self, Filter};
use super::limit::LimitField;
use super::store::{CatalogStore, Stored, stored, stored_limit};
use super::{CatalogError, LIST_MAX};
use crate::database::sql::Transaction;
use crate::keys::Scope;

/// One object as it stands.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    pub object: ObjectRef,
    /// The sequence number of the last change of the object or of one of its limits.
    pub version: u64,
    pub members: Map<String, Value>,
}

/// A stretch of a list, ascending by id.
#[derive(Clone, PartialEq, Debug)]
pub struct Page {
    pub objects: Vec<View>,
    /// Where the next stretch begins; none at the end of the list.
    pub next_after: Option<u64>,
}

impl CatalogStore {
    /// The object, if it is within reach.
    ///
    /// # Errors
    /// When the database fails or what it holds cannot be read.
    pub fn view(&self, scope: Scope, object: ObjectRef) -> Result<Option<View>, CatalogError> {
        self.bring_index_up_to_date()?;
        self.database.read(|tx| {
            let found = index::find(tx, object)?.filter(|found| scope.covers(found.owner));
            if found.is_none() { Ok(None) } else { view(tx, object) }
        })
    }

    /// Objects of a kind within reach, those after the id `after`, at most `limit` and at most [`LIST_MAX`]. An object that is
    /// made later has a higher id, so pages neither repeat nor miss one that was there from the start.
    ///
    /// # Errors
    /// When the database fails or what it holds cannot be read.
    pub fn list(
        &self,
        scope: Scope,
        kind: ObjectKind,
        filter: &Filter,
        after: u64,
        limit: usize,
    ) -> Result<Page, CatalogError> {
        self.bring_index_up_to_date()?;
        let limit = limit.min(LIST_MAX);
        self.database.read(|tx| {
            let mut ids = index::page(tx, scope, kind, filter, after, limit + 1)?;
            let more = ids.len() > limit;
            ids.truncate(limit);
            let next_after = ids.last().copied().filter(|_| more);
            let views = ids.into_iter().map(|id| view(tx, ObjectRef { kind, id }));
            Ok(Page { objects: views.filter_map(Result::transpose).collect::<Result<_, CatalogError>>()?, next_after })
        })
    }
}

/// The object, whoever owns it.
pub(super) fn view(tx: &Transaction<'_>, object: ObjectRef) -> Result<Option<View>, CatalogError> {
    let Some(stored) = stored(tx, object)? else { return Ok(None) };
    Ok(Some(of_stored(tx, object, &stored)?))
}

pub(super) fn of_stored(tx: &Transaction<'_>, object: ObjectRef, stored: &Stored) -> Result<View, CatalogError> {
    let mut limits = Vec::new();
    for field in LimitField::ALL.into_iter().filter(|field| field.of() == object.kind) {
        limits.extend(stored_limit(tx, object, field)?);
    }
    let version = limits.iter().map(|limit| limit.sequence).fold(stored.sequence, u64::max);
    let limits: Vec<_> = limits.into_iter().map(|limit| (limit.field, limit.micros)).collect();
    let members = members(&stored.object(object)?, &limits, &stored.beside(object)?);
    Ok(View { object, version, members })
}

/// Members in the order of the catalog file, what stands beside the object after its id.
pub(super) fn members(object: &Object, limits: &[(LimitField, i64)], beside: &Beside) -> Map<String, Value> {
    let limit = |field| limits.iter().find(|(known, _)| *known == field).map(|(_, micros)| *micros);
    let mut members = written(object, &limit);
    members.insert("external_id".to_owned(), beside.external_id.clone().into());
    if matches!(object, Object::Creative(_)) {
        members.insert("review_reason".to_owned(), beside.review_reason.clone().into());
    }
    members
}
