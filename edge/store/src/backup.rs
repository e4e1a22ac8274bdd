//! The database's part of a backup: a copy of one instant, made while others write.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

/// How long a lock of somebody else is waited for, each time and in all.
const BUSY_WAIT: Duration = Duration::from_secs(30);
const BUSY_TIMES: u32 = 20;
const ALL_PAGES: i32 = -1;

/// Copies `from` to `to`, which must not be there yet, as of one instant. Returns where the ledger in the copy goes on in each
/// partition of the log.
///
/// # Errors
/// When one of the files cannot be opened, read or written, or the database stays locked.
pub fn copy_database(from: &Path, to: &Path) -> rusqlite::Result<BTreeMap<u16, u64>> {
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    source.busy_timeout(BUSY_WAIT)?;
    let mut copy = Connection::open(to)?;
    pages(&source, &mut copy)?;
    // One file, without a log of its own beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    positions(&copy)
}

/// All pages in one step, so that a writer cannot make it begin again.
fn pages(source: &Connection, copy: &mut Connection) -> rusqlite::Result<()> {
    let backup = Backup::new(source, copy)?;
    for _ in 0..BUSY_TIMES {
        if backup.step(ALL_PAGES)? == StepResult::Done {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None))
}

/// None in a database from before the first start, which has no ledger yet.
fn positions(copy: &Connection) -> rusqlite::Result<BTreeMap<u16, u64>> {
    if !copy.table_exists(None, "ledger_partition")? {
        return Ok(BTreeMap::new());
    }
    let mut query = copy.prepare("SELECT partition, next FROM ledger_partition")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    rows.collect()
}
