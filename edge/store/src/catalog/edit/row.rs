//! One row of an edit by itself: what it names, what its members come to, and what may not be changed.

use litfass_catalog::model::{Object, Review, Status};
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_types::TenantId;
use serde_json::{Map, Value};

use super::{EXTERNAL_ID_BYTES_MAX, Edit, Refusal, RowEdit, Target};
use crate::catalog::CatalogError;
use crate::catalog::beside::Beside;
use crate::catalog::file::{self, Misfit, section};
use crate::catalog::index::{self, Indexed};
use crate::catalog::limit::{LimitField, StatedLimit};
use crate::catalog::load::parent;
use crate::catalog::store::{Stored, stored};
use crate::catalog::view::{View, of_stored};
use crate::database::sql::Transaction;

/// Why a row goes no further: it is refused, or nothing can go on.
#[derive(Debug)]
pub(super) enum Stop {
    Refused(Refusal),
    Failed(CatalogError),
}

impl From<CatalogError> for Stop {
    fn from(error: CatalogError) -> Self {
        Self::Failed(error)
    }
}

impl From<Misfit> for Stop {
    fn from(misfit: Misfit) -> Self {
        invalid(misfit.field, misfit.message)
    }
}

pub(super) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Stop {
    Stop::Refused(Refusal::Invalid { field: field.into(), message: message.into() })
}

/// The object as it was.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) stored: Stored,
    pub(super) view: View,
    pub(super) object: Object,
}

/// What a row comes to, before its neighbours were asked.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The row's number.
    pub(super) row: usize,
    pub(super) before: Option<Before>,
    pub(super) object: Object,
    pub(super) limits: Vec<StatedLimit>,
    pub(super) beside: Beside,
    /// Whose it is; none where that is the platform, or not known.
    pub(super) tenant: Option<TenantId>,
}

/// Reads rows against the catalog as it stands.
pub(super) struct Reader<'a, 't> {
    pub(super) tx: &'a Transaction<'t>,
    pub(super) edit: &'a Edit<'a>,
    /// In which external ids are looked up.
    pub(super) tenant: Option<TenantId>,
}

impl Reader<'_, '_> {
    /// The object that the row is about, where there is one within reach.
    pub(super) fn before(&self, row: &RowEdit) -> Result<Option<Before>, Stop> {
        let id = row.members.get("id").and_then(Value::as_u64);
        let found = match (row.target, id) {
            (Target::Existing(id), _) => {
                let object = ObjectRef { kind: self.edit.kind, id };
                let found = self.within_reach(index::find(self.tx, object)?);
                Some(found.ok_or(Stop::Refused(Refusal::Unknown(object)))?)
            }
            (_, Some(id)) => self.within_reach(index::find(self.tx, ObjectRef { kind: self.edit.kind, id })?),
            (Target::Named, None) => self.by_external_id(row)?,
            (Target::New, None) => None,
        };
        let before = found.map(|found| self.read(found.object)).transpose()?.flatten();
        match (&before, row.target) {
            (Some(_), Target::New) => Err(invalid("id", "is taken")),
            (Some(before), _) if row.seen.is_some_and(|seen| seen != before.view.version) => {
                Err(Stop::Refused(Refusal::Stale { version: before.view.version }))
            }
            _ => Ok(before),
        }
    }

    fn by_external_id(&self, row: &RowEdit) -> Result<Option<Indexed>, Stop> {
        let Some(external_id) = row.members.get("external_id").and_then(Value::as_str) else {
            return Err(invalid("external_id", "a row needs an id or an external_id"));
        };
        self.external("external_id", self.edit.kind, external_id)
    }

    fn external(&self, field: &str, kind: ObjectKind, external_id: &str) -> Result<Option<Indexed>, Stop> {
        let tenant = self.tenant.ok_or_else(|| invalid(field, "external ids are a tenant's: say which (?tenant=…)"))?;
        Ok(self.within_reach(index::find_external(self.tx, tenant, kind, external_id)?))
    }

    fn within_reach(&self, found: Option<Indexed>) -> Option<Indexed> {
        found.filter(|found| self.edit.scope.covers(found.owner))
    }

    fn read(&self, object: ObjectRef) -> Result<Option<Before>, CatalogError> {
        let Some(stored) = stored(self.tx, object)? else { return Ok(None) };
        let view = of_stored(self.tx, object, &stored)?;
        let object = stored.object(object)?;
        Ok(Some(Before { stored, view, object }))
    }

    /// What the row's members come to; a new object without an id gets `new_id`.
    pub(super) fn candidate(
        &self,
        row: usize,
        members: &Map<String, Value>,
        before: Option<Before>,
        new_id: u64,
    ) -> Result<Candidate, Stop> {
        self.may_state(members, before.as_ref())?;
        let mut whole = before.as_ref().map(|before| before.view.members.clone()).unwrap_or_default();
        self.merge(members, &mut whole)?;
        let id = before.as_ref().map_or(new_id, |before| before.view.object.id);
        whole.entry("id").or_insert(id.into());
        let mut beside = beside(&mut whole)?;
        let (mut object, limits) = file::object(self.edit.kind, Value::Object(whole))?;
        if let (Some(_), Object::Creative(creative)) = (self.edit.scope.advertiser(), &mut object) {
            // What an advertiser changes is looked at again; what it leaves as it is stays judged.
            let same = before.as_ref().is_some_and(|before| before.object == Object::Creative(creative.clone()));
            creative.review = if same { creative.review } else { Review::Pending };
        }
        if !matches!(&object, Object::Creative(creative) if creative.review == Review::Rejected) {
            beside.review_reason = None;
        }
        if let Some(before) = &before {
            may_become(before, &object)?;
        }
        let tenant = self.owner_of(&object)?;
        Ok(Candidate { row, before, object, limits, beside, tenant })
    }

    fn owner_of(&self, object: &Object) -> Result<Option<TenantId>, CatalogError> {
        match (object, parent(object)) {
            (Object::Tenant(o), _) => Ok(Some(o.id)),
            (_, Some(above)) => Ok(index::find(self.tx, above)?.map(|above| above.owner.tenant)),
            (_, None) => Ok(None),
        }
    }

    fn may_state(&self, members: &Map<String, Value>, before: Option<&Before>) -> Result<(), Stop> {
        let known = |name: &str| before.and_then(|before| before.view.members.get(name));
        let says_other = |name: &str| members.get(name).is_some_and(|stated| known(name) != Some(stated));
        if says_other("id") && (before.is_some() || self.edit.scope.tenant().is_some()) {
            return Err(invalid("id", "is assigned by the server and stays; use external_id for a name of your own"));
        }
        if (says_other("review") || says_other("review_reason")) && self.edit.scope.advertiser().is_some() {
            return Err(invalid("review", "is for the tenant's reviewers to say"));
        }
        Ok(())
    }

    /// Each member that is stated replaces its former self whole; `null` takes it away.
    fn merge(&self, members: &Map<String, Value>, whole: &mut Map<String, Value>) -> Result<(), Stop> {
        for (name, value) in members {
            if !value.is_null() {
                whole.insert(name.clone(), self.resolved(name, value)?);
            } else if LimitField::ALL.iter().any(|limit| limit.name() == name)
                && whole.get(name).is_some_and(Value::is_i64)
            {
                return Err(invalid(name, "a limit is not taken away; state a larger one"));
            } else {
                whole.remove(name);
            }
        }
        self.assume_owner(whole);
        Ok(())
    }

    /// The caller's own name for an object above, by the number that the catalog knows it by.
    fn resolved(&self, field: &str, value: &Value) -> Result<Value, Stop> {
        let (Some(kind), Some(name)) = (REFERENCES.iter().find(|kind| kind.name() == field), value.as_str()) else {
            return Ok(value.clone());
        };
        let found = self.external(field, *kind, name)?;
        let unknown = || invalid(field, format!("there is no {} {name:?} in {}", kind.name(), section(*kind)));
        Ok(found.ok_or_else(unknown)?.object.id.into())
    }

    /// Whoever can mean only one tenant or advertiser need not say it.
    fn assume_owner(&self, whole: &mut Map<String, Value>) {
        let owner = match self.edit.kind {
            ObjectKind::Advertiser | ObjectKind::Placement | ObjectKind::Segment => {
                ("tenant", self.tenant.map(|tenant| tenant.0))
            }
            ObjectKind::Campaign | ObjectKind::Creative => {
                ("advertiser", self.edit.scope.advertiser().map(|advertiser| advertiser.0))
            }
            ObjectKind::Tenant | ObjectKind::LineItem | ObjectKind::Ad => return,
        };
        if let (field, Some(id)) = owner {
            whole.entry(field).or_insert(id.into());
        }
    }
}

/// Members that name another object, by its kind's name.
const REFERENCES: [ObjectKind; 4] =
    [ObjectKind::Advertiser, ObjectKind::Campaign, ObjectKind::LineItem, ObjectKind::Creative];

/// Takes what the catalog file does not know out of the members.
fn beside(members: &mut Map<String, Value>) -> Result<Beside, Stop> {
    let mut text = |field: &str, bytes_max: usize| match members.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if (1..=bytes_max).contains(&text.len()) => Ok(Some(text)),
        Some(_) => Err(invalid(field, format!("must be a text of 1 to {bytes_max} bytes"))),
    };
    Ok(Beside {
        external_id: text("external_id", EXTERNAL_ID_BYTES_MAX)?,
        review_reason: text("review_reason", litfass_catalog::limits::TEXT_BYTES_MAX)?,
    })
}

fn may_become(before: &Before, now: &Object) -> Result<(), Stop> {
    if let (Some(before), Some(now)) = (parent(&before.object), parent(now))
        && before != now
    {
        return Err(invalid(before.kind.name(), format!("stays {}; make a new object instead", before.id)));
    }
    let archived = |object| index::status(object) == Some(Status::Archived);
    if archived(&before.object) && !archived(now) {
        return Err(invalid("status", "is archived, and stays so; make a new object instead"));
    }
    Ok(())
}
