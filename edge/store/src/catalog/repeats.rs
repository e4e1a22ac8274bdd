//! Answers by idempotency key: a request that is sent again under its key gets the answer it got, and changes nothing.
//!
//! The answer is stored in the transaction that made the change, so there is no instant at which one is there without the
//! other. Keys belong to whoever sent them, and are remembered for a day.

use litfass_types::{Duration, Timestamp};

use super::CatalogError;
use crate::database::sql::{Transaction, bind};

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

pub(super) fn before(tx: &Transaction<'_>, ask: &Repeatable, now: Timestamp) -> Result<Before, CatalogError> {
    let found = tx.one(
        "SELECT fingerprint, status, version, body FROM idempotency_keys WHERE sender = ?1 AND key = ?2 AND answered_ms > ?3",
        bind![&ask.sender, &ask.key, now - REMEMBERED],
        |row| {
            let answer = Answer { status: row.narrow(1)?, version: row.unsigned_or_null(2)?, body: row.text(3)? };
            Ok::<_, CatalogError>((row.bytes(0)?, answer))
        },
    )?;
    Ok(match found {
        None => Before::Unknown,
        Some((fingerprint, answer)) if fingerprint == ask.fingerprint => Before::Answered(answer),
        Some(_) => Before::Taken,
    })
}

/// Keeps the answer and forgets those that are too old.
pub(super) fn keep(
    tx: &Transaction<'_>,
    ask: &Repeatable,
    answer: &Answer,
    now: Timestamp,
) -> Result<(), CatalogError> {
    tx.execute("DELETE FROM idempotency_keys WHERE answered_ms <= ?1", bind![now - REMEMBERED])?;
    let (fingerprint, status, version) = (&ask.fingerprint[..], answer.status, answer.version);
    let row = bind![&ask.sender, &ask.key, fingerprint, now, status, version, &answer.body];
    tx.execute("INSERT INTO idempotency_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", row)?;
    Ok(())
}
