//! The catalog as it was: every change is kept, so any version can be read again, whole or only what hangs on a few objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use litfass_catalog::model::Object;
use litfass_catalog::{Catalog, ObjectKind, ObjectRef};
use litfass_types::{AdId, CatalogVersion, LineItemId, PlacementId, TermKind};

use super::CatalogError;
use super::payload::kind_number;
use super::read::{RawChange, fitting};
use super::store::CatalogStore;
use crate::database::sql::{Bind, Transaction, bind};

/// What a partial catalog is wanted for. Its owners, creatives and whatever else its objects name come along.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub line_items: Vec<LineItemId>,
    pub ads: Vec<AdId>,
    pub placements: Vec<PlacementId>,
}

impl Wanted {
    fn references(&self) -> Vec<ObjectRef> {
        let ads = self.ads.iter().map(|id| reference(ObjectKind::Ad, id.0));
        let line_items = self.line_items.iter().map(|id| reference(ObjectKind::LineItem, id.0));
        let placements = self.placements.iter().map(|id| reference(ObjectKind::Placement, id.0));
        ads.chain(line_items).chain(placements).collect()
    }
}

/// The newest state of one object that is not newer than a sequence number.
const OBJECT_AT: &str = "SELECT sequence, kind, id, created_ms, payload FROM catalog_changes
    WHERE kind = ?1 AND id = ?2 AND sequence <= ?3 ORDER BY sequence DESC LIMIT 1";

/// Every state of one object.
const ALL_OF: &str = "SELECT sequence, kind, id, created_ms, payload FROM catalog_changes WHERE kind = ?1 AND id = ?2";

/// The newest state of every object, parents before what hangs on them.
const ALL_AT: &str = "SELECT c.sequence, c.kind, c.id, c.created_ms, c.payload
    FROM (SELECT kind, id, max(sequence) AS sequence FROM catalog_changes WHERE sequence <= ?1 GROUP BY kind, id) AS n
    JOIN catalog_changes AS c ON c.sequence = n.sequence ORDER BY n.kind, n.id";

/// What each object was last changed to after one sequence number and up to another.
const CHANGED_BETWEEN: &str = "SELECT c.sequence, c.kind, c.id, c.created_ms, c.payload
    FROM (SELECT max(sequence) AS sequence FROM catalog_changes WHERE sequence > ?1 AND sequence <= ?2 GROUP BY kind, id) AS n
    JOIN catalog_changes AS c ON c.sequence = n.sequence ORDER BY c.sequence";

impl CatalogStore {
    /// The whole catalog as of `version`.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn catalog_at(&self, version: CatalogVersion) -> Result<Catalog, CatalogError> {
        let objects = self.objects(ALL_AT, bind![version.sequence])?;
        built(version, &objects)
    }

    /// The objects that changed after `since` and up to `version`, each once, as it was then.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn changes_between(&self, since: u64, version: u64) -> Result<Vec<Object>, CatalogError> {
        self.objects(CHANGED_BETWEEN, bind![since, version])
    }

    /// As of `version`, what is wanted and all that it stands on; what was not there then is left out.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn part_at(&self, version: CatalogVersion, wanted: &Wanted) -> Result<Catalog, CatalogError> {
        let found = self.database.read(|tx| {
            let (sequence, open) = (version.sequence, wanted.references());
            let mut part = Part { tx, sequence, found: BTreeMap::new(), open };
            part.collect()?;
            Ok::<_, CatalogError>(part.found)
        })?;
        built(version, &found.into_values().flatten().collect::<Vec<_>>())
    }

    /// Every change there ever was of what is wanted and of all that it ever stood on.
    fn changes_of(&self, wanted: &Wanted) -> Result<BTreeSet<u64>, CatalogError> {
        let (mut open, mut seen, mut changed) = (wanted.references(), BTreeSet::new(), BTreeSet::new());
        self.database.read(|tx| {
            while let Some(reference) = open.pop() {
                if !seen.insert(reference) {
                    continue;
                }
                for change in tx.list(ALL_OF, bind![kind_number(reference.kind), reference.id], RawChange::read)? {
                    changed.insert(change.sequence());
                    open.extend(stands_on(&change.decode()?));
                }
            }
            Ok(changed)
        })
    }

    fn objects(&self, query: &str, numbers: &[Bind<'_>]) -> Result<Vec<Object>, CatalogError> {
        self.database.read(|tx| tx.list(query, numbers, |row| RawChange::read(row)?.decode()))
    }
}

/// Of what is valid together, as it was served.
fn built(version: CatalogVersion, objects: &[Object]) -> Result<Catalog, CatalogError> {
    let each = |visit: &mut (dyn FnMut(Object) + Send)| {
        objects.iter().cloned().for_each(visit);
        Ok(())
    };
    Ok(fitting(version, each)?.0)
}

/// Part of the catalog at any version, read again only where something in it has changed.
#[derive(Debug)]
pub struct PartHistory {
    store: CatalogStore,
    wanted: Wanted,
    /// The sequence numbers at which anything in the part changed.
    changed: BTreeSet<u64>,
    parts: BTreeMap<u64, Arc<Catalog>>,
}

/// Parts kept at once.
const PARTS_MAX: usize = 8;

impl PartHistory {
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn new(store: CatalogStore, wanted: Wanted) -> Result<Self, CatalogError> {
        let changed = store.changes_of(&wanted)?;
        Ok(Self { store, wanted, changed, parts: BTreeMap::new() })
    }

    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn at(&mut self, version: CatalogVersion) -> Result<Arc<Catalog>, CatalogError> {
        let sequence = self.changed.range(..=version.sequence).next_back().copied().unwrap_or(0);
        if let Some(known) = self.parts.get(&sequence) {
            return Ok(Arc::clone(known));
        }
        let part = Arc::new(self.store.part_at(CatalogVersion { sequence, ..version }, &self.wanted)?);
        self.parts.insert(sequence, Arc::clone(&part));
        if self.parts.len() > PARTS_MAX {
            self.parts.pop_first();
        }
        Ok(part)
    }
}

/// A part of the catalog while it is collected: what was looked up, and what has to be.
struct Part<'a, 't> {
    tx: &'a Transaction<'t>,
    sequence: u64,
    found: BTreeMap<ObjectRef, Option<Object>>,
    open: Vec<ObjectRef>,
}

impl Part<'_, '_> {
    fn collect(&mut self) -> Result<(), CatalogError> {
        while let Some(reference) = self.open.pop() {
            if !self.found.contains_key(&reference) {
                let object = self.look_up(reference)?;
                self.open.extend(object.iter().flat_map(stands_on));
                self.found.insert(reference, object);
            }
        }
        Ok(())
    }

    fn look_up(&self, reference: ObjectRef) -> Result<Option<Object>, CatalogError> {
        let key = bind![kind_number(reference.kind), reference.id, self.sequence];
        let raw = self.tx.one(OBJECT_AT, key, RawChange::read)?;
        raw.map(|raw| raw.decode()).transpose()
    }
}

const fn reference(kind: ObjectKind, id: u64) -> ObjectRef {
    ObjectRef { kind, id }
}

/// What has to be in a catalog for this object to be in it.
fn stands_on(object: &Object) -> Vec<ObjectRef> {
    match object {
        Object::Tenant(_) => Vec::new(),
        Object::Advertiser(o) => vec![reference(ObjectKind::Tenant, o.tenant.0)],
        Object::Segment(o) => vec![reference(ObjectKind::Tenant, o.tenant.0)],
        Object::Campaign(o) => vec![reference(ObjectKind::Advertiser, o.advertiser.0)],
        Object::LineItem(o) => {
            let mut references = vec![reference(ObjectKind::Campaign, o.campaign.0)];
            o.targeting.each_value(&mut |kind, value| {
                let targeted = value.parse().ok().filter(|_| kind == TermKind::Placement);
                references.extend(targeted.map(|id| reference(ObjectKind::Placement, id)));
            });
            references
        }
        Object::Creative(o) => vec![reference(ObjectKind::Advertiser, o.advertiser.0)],
        Object::Ad(o) => {
            vec![reference(ObjectKind::LineItem, o.line_item.0), reference(ObjectKind::Creative, o.creative.0)]
        }
        Object::Placement(o) => {
            let blocked = o.blocked_advertisers.iter().map(|id| reference(ObjectKind::Advertiser, id.0));
            blocked.chain([reference(ObjectKind::Tenant, o.tenant.0)]).collect()
        }
    }
}
