//! Who changed what, and how it was before and after: one row per change, written in the transaction that makes the change.
//!
//! Invariant: a row is never altered or deleted, and the [`Head`] of their chain tells where one was. Secrets never go into
//! `before` or `after`.

mod chain;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use litfass_types::{Position, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde_json::Value;

use crate::migrate::connect;

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
///
/// # Errors
/// When the database fails; then the change must not be committed either.
pub fn append(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO audit (time_ms, who, action, tenant, kind, object, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let tenant = entry.tenant.map(|tenant| tenant.0.cast_signed());
    insert.execute(params![
        entry.time.0,
        entry.who,
        entry.action,
        tenant,
        entry.kind,
        entry.object,
        text(&entry.before),
        text(&entry.after)
    ])?;
    chain::append(transaction, transaction.last_insert_rowid())
}

/// The audit log through a connection of its own.
#[derive(Debug)]
pub struct AuditLog(Mutex<Connection>);

impl AuditLog {
    /// # Errors
    /// When the file cannot be opened or is no database.
    pub fn open(database: &Path) -> rusqlite::Result<Self> {
        connect(database).map(Mutex::new).map(Self)
    }

    /// Writes the row of a change that was made elsewhere: in the event log.
    ///
    /// # Errors
    /// When the database fails.
    pub fn write(&self, entry: &Entry) -> rusqlite::Result<()> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        append(&transaction, entry)?;
        transaction.commit()
    }

    /// Writes the rows of commands that were read from the log up to `next`, unless somebody has: all of them or none.
    ///
    /// # Errors
    /// When the database fails.
    pub fn follow(&self, from: Position, next: u64, entries: &[Entry]) -> rusqlite::Result<()> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if followed(&transaction, from.partition)? == from.offset {
            entries.iter().try_for_each(|entry| append(&transaction, entry))?;
            transaction
                .execute("REPLACE INTO audit_followed VALUES (?1, ?2)", params![from.partition, next.cast_signed()])?;
        }
        transaction.commit()
    }

    /// Where to go on reading commands from that partition of the log.
    ///
    /// # Errors
    /// When the database fails.
    pub fn followed(&self, partition: u16) -> rusqlite::Result<Position> {
        let offset = followed(&self.connection(), partition)?;
        Ok(Position { partition, offset })
    }

    /// The end of the chain; `None` where nothing was linked yet.
    ///
    /// # Errors
    /// When the database fails.
    pub fn head(&self) -> rusqlite::Result<Option<Head>> {
        chain::last(&self.connection())
    }

    /// Works out the chain again: how many rows it covers, and the first thing that is wrong, also that a head which was
    /// seen before is not in it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn check(&self, expected: Option<Head>) -> rusqlite::Result<(u64, Option<Tampered>)> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        chain::check(&transaction, expected)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// At most `limit` rows, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn list(&self, filter: &Filter, limit: u32) -> rusqlite::Result<Vec<Written>> {
        list(&self.connection(), filter, limit)
    }
}

/// At most `limit` rows, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(connection: &Connection, filter: &Filter, limit: u32) -> rusqlite::Result<Vec<Written>> {
    let mut select = connection.prepare_cached(
        "SELECT id, time_ms, who, action, tenant, kind, object, before, after FROM audit
         WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR who = ?2) AND (?3 IS NULL OR action = ?3)
           AND (?4 IS NULL OR kind = ?4) AND (?5 IS NULL OR object = ?5)
           AND (?6 IS NULL OR time_ms >= ?6) AND (?7 IS NULL OR time_ms < ?7) AND (?8 IS NULL OR id < ?8)
         ORDER BY id DESC LIMIT ?9",
    )?;
    let (tenant, below) = (filter.tenant.map(|t| t.0.cast_signed()), filter.below.map(u64::cast_signed));
    let (from, to) = (filter.from.map(|t| t.0), filter.to.map(|t| t.0));
    let (who, action, kind, object) = (&filter.who, &filter.action, &filter.kind, &filter.object);
    select.query_map(params![tenant, who, action, kind, object, from, to, below, limit], written)?.collect()
}

fn followed(connection: &Connection, partition: u16) -> rusqlite::Result<u64> {
    let mut select = connection.prepare_cached("SELECT next FROM audit_followed WHERE partition = ?1")?;
    let next = select.query_row([partition], |row| row.get::<_, i64>(0)).optional()?;
    Ok(next.map_or(0, i64::cast_unsigned))
}

fn written(row: &Row<'_>) -> rusqlite::Result<Written> {
    let entry = Entry {
        time: Timestamp(row.get(1)?),
        who: row.get(2)?,
        action: row.get(3)?,
        tenant: row.get::<_, Option<i64>>(4)?.map(|id| TenantId(id.cast_unsigned())),
        kind: row.get(5)?,
        object: row.get(6)?,
        before: json(row, 7)?,
        after: json(row, 8)?,
    };
    Ok(Written { id: row.get::<_, i64>(0)?.cast_unsigned(), entry })
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Value>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    let read = serde_json::from_str(&text);
    read.map(Some)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e)))
}
