//! Tables that came with a later format of the data directory. The catalog's and the ledger's are as old as the database and
//! bring themselves.
//!
//! Each script can be run again without effect (`IF NOT EXISTS`), so a step that was interrupted is simply taken again.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::{audit, keys};

/// What format 2 added to `litfass.db`.
const FORMAT_2: &[&str] = &[audit::TABLES[0], audit::TABLES[1], audit::TABLES[2], keys::TABLES];

/// Brings `litfass.db` to the tables of this version, making the file where there is none.
///
/// # Errors
/// When the file cannot be opened, is no database, or stays locked.
pub fn to_current(database: &Path) -> rusqlite::Result<()> {
    let mut connection = connect(database)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    FORMAT_2.iter().try_for_each(|script| transaction.execute_batch(script))?;
    transaction.commit()
}

/// How long a statement waits for another process's lock.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

/// A connection with the settings that all writers of the file use.
pub(crate) fn connect(database: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}
