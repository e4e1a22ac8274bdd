//! Tables of the ledger on PostgreSQL: the same names and columns as in a file of SQLite, which a test compares.
//!
//! Rows that billing changes leave room on their page, so that a new version needs no entry in an index. Amounts are pairs
//! (hi, lo) of nanos, lo below 10¹⁸. The key tables, one per UTC day of the decision id, are made when first needed; a table of
//! a dropped day is never made again.

use litfass_types::Day;

use super::error::Fault;
use super::session::{Pool, Session};
use crate::ledger::LedgerError;
use crate::ledger::fields::Fields;

/// One script per version, in order; a script that was released never changes.
const MIGRATIONS: [&str; 1] = [include_str!("v1.sql")];

/// Only one process at a time changes tables: whoever holds this.
const MIGRATING: i64 = 0x6c69_7466_6173_7301;
/// Held by whoever bills an account that has no control yet: a row that is not there cannot be locked.
pub(super) const UNFUNDED: i64 = 0x6c69_7466_6173_7302;

pub(super) fn key_table(day: Day) -> String {
    format!("ledger_key_{day}").replace('-', "_")
}

pub(super) fn create_key_table(day: Day) -> String {
    format!(
        "CREATE TABLE {} (decision UUID NOT NULL, part SMALLINT NOT NULL, order_id TEXT COLLATE \"C\" NOT NULL,
         mask BIGINT NOT NULL, PRIMARY KEY (decision, part, order_id)) WITH (fillfactor = 80)",
        key_table(day)
    )
}

/// Brings the ledger's tables to this program's version.
pub(super) fn migrate(pool: &Pool) -> Result<(), LedgerError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    pool.transact(|session| {
        if version(session)? == Some(known) {
            return Ok(());
        }
        session.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATING])?;
        session.script("CREATE TABLE IF NOT EXISTS ledger_migration (version INTEGER PRIMARY KEY)")?;
        let found = version(session)?.unwrap_or(0);
        if found > known {
            return Err(LedgerError::NewerSchema { found, known });
        }
        for (version, script) in (1_u32..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
            session.script(script)?;
            session.execute("INSERT INTO ledger_migration (version) VALUES ($1)", &[&version.cast_signed()])?;
        }
        Ok(())
    })
}

/// None before the first migration.
fn version(session: &mut Session) -> Result<Option<u32>, Fault> {
    let made = session.query("SELECT 1 WHERE to_regclass('ledger_migration') IS NOT NULL", &[])?;
    if made.is_empty() {
        return Ok(None);
    }
    let rows = session.query("SELECT coalesce(max(version), 0) FROM ledger_migration", &[])?;
    let version = rows.first().map_or(Ok(0), |row| row.number(0))?;
    Ok(Some(u32::try_from(version).unwrap_or(u32::MAX)))
}
