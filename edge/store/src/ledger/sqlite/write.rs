//! Writing the rows that a plan changed, table by table in lock order, each through one prepared statement.

use std::collections::BTreeSet;

use litfass_ledger::{
    BatchRecord, ClaimId, CommandRecord, Control, ControlId, KeyId, Lease, Pending, Posting, Rows as Plan, Store,
    Table, Timeline, key_day,
};
use litfass_types::{Day, LeaseId};
use rusqlite::{Connection, Params, Result, Statement, ToSql, params};

use super::read::{Rows, key_table};
use super::rollup;
use crate::ledger::command;
use crate::ledger::fields::{billable_code, outcome_columns};
use crate::ledger::rows::{
    CONTROL, CONTROL_ID, PARTITION, PENDING_NUMBERS, POSTING, balance_row, control_row, funding_row, lease_row,
    partition_row, pending_row, posting_command, posting_row, tally_row, unbilled_row,
};

impl Store for Rows<'_> {
    fn write(&mut self, plan: &Plan) -> Result<()> {
        let tx = self.0;
        partitions(tx, plan)?;
        keys(tx, plan)?;
        leases(tx, plan)?;
        controls(tx, plan)?;
        limits(tx, plan)?;
        pending(tx, plan)?;
        plan.commands.changes().filter_map(|change| change.now).try_for_each(|record| put_command(tx, record))?;
        books(tx, plan)?;
        counters(tx, plan)?;
        batch(tx, plan)?;
        rollup::write(tx, plan)?;
        forget(tx, plan)
    }
}

/// Writes every changed row that there is now; the ledger deletes nothing here.
fn upsert<K: Ord + Clone, V: Clone + PartialEq>(
    tx: &Connection,
    table: &Table<K, V>,
    sql: &str,
    mut write: impl FnMut(&mut Statement<'_>, &K, &V) -> Result<usize>,
) -> Result<()> {
    let mut changes = table.changes().filter_map(|change| Some((change.key, change.now?))).peekable();
    if changes.peek().is_none() {
        return Ok(());
    }
    let mut statement = tx.prepare_cached(sql)?;
    changes.try_for_each(|(key, row)| write(&mut statement, key, row).map(drop))
}

/// Writes every changed row by the first statement where it is new, else by the second: an upsert would evaluate each CHECK
/// twice.
fn insert_or_update<K: Ord + Clone, V: Clone + PartialEq>(
    tx: &Connection,
    table: &Table<K, V>,
    [insert, update]: [&str; 2],
    mut write: impl FnMut(&mut Statement<'_>, &K, &V) -> Result<usize>,
) -> Result<()> {
    let (mut insert, mut update) = (tx.prepare_cached(insert)?, tx.prepare_cached(update)?);
    for change in table.changes() {
        let statement = if change.before.is_none() { &mut insert } else { &mut update };
        change.now.map(|row| write(statement, change.key, row)).transpose()?;
    }
    Ok(())
}

fn run(tx: &Connection, sql: &str, bind: impl Params) -> Result<()> {
    tx.prepare_cached(sql)?.execute(bind).map(drop)
}

/// And the timeline that begins with them.
fn partitions(tx: &Connection, plan: &Plan) -> Result<()> {
    if let Some(Timeline { cluster, number }) = plan.promoted {
        let begun = "UPDATE ledger_state SET cluster = ?1, timeline = ?2";
        run(tx, begun, (cluster.cast_signed(), number.cast_signed()))?;
    }
    let sql = format!("REPLACE INTO ledger_partition ({PARTITION}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    upsert(tx, &plan.partitions, &sql, |statement, partition, row| statement.execute(partition_row(*partition, row)))
}

fn keys(tx: &Connection, plan: &Plan) -> Result<()> {
    let days: BTreeSet<Day> = plan.keys.changes().map(|change| key_day(change.key.decision)).collect();
    for day in days {
        make_key_table(tx, day)?;
        let table = key_table(day);
        let insert = format!("INSERT INTO {table} VALUES (?1, ?2, ?3, ?4)");
        let update = format!("UPDATE {table} SET mask = ?4 WHERE decision = ?1 AND part = ?2 AND order_id = ?3");
        insert_or_update(tx, &plan.keys, [&insert, &update], |statement, key: &KeyId, mask| {
            if key_day(key.decision) != day {
                return Ok(0);
            }
            statement.execute(params![key.decision.0.to_be_bytes(), key.part, key.order, mask.cast_signed()])
        })?;
    }
    Ok(())
}

/// A plan sets no key of a dropped day, so no table is made again.
fn make_key_table(tx: &Connection, day: Day) -> Result<()> {
    let mut register = tx.prepare_cached("INSERT INTO ledger_key_day (day) VALUES (?1) ON CONFLICT DO NOTHING")?;
    if register.execute([day.0])? == 0 {
        return Ok(());
    }
    tx.execute_batch(&format!(
        "CREATE TABLE {} (decision BLOB NOT NULL, part INTEGER NOT NULL, order_id TEXT NOT NULL, mask INTEGER NOT NULL,
         PRIMARY KEY (decision, part, order_id)) STRICT, WITHOUT ROWID",
        key_table(day)
    ))
}

fn leases(tx: &Connection, plan: &Plan) -> Result<()> {
    let update = "UPDATE ledger_lease SET spent_hi = ?2, spent_lo = ?3, returned_hi = ?4, returned_lo = ?5, closed = ?6
                  WHERE id = ?1";
    for change in plan.leases.changes() {
        match (change.before, change.now) {
            (Some(_), Some(lease)) => {
                let (spent, returned) = (lease.spent.to_pair(), lease.returned.to_pair());
                let id = change.key.0.to_be_bytes();
                run(tx, update, (id, spent.0, spent.1, returned.0, returned.1, lease.closed))?;
            }
            (None, Some(lease)) => put_lease(tx, *change.key, lease)?,
            (_, None) => {}
        }
    }
    Ok(())
}

fn put_lease(tx: &Connection, id: LeaseId, lease: &Lease) -> Result<()> {
    let insert = "INSERT INTO ledger_lease VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let mut statement = tx.prepare_cached(insert)?;
    statement.raw_bind_parameter(1, id.0.to_be_bytes())?;
    bind_from(&mut statement, 2, &lease_row(lease))?;
    statement.raw_execute().map(drop)
}

/// Binds numbers to the parameters from `first` on.
fn bind_from(statement: &mut Statement<'_>, first: usize, numbers: &[impl ToSql]) -> Result<()> {
    (first..).zip(numbers).try_for_each(|(at, number)| statement.raw_bind_parameter(at, number))
}

fn controls(tx: &Connection, plan: &Plan) -> Result<()> {
    let insert = format!(
        "INSERT INTO ledger_control ({CONTROL_ID}, {CONTROL})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    let update = "UPDATE ledger_control SET limit_hi = ?4, limit_lo = ?5, restored_hi = ?6, restored_lo = ?7,
                  leased_hi = ?8, leased_lo = ?9, spent_hi = ?10, spent_lo = ?11, ceiling_hi = ?12, ceiling_lo = ?13
                  WHERE level = ?1 AND object = ?2 AND day = ?3";
    insert_or_update(tx, &plan.controls, [&insert, update], |statement, id: &ControlId, control: &Control| {
        statement.execute(control_row(*id, control))
    })
}

fn limits(tx: &Connection, plan: &Plan) -> Result<()> {
    let sql = "REPLACE INTO ledger_funding VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    upsert(tx, &plan.funding, sql, |statement, account, row| statement.execute(funding_row(*account, row)))?;
    for change in plan.daily.changes() {
        let campaign = change.key.0.cast_signed();
        run(tx, "DELETE FROM ledger_daily_limit WHERE campaign = ?1", [campaign])?;
        for (from, limit) in change.now.iter().flat_map(|steps| &steps.0) {
            let (hi, lo) = limit.to_pair();
            run(tx, "INSERT INTO ledger_daily_limit VALUES (?1, ?2, ?3, ?4)", (campaign, from.0, hi, lo))?;
        }
    }
    Ok(())
}

fn pending(tx: &Connection, plan: &Plan) -> Result<()> {
    for change in plan.pending.changes() {
        match change.now {
            Some(row) => put_pending(tx, change.key, row)?,
            None => {
                let sql =
                    "DELETE FROM ledger_pending WHERE decision = ?1 AND slot = ?2 AND kind = ?3 AND order_id = ?4";
                let ClaimId { decision, slot, kind, order } = change.key;
                run(tx, sql, (decision.0.to_be_bytes(), slot, billable_code(*kind), order))?;
            }
        }
    }
    Ok(())
}

fn put_pending(tx: &Connection, id: &ClaimId, row: &Pending) -> Result<()> {
    let sql = format!(
        "REPLACE INTO ledger_pending (decision, order_id, lease, country, {PENDING_NUMBERS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
         ?23, ?24)"
    );
    let mut statement = tx.prepare_cached(&sql)?;
    statement.raw_bind_parameter(1, id.decision.0.to_be_bytes())?;
    statement.raw_bind_parameter(2, &id.order)?;
    statement.raw_bind_parameter(3, row.lease.0.to_be_bytes())?;
    statement.raw_bind_parameter(4, row.facet.country.name())?;
    bind_from(&mut statement, 5, &pending_row(id, row))?;
    statement.raw_execute().map(drop)
}

fn put_command(tx: &Connection, record: &CommandRecord) -> Result<()> {
    let sql = format!(
        "INSERT INTO ledger_command ({})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
         ON CONFLICT DO UPDATE SET outcome = excluded.outcome",
        command::COLUMNS
    );
    let (id, note) = (record.entry.command.id, &record.entry.command.note);
    let mut statement = tx.prepare_cached(&sql)?;
    statement.raw_bind_parameter(1, id.0.to_be_bytes())?;
    bind_from(&mut statement, 2, &command::numbers(record))?;
    statement.raw_bind_parameter(13, command::nanos_text(record))?;
    statement.raw_bind_parameter(14, &note.by)?;
    statement.raw_bind_parameter(15, &note.reason)?;
    statement.raw_execute().map(drop)
}

fn books(tx: &Connection, plan: &Plan) -> Result<()> {
    plan.postings.iter().try_for_each(|posting| post(tx, posting))?;
    let sql = "REPLACE INTO ledger_balance VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    upsert(tx, &plan.balances, sql, |statement, account, row| statement.execute(balance_row(*account, row)))
}

fn post(tx: &Connection, posting: &Posting) -> Result<()> {
    let sql = format!(
        "INSERT INTO ledger_posting ({POSTING})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
    );
    let mut statement = tx.prepare_cached(&sql)?;
    bind_from(&mut statement, 1, &posting_row(posting))?;
    statement.raw_bind_parameter(17, posting_command(posting).map(u128::to_be_bytes))?;
    statement.raw_execute().map(drop)
}

fn counters(tx: &Connection, plan: &Plan) -> Result<()> {
    let sql =
        "REPLACE INTO ledger_tally VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    upsert(tx, &plan.tallies, sql, |statement, chain, row| statement.execute(tally_row(chain, row)))?;
    let sql = "REPLACE INTO ledger_unbilled VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    upsert(tx, &plan.unbilled, sql, |statement, id, count| statement.execute(unbilled_row(id, *count)))
}

fn batch(tx: &Connection, plan: &Plan) -> Result<()> {
    if let Some(record) = &plan.batch {
        put_batch(tx, record)?;
    }
    let sql = "REPLACE INTO ledger_outcome VALUES (?1, ?2, ?3, ?4, ?5)";
    for (position, outcome) in &plan.outcomes {
        let [code, level, late] = outcome_columns(*outcome);
        run(tx, sql, (position.partition, position.offset.cast_signed(), code, level, late))?;
    }
    Ok(())
}

fn put_batch(tx: &Connection, record: &BatchRecord) -> Result<()> {
    let bind = (record.claims.cast_signed(), record.billed.cast_signed());
    run(tx, "INSERT INTO ledger_batch VALUES (NULL, ?1, ?2)", bind)?;
    let batch = tx.last_insert_rowid();
    for range in &record.consumed {
        let (from, next) = (range.from.cast_signed(), range.next.cast_signed());
        let bind = (range.partition, from, next, range.appended.0, batch);
        run(tx, "INSERT INTO ledger_batch_range VALUES (?1, ?2, ?3, ?4, ?5)", bind)?;
    }
    Ok(())
}

/// Drops key tables of days that are gone for ever, and closed leases as old.
fn forget(tx: &Connection, plan: &Plan) -> Result<()> {
    if let Some(before) = plan.leases_forgotten {
        run(tx, "DELETE FROM ledger_lease WHERE closed = 1 AND expires < ?1", [before.0])?;
    }
    let Some(dropped) = plan.keys_dropped.filter(|_| plan.leases_forgotten.is_some()) else { return Ok(()) };
    run(tx, "UPDATE ledger_state SET keys_dropped = ?1", [dropped.0])?;
    let days =
        Rows(tx).all("SELECT day FROM ledger_key_day WHERE day <= ?1", [dropped.0], |row| row.get(0).map(Day))?;
    for day in days {
        tx.execute_batch(&format!("DROP TABLE {}", key_table(day)))?;
    }
    run(tx, "DELETE FROM ledger_key_day WHERE day <= ?1", [dropped.0])
}
