//! Tables of the ledger on PostgreSQL: the same names and columns as in a file of SQLite, which a test compares.
//!
//! Rows that billing changes leave room on their page, so that a new version needs no entry in an index. Amounts are pairs
//! (hi, lo) of nanos, lo below 10¹⁸. The key tables, one per UTC day of the decision id, are made when first needed; a table of
//! a dropped day is never made again.

use litfass_types::Day;

use crate::database::pool::{Migrations, Newer, Pool};
use crate::ledger::LedgerError;

/// One script per version, in order; a script that was released never changes.
const MIGRATIONS: [&str; 2] = [include_str!("v1.sql"), include_str!("v2.sql")];

/// Only one process at a time changes tables: whoever holds this.
const MIGRATING: i64 = 0x6c69_7466_6173_7301;
/// Held by whoever bills an account that has no control yet: a row that is not there cannot be locked.
pub(super) const UNFUNDED: i64 = 0x6c69_7466_6173_7302;

/// Which data the server has, and its timeline: both stay with a standby, and the timeline rises when it is promoted. A dump that was
/// restored is another database, on the same server too.
pub(super) const RUNS: &str = "(SELECT system_identifier # (oid::bigint << 24) FROM pg_control_system(), pg_database \
                               WHERE datname = current_database()), \
                               ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint";

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
    let migrated = pool.migrate(&Migrations { table: "ledger_migration", lock: MIGRATING, scripts: &MIGRATIONS })?;
    migrated.map_err(|Newer { found, known }| LedgerError::NewerSchema { found, known })
}
