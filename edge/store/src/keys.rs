//! API keys at rest: who may call, as what, and for how long. The key itself is not here, only its hash.
//!
//! Invariants: a key is never deleted, so "was there ever one" has one answer; a revoked key stays revoked; every change
//! raises the version that readers in other processes watch, and writes its row of the audit log, in one transaction.

use std::fmt;
use std::path::Path;

use litfass_types::{AdvertiserId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde_json::{Value, json};

use crate::audit;
use crate::migrate::connect;

pub(crate) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS access_key (
    id         INTEGER PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    role       TEXT NOT NULL,
    tenant     INTEGER,
    advertiser INTEGER,
    name       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER,
    rate       INTEGER,       -- requests a second; null: as configured
    CHECK (advertiser IS NULL OR tenant IS NOT NULL)
) STRICT;
CREATE TRIGGER IF NOT EXISTS access_key_remains BEFORE DELETE ON access_key
BEGIN SELECT RAISE(ABORT, 'a key is revoked, not deleted'); END;
CREATE TABLE IF NOT EXISTS access_version (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), changes INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO access_version VALUES (1, 0);
CREATE TABLE IF NOT EXISTS access_session (
    hash       BLOB PRIMARY KEY CHECK (length(hash) = 32),
    key        INTEGER NOT NULL REFERENCES access_key (id),
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Keys beyond which none is made: all of them are kept in memory.
pub const KEYS_MAX: u64 = 100_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(pub u64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Everything within its scope.
    Admin,
    /// An advertiser's own campaigns, money and figures.
    Advertiser,
    /// Reads figures, changes nothing.
    Reporting,
    /// What an app or a site needs: decisions and events.
    Serving,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Admin, Self::Advertiser, Self::Reporting, Self::Serving];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Advertiser => "advertiser",
            Self::Reporting => "reporting",
            Self::Serving => "serving",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Whose objects a key reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    Platform,
    Tenant(TenantId),
    Advertiser(TenantId, AdvertiserId),
}

impl Scope {
    #[must_use]
    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Platform => None,
            Self::Tenant(tenant) | Self::Advertiser(tenant, _) => Some(tenant),
        }
    }

    #[must_use]
    pub const fn advertiser(self) -> Option<AdvertiserId> {
        match self {
            Self::Platform | Self::Tenant(_) => None,
            Self::Advertiser(_, advertiser) => Some(advertiser),
        }
    }

    const fn of(tenant: Option<TenantId>, advertiser: Option<AdvertiserId>) -> Self {
        match (tenant, advertiser) {
            (Some(tenant), Some(advertiser)) => Self::Advertiser(tenant, advertiser),
            (Some(tenant), None) => Self::Tenant(tenant),
            (None, _) => Self::Platform,
        }
    }
}

/// A key that is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewKey {
    pub hash: [u8; 32],
    pub role: Role,
    pub scope: Scope,
    pub name: String,
    pub expires: Option<Timestamp>,
    /// Requests a second; as configured where none is given.
    pub rate: Option<u32>,
}

/// A key as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRow {
    pub id: KeyId,
    pub hash: [u8; 32],
    pub role: Role,
    pub scope: Scope,
    pub name: String,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
    pub rate: Option<u32>,
}

impl KeyRow {
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }

    /// For the audit log: everything but the hash.
    fn described(&self) -> Value {
        json!({
            "role": self.role.name(), "tenant": self.scope.tenant().map(|t| t.0), "advertiser": self.scope.advertiser().map(|a| a.0),
            "name": self.name, "expires_ms": self.expires.map(|t| t.0), "revoked_ms": self.revoked.map(|t| t.0), "rate": self.rate,
        })
    }
}

/// Why keys could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The disk, its permissions, or another process that kept the database locked; a retry may help.
    #[error("the database of API keys failed: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("there are {KEYS_MAX} keys already, and that is the most")]
    Full,
}

/// The keys' part of `litfass.db`, through a connection of its own.
pub struct KeyStore {
    pub(crate) connection: Connection,
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyStore({:?})", self.connection.path())
    }
}

impl KeyStore {
    /// Opens the database, whose tables are there.
    ///
    /// # Errors
    /// When the file cannot be opened or is no database.
    pub fn open(database: &Path) -> Result<Self, KeyError> {
        Ok(Self { connection: connect(database)? })
    }

    /// How many changes there have been, by any process.
    ///
    /// # Errors
    /// When the database fails.
    pub fn version(&self) -> Result<u64, KeyError> {
        let mut select = self.connection.prepare_cached("SELECT changes FROM access_version")?;
        Ok(select.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }

    /// Every key that was ever made, by id.
    ///
    /// # Errors
    /// When the database fails or holds what this version does not know.
    pub fn all(&self) -> Result<Vec<KeyRow>, KeyError> {
        let mut select = self.connection.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
        let rows = select.query_map([], key_row)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// # Errors
    /// When there are too many already, or the database fails.
    pub fn create(&mut self, key: &NewKey, who: &str, now: Timestamp) -> Result<KeyRow, KeyError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let count: i64 = transaction.query_row("SELECT count(*) FROM access_key", [], |row| row.get(0))?;
        if count.cast_unsigned() >= KEYS_MAX {
            return Err(KeyError::Full);
        }
        let id = insert(&transaction, key, now)?;
        let made = selected(&transaction, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        written(&transaction, "create", who, now, None, &made)?;
        transaction.commit()?;
        Ok(made)
    }

    /// The key as it is now, revoked; none where there is no such key. A second time changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revoke(&mut self, id: KeyId, who: &str, now: Timestamp) -> Result<Option<KeyRow>, KeyError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(before) = selected(&transaction, id)? else { return Ok(None) };
        if before.revoked.is_some() {
            return Ok(Some(before));
        }
        let change = params![id.0.cast_signed(), now.0];
        transaction.execute("UPDATE access_key SET revoked_ms = ?2 WHERE id = ?1", change)?;
        transaction.execute("DELETE FROM access_session WHERE key = ?1", [id.0.cast_signed()])?;
        let after = KeyRow { revoked: Some(now), ..before.clone() };
        written(&transaction, "revoke", who, now, Some(&before), &after)?;
        transaction.commit()?;
        Ok(Some(after))
    }
}

/// Somebody who showed a key to the pages and holds a cookie since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionRow {
    pub hash: [u8; 32],
    pub key: KeyId,
    pub expires: Timestamp,
}

/// Sessions beyond which the oldest end.
const SESSIONS_MAX: u32 = 10_000;
/// Sessions of one key: no key ends those of the others. The oldest go first.
const SESSIONS_PER_KEY_MAX: u32 = 20;

impl KeyStore {
    /// Every session that was not ended, expired ones among them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn sessions(&self) -> Result<Vec<SessionRow>, KeyError> {
        let mut select = self.connection.prepare_cached("SELECT hash, key, expires_ms FROM access_session")?;
        let rows = select.query_map([], |row| {
            let key = KeyId(row.get::<_, i64>(1)?.cast_unsigned());
            Ok(SessionRow { hash: row.get(0)?, key, expires: Timestamp(row.get(2)?) })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// # Errors
    /// When the database fails.
    pub fn begin_session(&mut self, session: &SessionRow, now: Timestamp) -> Result<(), KeyError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM access_session WHERE expires_ms <= ?1", [now.0])?;
        transaction.execute(
            "DELETE FROM access_session WHERE hash IN
             (SELECT hash FROM access_session ORDER BY created_ms DESC, hash LIMIT -1 OFFSET ?1)",
            [SESSIONS_MAX - 1],
        )?;
        transaction.execute(
            "DELETE FROM access_session WHERE hash IN
             (SELECT hash FROM access_session WHERE key = ?1 ORDER BY created_ms DESC, hash LIMIT -1 OFFSET ?2)",
            params![session.key.0.cast_signed(), SESSIONS_PER_KEY_MAX - 1],
        )?;
        let row = params![session.hash, session.key.0.cast_signed(), now.0, session.expires.0];
        transaction.execute("INSERT INTO access_session VALUES (?1, ?2, ?3, ?4)", row)?;
        changed(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// # Errors
    /// When the database fails.
    pub fn end_session(&mut self, hash: &[u8; 32]) -> Result<(), KeyError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM access_session WHERE hash = ?1", [hash])?;
        changed(&transaction)?;
        Ok(transaction.commit()?)
    }
}

/// Readers in other processes watch this number.
fn changed(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("UPDATE access_version SET changes = changes + 1", []).map(|_| ())
}

const SELECT: &str =
    "SELECT id, hash, role, tenant, advertiser, name, created_ms, expires_ms, revoked_ms, rate FROM access_key";

fn insert(transaction: &Transaction<'_>, key: &NewKey, now: Timestamp) -> rusqlite::Result<KeyId> {
    let (tenant, advertiser) = (key.scope.tenant(), key.scope.advertiser());
    transaction.execute(
        "INSERT INTO access_key (hash, role, tenant, advertiser, name, created_ms, expires_ms, rate)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            key.hash,
            key.role.name(),
            tenant.map(|id| id.0.cast_signed()),
            advertiser.map(|id| id.0.cast_signed()),
            key.name,
            now.0,
            key.expires.map(|t| t.0),
            key.rate
        ],
    )?;
    Ok(KeyId(transaction.last_insert_rowid().cast_unsigned()))
}

fn selected(connection: &Connection, id: KeyId) -> rusqlite::Result<Option<KeyRow>> {
    connection.query_row(&format!("{SELECT} WHERE id = ?1"), [id.0.cast_signed()], key_row).optional()
}

/// What every change of a key does besides.
fn written(
    transaction: &Transaction<'_>,
    action: &str,
    who: &str,
    time: Timestamp,
    before: Option<&KeyRow>,
    after: &KeyRow,
) -> rusqlite::Result<()> {
    changed(transaction)?;
    let entry = audit::Entry {
        time,
        who: who.to_owned(),
        action: action.to_owned(),
        tenant: after.scope.tenant(),
        kind: "key".to_owned(),
        object: after.id.to_string(),
        before: before.map(KeyRow::described),
        after: Some(after.described()),
    };
    audit::append(transaction, &entry)
}

fn key_row(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    let role: String = row.get(2)?;
    let unknown = || rusqlite::Error::InvalidColumnType(2, role.clone(), rusqlite::types::Type::Text);
    let id = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned));
    let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp));
    Ok(KeyRow {
        id: KeyId(row.get::<_, i64>(0)?.cast_unsigned()),
        hash: row.get(1)?,
        role: Role::parse(&role).ok_or_else(unknown)?,
        scope: Scope::of(id(3)?.map(TenantId), id(4)?.map(AdvertiserId)),
        name: row.get(5)?,
        created: Timestamp(row.get(6)?),
        expires: time(7)?,
        revoked: time(8)?,
        rate: row.get(9)?,
    })
}
