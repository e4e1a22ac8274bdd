//! Cutting a transaction off at a statement: a trigger on every table of the ledger counts writes down, and the one that
//! reaches zero fails, as if the process had died there.

use litfass_store::ledger::DatabaseError;
use rusqlite::{Connection, Result};

const NAMED: &str = "the process died here";

#[derive(Debug)]
pub(super) struct Cut<'a> {
    tool: &'a Connection,
    triggers: Vec<String>,
}

impl<'a> Cut<'a> {
    pub(super) fn arm(tool: &'a Connection) -> Result<Self> {
        let mut cut = Self { tool, triggers: Vec::new() };
        let mut script = "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS cut (countdown INTEGER); DELETE FROM cut; \
                          INSERT INTO cut VALUES (0);"
            .to_owned();
        for table in tables(tool)? {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                let name = format!("cut_{table}_{event}");
                script += &format!(
                    "CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN UPDATE cut SET countdown = countdown - 1; \
                     SELECT CASE WHEN (SELECT countdown FROM cut) = 0 THEN RAISE(ABORT, '{NAMED}') END; END;"
                );
                cut.triggers.push(name);
            }
        }
        tool.execute_batch(&(script + "COMMIT"))?;
        Ok(cut)
    }

    /// The next transaction fails at that write, if it has so many.
    pub(super) fn at(&self, countdown: usize) -> Result<()> {
        self.tool.execute("UPDATE cut SET countdown = ?1", [i64::try_from(countdown).unwrap_or(0)]).map(drop)
    }

    pub(super) fn is(error: &DatabaseError) -> bool {
        error.to_string().contains(NAMED)
    }

    pub(super) fn disarm(self) -> Result<()> {
        let drops: String = self.triggers.iter().map(|name| format!("DROP TRIGGER {name};")).collect();
        self.tool.execute_batch(&format!("BEGIN IMMEDIATE; DROP TABLE cut; {drops} COMMIT"))
    }
}

fn tables(tool: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name LIKE 'ledger!_%' ESCAPE '!' OR name LIKE 'report!_%' ESCAPE '!')";
    let mut statement = tool.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}
