//! The audit log as a chain: each row's link is a hash of the link before it and of the row.
//!
//! Whoever alters, removes or inserts a row has to make every later link again, and whoever has seen a later [`Head`] notices.
//! A head kept elsewhere is what the chain is worth: a key beside the database would be read by whoever can write the rows.
//! Rows of before there was a chain have no link; the chain begins with the first that has one.

use std::fmt;
use std::str::FromStr;

use crate::database::DatabaseError;
use crate::database::sql::{Row, Transaction, bind};

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
const KINDS: [Kind; 9] = {
    use Kind::{Number, Text};
    [Number, Number, Text, Text, Number, Text, Text, Text, Text]
};

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Text,
}

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
pub(super) fn append(tx: &Transaction<'_>, id: i64) -> Result<(), DatabaseError> {
    let before = last(tx)?.map_or(Link::FIRST, |head| head.link);
    let row = format!("SELECT {COLUMNS} FROM audit WHERE id = ?1");
    let link = tx.one(&row, bind![id], |row| linked(before, row))?;
    let link = link.ok_or_else(|| DatabaseError::damaged("a row that was written and is not there"))?;
    tx.execute("INSERT INTO audit_chain VALUES (?1, ?2)", bind![id, &link.0[..]]).map(drop)
}

/// `None` before the first link.
pub(super) fn last(tx: &Transaction<'_>) -> Result<Option<Head>, DatabaseError> {
    let read = |row: &Row<'_>| Ok(Head { id: row.unsigned(0)?, link: Link(row.hash(1)?) });
    tx.one("SELECT id, link FROM audit_chain ORDER BY id DESC LIMIT 1", &[], read)
}

/// Works out every link again. What the chain covers, and the first thing that is wrong with it.
pub(super) fn check(tx: &Transaction<'_>, expected: Option<Head>) -> Result<(u64, Option<Tampered>), DatabaseError> {
    let first = tx.one("SELECT min(id) FROM audit_chain", &[], |row| row.number_or_null(0))?.flatten();
    let mut checked = Checked { before: Link::FIRST, rows: 0, seen: None, tampered: None, expected };
    let select = format!(
        "SELECT {COLUMNS}, link, CAST(CASE WHEN audit.time_ms IS NULL THEN 1 ELSE 0 END AS BIGINT)
         FROM audit_chain FULL JOIN audit USING (id) WHERE id >= ?1 ORDER BY id"
    );
    tx.each(&select, bind![first.unwrap_or(i64::MAX)], |row| checked.take(row))?;
    let end = last(tx)?.map_or(0, |head| head.id);
    let Checked { rows, seen, tampered, .. } = checked;
    Ok((rows, tampered.or_else(|| expected.and_then(|expected| unlike(expected, seen, end)))))
}

/// The chain up to some row.
struct Checked {
    before: Link,
    rows: u64,
    /// The link that stands where the expected head says.
    seen: Option<Link>,
    /// The first; what comes after it is not looked at.
    tampered: Option<Tampered>,
    expected: Option<Head>,
}

impl Checked {
    fn take(&mut self, row: &Row<'_>) -> Result<(), DatabaseError> {
        if self.tampered.is_some() {
            return Ok(());
        }
        let id = row.unsigned(0)?;
        let Some(link) = row.bytes_or_null(9)? else {
            self.tampered = Some(Tampered::Inserted { id });
            return Ok(());
        };
        if row.number(10)? != 0 {
            self.tampered = Some(Tampered::Removed { id });
            return Ok(());
        }
        let own = linked(self.before, row)?;
        if own.0[..] != link[..] {
            self.tampered = Some(Tampered::Altered { id });
            return Ok(());
        }
        if self.expected.is_some_and(|head| head.id == id) {
            self.seen = Some(own);
        }
        (self.before, self.rows) = (own, self.rows + 1);
        Ok(())
    }
}

fn unlike(expected: Head, seen: Option<Link>, end: u64) -> Option<Tampered> {
    if end < expected.id {
        return Some(Tampered::Truncated { found: end, expected });
    }
    (seen != Some(expected.link)).then_some(Tampered::Rewritten { expected })
}

/// Lengths come before texts, so that no two rows are hashed as the same bytes.
fn linked(before: Link, row: &Row<'_>) -> Result<Link, DatabaseError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"litfass audit v1").update(&before.0);
    for (at, kind) in KINDS.into_iter().enumerate() {
        match kind {
            Kind::Number => match row.number_or_null(at)? {
                Some(number) => hasher.update(&[1]).update(&number.to_be_bytes()),
                None => hasher.update(&[0]),
            },
            Kind::Text => match row.text_or_null(at)? {
                Some(text) => hasher.update(&[2]).update(&(text.len() as u64).to_be_bytes()).update(text.as_bytes()),
                None => hasher.update(&[0]),
            },
        };
    }
    Ok(Link(*hasher.finalize().as_bytes()))
}
