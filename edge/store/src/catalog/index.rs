//! Who owns what, and what it is called: one row per object as it stands, for look-ups and lists of the admin API.
//!
//! Derived from the list of changes and never ahead of it. Whoever reads it brings it up to date first, so a catalog file's load
//! does not pay for it, and a database from before it existed fills it when it is opened.

use litfass_catalog::model::{Object, Status};
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_types::{AdvertiserId, TenantId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params, params_from_iter};

use super::CatalogError;
use super::beside::Beside;
use super::groups;
use super::load::parent;
use super::owner::Owner;
use super::payload::kind_number;
use super::read::RawChange;
use super::store::{CatalogStore, kind_of, version};
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

/// Parents before what hangs on them. Not by the index that has this order: it would be read from end to end for one change.
const CHANGED: &str = "SELECT c.sequence, c.kind, c.id, c.created_ms, c.payload
    FROM catalog_changes AS c NOT INDEXED
    CROSS JOIN catalog_current AS n ON n.kind = c.kind AND n.id = c.id AND n.sequence = c.sequence
    WHERE c.sequence > ?1 ORDER BY c.kind, c.id";

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
    pub fn bring_index_up_to_date(&mut self) -> Result<(), CatalogError> {
        if indexed(&self.connection)? == version(&self.connection)?.sequence {
            return Ok(());
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        catch_up(&transaction)?;
        Ok(transaction.commit()?)
    }
}

fn indexed(connection: &Connection) -> Result<u64, CatalogError> {
    let sequence = connection.query_row("SELECT sequence FROM catalog_indexed", [], |row| row.get::<_, i64>(0))?;
    Ok(sequence.cast_unsigned())
}

/// Indexes what has changed since the last time.
pub(super) fn catch_up(transaction: &Transaction<'_>) -> Result<(), CatalogError> {
    let since = indexed(transaction)?;
    let mut select = transaction.prepare_cached(CHANGED)?;
    let mut rows = select.query([since.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let change = RawChange::read(row)?;
        put(transaction, &change)?;
    }
    let now = version(transaction)?.sequence.cast_signed();
    transaction.execute("UPDATE catalog_indexed SET sequence = ?1", [now])?;
    Ok(())
}

fn put(transaction: &Transaction<'_>, change: &RawChange) -> Result<(), CatalogError> {
    let object = change.decode()?;
    let beside = Beside::of(&change.payload).map_err(|e| change.damaged(&e))?;
    let above = parent(&object);
    let owner = owner(transaction, &object, above)?;
    groups::put(transaction, &object, owner)?;
    let mut put = transaction.prepare_cached(
        "INSERT INTO catalog_index VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (kind, id) DO UPDATE SET
         sequence = ?3, tenant = ?4, advertiser = ?5, parent = ?6, status = ?7, name = ?8, external_id = ?9",
    )?;
    put.execute(params![
        kind_number(change.object.kind),
        change.object.id.cast_signed(),
        change.sequence.cast_signed(),
        owner.tenant.0.cast_signed(),
        owner.advertiser.map(|id| id.0.cast_signed()),
        above.map_or(0, |above| above.id.cast_signed()),
        status(&object).map(status_number),
        name(&object),
        beside.external_id,
    ])?;
    Ok(())
}

fn owner(connection: &Connection, object: &Object, above: Option<ObjectRef>) -> Result<Owner, CatalogError> {
    let itself = object.reference();
    match (itself.kind, above) {
        (ObjectKind::Tenant, _) | (_, None) => Ok(Owner { tenant: TenantId(itself.id), advertiser: None }),
        (ObjectKind::Advertiser, Some(tenant)) => {
            Ok(Owner { tenant: TenantId(tenant.id), advertiser: Some(AdvertiserId(itself.id)) })
        }
        (_, Some(above)) => {
            let found = find(connection, above)?.map(|above| above.owner);
            found.ok_or_else(|| CatalogError::Inconsistent(vec![format!("{itself}: there is no {above}")]))
        }
    }
}

/// The object's row, whoever owns it.
pub(super) fn find(connection: &Connection, object: ObjectRef) -> Result<Option<Indexed>, CatalogError> {
    let mut select = connection
        .prepare_cached("SELECT kind, id, tenant, advertiser FROM catalog_index WHERE kind = ?1 AND id = ?2")?;
    let row = select.query_row(params![kind_number(object.kind), object.id.cast_signed()], |row| Ok(read(row)));
    row.optional()?.transpose()
}

/// The object that its tenant's callers know by that name.
pub(super) fn find_external(
    connection: &Connection,
    tenant: TenantId,
    kind: ObjectKind,
    external_id: &str,
) -> Result<Option<Indexed>, CatalogError> {
    let mut select = connection.prepare_cached(
        "SELECT kind, id, tenant, advertiser FROM catalog_index WHERE tenant = ?1 AND kind = ?2 AND external_id = ?3",
    )?;
    let key = params![tenant.0.cast_signed(), kind_number(kind), external_id];
    select.query_row(key, |row| Ok(read(row))).optional()?.transpose()
}

fn read(row: &Row<'_>) -> Result<Indexed, CatalogError> {
    let id = |at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let advertiser = row.get::<_, Option<i64>>(3)?.map(|id| AdvertiserId(id.cast_unsigned()));
    let object = ObjectRef { kind: kind_of(row.get(0)?, 0)?, id: id(1)? };
    Ok(Indexed { object, owner: Owner { tenant: TenantId(id(2)?), advertiser } })
}

/// The first id above every one that was given.
pub(super) fn next_id(connection: &Connection, kind: ObjectKind) -> Result<u64, CatalogError> {
    let mut select = connection.prepare_cached("SELECT max(id) FROM catalog_index WHERE kind = ?1")?;
    let highest: Option<i64> = select.query_row([kind_number(kind)], |row| row.get(0))?;
    Ok(highest.unwrap_or(0).cast_unsigned() + 1)
}

/// Where there is only one tenant, everything is its.
pub(super) fn only_tenant(connection: &Connection) -> Result<Option<TenantId>, CatalogError> {
    let mut select = connection.prepare_cached("SELECT id FROM catalog_index WHERE kind = ?1 LIMIT 2")?;
    let mut rows = select.query([kind_number(ObjectKind::Tenant)])?;
    let mut ids = Vec::new();
    while let Some(row) = rows.next()? {
        ids.push(TenantId(row.get::<_, i64>(0)?.cast_unsigned()));
    }
    Ok(if let [only] = ids[..] { Some(only) } else { None })
}

/// What a list is narrowed to; everything that is said must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// The id of the object above, such as the campaign of line items.
    pub parent: Option<u64>,
    pub status: Option<Status>,
    pub external_id: Option<String>,
    pub name_prefix: Option<String>,
}

/// Ids of objects within reach after `after`, ascending, at most `limit`.
pub(super) fn page(
    connection: &Connection,
    scope: Scope,
    kind: ObjectKind,
    filter: &Filter,
    after: u64,
    limit: usize,
) -> Result<Vec<u64>, CatalogError> {
    let id = |id: u64| Value::Integer(id.cast_signed());
    let conditions = [
        ("kind = ?", Some(Value::Integer(kind_number(kind).into()))),
        ("id > ?", Some(id(after))),
        ("tenant = ?", scope.tenant().map(|tenant| id(tenant.0))),
        ("(advertiser = ? OR advertiser IS NULL)", scope.advertiser().map(|advertiser| id(advertiser.0))),
        ("parent = ?", filter.parent.map(id)),
        ("status = ?", filter.status.map(|status| Value::Integer(status_number(status).into()))),
        ("external_id = ?", filter.external_id.clone().map(Value::Text)),
        ("instr(name, ?) = 1", filter.name_prefix.clone().map(Value::Text)),
    ];
    let stated = conditions.into_iter().filter_map(|(condition, value)| Some((condition, value?)));
    let (conditions, mut values): (Vec<_>, Vec<_>) = stated.unzip();
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    // Only what is stated, so that the database can choose an index for it.
    let select = format!("SELECT id FROM catalog_index WHERE {} ORDER BY id LIMIT ?", conditions.join(" AND "));
    let mut select = connection.prepare_cached(&select)?;
    let ids = select.query_map(params_from_iter(values), |row| row.get::<_, i64>(0))?;
    Ok(ids.map(|id| id.map(i64::cast_unsigned)).collect::<Result<_, _>>()?)
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
