//! The catalog as it was: every change is kept, so any version can be read again, whole or only what hangs on a few objects.

use std::collections::BTreeMap;

use litfass_catalog::model::Object;
use litfass_catalog::{Catalog, ObjectKind, ObjectRef};
use litfass_types::{AdId, CatalogVersion, LineItemId, PlacementId};
use rusqlite::{Connection, OptionalExtension, params};

use super::CatalogError;
use super::payload::kind_number;
use super::read::{RawChange, inconsistent};
use super::store::CatalogStore;

/// What a partial catalog is wanted for. Its owners, creatives and whatever else its objects name come along.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub line_items: Vec<LineItemId>,
    pub ads: Vec<AdId>,
    pub placements: Vec<PlacementId>,
}

/// The newest state of one object that is not newer than a sequence number.
const OBJECT_AT: &str = "SELECT sequence, kind, id, created_ms, payload FROM catalog_changes
    WHERE kind = ?1 AND id = ?2 AND sequence <= ?3 ORDER BY sequence DESC LIMIT 1";

/// The same of every object, parents before what hangs on them.
const ALL_AT: &str = "SELECT c.sequence, c.kind, c.id, c.created_ms, c.payload
    FROM (SELECT kind, id, max(sequence) AS sequence FROM catalog_changes WHERE sequence <= ?1 GROUP BY kind, id) AS n
    CROSS JOIN catalog_changes AS c ON c.sequence = n.sequence ORDER BY n.kind, n.id";

/// What each object was last changed to after one sequence number and up to another.
const CHANGED_BETWEEN: &str = "SELECT c.sequence, c.kind, c.id, c.created_ms, c.payload
    FROM (SELECT max(sequence) AS sequence FROM catalog_changes WHERE sequence > ?1 AND sequence <= ?2 GROUP BY kind, id) AS n
    CROSS JOIN catalog_changes AS c ON c.sequence = n.sequence ORDER BY c.sequence";

impl CatalogStore {
    /// The whole catalog as of `version`.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn catalog_at(&self, version: CatalogVersion) -> Result<Catalog, CatalogError> {
        let objects = self.objects(ALL_AT, params![version.sequence.cast_signed()])?;
        Catalog::build(version, objects).map_err(|problems| inconsistent(&problems))
    }

    /// The objects that changed after `since` and up to `version`, each once, as it was then.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn changes_between(&self, since: u64, version: u64) -> Result<Vec<Object>, CatalogError> {
        self.objects(CHANGED_BETWEEN, params![since.cast_signed(), version.cast_signed()])
    }

    /// As of `version`, what is wanted and all that it stands on; what was not there then is left out.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn part_at(&self, version: CatalogVersion, wanted: &Wanted) -> Result<Catalog, CatalogError> {
        let mut part =
            Part { connection: &self.connection, sequence: version.sequence, found: BTreeMap::new(), open: Vec::new() };
        part.want(ObjectKind::Ad, wanted.ads.iter().map(|id| id.0));
        part.want(ObjectKind::LineItem, wanted.line_items.iter().map(|id| id.0));
        part.want(ObjectKind::Placement, wanted.placements.iter().map(|id| id.0));
        part.collect()?;
        Catalog::build(version, part.found.into_values().flatten()).map_err(|problems| inconsistent(&problems))
    }

    fn objects(&self, query: &str, numbers: impl rusqlite::Params) -> Result<Vec<Object>, CatalogError> {
        let mut select = self.connection.prepare_cached(query)?;
        let mut rows = select.query(numbers)?;
        let mut objects = Vec::new();
        while let Some(row) = rows.next()? {
            objects.push(RawChange::read(row)?.decode()?);
        }
        Ok(objects)
    }
}

/// A part of the catalog while it is collected: what was looked up, and what has to be.
struct Part<'a> {
    connection: &'a Connection,
    sequence: u64,
    found: BTreeMap<ObjectRef, Option<Object>>,
    open: Vec<ObjectRef>,
}

impl Part<'_> {
    fn want(&mut self, kind: ObjectKind, ids: impl IntoIterator<Item = u64>) {
        self.open.extend(ids.into_iter().map(|id| ObjectRef { kind, id }));
    }

    fn collect(&mut self) -> Result<(), CatalogError> {
        while let Some(reference) = self.open.pop() {
            if !self.found.contains_key(&reference) {
                let object = self.look_up(reference)?;
                object.iter().for_each(|object| self.want_owners(object));
                self.found.insert(reference, object);
            }
        }
        Ok(())
    }

    fn look_up(&self, reference: ObjectRef) -> Result<Option<Object>, CatalogError> {
        let mut select = self.connection.prepare_cached(OBJECT_AT)?;
        let key = params![kind_number(reference.kind), reference.id.cast_signed(), self.sequence.cast_signed()];
        let raw = select.query_row(key, |row| Ok(RawChange::read(row))).optional()?;
        raw.map(|raw| raw?.decode()).transpose()
    }

    fn want_owners(&mut self, object: &Object) {
        match object {
            Object::Tenant(_) => {}
            Object::Advertiser(o) => self.want(ObjectKind::Tenant, [o.tenant.0]),
            Object::Campaign(o) => self.want(ObjectKind::Advertiser, [o.advertiser.0]),
            Object::LineItem(o) => self.want(ObjectKind::Campaign, [o.campaign.0]),
            Object::Creative(o) => self.want(ObjectKind::Advertiser, [o.advertiser.0]),
            Object::Ad(o) => {
                self.want(ObjectKind::LineItem, [o.line_item.0]);
                self.want(ObjectKind::Creative, [o.creative.0]);
            }
            Object::Placement(o) => {
                self.want(ObjectKind::Tenant, [o.tenant.0]);
                self.want(ObjectKind::Advertiser, o.blocked_advertisers.iter().map(|id| id.0));
            }
        }
    }
}
