//! Who changed what, and how it was before and after: one row per change, written in the transaction that makes the change.
//!
//! Invariant: a row is never altered or deleted, and the [`Head`] of their chain tells where one was. Secrets never go into
//! `before` or `after`.

mod chain;

use std::sync::{Mutex, MutexGuard, PoisonError};

use litfass_types::{Position, TenantId, Timestamp};
use serde_json::Value;

use crate::database::sql::{Bind, Row, Transaction, all_of, bind};
use crate::database::{Database, DatabaseError, Place};

pub use chain::{BadHead, Head, Link, Tampered};

/// Idempotent scripts.
pub(crate) const TABLES: [&str; 3] = [TABLE, chain::TABLE, FOLLOWED];

/// How far the commands of money in the event log have rows here.
const FOLLOWED: &str = "
CREATE TABLE IF NOT EXISTS audit_followed (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL) STRICT;
";

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS audit (
    id      INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    who     TEXT NOT NULL,
    action  TEXT NOT NULL,
    tenant  INTEGER,          -- null: of the platform itself
    kind    TEXT NOT NULL,
    object  TEXT NOT NULL,
    before  TEXT,             -- JSON; null where there was nothing
    after   TEXT              -- JSON; null where nothing is left
) STRICT;
CREATE INDEX IF NOT EXISTS audit_object ON audit (kind, object, id);
CREATE INDEX IF NOT EXISTS audit_tenant ON audit (tenant, id);
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_remains BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
";

/// One change.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub time: Timestamp,
    /// `key 7`, `command line`, `open` (a loopback server without keys), `server`.
    pub who: String,
    /// A verb: `create`, `update`, `pause`, `archive`, `revoke`, `deposit`, `erase`.
    pub action: String,
    /// Whose object it is; none where it is the platform's.
    pub tenant: Option<TenantId>,
    /// The object's kind (`campaign`, `key`, `account`) and its id.
    pub kind: String,
    pub object: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// A row as it was written, with its number; later rows have higher ones.
#[derive(Clone, PartialEq, Debug)]
pub struct Written {
    pub id: u64,
    pub entry: Entry,
}

/// Which rows are wanted, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only this tenant's.
    pub tenant: Option<TenantId>,
    pub who: Option<String>,
    pub action: Option<String>,
    pub kind: Option<String>,
    pub object: Option<String>,
    /// From this time on, and until just before that one.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Only rows with a lower number.
    pub below: Option<u64>,
}

/// Writes the row of a change that this transaction makes.
pub(crate) fn append(tx: &Transaction<'_>, entry: &Entry) -> Result<(), DatabaseError> {
    let id = tx.number("SELECT coalesce(max(id), 0) + 1 FROM audit", &[])?;
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let (before, after) = (text(&entry.before), text(&entry.after));
    tx.execute(
        "INSERT INTO audit (id, time_ms, who, action, tenant, kind, object, before, after)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        bind![
            id,
            entry.time,
            &entry.who,
            &entry.action,
            entry.tenant.map(|tenant| tenant.0),
            &entry.kind,
            &entry.object,
            before.as_ref(),
            after.as_ref()
        ],
    )?;
    chain::append(tx, id)
}

/// The audit log, asked by any thread.
#[derive(Debug)]
pub struct AuditLog(Mutex<Database>);

impl AuditLog {
    /// # Errors
    /// When the database cannot be opened or is none.
    pub fn open(place: impl Into<Place>) -> Result<Self, DatabaseError> {
        Database::open(&place.into()).map(Mutex::new).map(Self)
    }

    /// Writes the row of a change that was made elsewhere: in the event log.
    ///
    /// # Errors
    /// When the database fails.
    pub fn write(&self, entry: &Entry) -> Result<(), DatabaseError> {
        self.database().write(|tx| append(tx, entry))
    }

    /// Writes the rows of commands that were read from the log up to `next`, unless somebody has: all of them or none.
    ///
    /// # Errors
    /// When the database fails.
    pub fn follow(&self, from: Position, next: u64, entries: &[Entry]) -> Result<(), DatabaseError> {
        self.database().write(|tx| {
            if followed(tx, from.partition)? != from.offset {
                return Ok(());
            }
            entries.iter().try_for_each(|entry| append(tx, entry))?;
            let moved =
                "INSERT INTO audit_followed VALUES (?1, ?2) ON CONFLICT (partition) DO UPDATE SET next = excluded.next";
            tx.execute(moved, bind![from.partition, next]).map(drop)
        })
    }

    /// Where to go on reading commands from that partition of the log.
    ///
    /// # Errors
    /// When the database fails.
    pub fn followed(&self, partition: u16) -> Result<Position, DatabaseError> {
        let offset = self.database().read(|tx| followed(tx, partition))?;
        Ok(Position { partition, offset })
    }

    /// The end of the chain; `None` where nothing was linked yet.
    ///
    /// # Errors
    /// When the database fails.
    pub fn head(&self) -> Result<Option<Head>, DatabaseError> {
        self.database().read(chain::last)
    }

    /// Works out the chain again: how many rows it covers, and the first thing that is wrong, also that a head which was
    /// seen before is not in it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn check(&self, expected: Option<Head>) -> Result<(u64, Option<Tampered>), DatabaseError> {
        self.database().read(|tx| chain::check(tx, expected))
    }

    /// At most `limit` rows, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn list(&self, filter: &Filter, limit: u32) -> Result<Vec<Written>, DatabaseError> {
        self.database().read(|tx| list(tx, filter, limit))
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list(tx: &Transaction<'_>, filter: &Filter, limit: u32) -> Result<Vec<Written>, DatabaseError> {
    let stated = [
        ("tenant = {}", filter.tenant.map(|tenant| tenant.0.into())),
        ("who = {}", filter.who.as_ref().map(Bind::from)),
        ("action = {}", filter.action.as_ref().map(Bind::from)),
        ("kind = {}", filter.kind.as_ref().map(Bind::from)),
        ("object = {}", filter.object.as_ref().map(Bind::from)),
        ("time_ms >= {}", filter.from.map(Bind::from)),
        ("time_ms < {}", filter.to.map(Bind::from)),
        ("id < {}", filter.below.map(Bind::from)),
    ];
    let (conditions, mut values) = all_of(stated);
    values.push(limit.into());
    let select = format!(
        "SELECT id, time_ms, who, action, tenant, kind, object, before, after FROM audit WHERE {conditions} ORDER BY id DESC LIMIT ?{}",
        values.len()
    );
    tx.list(&select, &values, written)
}

fn followed(tx: &Transaction<'_>, partition: u16) -> Result<u64, DatabaseError> {
    let select = "SELECT next FROM audit_followed WHERE partition = ?1";
    Ok(tx.one(select, bind![partition], |row| row.unsigned(0))?.unwrap_or(0))
}

fn written(row: &Row<'_>) -> Result<Written, DatabaseError> {
    let entry = Entry {
        time: row.time(1)?,
        who: row.text(2)?,
        action: row.text(3)?,
        tenant: row.unsigned_or_null(4)?.map(TenantId),
        kind: row.text(5)?,
        object: row.text(6)?,
        before: json(row, 7)?,
        after: json(row, 8)?,
    };
    Ok(Written { id: row.unsigned(0)?, entry })
}

fn json(row: &Row<'_>, column: usize) -> Result<Option<Value>, DatabaseError> {
    let Some(text) = row.text_or_null(column)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| DatabaseError::damaged(format!("{text:?} ({error})")))
}
