//! API keys at rest: who may call, as what, and for how long. The key itself is not here, only its hash.
//!
//! Invariants: a key is never deleted, so "was there ever one" has one answer; a revoked key stays revoked; every change
//! raises the version that readers in other processes watch, and writes its row of the audit log, in one transaction.

use std::fmt;

use litfass_types::{AdvertiserId, TenantId, Timestamp};
use serde_json::{Value, json};

use crate::audit;
use crate::database::sql::{Row, Transaction, bind};
use crate::database::{Database, DatabaseError, Place};

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
    /// The disk, its permissions, a server that is gone, or another process that kept the database locked; a retry may help.
    #[error("the database of API keys failed: {0}")]
    Database(#[from] DatabaseError),
    #[error("there are {KEYS_MAX} keys already, and that is the most")]
    Full,
}

/// The keys' part of the database.
#[derive(Debug)]
pub struct KeyStore {
    database: Database,
}

impl KeyStore {
    /// Opens the database, whose tables are there.
    ///
    /// # Errors
    /// When it cannot be opened or is no database.
    pub fn open(place: impl Into<Place>) -> Result<Self, KeyError> {
        Ok(Self { database: Database::open(&place.into())? })
    }

    /// How many changes there have been, by any process.
    ///
    /// # Errors
    /// When the database fails.
    pub fn version(&self) -> Result<u64, KeyError> {
        let version = |tx: &Transaction<'_>| tx.number("SELECT changes FROM access_version", &[]);
        Ok(self.database.read(version)?.cast_unsigned())
    }

    /// Every key that was ever made, by id.
    ///
    /// # Errors
    /// When the database fails or holds what this version does not know.
    pub fn all(&self) -> Result<Vec<KeyRow>, KeyError> {
        Ok(self.database.read(|tx| tx.list(&format!("{SELECT} ORDER BY id"), &[], key_row))?)
    }

    /// # Errors
    /// When there are too many already, or the database fails.
    pub fn create(&mut self, key: &NewKey, who: &str, now: Timestamp) -> Result<KeyRow, KeyError> {
        self.database.write(|tx| {
            if tx.number("SELECT count(*) FROM access_key", &[])?.cast_unsigned() >= KEYS_MAX {
                return Err(KeyError::Full);
            }
            let made = insert(tx, key, now)?;
            written(tx, "create", who, now, None, &made)?;
            Ok(made)
        })
    }

    /// The key as it is now, revoked; none where there is no such key. A second time changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revoke(&mut self, id: KeyId, who: &str, now: Timestamp) -> Result<Option<KeyRow>, KeyError> {
        self.database.write(|tx| {
            let Some(before) = selected(tx, id)? else { return Ok(None) };
            if before.revoked.is_some() {
                return Ok(Some(before));
            }
            tx.execute("UPDATE access_key SET revoked_ms = ?2 WHERE id = ?1", bind![id.0, now])?;
            tx.execute("DELETE FROM access_session WHERE key = ?1", bind![id.0])?;
            let after = KeyRow { revoked: Some(now), ..before.clone() };
            written(tx, "revoke", who, now, Some(&before), &after)?;
            Ok(Some(after))
        })
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

/// Without a limit, an offset is not understood by every database.
const ALL: i64 = i64::MAX;

impl KeyStore {
    /// Every session that was not ended, expired ones among them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn sessions(&self) -> Result<Vec<SessionRow>, KeyError> {
        let read =
            |row: &Row<'_>| Ok(SessionRow { hash: row.hash(0)?, key: KeyId(row.unsigned(1)?), expires: row.time(2)? });
        self.database.read(|tx| tx.list("SELECT hash, key, expires_ms FROM access_session", &[], read))
    }

    /// # Errors
    /// When the database fails.
    pub fn begin_session(&mut self, session: &SessionRow, now: Timestamp) -> Result<(), KeyError> {
        self.database.write(|tx| {
            tx.execute("DELETE FROM access_session WHERE expires_ms <= ?1", bind![now])?;
            tx.execute(
                "DELETE FROM access_session WHERE hash IN
                 (SELECT hash FROM access_session ORDER BY created_ms DESC, hash LIMIT ?2 OFFSET ?1)",
                bind![SESSIONS_MAX - 1, ALL],
            )?;
            tx.execute(
                "DELETE FROM access_session WHERE hash IN
                 (SELECT hash FROM access_session WHERE key = ?1 ORDER BY created_ms DESC, hash LIMIT ?3 OFFSET ?2)",
                bind![session.key.0, SESSIONS_PER_KEY_MAX - 1, ALL],
            )?;
            let row = bind![&session.hash[..], session.key.0, now, session.expires];
            tx.execute("INSERT INTO access_session VALUES (?1, ?2, ?3, ?4)", row)?;
            Ok(changed(tx)?)
        })
    }

    /// # Errors
    /// When the database fails.
    pub fn end_session(&mut self, hash: &[u8; 32]) -> Result<(), KeyError> {
        self.database.write(|tx| {
            tx.execute("DELETE FROM access_session WHERE hash = ?1", bind![&hash[..]])?;
            Ok(changed(tx)?)
        })
    }
}

/// Readers in other processes watch this number.
fn changed(tx: &Transaction<'_>) -> Result<(), DatabaseError> {
    tx.execute("UPDATE access_version SET changes = changes + 1", &[]).map(drop)
}

const SELECT: &str =
    "SELECT id, hash, role, tenant, advertiser, name, created_ms, expires_ms, revoked_ms, rate FROM access_key";

fn insert(tx: &Transaction<'_>, key: &NewKey, now: Timestamp) -> Result<KeyRow, DatabaseError> {
    let id = KeyId(tx.number("SELECT coalesce(max(id), 0) + 1 FROM access_key", &[])?.cast_unsigned());
    let NewKey { hash, role, scope, name, expires, rate } = key.clone();
    tx.execute(
        "INSERT INTO access_key (id, hash, role, tenant, advertiser, name, created_ms, expires_ms, rate)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        bind![
            id.0,
            &hash[..],
            role.name(),
            scope.tenant().map(|id| id.0),
            scope.advertiser().map(|id| id.0),
            &name,
            now,
            expires,
            rate
        ],
    )?;
    Ok(KeyRow { id, hash, role, scope, name, created: now, expires, revoked: None, rate })
}

fn selected(tx: &Transaction<'_>, id: KeyId) -> Result<Option<KeyRow>, DatabaseError> {
    tx.one(&format!("{SELECT} WHERE id = ?1"), bind![id.0], key_row)
}

/// What every change of a key does besides.
fn written(
    tx: &Transaction<'_>,
    action: &str,
    who: &str,
    time: Timestamp,
    before: Option<&KeyRow>,
    after: &KeyRow,
) -> Result<(), DatabaseError> {
    changed(tx)?;
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
    audit::append(tx, &entry)
}

fn key_row(row: &Row<'_>) -> Result<KeyRow, DatabaseError> {
    let role = row.text(2)?;
    let unknown = || DatabaseError::damaged(format!("the role {role:?}"));
    let (tenant, advertiser) = (row.unsigned_or_null(3)?, row.unsigned_or_null(4)?);
    Ok(KeyRow {
        id: KeyId(row.unsigned(0)?),
        hash: row.hash(1)?,
        role: Role::parse(&role).ok_or_else(unknown)?,
        scope: Scope::of(tenant.map(TenantId), advertiser.map(AdvertiserId)),
        name: row.text(5)?,
        created: row.time(6)?,
        expires: row.number_or_null(7)?.map(Timestamp),
        revoked: row.number_or_null(8)?.map(Timestamp),
        rate: row.narrow_or_null(9)?,
    })
}
