//! All rows of an edit together: which are taken, and what is to be appended for them.

use std::collections::{BTreeMap, HashSet};

use litfass_catalog::ObjectRef;
use litfass_catalog::limits::ID_MAX;
use litfass_types::{CatalogVersion, TenantId};
use serde_json::{Map, Value};

use super::row::{Candidate, Reader, Stop, invalid};
use super::{Done, Edit, Refusal, RowDone, RowEdit, RowResult, neighbours};
use crate::audit;
use crate::catalog::CatalogError;
use crate::catalog::index;
use crate::catalog::limit::StatedLimit;
use crate::catalog::payload::encode;
use crate::catalog::store::Change;
use crate::catalog::view::{View, members};
use crate::database::sql::Transaction;

/// What an edit comes to, at a version of the catalog.
pub(super) struct Staged {
    pub(super) at: CatalogVersion,
    /// One per row.
    pub(super) rows: Vec<RowResult>,
    pub(super) changes: Vec<Change>,
    pub(super) limits: Vec<(ObjectRef, StatedLimit)>,
    /// One per object that changes.
    pub(super) audits: Vec<audit::Entry>,
}

impl Staged {
    pub(super) fn changes_nothing(&self) -> bool {
        self.changes.is_empty() && self.limits.is_empty()
    }
}

pub(super) struct Stager<'a, 't> {
    reader: Reader<'a, 't>,
    next_id: u64,
    /// Objects and names that rows before have claimed.
    claimed: HashSet<ObjectRef>,
    named: HashSet<(TenantId, String)>,
}

impl<'a, 't> Stager<'a, 't> {
    pub(super) fn new(tx: &'a Transaction<'t>, edit: &'a Edit<'a>) -> Result<Self, CatalogError> {
        let tenant = match edit.scope.tenant() {
            Some(tenant) => Some(tenant),
            None => index::only_tenant(tx)?,
        };
        let next_id = index::next_id(tx, edit.kind)?;
        let reader = Reader { tx, edit, tenant };
        Ok(Self { reader, next_id, claimed: HashSet::new(), named: HashSet::new() })
    }

    pub(super) fn stage(mut self, at: CatalogVersion) -> Result<Staged, CatalogError> {
        let edit = self.reader.edit;
        let mut refused: BTreeMap<usize, Refusal> = BTreeMap::new();
        let mut candidates = Vec::new();
        for (number, row) in edit.rows.iter().enumerate() {
            match self.candidate(number, row) {
                Ok(candidate) => candidates.push(candidate),
                Err(Stop::Refused(refusal)) => drop(refused.insert(number, refusal)),
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        let objects: Vec<_> = candidates.iter().map(|candidate| &candidate.object).collect();
        let problems = neighbours::problems(self.reader.tx, edit.scope, &objects)?;
        candidates.retain(|candidate| match problems.get(&candidate.object.reference()) {
            None => true,
            Some(problem) => {
                let (field, message) = (problem.field.clone(), problem.message.clone());
                refused.insert(candidate.row, Refusal::Invalid { field, message });
                false
            }
        });
        Ok(self.append(at, &candidates, refused))
    }

    fn candidate(&mut self, number: usize, row: &RowEdit) -> Result<Candidate, Stop> {
        let before = self.reader.before(row)?;
        let is_new = before.is_none();
        let candidate = self.reader.candidate(number, &row.members, before, self.next_id)?;
        let object = candidate.object.reference();
        if is_new {
            self.may_be_new(object)?;
        }
        if let Some(name) = &candidate.beside.external_id {
            self.may_be_named(name, &candidate)?;
        }
        if !self.claimed.insert(object) {
            return Err(invalid("id", "is given twice"));
        }
        self.named.extend(candidate.tenant.zip(candidate.beside.external_id.clone()));
        if is_new {
            self.next_id = self.next_id.max(object.id.saturating_add(1));
        }
        Ok(candidate)
    }

    /// An id that is out of reach is taken all the same.
    fn may_be_new(&self, object: ObjectRef) -> Result<(), Stop> {
        if index::find(self.reader.tx, object)?.is_some() {
            return Err(invalid("id", "is taken"));
        }
        if object.id > ID_MAX {
            return Err(invalid("id", "no id is left"));
        }
        Ok(())
    }

    fn may_be_named(&self, name: &str, candidate: &Candidate) -> Result<(), Stop> {
        let object = candidate.object.reference();
        // Without an owner it is refused for that.
        let Some(tenant) = candidate.tenant else { return Ok(()) };
        let other = index::find_external(self.reader.tx, tenant, object.kind, name)?;
        let taken =
            other.is_some_and(|other| other.object != object) || self.named.contains(&(tenant, name.to_owned()));
        let message = || format!("another {} is called {name:?}", object.kind.name());
        if taken { Err(invalid("external_id", message())) } else { Ok(()) }
    }

    /// What is appended, numbered as it will be: changes of objects first, then limits.
    fn append(self, at: CatalogVersion, candidates: &[Candidate], refused: BTreeMap<usize, Refusal>) -> Staged {
        let edit = self.reader.edit;
        let plans: Vec<_> = candidates.iter().map(|candidate| Plan::of(candidate, edit)).collect();
        let changed = plans.iter().filter(|plan| plan.change.is_some()).count() as u64;
        let (mut next_change, mut next_limit) = (at.sequence, at.sequence + changed);
        let (mut changes, mut limits, mut audits) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows: BTreeMap<usize, RowResult> = BTreeMap::new();
        for mut plan in plans {
            if let Some(change) = plan.change.take() {
                next_change += 1;
                plan.done.view.version = next_change;
                changes.push(change);
            }
            for limit in plan.limits.drain(..) {
                next_limit += 1;
                plan.done.view.version = next_limit;
                limits.push((plan.done.view.object, limit));
            }
            audits.extend(plan.audit);
            rows.insert(plan.row, Ok(plan.done));
        }
        rows.extend(refused.into_iter().map(|(row, refusal)| (row, Err(refusal))));
        Staged { at, rows: rows.into_values().collect(), changes, limits, audits }
    }
}

/// What is appended for one row.
struct Plan {
    row: usize,
    change: Option<Change>,
    limits: Vec<StatedLimit>,
    audit: Option<audit::Entry>,
    done: RowDone,
}

impl Plan {
    fn of(candidate: &Candidate, edit: &Edit<'_>) -> Self {
        let object = candidate.object.reference();
        let payload = candidate.beside.after(encode(&candidate.object));
        let before = candidate.before.as_ref();
        let change = before.is_none_or(|before| before.stored.payload != payload).then(|| Change {
            object,
            created: before.map_or(edit.now, |before| before.stored.created),
            payload,
        });
        let in_force = |limit: &StatedLimit| {
            before.is_some_and(|before| before.view.members.get(limit.field.name()) == Some(&limit.micros.into()))
        };
        let stated: Vec<_> = candidate.limits.iter().map(|limit| (limit.field, limit.micros)).collect();
        let members = members(&candidate.object, &stated, &candidate.beside);
        let limits: Vec<_> = candidate.limits.iter().copied().filter(|limit| !in_force(limit)).collect();
        let done = match before {
            None => Done::Created,
            Some(_) if change.is_none() && limits.is_empty() => Done::Unchanged,
            Some(_) => Done::Changed,
        };
        let audit = (done != Done::Unchanged).then(|| candidate.audited(edit, &members));
        let version = before.map_or(0, |before| before.view.version);
        Self {
            row: candidate.row,
            change,
            limits,
            audit,
            done: RowDone { done, view: View { object, version, members } },
        }
    }
}

impl Candidate {
    fn audited(&self, edit: &Edit<'_>, after: &Map<String, Value>) -> audit::Entry {
        let reference = self.object.reference();
        audit::Entry {
            time: edit.now,
            who: edit.who.to_owned(),
            action: if self.before.is_some() { edit.action } else { "create" }.to_owned(),
            tenant: self.tenant,
            kind: reference.kind.name().to_owned(),
            object: reference.id.to_string(),
            before: self.before.as_ref().map(|before| Value::Object(before.view.members.clone())),
            after: Some(Value::Object(after.clone())),
        }
    }
}
