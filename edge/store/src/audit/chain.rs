//! The audit log as a chain: each row's link is a hash of the link before it and of the row.
//!
//! Whoever alters, removes or inserts a row has to make every later link again, and whoever has seen a later [`Head`] notices.
//! A head kept elsewhere is what the chain is worth: a key beside the database would be read by whoever can write the rows.
//! Rows of before there was a chain have no link; the chain begins with the first that has one.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension, params};

pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS audit_chain (
    id   INTEGER PRIMARY KEY, -- of the row in `audit`
    link BLOB NOT NULL CHECK (length(link) = 32)
) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_chain_stays BEFORE UPDATE ON audit_chain
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_chain_remains BEFORE DELETE ON audit_chain
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
";

/// The columns that a link covers, in order.
const COLUMNS: &str = "id, time_ms, who, action, tenant, kind, object, before, after";

/// BLAKE3 over the link before and the row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link([u8; 32]);

impl Link {
    const FIRST: Self = Self([0; 32]);
}

/// The last row of the audit log, written `ID:LINK` with the link in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    pub id: u64,
    pub link: Link,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, blake3::Hash::from_bytes(self.link.0).to_hex())
    }
}

/// A head is `ID:LINK`, as `litfass ledger verify` prints it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a head is a row's number, a colon and 64 hexadecimal digits")]
pub struct BadHead;

impl FromStr for Head {
    type Err = BadHead;

    fn from_str(text: &str) -> Result<Self, BadHead> {
        let (id, link) = text.split_once(':').ok_or(BadHead)?;
        let link = blake3::Hash::from_hex(link).map_err(|_| BadHead)?;
        Ok(Self { id: id.parse().map_err(|_| BadHead)?, link: Link(*link.as_bytes()) })
    }
}

/// What is wrong with the audit log: somebody wrote to it who should not have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Tampered {
    #[error("row {id} of the audit log is not as it was written")]
    Altered { id: u64 },
    #[error("row {id} of the audit log is gone")]
    Removed { id: u64 },
    #[error("row {id} of the audit log was put in beside the chain")]
    Inserted { id: u64 },
    #[error("the audit log ends at row {found}, before the head {expected} that was expected")]
    Truncated { found: u64, expected: Head },
    #[error("row {} of the audit log is another one than when {expected} was its head", expected.id)]
    Rewritten { expected: Head },
}

/// Links the row that was just written. Its transaction is the only writer.
pub(super) fn append(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    let before = last(connection)?.map_or(Link::FIRST, |head| head.link);
    let link = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM audit WHERE id = ?1"))?
        .query_row([id], |row| linked(before, row))?;
    connection.prepare_cached("INSERT INTO audit_chain VALUES (?1, ?2)")?.execute(params![id, link.0])?;
    Ok(())
}

/// `None` before the first link.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    let mut select = connection.prepare_cached("SELECT id, link FROM audit_chain ORDER BY id DESC LIMIT 1")?;
    select.query_row([], |row| Ok(Head { id: number(row, 0)?, link: Link(row.get(1)?) })).optional()
}

/// Works out every link again. What the chain covers, and the first thing that is wrong with it.
pub(super) fn check(connection: &Connection, expected: Option<Head>) -> rusqlite::Result<(u64, Option<Tampered>)> {
    let first: Option<i64> = connection.query_row("SELECT min(id) FROM audit_chain", [], |row| row.get(0))?;
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS}, link, audit.id IS NULL FROM audit_chain FULL JOIN audit USING (id) WHERE id >= ?1 ORDER BY id"
    ))?;
    let (mut before, mut rows, mut seen) = (Link::FIRST, 0, None);
    let mut found = select.query([first.unwrap_or(i64::MAX)])?;
    while let Some(row) = found.next()? {
        let id = number(row, 0)?;
        let Some(link) = row.get::<_, Option<[u8; 32]>>(9)?.map(Link) else {
            return Ok((rows, Some(Tampered::Inserted { id })));
        };
        if row.get(10)? {
            return Ok((rows, Some(Tampered::Removed { id })));
        }
        if linked(before, row)? != link {
            return Ok((rows, Some(Tampered::Altered { id })));
        }
        if expected.is_some_and(|head| head.id == id) {
            seen = Some(link);
        }
        (before, rows) = (link, rows + 1);
    }
    let end = last(connection)?.map_or(0, |head| head.id);
    Ok((rows, expected.and_then(|expected| unlike(expected, seen, end))))
}

fn unlike(expected: Head, seen: Option<Link>, end: u64) -> Option<Tampered> {
    if end < expected.id {
        return Some(Tampered::Truncated { found: end, expected });
    }
    (seen != Some(expected.link)).then_some(Tampered::Rewritten { expected })
}

/// Lengths come before texts, so that no two rows are hashed as the same bytes.
fn linked(before: Link, row: &rusqlite::Row<'_>) -> rusqlite::Result<Link> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"litfass audit v1").update(&before.0);
    for column in 0..9 {
        match row.get_ref(column)? {
            rusqlite::types::ValueRef::Integer(number) => hasher.update(&[1]).update(&number.to_be_bytes()),
            rusqlite::types::ValueRef::Text(text) => {
                hasher.update(&[2]).update(&(text.len() as u64).to_be_bytes()).update(text)
            }
            rusqlite::types::ValueRef::Null
            | rusqlite::types::ValueRef::Real(_)
            | rusqlite::types::ValueRef::Blob(_) => hasher.update(&[0]),
        };
    }
    Ok(Link(*hasher.finalize().as_bytes()))
}

fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
