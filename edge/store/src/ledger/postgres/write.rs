//! Writing the rows that a plan changed, table by table in lock order, one statement each whatever their number.
//!
//! A row that was not there when it was read is inserted, one that was there is updated, and both have to happen to every one
//! of them: where another transaction came first, this one is rolled back and tried again. Nothing that was planned is ever
//! written over what the plan did not see.

use std::collections::{BTreeMap, BTreeSet};

use litfass_ledger::{
    Change, ClaimId, CommandRecord, KeyId, Pending, Posting, Rows as Plan, Store, Table, Timeline, key_day,
};
use litfass_types::Day;
use postgres::Row;

use super::error::Fault;
use super::read::Rows;
use super::schema::{create_key_table, key_table};
use super::values::{Column, Kind, Sent, Turned, Wide, binds, sent};
use crate::ledger::command;
use crate::ledger::fields::{Fields, billable_code, day, outcome_columns};
use crate::ledger::rows::{
    BALANCE, CHAIN, CONTROL, CONTROL_ID, FUNDING, LEASE, PARTITION, PENDING_NUMBERS, POSTING, TALLY, balance_row,
    control_row, funding_row, lease_row, partition_row, pending_row, posting_command, posting_row, tally_row,
    unbilled_row,
};
use crate::ledger::sums::{Sums, sums};

type Result<T> = std::result::Result<T, Fault>;

impl Store for Rows<'_> {
    fn write(&mut self, plan: &Plan) -> Result<()> {
        if let Some(Timeline { cluster, number }) = plan.promoted {
            let sql = "UPDATE ledger_state SET cluster = $1, timeline = $2";
            self.session.execute(sql, &[&cluster.cast_signed(), &number.cast_signed()])?;
        }
        self.put("ledger_partition", 1, PARTITION, &plan.partitions, |id, row| partition_row(*id, row))?;
        self.write_keys(plan)?;
        self.write_leases(plan)?;
        let control = format!("{CONTROL_ID}, {CONTROL}");
        self.put("ledger_control", 3, &control, &plan.controls, |id, row| control_row(*id, row).map(Some))?;
        self.write_limits(plan)?;
        self.write_pending(plan)?;
        self.write_commands(plan)?;
        self.write_books(plan)?;
        self.write_batch(plan)?;
        for sums in sums(&plan.rollup)? {
            self.add(&sums)?;
        }
        self.write_clicks(plan)?;
        self.write_orders(plan)?;
        self.forget(plan)
    }
}

impl Rows<'_> {
    pub(super) fn insert(&mut self, table: &'static str, columns: &[Column<'_>]) -> Result<()> {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let Sent { from, values } = sent(columns);
        let sql = format!("INSERT INTO {table} ({}) SELECT {} FROM {from}", names.join(", "), values.join(", "));
        self.session.execute(&sql, &binds(columns))?;
        Ok(())
    }

    /// Sets the columns after the first `keys`, which find the row.
    fn update(&mut self, table: &'static str, keys: usize, columns: &[Column<'_>], rows: usize) -> Result<()> {
        let Sent { from, values } = sent(columns);
        let mut named = columns.iter().zip(values).map(|(column, value)| format!("{} = {value}", column.name));
        let found: Vec<String> = named.by_ref().take(keys).map(|key| format!("t.{key}")).collect();
        let set: Vec<String> = named.collect();
        let sql = format!("UPDATE {table} t SET {} FROM {from} WHERE {}", set.join(", "), found.join(" AND "));
        self.expect(rows, &sql, columns, table)
    }

    /// Runs a statement that has to concern that many rows.
    pub(super) fn expect(&mut self, rows: usize, sql: &str, columns: &[Column<'_>], table: &'static str) -> Result<()> {
        let changed = self.session.execute(sql, &binds(columns))?;
        if usize::try_from(changed).is_ok_and(|changed| changed == rows) { Ok(()) } else { Err(Fault::Raced(table)) }
    }

    /// Writes every changed row that there is now; the ledger deletes nothing here. The first `keys` columns name it.
    fn put<K: Ord + Clone, V: Clone + PartialEq, const N: usize>(
        &mut self,
        table: &'static str,
        keys: usize,
        names: &str,
        changed: &Table<K, V>,
        row: impl Fn(&K, &V) -> [Option<i64>; N],
    ) -> Result<()> {
        let rows = |new: bool| {
            let changes = changed.changes().filter(move |change| change.before.is_none() == new);
            Turned::of_nullable(changes.filter_map(|change| Some(row(change.key, change.now?))))
        };
        let (new, old) = (rows(true), rows(false));
        if new.rows() > 0 {
            self.insert(table, &new.named(names).collect::<Vec<_>>())?;
        }
        if old.rows() > 0 {
            self.update(table, keys, &old.named(names).collect::<Vec<_>>(), old.rows())?;
        }
        Ok(())
    }

    fn write_keys(&mut self, plan: &Plan) -> Result<()> {
        let mut days: BTreeMap<Day, Vec<Change<'_, KeyId, u64>>> = BTreeMap::new();
        for change in plan.keys.changes() {
            days.entry(key_day(change.key.decision)).or_default().push(change);
        }
        for (day, changes) in days {
            if !self.key_days.contains(&day) {
                self.make_key_table(day)?;
            }
            let (new, old): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.before.is_none());
            self.write_keys_of(day, &new, true)?;
            self.write_keys_of(day, &old, false)?;
        }
        Ok(())
    }

    /// A plan sets no key of a dropped day, so no table is made again.
    fn make_key_table(&mut self, day: Day) -> Result<()> {
        let register = "INSERT INTO ledger_key_day (day) VALUES ($1) ON CONFLICT DO NOTHING";
        if self.session.execute(register, &[&day.0])? > 0 {
            self.session.script(&create_key_table(day))?;
        }
        Ok(())
    }

    fn write_keys_of(&mut self, day: Day, changes: &[Change<'_, KeyId, u64>], new: bool) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let decisions: Vec<Wide> = changes.iter().map(|change| Wide(change.key.decision.0)).collect();
        let parts: Vec<i64> = changes.iter().map(|change| change.key.part.into()).collect();
        let orders: Vec<&str> = changes.iter().map(|change| change.key.order.as_str()).collect();
        let masks: Vec<i64> = changes.iter().map(|c| c.now.copied().unwrap_or_default().cast_signed()).collect();
        let columns = [
            Column::new("decision", Kind::Wide, &decisions),
            Column::new("part", Kind::Number, &parts),
            Column::new("order_id", Kind::Text, &orders),
            Column::new("mask", Kind::Number, &masks),
        ];
        let (table, Sent { from, values }) = (key_table(day), sent(&columns));
        let [decision, part, order, mask] = &values[..] else { return Err(Row::damaged(0, "a key")) };
        let sql = if new {
            format!("INSERT INTO {table} (decision, part, order_id, mask) SELECT {} FROM {from}", values.join(", "))
        } else {
            format!(
                "UPDATE {table} t SET mask = {mask} FROM {from}
                 WHERE t.decision = {decision} AND t.part = {part} AND t.order_id = {order}"
            )
        };
        self.expect(changes.len(), &sql, &columns, "the keys of a day")
    }

    fn write_leases(&mut self, plan: &Plan) -> Result<()> {
        let new = plan.leases.changes().filter(|change| change.before.is_none());
        let new: Vec<_> = new.filter_map(|change| Some((Wide(change.key.0), lease_row(change.now?)))).collect();
        if !new.is_empty() {
            let (ids, rows): (Vec<Wide>, Vec<_>) = new.into_iter().unzip();
            let turned = Turned::of(rows);
            let names = LEASE.strip_prefix("id, ").unwrap_or(LEASE);
            let id = std::iter::once(Column::new("id", Kind::Wide, &ids));
            self.insert("ledger_lease", &id.chain(turned.named(names)).collect::<Vec<_>>())?;
        }
        let old = plan.leases.changes().filter(|change| change.before.is_some());
        let moved = old.filter_map(|change| {
            let lease = change.now?;
            let (spent, returned) = (lease.spent.to_pair(), lease.returned.to_pair());
            Some((Wide(change.key.0), [spent.0, spent.1, returned.0, returned.1, lease.closed.into()]))
        });
        let (ids, rows): (Vec<Wide>, Vec<_>) = moved.unzip();
        if ids.is_empty() {
            return Ok(());
        }
        let turned = Turned::of(rows);
        let id = std::iter::once(Column::new("id", Kind::Wide, &ids));
        let columns: Vec<_> = id.chain(turned.named("spent_hi, spent_lo, returned_hi, returned_lo, closed")).collect();
        self.update("ledger_lease", 1, &columns, ids.len())
    }

    fn write_limits(&mut self, plan: &Plan) -> Result<()> {
        let names = format!("account, {FUNDING}");
        self.put("ledger_funding", 1, &names, &plan.funding, |account, row| funding_row(*account, row).map(Some))?;
        let changed: Vec<i64> = plan.daily.changes().map(|change| change.key.0.cast_signed()).collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.session.execute("DELETE FROM ledger_daily_limit WHERE campaign = ANY ($1)", &[&changed])?;
        let steps = plan.daily.changes().flat_map(|change| {
            let campaign = change.key.0.cast_signed();
            change.now.into_iter().flat_map(|steps| &steps.0).map(move |(from, limit)| {
                let (hi, lo) = limit.to_pair();
                [campaign, from.0.into(), hi, lo]
            })
        });
        let turned = Turned::of(steps);
        let columns: Vec<_> = turned.named("campaign, from_day, limit_hi, limit_lo").collect();
        self.insert("ledger_daily_limit", &columns)
    }

    fn write_pending(&mut self, plan: &Plan) -> Result<()> {
        let changes: Vec<Change<'_, ClaimId, Pending>> = plan.pending.changes().collect();
        let gone: Vec<&ClaimId> = changes.iter().filter(|c| c.before.is_some()).map(|change| change.key).collect();
        if !gone.is_empty() {
            self.delete_pending(&gone)?;
        }
        let kept: Vec<(&ClaimId, &Pending)> = changes.iter().filter_map(|c| Some((c.key, c.now?))).collect();
        if kept.is_empty() {
            return Ok(());
        }
        let decisions: Vec<Wide> = kept.iter().map(|(id, _)| Wide(id.decision.0)).collect();
        let orders: Vec<&str> = kept.iter().map(|(id, _)| id.order.as_str()).collect();
        let leases: Vec<Wide> = kept.iter().map(|(_, row)| Wide(row.lease.0)).collect();
        let countries: Vec<&str> = kept.iter().map(|(_, row)| row.facet.country.name()).collect();
        let turned = Turned::of(kept.iter().map(|(id, row)| pending_row(id, row)));
        let mut columns = vec![
            Column::new("decision", Kind::Wide, &decisions),
            Column::new("order_id", Kind::Text, &orders),
            Column::new("lease", Kind::Wide, &leases),
            Column::new("country", Kind::Text, &countries),
        ];
        columns.extend(turned.named(PENDING_NUMBERS));
        self.insert("ledger_pending", &columns)
    }

    fn delete_pending(&mut self, gone: &[&ClaimId]) -> Result<()> {
        let decisions: Vec<Wide> = gone.iter().map(|id| Wide(id.decision.0)).collect();
        let slots: Vec<i64> = gone.iter().map(|id| id.slot.into()).collect();
        let kinds: Vec<i64> = gone.iter().map(|id| billable_code(id.kind)).collect();
        let orders: Vec<&str> = gone.iter().map(|id| id.order.as_str()).collect();
        let columns = [
            Column::new("decision", Kind::Wide, &decisions),
            Column::new("slot", Kind::Number, &slots),
            Column::new("kind", Kind::Number, &kinds),
            Column::new("order_id", Kind::Text, &orders),
        ];
        self.delete("ledger_pending", &columns, gone.len())
    }

    fn write_commands(&mut self, plan: &Plan) -> Result<()> {
        for change in plan.commands.changes() {
            let Some(record) = change.now else { continue };
            if change.before.is_some() {
                let sql = "UPDATE ledger_command SET outcome = $2::bigint WHERE id = $1";
                self.session.execute(sql, &[&Wide(change.key.0), &command::outcome_code(record.outcome)])?;
            } else {
                self.put_command(record)?;
            }
        }
        Ok(())
    }

    fn put_command(&mut self, record: &CommandRecord) -> Result<()> {
        let command = &record.entry.command;
        let (ids, nanos) = ([Wide(command.id.0)].to_vec(), vec![command::nanos_text(record)]);
        let (by, reason) = (vec![command.note.by.as_str()], vec![command.note.reason.as_str()]);
        let turned = Turned::of_nullable([command::numbers(record)]);
        let mut columns = vec![Column::new("id", Kind::Wide, &ids)];
        columns.extend(turned.named(command::NUMBERS));
        columns.extend([
            Column::new("nanos", Kind::Text, &nanos),
            Column::new("by_whom", Kind::Text, &by),
            Column::new("reason", Kind::Text, &reason),
        ]);
        self.insert("ledger_command", &columns)
    }

    fn write_books(&mut self, plan: &Plan) -> Result<()> {
        if !plan.postings.is_empty() {
            self.post(&plan.postings)?;
        }
        let names = format!("kind, owner, {BALANCE}");
        self.put("ledger_balance", 2, &names, &plan.balances, |id, row| balance_row(*id, row).map(Some))?;
        let names = format!("{CHAIN}, {TALLY}");
        self.put("ledger_tally", 4, &names, &plan.tallies, |chain, row| tally_row(chain, row).map(Some))?;
        let names = format!("{CHAIN}, short_level, late, events, hi, lo");
        self.put("ledger_unbilled", 6, &names, &plan.unbilled, |id, count| unbilled_row(id, *count).map(Some))
    }

    fn post(&mut self, postings: &[Posting]) -> Result<()> {
        let commands: Vec<Option<Wide>> = postings.iter().map(|posting| posting_command(posting).map(Wide)).collect();
        let turned = Turned::of_nullable(postings.iter().map(posting_row));
        let mut columns: Vec<_> = turned.named(POSTING).collect();
        columns.push(Column::new("cause_command", Kind::WideOrNull, &commands));
        self.insert("ledger_posting", &columns)
    }

    fn write_batch(&mut self, plan: &Plan) -> Result<()> {
        if let Some(record) = &plan.batch {
            let sql = "INSERT INTO ledger_batch (claims, billed) VALUES ($1, $2) RETURNING id";
            let made = self.session.query(sql, &[&record.claims.cast_signed(), &record.billed.cast_signed()])?;
            let batch = made.first().map_or_else(|| Err(Row::damaged(0, "no batch")), |row| row.number(0))?;
            let range = |range: &litfass_ledger::Consumed| {
                let (from, next) = (range.from.cast_signed(), range.next.cast_signed());
                [range.partition.into(), from, next, range.appended.0, batch]
            };
            let turned = Turned::of(record.consumed.iter().map(range));
            let columns: Vec<_> = turned.named("partition, first, next, appended, batch").collect();
            self.insert("ledger_batch_range", &columns)?;
        }
        if plan.outcomes.is_empty() {
            return Ok(());
        }
        let outcomes = plan.outcomes.iter().map(|(position, outcome)| {
            let [code, level, late] = outcome_columns(*outcome);
            [Some(position.partition.into()), Some(position.offset.cast_signed()), code, level, late]
        });
        let turned = Turned::of_nullable(outcomes);
        let columns: Vec<_> = turned.named("partition, at, outcome, short_level, late").collect();
        let Sent { from, values } = sent(&columns);
        let sql = format!(
            "INSERT INTO ledger_outcome (partition, at, outcome, short_level, late) SELECT {} FROM {from}
             ON CONFLICT (partition, at) DO UPDATE SET
             outcome = excluded.outcome, short_level = excluded.short_level, late = excluded.late",
            values.join(", ")
        );
        self.session.execute(&sql, &binds(&columns))?;
        Ok(())
    }

    fn add(&mut self, sums: &Sums) -> Result<()> {
        if sums.numbers.is_empty() {
            return Ok(());
        }
        let numbers = Turned::of_flat(&sums.numbers, sums.width());
        let countries: Option<Vec<&str>> =
            sums.countries.as_ref().map(|countries| countries.iter().map(litfass_ledger::Country::name).collect());
        let mut columns: Vec<_> = numbers.unnamed().collect();
        columns.extend(countries.as_ref().map(|values| Column::new("", Kind::Text, values)));
        let Sent { from, values } = sent(&columns);
        let sql = sums.upsert(&format!("SELECT {} FROM {from}", values.join(", ")));
        self.session.execute(&sql, &binds(&columns))?;
        Ok(())
    }

    /// Drops key tables of days that are gone for ever, and closed leases as old.
    fn forget(&mut self, plan: &Plan) -> Result<()> {
        if let Some(before) = plan.journeys_forgotten {
            self.session.execute("DELETE FROM report_click WHERE appended < $1", &[&before.0])?;
            self.session.execute("DELETE FROM report_order WHERE appended < $1", &[&before.0])?;
        }
        let Some(before) = plan.leases_forgotten else { return Ok(()) };
        self.session.execute("DELETE FROM ledger_lease WHERE closed = 1 AND expires < $1", &[&before.0])?;
        let Some(dropped) = plan.keys_dropped else { return Ok(()) };
        self.session.execute("UPDATE ledger_state SET keys_dropped = $1", &[&dropped.0])?;
        let gone = self.session.query("DELETE FROM ledger_key_day WHERE day <= $1 RETURNING day", &[&dropped.0])?;
        let days: BTreeSet<Day> = gone.iter().map(|row| day(row, 0)).collect::<Result<_>>()?;
        days.into_iter().try_for_each(|day| Ok(self.session.script(&format!("DROP TABLE {}", key_table(day)))?))
    }
}
