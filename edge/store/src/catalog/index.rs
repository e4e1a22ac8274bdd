//! Who owns what, and what it is called: one row per object as it stands, for look-ups and lists of the admin API.
//!
//! Derived from the list of changes and never ahead of it. Whoever reads it brings it up to date first, so a catalog file's load
//! does not pay for it, and a database from before it existed fills it when it is opened.

use std::collections::BTreeMap;

use litfass_catalog::model::{Object, Review, Status};
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_types::{AdvertiserId, TenantId};

use super::CatalogError;
use super::beside::Beside;
use super::groups;
use super::load::parent;
use super::owner::Owner;
use super::payload::kind_number;
use super::read::RawChange;
use super::store::{CatalogStore, kind_of, version};
use crate::database::sql::{Bind, Row, Transaction, all_of, bind};
use crate::keys::Scope;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS catalog_index (
    kind        INTEGER NOT NULL,
    id          INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    tenant      INTEGER NOT NULL,
    advertiser  INTEGER,
    parent      INTEGER NOT NULL,
    status      INTEGER,
    name        TEXT NOT NULL,
    external_id TEXT,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS catalog_index_parents ON catalog_index (kind, parent, id);
CREATE INDEX IF NOT EXISTS catalog_index_tenants ON catalog_index (kind, tenant, id);
CREATE UNIQUE INDEX IF NOT EXISTS catalog_index_external ON catalog_index (tenant, kind, external_id)
    WHERE external_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS catalog_indexed (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    sequence INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO catalog_indexed VALUES (1, 0);
";

/// A file from before creatives could be listed by their review: the index is made again from its beginning.
pub(super) const WITHOUT_REVIEWS: &str = "UPDATE catalog_indexed SET sequence = 0
    WHERE EXISTS (SELECT 1 FROM catalog_index WHERE kind = ?1 AND status IS NULL)";

/// By their numbers: an index would be read from end to end for one change.
const CHANGED: &str = "SELECT sequence, kind, id FROM catalog_changes WHERE sequence > ?1 ORDER BY sequence";

/// Changes that are in memory at once.
const CHANGES_AT_ONCE: usize = 500;

/// One object's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Indexed {
    pub(super) object: ObjectRef,
    pub(super) owner: Owner,
}

impl CatalogStore {
    /// Brings the index to the last change.
    ///
    /// # Errors
    /// When the database fails or a change cannot be read.
    pub fn bring_index_up_to_date(&self) -> Result<(), CatalogError> {
        let current = self.database.read(|tx| Ok::<_, CatalogError>(indexed(tx)? == version(tx)?.sequence))?;
        if current { Ok(()) } else { self.database.write(catch_up) }
    }
}

fn indexed(tx: &Transaction<'_>) -> Result<u64, CatalogError> {
    Ok(tx.number("SELECT sequence FROM catalog_indexed", &[])?.cast_unsigned())
}

/// Indexes what has changed since the last time.
pub(super) fn catch_up(tx: &Transaction<'_>) -> Result<(), CatalogError> {
    let mut newest: BTreeMap<(u8, u64), u64> = BTreeMap::new();
    tx.each(CHANGED, bind![indexed(tx)?], |row| {
        newest.insert((row.narrow(1)?, row.unsigned(2)?), row.unsigned(0)?);
        Ok::<_, CatalogError>(())
    })?;
    // Parents before what hangs on them.
    let sequences: Vec<u64> = newest.into_values().collect();
    for sequences in sequences.chunks(CHANGES_AT_ONCE) {
        changes(tx, sequences)?.iter().try_for_each(|change| put(tx, change))?;
    }
    tx.execute("UPDATE catalog_indexed SET sequence = ?1", bind![version(tx)?.sequence])?;
    Ok(())
}

/// Those changes, by kind and id.
fn changes(tx: &Transaction<'_>, sequences: &[u64]) -> Result<Vec<RawChange>, CatalogError> {
    let marks: Vec<String> = (1..=sequences.len()).map(|nth| format!("?{nth}")).collect();
    let select = format!(
        "SELECT sequence, kind, id, created_ms, payload FROM catalog_changes WHERE sequence IN ({}) ORDER BY sequence",
        marks.join(", ")
    );
    let bind: Vec<Bind<'_>> = sequences.iter().map(|sequence| Bind::from(*sequence)).collect();
    let mut changes = tx.list(&select, &bind, RawChange::read)?;
    changes.sort_by_key(|change| (kind_number(change.object.kind), change.object.id));
    Ok(changes)
}

fn put(tx: &Transaction<'_>, change: &RawChange) -> Result<(), CatalogError> {
    let object = change.decode()?;
    let beside = Beside::of(&change.payload).map_err(|e| change.damaged(&e))?;
    let above = parent(&object);
    let owner = owner(tx, &object, above)?;
    groups::put(tx, &object, owner)?;
    tx.execute(
        "INSERT INTO catalog_index VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (kind, id) DO UPDATE SET
         sequence = ?3, tenant = ?4, advertiser = ?5, parent = ?6, status = ?7, name = ?8, external_id = ?9",
        bind![
            kind_number(change.object.kind),
            change.object.id,
            change.sequence,
            owner.tenant.0,
            owner.advertiser.map(|id| id.0),
            above.map_or(0, |above| above.id),
            state(&object),
            name(&object),
            beside.external_id.as_ref(),
        ],
    )?;
    Ok(())
}

fn owner(tx: &Transaction<'_>, object: &Object, above: Option<ObjectRef>) -> Result<Owner, CatalogError> {
    let itself = object.reference();
    match (itself.kind, above) {
        (ObjectKind::Tenant, _) | (_, None) => Ok(Owner { tenant: TenantId(itself.id), advertiser: None }),
        (ObjectKind::Advertiser, Some(tenant)) => {
            Ok(Owner { tenant: TenantId(tenant.id), advertiser: Some(AdvertiserId(itself.id)) })
        }
        (_, Some(above)) => {
            let found = find(tx, above)?.map(|above| above.owner);
            found.ok_or_else(|| CatalogError::Inconsistent(vec![format!("{itself}: there is no {above}")]))
        }
    }
}

/// The object's row, whoever owns it.
pub(super) fn find(tx: &Transaction<'_>, object: ObjectRef) -> Result<Option<Indexed>, CatalogError> {
    let select = "SELECT kind, id, tenant, advertiser FROM catalog_index WHERE kind = ?1 AND id = ?2";
    tx.one(select, bind![kind_number(object.kind), object.id], read)
}

/// The object that its tenant's callers know by that name.
pub(super) fn find_external(
    tx: &Transaction<'_>,
    tenant: TenantId,
    kind: ObjectKind,
    external_id: &str,
) -> Result<Option<Indexed>, CatalogError> {
    tx.one(
        "SELECT kind, id, tenant, advertiser FROM catalog_index WHERE tenant = ?1 AND kind = ?2 AND external_id = ?3",
        bind![tenant.0, kind_number(kind), external_id],
        read,
    )
}

fn read(row: &Row<'_>) -> Result<Indexed, CatalogError> {
    let object = ObjectRef { kind: kind_of(row.narrow(0)?, 0)?, id: row.unsigned(1)? };
    let advertiser = row.unsigned_or_null(3)?.map(AdvertiserId);
    Ok(Indexed { object, owner: Owner { tenant: TenantId(row.unsigned(2)?), advertiser } })
}

/// The first id above every one that was given.
pub(super) fn next_id(tx: &Transaction<'_>, kind: ObjectKind) -> Result<u64, CatalogError> {
    let select = "SELECT coalesce(max(id), 0) FROM catalog_index WHERE kind = ?1";
    Ok(tx.number(select, bind![kind_number(kind)])?.cast_unsigned() + 1)
}

/// Where there is only one tenant, everything is its.
pub(super) fn only_tenant(tx: &Transaction<'_>) -> Result<Option<TenantId>, CatalogError> {
    let select = "SELECT id FROM catalog_index WHERE kind = ?1 LIMIT 2";
    let ids = tx.list(select, bind![kind_number(ObjectKind::Tenant)], |row| Ok::<_, CatalogError>(row.unsigned(0)?))?;
    Ok(if let [only] = ids[..] { Some(TenantId(only)) } else { None })
}

/// What a list is narrowed to; everything that is said must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// The id of the object above, such as the campaign of line items.
    pub parent: Option<u64>,
    pub status: Option<Status>,
    /// Of creatives, which have no status.
    pub review: Option<Review>,
    pub external_id: Option<String>,
    pub name_prefix: Option<String>,
}

/// Ids of objects within reach after `after`, ascending, at most `limit`.
pub(super) fn page(
    tx: &Transaction<'_>,
    scope: Scope,
    kind: ObjectKind,
    filter: &Filter,
    after: u64,
    limit: usize,
) -> Result<Vec<u64>, CatalogError> {
    let (conditions, mut values) = all_of([
        ("kind = {}", Some(kind_number(kind).into())),
        ("id > {}", Some(after.into())),
        ("tenant = {}", scope.tenant().map(|tenant| tenant.0.into())),
        ("(advertiser = {} OR advertiser IS NULL)", scope.advertiser().map(|advertiser| advertiser.0.into())),
        ("parent = {}", filter.parent.map(Bind::from)),
        ("status = {}", filter.status.map(|status| status_number(status).into())),
        ("status = {}", filter.review.map(|review| review_number(review).into())),
        ("external_id = {}", filter.external_id.as_ref().map(Bind::from)),
        ("substr(name, 1, length(CAST({} AS TEXT))) = {}", filter.name_prefix.as_ref().map(Bind::from)),
    ]);
    values.push(Bind::Number(i64::try_from(limit).unwrap_or(i64::MAX)));
    let select = format!("SELECT id FROM catalog_index WHERE {conditions} ORDER BY id LIMIT ?{}", values.len());
    tx.list(&select, &values, |row| Ok(row.unsigned(0)?))
}

pub(super) const fn status(object: &Object) -> Option<Status> {
    match object {
        Object::Advertiser(o) => Some(o.status),
        Object::Campaign(o) => Some(o.status),
        Object::LineItem(o) => Some(o.status),
        Object::Ad(o) => Some(o.status),
        Object::Tenant(_) | Object::Creative(_) | Object::Placement(_) | Object::Segment(_) => None,
    }
}

/// The column `status`: of a creative its review.
fn state(object: &Object) -> Option<u8> {
    match object {
        Object::Creative(creative) => Some(review_number(creative.review)),
        Object::Tenant(_)
        | Object::Advertiser(_)
        | Object::Campaign(_)
        | Object::LineItem(_)
        | Object::Ad(_)
        | Object::Placement(_)
        | Object::Segment(_) => status(object).map(status_number),
    }
}

const fn review_number(review: Review) -> u8 {
    match review {
        Review::Pending => 3,
        Review::Approved => 4,
        Review::Rejected => 5,
    }
}

const fn status_number(status: Status) -> u8 {
    match status {
        Status::Active => 0,
        Status::Paused => 1,
        Status::Archived => 2,
    }
}

/// What people call it; an ad is called by its item.
fn name(object: &Object) -> &str {
    match object {
        Object::Tenant(o) => &o.name,
        Object::Advertiser(o) => &o.name,
        Object::Campaign(o) => &o.name,
        Object::LineItem(o) => &o.name,
        Object::Creative(o) => &o.title,
        Object::Ad(o) => o.item.as_deref().unwrap_or(""),
        Object::Placement(o) => &o.name,
        Object::Segment(o) => &o.name,
    }
}
