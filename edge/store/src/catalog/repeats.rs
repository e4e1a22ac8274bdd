//! Answers by idempotency key: a request that is sent again under its key gets the answer it got, and changes nothing.
//!
//! The answer is stored in the transaction that made the change, so there is no instant at which one is there without the
//! other. Keys belong to whoever sent them, and are remembered for a day.

use litfass_types::{Duration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::CatalogError;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS idempotency_keys (
    sender      TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    answered_ms INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    version     INTEGER,
    body        TEXT NOT NULL,
    PRIMARY KEY (sender, key)
) STRICT;
CREATE INDEX IF NOT EXISTS idempotency_keys_by_time ON idempotency_keys (answered_ms);
";

/// How long an answer is kept.
pub const REMEMBERED: Duration = Duration::hours(24);

/// A request that its sender may send again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repeatable {
    /// Whose key it is: the same word from another is another key.
    pub sender: String,
    pub key: String,
    /// Of everything that the request asks for.
    pub fingerprint: [u8; 32],
}

/// What the sender was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    /// Of the object, where it is about one.
    pub version: Option<u64>,
    pub body: String,
}

/// What became of a key before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Before {
    Unknown,
    Answered(Answer),
    /// The key was used for something else.
    Taken,
}

pub(super) fn before(connection: &Connection, ask: &Repeatable, now: Timestamp) -> Result<Before, CatalogError> {
    let mut select = connection.prepare_cached(
        "SELECT fingerprint, status, version, body FROM idempotency_keys WHERE sender = ?1 AND key = ?2 AND answered_ms > ?3",
    )?;
    let row = select.query_row(params![ask.sender, ask.key, (now - REMEMBERED).0], |row| {
        let version = row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned);
        Ok((row.get::<_, Vec<u8>>(0)?, Answer { status: row.get(1)?, version, body: row.get(3)? }))
    });
    Ok(match row.optional()? {
        None => Before::Unknown,
        Some((fingerprint, answer)) if fingerprint == ask.fingerprint => Before::Answered(answer),
        Some(_) => Before::Taken,
    })
}

/// Keeps the answer and forgets those that are too old.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    ask: &Repeatable,
    answer: &Answer,
    now: Timestamp,
) -> Result<(), CatalogError> {
    transaction.execute("DELETE FROM idempotency_keys WHERE answered_ms <= ?1", [(now - REMEMBERED).0])?;
    let mut insert = transaction.prepare_cached("INSERT INTO idempotency_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let version = answer.version.map(u64::cast_signed);
    insert.execute(params![ask.sender, ask.key, ask.fingerprint, now.0, answer.status, version, answer.body])?;
    Ok(())
}
