//! Finding the rows an operation asks for.

use std::collections::{BTreeMap, BTreeSet};

use litfass_ledger::{
    Balance, Chain, ClaimId, CommandId, CommandRecord, Control, ControlId, Count, DailyLimits, Found, Funding,
    HolderId, KeyId, LastClick, Lease, LedgerAccount, OrderId, Partition, Pending, Source, Tally, UnbilledId, Viewer,
    key_day,
};
use litfass_types::{AdvertiserId, CampaignId, Day, LeaseId, Position, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params};

use super::columns::{
    amount, billable, billable_code, chain, chain_columns, control_columns, control_id, count, decision, id,
    ledger_account_columns, level_code, partition_kind, shortage, time, wide,
};
use super::command;
use super::rollup::{SLICE, facet, order_columns, slice, viewer_columns};

/// Rows of one transaction.
pub(super) struct Rows<'a>(pub &'a Connection);

const LEASE: &str = "id, holder, account, campaign, line_item, day, granted_hi, granted_lo, spent_hi, spent_lo, \
                     returned_hi, returned_lo, granted_at, expires, closed";
const PENDING: &str = "decision, slot, kind, order_id, partition, at, tenant, account, campaign, line_item, day, \
                       amount_hi, amount_lo, lease, hold_expires, token_expires, short_level, late, quarter, ad, creative, placement, country, \
                       traffic";
pub(super) const CONTROL: &str = "limit_hi, limit_lo, restored_hi, restored_lo, leased_hi, leased_lo, spent_hi, \
                                  spent_lo, ceiling_hi, ceiling_lo";

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

pub(super) fn control(row: &Row<'_>, at: usize) -> Result<Control> {
    Ok(Control {
        limit: amount(row, at)?,
        restored: amount(row, at + 2)?,
        leased: amount(row, at + 4)?,
        spent: amount(row, at + 6)?,
        ceiling: amount(row, at + 8)?,
    })
}

fn lease(row: &Row<'_>) -> Result<(LeaseId, Lease)> {
    let lease = Lease {
        holder: HolderId(id(row, 1)?),
        chain: chain(row, 2)?,
        granted: amount(row, 6)?,
        spent: amount(row, 8)?,
        returned: amount(row, 10)?,
        granted_at: time(row, 12)?,
        expires: time(row, 13)?,
        closed: row.get(14)?,
    };
    Ok((LeaseId(wide(row, 0)?), lease))
}

pub(super) fn pending(row: &Row<'_>) -> Result<(ClaimId, Pending)> {
    let claim = ClaimId { decision: decision(row, 0)?, slot: row.get(1)?, kind: billable(row, 2)?, order: row.get(3)? };
    let pending = Pending {
        position: Position { partition: row.get(4)?, offset: id(row, 5)? },
        tenant: TenantId(id(row, 6)?),
        chain: chain(row, 7)?,
        facet: facet(row, 18)?,
        amount: amount(row, 11)?,
        lease: LeaseId(wide(row, 13)?),
        hold_expires: time(row, 14)?,
        token_expires: time(row, 15)?,
        shortage: shortage(row, 16)?,
    };
    Ok((claim, pending))
}

pub(super) fn tally(row: &Row<'_>, at: usize) -> Result<Tally> {
    Ok(Tally { billed: count(row, at)?, repeated: count(row, at + 3)?, expired: count(row, at + 6)? })
}

pub(super) fn balance(row: &Row<'_>, at: usize) -> Result<Balance> {
    Ok(Balance { debits: amount(row, at)?, credits: amount(row, at + 2)? })
}

pub(super) fn funding(row: &Row<'_>, at: usize) -> Result<Funding> {
    Ok(Funding { added: amount(row, at)?, removed: amount(row, at + 2)?, credit: amount(row, at + 4)? })
}

pub(super) fn partition(row: &Row<'_>) -> Result<(u16, Partition)> {
    let partition = Partition {
        kind: partition_kind(row, 1)?,
        next: id(row, 2)?,
        appended: row.get::<_, Option<i64>>(3)?.map(Timestamp),
        sealed: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
    };
    Ok((row.get(0)?, partition))
}

impl Source for Rows<'_> {
    type Error = rusqlite::Error;

    fn partitions(&mut self) -> Result<Found<u16, Partition>> {
        self.all("SELECT partition, kind, next, appended, sealed FROM ledger_partition", [], partition)
    }

    fn keys_dropped(&mut self) -> Result<Option<Day>> {
        let day = self.0.prepare_cached("SELECT keys_dropped FROM ledger_state")?;
        { day }.query_row([], |row| Ok(row.get::<_, Option<i32>>(0)?.map(Day)))
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
        self.each(&sql, wanted, |id| [id.0.to_be_bytes()], |row| Ok(lease(row)?.1))
    }

    fn leases_due(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<LeaseId, Lease>> {
        let sql =
            format!("SELECT {LEASE} FROM ledger_lease WHERE closed = 0 AND expires < ?1 ORDER BY expires, id LIMIT ?2");
        self.all(&sql, (watermark.0, rows_max(limit)), lease)
    }

    fn controls(&mut self, wanted: &BTreeSet<ControlId>) -> Result<Found<ControlId, Control>> {
        let sql = format!("SELECT {CONTROL} FROM ledger_control WHERE level = ?1 AND object = ?2 AND day = ?3");
        self.each(&sql, wanted, |id| control_columns(*id), |row| control(row, 0))
    }

    fn day_controls(&mut self, campaign: CampaignId, from: Day) -> Result<Found<ControlId, Control>> {
        let sql = format!(
            "SELECT level, object, day, {CONTROL} FROM ledger_control WHERE level = 2 AND object = ?1 AND day >= ?2"
        );
        self.all(&sql, (campaign.0.cast_signed(), from.0), |row| Ok((control_id(row, 0)?, control(row, 3)?)))
    }

    fn funding(&mut self, wanted: &BTreeSet<AdvertiserId>) -> Result<Found<AdvertiserId, Funding>> {
        let sql = "SELECT added_hi, added_lo, removed_hi, removed_lo, credit_hi, credit_lo FROM ledger_funding
                   WHERE account = ?1";
        self.each(sql, wanted, |account| [account.0.cast_signed()], |row| funding(row, 0))
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
        self.each(&sql, wanted, bind, |row| Ok(pending(row)?.1))
    }

    fn pending_of(&mut self, account: AdvertiserId, per_chain: usize) -> Result<Found<ClaimId, Pending>> {
        let next = "SELECT account, campaign, line_item, day FROM ledger_pending
                    WHERE account = ?1 AND (campaign, line_item, day) > (?2, ?3, ?4)
                    ORDER BY campaign, line_item, day LIMIT 1";
        let smallest = format!(
            "SELECT {PENDING} FROM ledger_pending WHERE account = ?1 AND campaign = ?2 AND line_item = ?3 AND day = ?4
             ORDER BY amount_hi, amount_lo, decision, slot, kind, order_id LIMIT ?5"
        );
        let mut found = Vec::new();
        let mut after = [account.0.cast_signed(), i64::MIN, i64::MIN, i64::MIN];
        while let Some(at) = self.0.prepare_cached(next)?.query_row(after, |row| chain(row, 0)).optional()? {
            after = chain_columns(&at);
            let [account, campaign, line_item, day] = after;
            let bind = (account, campaign, line_item, day, rows_max(per_chain));
            found.extend(self.all(&smallest, bind, pending)?);
        }
        Ok(found)
    }

    fn pending_past(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<ClaimId, Pending>> {
        let sql = format!(
            "SELECT {PENDING} FROM ledger_pending WHERE token_expires < ?1
             ORDER BY token_expires, decision, slot, kind, order_id LIMIT ?2"
        );
        self.all(&sql, (watermark.0, rows_max(limit)), pending)
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
        self.each(&sql, wanted, |id| [id.0.to_be_bytes()], |row| Ok(command::read(row)?.1))
    }

    fn refunds_waiting(&mut self) -> Result<Found<CommandId, CommandRecord>> {
        let sql = format!("SELECT {} FROM ledger_command WHERE outcome = 1 ORDER BY partition, at", command::COLUMNS);
        self.all(&sql, [], command::read)
    }

    fn balances(&mut self, wanted: &BTreeSet<LedgerAccount>) -> Result<Found<LedgerAccount, Balance>> {
        let sql =
            "SELECT debits_hi, debits_lo, credits_hi, credits_lo FROM ledger_balance WHERE kind = ?1 AND owner = ?2";
        self.each(sql, wanted, |account| ledger_account_columns(*account), |row| balance(row, 0))
    }

    fn tallies(&mut self, wanted: &BTreeSet<Chain>) -> Result<Found<Chain, Tally>> {
        let sql = "SELECT billed_events, billed_hi, billed_lo, repeated_events, repeated_hi, repeated_lo,
                   expired_events, expired_hi, expired_lo FROM ledger_tally
                   WHERE account = ?1 AND campaign = ?2 AND line_item = ?3 AND day = ?4";
        self.each(sql, wanted, chain_columns, |row| tally(row, 0))
    }

    fn clicks(&mut self, wanted: &BTreeSet<Viewer>) -> Result<Found<Viewer, LastClick>> {
        let sql = format!("SELECT {SLICE}, appended FROM report_click WHERE tenant = ?1 AND user = ?2");
        let read = |row: &Row<'_>| Ok(LastClick { slice: slice(row, 0)?, appended: time(row, 10)? });
        self.each(&sql, wanted, viewer_columns, read)
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

/// Every row of a table, for an audit.
impl Rows<'_> {
    pub(super) fn for_each(&self, sql: &str, mut take: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params![])?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
        Ok(())
    }

    pub(super) fn each_lease(&self, mut take: impl FnMut(&Lease)) -> Result<()> {
        let sql = format!("SELECT {LEASE} FROM ledger_lease WHERE closed = 0");
        self.for_each(&sql, |row| lease(row).map(|(_, lease)| take(&lease)))
    }

    pub(super) fn each_pending(&self, mut take: impl FnMut(&Pending)) -> Result<()> {
        let sql = format!("SELECT {PENDING} FROM ledger_pending");
        self.for_each(&sql, |row| pending(row).map(|(_, pending)| take(&pending)))
    }
}
