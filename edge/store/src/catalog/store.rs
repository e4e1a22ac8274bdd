//! The tables and what appends to them.

use litfass_catalog::model::Object;
use litfass_catalog::{ObjectKind, ObjectRef};
use litfass_types::{CatalogVersion, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use super::CatalogError;
use super::beside::Beside;
use super::groups;
use super::index;
use super::limit::{Limit, LimitField, StatedLimit};
use super::payload::{BadPayload, decode, kind_number, kind_numbered};
use super::repeats;
use crate::audit;
use crate::database::sql::{Bind, Row, Transaction, bind};
use crate::database::{Database, DatabaseError, Place};

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

/// The catalog's part of the database.
#[derive(Debug)]
pub struct CatalogStore {
    pub(super) database: Database,
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
    /// Opens the database. A file and its tables are made where they are missing; a server's have been.
    ///
    /// # Errors
    /// When it cannot be opened or is no database.
    pub fn open(place: impl Into<Place>) -> Result<Self, CatalogError> {
        let database = Database::open(&place.into())?;
        if let Some(file) = database.file() {
            make_tables(file).map_err(DatabaseError::from)?;
        }
        Ok(Self { database })
    }

    /// Timeline and the number of the last change.
    ///
    /// # Errors
    /// When the database fails.
    pub fn version(&self) -> Result<CatalogVersion, CatalogError> {
        self.database.read(version)
    }
}

fn make_tables(file: &Connection) -> rusqlite::Result<()> {
    let transaction = rusqlite::Transaction::new_unchecked(file, TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute_batch(index::SCHEMA)?;
    groups::create(&transaction)?;
    transaction.execute(index::WITHOUT_REVIEWS, [kind_number(ObjectKind::Creative)])?;
    transaction.execute_batch(repeats::SCHEMA)?;
    audit::TABLES.into_iter().try_for_each(|table| transaction.execute_batch(table))?;
    transaction.commit()
}

/// Appends `changes` and `limits` with the next sequence numbers after `at`, where the catalog stands.
pub(super) fn append_all(
    tx: &Transaction<'_>,
    at: CatalogVersion,
    changes: &[Change],
    limits: &[(ObjectRef, StatedLimit)],
    now: Timestamp,
) -> Result<CatalogVersion, CatalogError> {
    let mut sequence = append_changes(tx, at.sequence, changes, now)?;
    for (object, limit) in limits {
        sequence += 1;
        let set = Limit { object: *object, field: limit.field, micros: limit.micros, sequence, loaded: now };
        insert_limit(tx, &set)?;
    }
    tx.execute("UPDATE catalog_version SET sequence = ?1", bind![sequence])?;
    Ok(CatalogVersion { sequence, ..at })
}

pub(super) fn version(tx: &Transaction<'_>) -> Result<CatalogVersion, CatalogError> {
    let read =
        |row: &Row<'_>| Ok::<_, CatalogError>(CatalogVersion { timeline: row.narrow(0)?, sequence: row.unsigned(1)? });
    let found = tx.one("SELECT timeline, sequence FROM catalog_version", &[], read)?;
    let stored = found.ok_or_else(|| DatabaseError::damaged("a catalog without a version"))?;
    Ok(CatalogVersion { timeline: tx.timeline()?.unwrap_or(stored.timeline), ..stored })
}

/// Rows of one statement: a server is a round trip away.
const ROWS_AT_ONCE: usize = 200;

fn append_changes(tx: &Transaction<'_>, since: u64, changes: &[Change], now: Timestamp) -> Result<u64, CatalogError> {
    let mut sequence = since;
    for changes in changes.chunks(ROWS_AT_ONCE) {
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        for change in changes {
            sequence += 1;
            let (kind, id) = (Bind::from(kind_number(change.object.kind)), Bind::from(change.object.id));
            let (loaded, created) = (Bind::from(now), Bind::from(change.created));
            rows.extend([sequence.into(), kind, id, loaded, created, Bind::from(&change.payload[..])]);
            places.extend([kind, id, sequence.into()]);
        }
        tx.execute(&format!("INSERT INTO catalog_changes VALUES {}", rows_of(6, changes.len())), &rows)?;
        let point = "ON CONFLICT (kind, id) DO UPDATE SET sequence = excluded.sequence";
        tx.execute(&format!("INSERT INTO catalog_current VALUES {} {point}", rows_of(3, changes.len())), &places)?;
    }
    Ok(sequence)
}

/// Marks of so many rows: `(?1, ?2), (?3, ?4)`.
fn rows_of(columns: usize, rows: usize) -> String {
    let row = |row: usize| {
        let marks: Vec<String> = (1..=columns).map(|column| format!("?{}", row * columns + column)).collect();
        format!("({})", marks.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

fn insert_limit(tx: &Transaction<'_>, limit: &Limit) -> Result<(), CatalogError> {
    let (kind, field) = (kind_number(limit.object.kind), limit.field.number());
    let row = bind![kind, limit.object.id, field, limit.sequence, limit.loaded, limit.micros];
    tx.execute("INSERT INTO catalog_limits VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row)?;
    Ok(())
}

/// The object as the store has it.
pub(super) fn stored(tx: &Transaction<'_>, object: ObjectRef) -> Result<Option<Stored>, CatalogError> {
    tx.one(
        "SELECT c.sequence, c.created_ms, c.payload FROM catalog_current AS n, catalog_changes AS c
         WHERE n.kind = ?1 AND n.id = ?2 AND c.sequence = n.sequence",
        bind![kind_number(object.kind), object.id],
        |row| Ok(Stored { sequence: row.unsigned(0)?, created: row.time(1)?, payload: row.bytes(2)? }),
    )
}

/// One limit as it stands.
pub(super) fn stored_limit(
    tx: &Transaction<'_>,
    object: ObjectRef,
    field: LimitField,
) -> Result<Option<Limit>, CatalogError> {
    tx.one(
        "SELECT sequence, loaded_ms, micros FROM catalog_limits WHERE kind = ?1 AND id = ?2 AND field = ?3
         ORDER BY sequence DESC LIMIT 1",
        bind![kind_number(object.kind), object.id, field.number()],
        |row| Ok(Limit { object, field, micros: row.number(2)?, sequence: row.unsigned(0)?, loaded: row.time(1)? }),
    )
}

/// Every limit in force that was last changed after `since`, in the order of the changes.
pub(super) fn limits_since(tx: &Transaction<'_>, since: u64) -> Result<Vec<Limit>, CatalogError> {
    tx.list(
        "SELECT kind, id, field, micros, sequence, loaded_ms FROM catalog_limits AS l WHERE sequence > ?1 AND NOT EXISTS
         (SELECT 1 FROM catalog_limits AS later WHERE later.kind = l.kind AND later.id = l.id
          AND later.field = l.field AND later.sequence > l.sequence) ORDER BY sequence",
        bind![since],
        limit,
    )
}

fn limit(row: &Row<'_>) -> Result<Limit, CatalogError> {
    let sequence = row.unsigned(4)?;
    let object = ObjectRef { kind: kind_of(row.narrow(0)?, sequence)?, id: row.unsigned(1)? };
    let field = LimitField::from_number(row.narrow(2)?).ok_or_else(|| CatalogError::Damaged {
        sequence,
        object: object.to_string(),
        reason: "a limit of an unknown kind".to_owned(),
    })?;
    Ok(Limit { object, field, micros: row.number(3)?, sequence, loaded: row.time(5)? })
}

pub(super) fn kind_of(number: u8, sequence: u64) -> Result<ObjectKind, CatalogError> {
    kind_numbered(number).ok_or_else(|| CatalogError::Damaged {
        sequence,
        object: format!("kind {number}"),
        reason: "an unknown kind of object".to_owned(),
    })
}
