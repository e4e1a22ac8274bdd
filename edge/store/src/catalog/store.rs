//! The tables in `litfass.db` and what appends to them.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use litfass_catalog::model::Object;
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_types::{CatalogVersion, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::CatalogError;
use super::beside::Beside;
use super::groups;
use super::index;
use super::limit::{Limit, LimitField, StatedLimit};
use super::payload::{BadPayload, decode, kind_number, kind_numbered};
use super::repeats;

/// How long a statement waits for another process's lock.
const BUSY_WAIT: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS catalog_version (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    timeline INTEGER NOT NULL,
    sequence INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO catalog_version VALUES (1, 1, 0);
CREATE TABLE IF NOT EXISTS catalog_changes (
    sequence   INTEGER PRIMARY KEY,
    kind       INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    loaded_ms  INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    payload    BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS catalog_changes_of ON catalog_changes (kind, id, sequence);
CREATE TRIGGER IF NOT EXISTS catalog_changes_stay BEFORE UPDATE ON catalog_changes
BEGIN SELECT RAISE(ABORT, 'a change of the catalog is never altered'); END;
CREATE TRIGGER IF NOT EXISTS catalog_changes_remain BEFORE DELETE ON catalog_changes
BEGIN SELECT RAISE(ABORT, 'a change of the catalog is never deleted'); END;
CREATE TABLE IF NOT EXISTS catalog_current (
    kind     INTEGER NOT NULL,
    id       INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS catalog_limits (
    kind      INTEGER NOT NULL,
    id        INTEGER NOT NULL,
    field     INTEGER NOT NULL,
    sequence  INTEGER NOT NULL UNIQUE,
    loaded_ms INTEGER NOT NULL,
    micros    INTEGER NOT NULL,
    PRIMARY KEY (kind, id, field, sequence)
) STRICT, WITHOUT ROWID;
";

/// The catalog's part of `litfass.db`, through a connection of its own.
pub struct CatalogStore {
    pub(super) connection: Connection,
}

impl fmt::Debug for CatalogStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CatalogStore({:?})", self.connection.path())
    }
}

/// What the store has of one object.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) sequence: u64,
    pub(super) created: Timestamp,
    pub(super) payload: Vec<u8>,
}

impl Stored {
    pub(super) fn object(&self, reference: ObjectRef) -> Result<Object, CatalogError> {
        let decoded = decode(reference.kind, reference.id, self.created, &self.payload);
        decoded.map_err(|e| self.damaged(reference, &e))
    }

    pub(super) fn beside(&self, reference: ObjectRef) -> Result<Beside, CatalogError> {
        Beside::of(&self.payload).map_err(|e| self.damaged(reference, &e))
    }

    fn damaged(&self, object: ObjectRef, reason: &BadPayload) -> CatalogError {
        CatalogError::Damaged { sequence: self.sequence, object: object.to_string(), reason: reason.to_string() }
    }
}

/// An object that is new or not as it was.
pub(super) struct Change {
    pub(super) object: ObjectRef,
    pub(super) created: Timestamp,
    pub(super) payload: Vec<u8>,
}

impl CatalogStore {
    /// Opens the database, making file and tables where they are missing.
    ///
    /// # Errors
    /// When the file cannot be opened or is no database.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let mut store = Self { connection };
        let transaction = store.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.execute_batch(index::SCHEMA)?;
        groups::create(&transaction)?;
        transaction.execute_batch(repeats::SCHEMA)?;
        transaction.commit()?;
        Ok(store)
    }

    /// Timeline and the number of the last change.
    ///
    /// # Errors
    /// When the database fails.
    pub fn version(&self) -> Result<CatalogVersion, CatalogError> {
        version(&self.connection)
    }

    /// Appends `changes` and `limits` with the next sequence numbers, if the catalog is still at `at`; else `None`.
    pub(super) fn append(
        &mut self,
        at: CatalogVersion,
        changes: &[Change],
        limits: &[(ObjectRef, StatedLimit)],
        now: Timestamp,
    ) -> Result<Option<CatalogVersion>, CatalogError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if version(&transaction)? != at {
            return Ok(None);
        }
        let appended = append_all(&transaction, at, changes, limits, now)?;
        transaction.commit()?;
        Ok(Some(appended))
    }
}

/// Appends `changes` and `limits` with the next sequence numbers after `at`, where the catalog stands.
pub(super) fn append_all(
    transaction: &Transaction<'_>,
    at: CatalogVersion,
    changes: &[Change],
    limits: &[(ObjectRef, StatedLimit)],
    now: Timestamp,
) -> Result<CatalogVersion, CatalogError> {
    let mut sequence = append_changes(transaction, at.sequence, changes, now)?;
    for (object, limit) in limits {
        sequence += 1;
        let set = Limit { object: *object, field: limit.field, micros: limit.micros, sequence, loaded: now };
        insert_limit(transaction, &set)?;
    }
    transaction.execute("UPDATE catalog_version SET sequence = ?1", [sequence.cast_signed()])?;
    Ok(CatalogVersion { sequence, ..at })
}

pub(super) fn version(connection: &Connection) -> Result<CatalogVersion, CatalogError> {
    let row = connection.query_row("SELECT timeline, sequence FROM catalog_version", [], |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?))
    })?;
    Ok(CatalogVersion { timeline: row.0, sequence: row.1.cast_unsigned() })
}

fn append_changes(
    transaction: &Transaction<'_>,
    mut sequence: u64,
    changes: &[Change],
    now: Timestamp,
) -> Result<u64, CatalogError> {
    let mut insert = transaction.prepare("INSERT INTO catalog_changes VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut point = transaction.prepare("INSERT OR REPLACE INTO catalog_current VALUES (?1, ?2, ?3)")?;
    for change in changes {
        sequence += 1;
        let (kind, id, at) = (kind_number(change.object.kind), change.object.id.cast_signed(), sequence.cast_signed());
        insert.execute(params![at, kind, id, now.0, change.created.0, change.payload])?;
        point.execute(params![kind, id, at])?;
    }
    Ok(sequence)
}

fn insert_limit(transaction: &Transaction<'_>, limit: &Limit) -> Result<(), CatalogError> {
    let mut insert = transaction.prepare_cached("INSERT INTO catalog_limits VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let (kind, id) = (kind_number(limit.object.kind), limit.object.id.cast_signed());
    let (field, sequence) = (limit.field.number(), limit.sequence.cast_signed());
    insert.execute(params![kind, id, field, sequence, limit.loaded.0, limit.micros])?;
    Ok(())
}

/// The object as the store has it.
pub(super) fn stored(connection: &Connection, object: ObjectRef) -> Result<Option<Stored>, CatalogError> {
    let mut select = connection.prepare_cached(
        "SELECT c.sequence, c.created_ms, c.payload FROM catalog_current AS n, catalog_changes AS c
         WHERE n.kind = ?1 AND n.id = ?2 AND c.sequence = n.sequence",
    )?;
    let row = select.query_row(params![kind_number(object.kind), object.id.cast_signed()], |row| {
        let (sequence, created) = (row.get::<_, i64>(0)?.cast_unsigned(), Timestamp(row.get(1)?));
        Ok(Stored { sequence, created, payload: row.get(2)? })
    });
    Ok(row.optional()?)
}

/// One limit as it stands.
pub(super) fn stored_limit(
    connection: &Connection,
    object: ObjectRef,
    field: LimitField,
) -> Result<Option<Limit>, CatalogError> {
    let mut select = connection.prepare_cached(
        "SELECT sequence, loaded_ms, micros FROM catalog_limits WHERE kind = ?1 AND id = ?2 AND field = ?3
         ORDER BY sequence DESC LIMIT 1",
    )?;
    let key = params![kind_number(object.kind), object.id.cast_signed(), field.number()];
    let row = select.query_row(key, |row| {
        let (sequence, loaded) = (row.get::<_, i64>(0)?.cast_unsigned(), Timestamp(row.get(1)?));
        Ok(Limit { object, field, micros: row.get(2)?, sequence, loaded })
    });
    Ok(row.optional()?)
}

/// Every limit in force that was last changed after `since`, in the order of the changes.
pub(super) fn limits_since(connection: &Connection, since: u64) -> Result<Vec<Limit>, CatalogError> {
    let mut select = connection.prepare_cached(
        "SELECT kind, id, field, micros, sequence, loaded_ms FROM catalog_limits AS l WHERE sequence > ?1 AND NOT EXISTS
         (SELECT 1 FROM catalog_limits AS later WHERE later.kind = l.kind AND later.id = l.id
          AND later.field = l.field AND later.sequence > l.sequence) ORDER BY sequence",
    )?;
    let mut rows = select.query([since.cast_signed()])?;
    let mut limits = Vec::new();
    while let Some(row) = rows.next()? {
        let sequence = row.get::<_, i64>(4)?.cast_unsigned();
        let object = ObjectRef { kind: kind_of(row.get(0)?, sequence)?, id: row.get::<_, i64>(1)?.cast_unsigned() };
        let field = LimitField::from_number(row.get(2)?).ok_or_else(|| CatalogError::Damaged {
            sequence,
            object: object.to_string(),
            reason: "a limit of an unknown kind".to_owned(),
        })?;
        limits.push(Limit { object, field, micros: row.get(3)?, sequence, loaded: Timestamp(row.get(5)?) });
    }
    Ok(limits)
}

pub(super) fn kind_of(number: u8, sequence: u64) -> Result<ObjectKind, CatalogError> {
    kind_numbered(number).ok_or_else(|| CatalogError::Damaged {
        sequence,
        object: format!("kind {number}"),
        reason: "an unknown kind of object".to_owned(),
    })
}
