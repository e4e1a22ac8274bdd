//! Finding the rows an operation asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use litfass_ledger::{
    Balance, Chain, ClaimId, CommandId, CommandRecord, Control, ControlId, Count, DailyLimits, Found, Funding, KeyId,
    LastClick, Lease, LedgerAccount, OrderId, Partition, Pending, Source, State, StateUse, Tally, UnbilledId, Viewer,
    key_day,
};
use litfass_types::{AdvertiserId, CampaignId, Day, LeaseId, Timestamp};
use rusqlite::types::{ToSqlOutput, Type};
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, ToSql, params_from_iter};

use crate::ledger::command;
use crate::ledger::fields::{
    Damaged, Fields, amount, billable_code, chain, chain_columns, control_columns, control_id, count, id,
    ledger_account_columns, level_code, time,
};
use crate::ledger::reading::{Bind, Tables};
use crate::ledger::rows::{
    BALANCE, CONTROL, CONTROL_ID, FUNDING, LEASE, PARTITION, PENDING, SLICE, STATE, TALLY, balance, control, funding,
    last_click, lease, order_columns, partition, pending, state, tally, viewer_columns,
};

/// Rows of one transaction.
pub(in crate::ledger) struct Rows<'a>(pub &'a Connection);

impl Fields for Row<'_> {
    type Error = rusqlite::Error;

    fn number(&self, at: usize) -> Result<i64> {
        self.get(at)
    }

    fn number_or_null(&self, at: usize) -> Result<Option<i64>> {
        self.get(at)
    }

    fn wide(&self, at: usize) -> Result<u128> {
        self.get(at).map(u128::from_be_bytes)
    }

    fn wide_or_null(&self, at: usize) -> Result<Option<u128>> {
        Ok(self.get::<_, Option<_>>(at)?.map(u128::from_be_bytes))
    }

    fn text(&self, at: usize) -> Result<&str> {
        Ok(self.get_ref(at)?.as_str()?)
    }

    fn text_or_null(&self, at: usize) -> Result<Option<&str>> {
        Ok(self.get_ref(at)?.as_str_or_null()?)
    }

    fn damaged(at: usize, what: impl Display) -> rusqlite::Error {
        rusqlite::Error::FromSqlConversionFailure(at, Type::Integer, Box::new(Damaged(what.to_string())))
    }
}

impl Tables for Rows<'_> {
    const MARK: char = '?';
    type Row<'r> = Row<'r>;

    fn scan(&mut self, sql: &str, bind: &[Bind], mut take: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(bind))?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
        Ok(())
    }
}

impl ToSql for Bind {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        match self {
            Self::Number(number) => number.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}

impl Rows<'_> {
    /// One look-up per key, through one prepared statement.
    fn each<K: Clone, V, P: Params>(
        &self,
        sql: &str,
        wanted: &BTreeSet<K>,
        bind: impl Fn(&K) -> P,
        read: impl Fn(&Row<'_>) -> Result<V>,
    ) -> Result<Found<K, V>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = self.0.prepare_cached(sql)?;
        let mut found = Vec::with_capacity(wanted.len());
        for key in wanted {
            if let Some(row) = statement.query_row(bind(key), &read).optional()? {
                found.push((key.clone(), row));
            }
        }
        Ok(found)
    }

    pub(super) fn all<T>(&self, sql: &str, bind: impl Params, read: impl Fn(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        self.0.prepare_cached(sql)?.query_map(bind, read)?.collect()
    }
}

pub(super) fn key_table(day: Day) -> String {
    format!("ledger_key_{day}").replace('-', "_")
}

impl Source for Rows<'_> {
    type Error = rusqlite::Error;

    fn partitions(&mut self, _: &BTreeSet<u16>) -> Result<Found<u16, Partition>> {
        self.all(&format!("SELECT {PARTITION} FROM ledger_partition"), [], |row| partition(row))
    }

    fn state(&mut self, _: StateUse) -> Result<State> {
        let sql = format!("SELECT {STATE}, 0, raised FROM ledger_state");
        let mut statement = self.0.prepare_cached(&sql)?;
        statement.query_row([], |row| state(row))
    }

    fn keys(&mut self, wanted: &BTreeSet<KeyId>) -> Result<Found<KeyId, u64>> {
        let mut by_day: BTreeMap<Day, BTreeSet<KeyId>> = BTreeMap::new();
        for key in wanted {
            by_day.entry(key_day(key.decision)).or_default().insert(key.clone());
        }
        let mut found = Vec::new();
        for (day, keys) in by_day {
            let mut known = self.0.prepare_cached("SELECT 1 FROM ledger_key_day WHERE day = ?1")?;
            if known.exists([day.0])? {
                let table = key_table(day);
                let sql = format!("SELECT mask FROM {table} WHERE decision = ?1 AND part = ?2 AND order_id = ?3");
                let bind = |key: &KeyId| (key.decision.0.to_be_bytes(), key.part, key.order.clone());
                found.extend(self.each(&sql, &keys, bind, |row| id(row, 0))?);
            }
        }
        Ok(found)
    }

    fn leases(&mut self, wanted: &BTreeSet<LeaseId>) -> Result<Found<LeaseId, Lease>> {
        let sql = format!("SELECT {LEASE} FROM ledger_lease WHERE id = ?1");
        self.each(&sql, wanted, |id| [id.0.to_be_bytes()], |row| Ok(lease(row, 0)?.1))
    }

    fn leases_due(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<LeaseId, Lease>> {
        let sql =
            format!("SELECT {LEASE} FROM ledger_lease WHERE closed = 0 AND expires < ?1 ORDER BY expires, id LIMIT ?2");
        self.all(&sql, (watermark.0, rows_max(limit)), |row| lease(row, 0))
    }

    fn controls(&mut self, wanted: &BTreeSet<ControlId>) -> Result<Found<ControlId, Control>> {
        let sql = format!("SELECT {CONTROL} FROM ledger_control WHERE level = ?1 AND object = ?2 AND day = ?3");
        self.each(&sql, wanted, |id| control_columns(*id), |row| control(row, 0))
    }

    fn day_controls(&mut self, campaign: CampaignId, from: Day) -> Result<Found<ControlId, Control>> {
        let sql =
            format!("SELECT {CONTROL_ID}, {CONTROL} FROM ledger_control WHERE level = 2 AND object = ?1 AND day >= ?2");
        self.all(&sql, (campaign.0.cast_signed(), from.0), |row| Ok((control_id(row, 0)?, control(row, 3)?)))
    }

    fn funding(&mut self, wanted: &BTreeSet<AdvertiserId>) -> Result<Found<AdvertiserId, Funding>> {
        let sql = format!("SELECT {FUNDING} FROM ledger_funding WHERE account = ?1");
        self.each(&sql, wanted, |account| [account.0.cast_signed()], |row| funding(row, 0))
    }

    fn daily_limits(&mut self, wanted: &BTreeSet<CampaignId>) -> Result<Found<CampaignId, DailyLimits>> {
        let sql = "SELECT from_day, limit_hi, limit_lo FROM ledger_daily_limit WHERE campaign = ?1";
        let mut found = Vec::new();
        for campaign in wanted {
            let steps = self.all(sql, [campaign.0.cast_signed()], |row| Ok((Day(row.get(0)?), amount(row, 1)?)))?;
            if !steps.is_empty() {
                found.push((*campaign, DailyLimits(steps.into_iter().collect())));
            }
        }
        Ok(found)
    }

    fn pending(&mut self, wanted: &BTreeSet<ClaimId>) -> Result<Found<ClaimId, Pending>> {
        let sql = format!(
            "SELECT {PENDING} FROM ledger_pending WHERE decision = ?1 AND slot = ?2 AND kind = ?3 AND order_id = ?4"
        );
        let bind = |c: &ClaimId| (c.decision.0.to_be_bytes(), c.slot, billable_code(c.kind), c.order.clone());
        self.each(&sql, wanted, bind, |row| Ok(pending(row, 0)?.1))
    }

    fn pending_of(&mut self, accounts: &BTreeSet<AdvertiserId>, per_chain: usize) -> Result<Found<ClaimId, Pending>> {
        let mut found = Vec::new();
        for account in accounts {
            self.smallest_pending(*account, per_chain, &mut found)?;
        }
        Ok(found)
    }

    fn pending_past(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<ClaimId, Pending>> {
        let sql = format!(
            "SELECT {PENDING} FROM ledger_pending WHERE token_expires < ?1
             ORDER BY token_expires, decision, slot, kind, order_id LIMIT ?2"
        );
        self.all(&sql, (watermark.0, rows_max(limit)), |row| pending(row, 0))
    }

    fn pending_accounts(&mut self, after: Option<AdvertiserId>, limit: usize) -> Result<Vec<AdvertiserId>> {
        let sql = "SELECT account FROM ledger_pending WHERE account > ?1 ORDER BY account LIMIT 1";
        let mut next = self.0.prepare_cached(sql)?;
        let mut accounts: Vec<AdvertiserId> = Vec::new();
        let mut after = after.map_or(i64::MIN, |account| account.0.cast_signed());
        while accounts.len() < limit
            && let Some(account) = next.query_row([after], |row| row.get::<_, i64>(0)).optional()?
        {
            after = account;
            accounts.push(AdvertiserId(account.cast_unsigned()));
        }
        Ok(accounts)
    }

    fn commands(&mut self, wanted: &BTreeSet<CommandId>) -> Result<Found<CommandId, CommandRecord>> {
        let sql = format!("SELECT {} FROM ledger_command WHERE id = ?1", command::COLUMNS);
        self.each(&sql, wanted, |id| [id.0.to_be_bytes()], |row| Ok(command::read(row, 0)?.1))
    }

    fn refunds_waiting(&mut self) -> Result<Found<CommandId, CommandRecord>> {
        let sql = format!("SELECT {} FROM ledger_command WHERE outcome = 1 ORDER BY partition, at", command::COLUMNS);
        self.all(&sql, [], |row| command::read(row, 0))
    }

    fn balances(&mut self, wanted: &BTreeSet<LedgerAccount>) -> Result<Found<LedgerAccount, Balance>> {
        let sql = format!("SELECT {BALANCE} FROM ledger_balance WHERE kind = ?1 AND owner = ?2");
        self.each(&sql, wanted, |account| ledger_account_columns(*account), |row| balance(row, 0))
    }

    fn tallies(&mut self, wanted: &BTreeSet<Chain>) -> Result<Found<Chain, Tally>> {
        let sql = format!(
            "SELECT {TALLY} FROM ledger_tally WHERE account = ?1 AND campaign = ?2 AND line_item = ?3 AND day = ?4"
        );
        self.each(&sql, wanted, chain_columns, |row| tally(row, 0))
    }

    fn clicks(&mut self, wanted: &BTreeSet<Viewer>) -> Result<Found<Viewer, LastClick>> {
        let sql = format!("SELECT {SLICE}, appended FROM report_click WHERE tenant = ?1 AND user = ?2");
        self.each(&sql, wanted, viewer_columns, |row| last_click(row, 0))
    }

    fn orders(&mut self, wanted: &BTreeSet<OrderId>) -> Result<Found<OrderId, Timestamp>> {
        let sql = "SELECT appended FROM report_order WHERE buyer = ?1 AND order_id = ?2";
        let bind = |order: &OrderId| {
            let (buyer, order) = order_columns(order);
            (buyer, order.to_owned())
        };
        self.each(sql, wanted, bind, |row| time(row, 0))
    }

    fn unbilled(&mut self, wanted: &BTreeSet<UnbilledId>) -> Result<Found<UnbilledId, Count>> {
        let sql = "SELECT events, hi, lo FROM ledger_unbilled WHERE account = ?1 AND campaign = ?2 AND line_item = ?3
                   AND day = ?4 AND short_level = ?5 AND late = ?6";
        let bind = |id: &UnbilledId| {
            let [account, campaign, line_item, day] = chain_columns(&id.chain);
            (account, campaign, line_item, day, level_code(id.shortage.level), id.shortage.late)
        };
        self.each(sql, wanted, bind, |row| count(row, 0))
    }
}

fn rows_max(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl Rows<'_> {
    /// Chain by chain.
    fn smallest_pending(
        &self,
        account: AdvertiserId,
        per_chain: usize,
        found: &mut Found<ClaimId, Pending>,
    ) -> Result<()> {
        let next = "SELECT account, campaign, line_item, day FROM ledger_pending
                    WHERE account = ?1 AND (campaign, line_item, day) > (?2, ?3, ?4)
                    ORDER BY campaign, line_item, day LIMIT 1";
        let smallest = format!(
            "SELECT {PENDING} FROM ledger_pending WHERE account = ?1 AND campaign = ?2 AND line_item = ?3 AND day = ?4
             ORDER BY amount_hi, amount_lo, decision, slot, kind, order_id LIMIT ?5"
        );
        let mut after = [account.0.cast_signed(), i64::MIN, i64::MIN, i64::MIN];
        while let Some(at) = self.0.prepare_cached(next)?.query_row(after, |row| chain(row, 0)).optional()? {
            after = chain_columns(&at);
            let [account, campaign, line_item, day] = after;
            let bind = (account, campaign, line_item, day, rows_max(per_chain));
            found.extend(self.all(&smallest, bind, |row| pending(row, 0))?);
        }
        Ok(())
    }
}
