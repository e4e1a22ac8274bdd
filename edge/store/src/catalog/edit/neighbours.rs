//! What an object can only get wrong together with others: parents that are not there, creatives of somebody else, names that
//! are taken. Judged by the catalog's own builder on the rows of an edit and the objects that they refer to, so the cost is that
//! of the edit and not of the catalog. What is out of the caller's reach is left out, and so is not there.

use std::collections::{BTreeMap, BTreeSet};

use litfass_catalog::model::{LineItem, Object, Placement};
use litfass_catalog::{AdOrder, Builder, ObjectKind, ObjectRef, Problem, Targeting};
use litfass_types::{CatalogVersion, TenantId, TermKind};

use crate::catalog::CatalogError;
use crate::catalog::groups;
use crate::catalog::index;
use crate::catalog::load::parent;
use crate::catalog::read::inconsistent;
use crate::catalog::store::stored;
use crate::database::sql::Transaction;
use crate::keys::Scope;

/// The first problem of each of the objects that has one.
pub(super) fn problems(
    tx: &Transaction<'_>,
    scope: Scope,
    objects: &[&Object],
) -> Result<BTreeMap<ObjectRef, Problem>, CatalogError> {
    let mut around = Neighbours { tx, scope, objects: BTreeMap::new() };
    objects.iter().try_for_each(|object| around.add_of(object))?;
    let mut refused = BTreeMap::new();
    claim_names(tx, objects, &mut refused)?;
    groups::claim(tx, objects, &mut refused)?;
    loop {
        let taken = objects.iter().filter(|object| !refused.contains_key(&object.reference()));
        let taken: BTreeMap<_, _> = taken.map(|object| (object.reference(), *object)).collect();
        let mut builder = Builder::new();
        let neighbours = around.objects.iter().filter(|(reference, _)| !taken.contains_key(reference));
        neighbours.for_each(|(_, object)| builder.push(object.clone()));
        taken.values().for_each(|object| builder.push((*object).clone()));
        let Err(problems) = builder.finish(CatalogVersion::default(), AdOrder::ByLineItem) else { return Ok(refused) };
        let known = refused.len();
        for problem in problems.iter().filter(|problem| taken.contains_key(&problem.object)) {
            refused.entry(problem.object).or_insert_with(|| problem.clone());
        }
        if refused.len() == known {
            return Err(inconsistent(&problems));
        }
    }
}

struct Neighbours<'a, 't> {
    tx: &'a Transaction<'t>,
    scope: Scope,
    objects: BTreeMap<ObjectRef, Object>,
}

impl Neighbours<'_, '_> {
    fn add_of(&mut self, object: &Object) -> Result<(), CatalogError> {
        parent(object).into_iter().try_for_each(|above| self.add(above))?;
        match object {
            Object::Ad(o) => self.add(ObjectRef { kind: ObjectKind::Creative, id: o.creative.0 }),
            Object::LineItem(o) => placements_of(&o.targeting).into_iter().try_for_each(|id| self.add(id)),
            Object::Placement(o) => {
                let blocked = |id: u64| ObjectRef { kind: ObjectKind::Advertiser, id };
                o.blocked_advertisers.iter().try_for_each(|id| self.add(blocked(id.0)))
            }
            Object::Tenant(_)
            | Object::Advertiser(_)
            | Object::Campaign(_)
            | Object::Creative(_)
            | Object::Segment(_) => Ok(()),
        }
    }

    /// The object and everything above it, if it is within reach.
    fn add(&mut self, reference: ObjectRef) -> Result<(), CatalogError> {
        if self.objects.contains_key(&reference) {
            return Ok(());
        }
        let found = index::find(self.tx, reference)?;
        if !found.is_some_and(|found| self.scope.covers(found.owner)) {
            return Ok(());
        }
        let Some(stored) = stored(self.tx, reference)? else { return Ok(()) };
        let object = stored.object(reference)?;
        let above = parent(&object);
        self.objects.insert(reference, bare(object));
        above.into_iter().try_for_each(|above| self.add(above))
    }
}

/// Without references that its own edit has to answer for.
fn bare(object: Object) -> Object {
    match object {
        Object::LineItem(o) => {
            Object::LineItem(LineItem { targeting: Targeting::run_of_network(), exclusions: Vec::new(), ..o })
        }
        Object::Placement(o) => Object::Placement(Placement { blocked_advertisers: Vec::new(), ..o }),
        Object::Tenant(_)
        | Object::Advertiser(_)
        | Object::Campaign(_)
        | Object::Creative(_)
        | Object::Ad(_)
        | Object::Segment(_) => object,
    }
}

fn placements_of(targeting: &Targeting) -> Vec<ObjectRef> {
    let mut placements = Vec::new();
    targeting.each_value(&mut |kind, value| {
        let id = value.parse().ok().filter(|_| kind == TermKind::Placement);
        placements.extend(id.map(|id| ObjectRef { kind: ObjectKind::Placement, id }));
    });
    placements
}

/// A name that only one object may have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Unique {
    /// In the whole catalog: `POST /rank_ads` asks by nothing else.
    PageType(String),
    Segment(TenantId, String),
}

impl Unique {
    fn of(object: &Object) -> Option<Self> {
        match object {
            Object::Placement(o) => o.page_type.clone().map(Self::PageType),
            Object::Segment(o) => Some(Self::Segment(o.tenant, o.name.clone())),
            Object::Tenant(_)
            | Object::Advertiser(_)
            | Object::Campaign(_)
            | Object::LineItem(_)
            | Object::Creative(_)
            | Object::Ad(_) => None,
        }
    }

    fn problem(&self, object: ObjectRef) -> Problem {
        // Who has it is not said: it may be another tenant's.
        let (field, message) = match self {
            Self::PageType(name) => ("page_type", format!("another placement has {name:?} already")),
            Self::Segment(_, name) => ("name", format!("another segment is called {name:?} already")),
        };
        Problem { object, field: field.to_owned(), message }
    }
}

/// Refuses objects whose name somebody else has, in the store or before them in the edit.
fn claim_names(
    tx: &Transaction<'_>,
    objects: &[&Object],
    refused: &mut BTreeMap<ObjectRef, Problem>,
) -> Result<(), CatalogError> {
    let Some(kind) = objects.iter().find(|object| Unique::of(object).is_some()).map(|o| o.reference().kind) else {
        return Ok(());
    };
    let changed: BTreeSet<ObjectRef> = objects.iter().map(|object| object.reference()).collect();
    let mut taken: BTreeMap<Unique, ObjectRef> = BTreeMap::new();
    let ids = index::page(tx, Scope::Platform, kind, &index::Filter::default(), 0, usize::MAX)?;
    for reference in ids.into_iter().map(|id| ObjectRef { kind, id }).filter(|object| !changed.contains(object)) {
        let Some(stored) = stored(tx, reference)? else { continue };
        taken.extend(Unique::of(&stored.object(reference)?).map(|name| (name, reference)));
    }
    for object in objects {
        let Some(name) = Unique::of(object) else { continue };
        let holder = *taken.entry(name.clone()).or_insert_with(|| object.reference());
        if holder != object.reference() {
            refused.insert(object.reference(), name.problem(object.reference()));
        }
    }
    Ok(())
}
