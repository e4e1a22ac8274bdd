//! Finding the rows an operation asks for, one statement per table whatever their number, and locking them.
//!
//! The same order in every process: wanted rows come sorted, and are locked in the order in which they come.

use std::collections::{BTreeMap, BTreeSet};

use litfass_ledger::{
    Balance, Chain, ClaimId, CommandId, CommandRecord, Control, ControlId, Count, DailyLimits, Found, Funding, KeyId,
    LastClick, Lease, LedgerAccount, OrderId, Partition, Pending, Source, State, StateUse, Tally, UnbilledId, Viewer,
    key_day,
};
use litfass_types::{AdvertiserId, CampaignId, Day, LeaseId, Timestamp};
use postgres::Row;
use postgres::types::ToSql;

use super::error::Fault;
use super::schema::{RUNS, UNFUNDED, key_table};
use super::values::{Column, Kind, Sent, Turned, Wide, binds, sent};
use crate::database::pool::Session;
use crate::ledger::command;
use crate::ledger::fields::{
    Fields, amount, billable_code, chain_columns, control_columns, control_id, count, day, id, ledger_account_columns,
    level_code, time,
};
use crate::ledger::reading::{Bind, Tables};
use crate::ledger::rows::{
    BALANCE, CHAIN, CONTROL, CONTROL_ID, FUNDING, LEASE, PARTITION, PENDING, SLICE, STATE, TALLY, balance, control,
    funding, last_click, lease, order_columns, partition, pending, state, tally, viewer_columns,
};

type Result<T> = std::result::Result<T, Fault>;

/// Rows of one transaction.
pub(in crate::ledger) struct Rows<'a> {
    pub(super) session: &'a mut Session,
    /// Whether what is read is going to be written.
    locks: bool,
    /// Days of this transaction's keys that have a table.
    pub(super) key_days: BTreeSet<Day>,
}

/// Where wanted rows are looked up.
struct Lookup<'a> {
    table: &'a str,
    /// What they are found by.
    keys: &'a [Column<'a>],
    columns: &'a str,
    locks: bool,
}

impl Lookup<'_> {
    /// The first column is the number of the wanted row, from one.
    fn sql(&self) -> String {
        let Sent { from, values } = sent(self.keys);
        let found: Vec<String> =
            self.keys.iter().zip(values).map(|(key, value)| format!("t.{} = {value}", key.name)).collect();
        let lock = if self.locks { " ORDER BY w.i FOR UPDATE OF t" } else { "" };
        format!("SELECT w.i, {} FROM {from} JOIN {} t ON {}{lock}", self.columns, self.table, found.join(" AND "))
    }
}

impl<'a> Rows<'a> {
    pub(super) const fn to_write(session: &'a mut Session) -> Self {
        Self { session, locks: true, key_days: BTreeSet::new() }
    }

    pub(super) const fn to_read(session: &'a mut Session) -> Self {
        Self { session, locks: false, key_days: BTreeSet::new() }
    }

    /// The database's time.
    pub(super) fn now(&mut self) -> Result<Timestamp> {
        let rows = self.session.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", &[])?;
        rows.first().map_or_else(|| Err(Row::damaged(0, "no time")), |row| time(row, 0))
    }

    /// The rows of those that were wanted, in their order; `read` begins at the second column.
    fn find<K: Clone, V>(
        &mut self,
        wanted: &BTreeSet<K>,
        lookup: &Lookup<'_>,
        read: impl Fn(&Row) -> Result<V>,
    ) -> Result<Found<K, V>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<&K> = wanted.iter().collect();
        let rows = self.session.query(&lookup.sql(), &binds(lookup.keys))?;
        let named = |row: &Row| {
            let nth = usize::try_from(row.number(0)? - 1).ok();
            let key = nth.and_then(|nth| wanted.get(nth)).ok_or_else(|| Row::damaged(0, "a row nobody wanted"))?;
            Ok(((*key).clone(), read(row)?))
        };
        rows.iter().map(named).collect()
    }

    /// Looks rows up by numbers alone.
    fn find_numbered<K: Clone, V, const N: usize>(
        &mut self,
        wanted: &BTreeSet<K>,
        (table, keys, columns): (&str, &str, &str),
        locks: bool,
        key: impl Fn(&K) -> [i64; N],
        read: impl Fn(&Row) -> Result<V>,
    ) -> Result<Found<K, V>> {
        let turned = Turned::of(wanted.iter().map(key));
        let keys: Vec<Column<'_>> = turned.named(keys).collect();
        self.find(wanted, &Lookup { table, keys: &keys, columns, locks }, read)
    }

    fn find_wide<K: Clone, V>(
        &mut self,
        wanted: &BTreeSet<K>,
        (table, columns): (&str, &str),
        key: impl Fn(&K) -> u128,
        read: impl Fn(&Row) -> Result<V>,
    ) -> Result<Found<K, V>> {
        let ids: Vec<Wide> = wanted.iter().map(|id| Wide(key(id))).collect();
        let keys = [Column::new("id", Kind::Wide, &ids)];
        let locks = self.locks;
        self.find(wanted, &Lookup { table, keys: &keys, columns, locks }, read)
    }

    fn list<V>(&mut self, sql: &str, bind: &[&(dyn ToSql + Sync)], read: impl Fn(&Row) -> Result<V>) -> Result<Vec<V>> {
        self.session.query(sql, bind)?.iter().map(read).collect()
    }

    const fn lock(&self) -> &'static str {
        if self.locks { " FOR UPDATE" } else { "" }
    }

    fn keys_of_day(&mut self, day: Day, wanted: &BTreeSet<KeyId>) -> Result<Found<KeyId, u64>> {
        let decisions: Vec<Wide> = wanted.iter().map(|key| Wide(key.decision.0)).collect();
        let parts: Vec<i64> = wanted.iter().map(|key| key.part.into()).collect();
        let orders: Vec<&str> = wanted.iter().map(|key| key.order.as_str()).collect();
        let keys = [
            Column::new("decision", Kind::Wide, &decisions),
            Column::new("part", Kind::Number, &parts),
            Column::new("order_id", Kind::Text, &orders),
        ];
        let (table, locks) = (key_table(day), self.locks);
        self.find(wanted, &Lookup { table: &table, keys: &keys, columns: "mask", locks }, |row| id(row, 1))
    }

    fn find_controls(&mut self, wanted: &BTreeSet<ControlId>) -> Result<Found<ControlId, Control>> {
        let (table, locks) = (("ledger_control", CONTROL_ID, CONTROL), self.locks);
        self.find_numbered(wanted, table, locks, |id| control_columns(*id), |row| control(row, 1))
    }

    /// The controls of accounts, which stand for everything below them; nobody makes one meanwhile that is not there.
    fn lock_accounts(&mut self, wanted: &BTreeSet<ControlId>) -> Result<Found<ControlId, Control>> {
        let mut found = self.find_controls(wanted)?;
        if self.locks && found.len() < wanted.len() {
            self.session.execute("SELECT pg_advisory_xact_lock($1)", &[&UNFUNDED])?;
            let known: BTreeSet<ControlId> = found.iter().map(|(id, _)| *id).collect();
            found.extend(self.find_controls(&(wanted - &known))?);
        }
        Ok(found)
    }
}

impl Source for Rows<'_> {
    type Error = Fault;

    fn partitions(&mut self, moved: &BTreeSet<u16>) -> Result<Found<u16, Partition>> {
        if self.locks && !moved.is_empty() {
            let moved: Vec<i64> = moved.iter().map(|partition| (*partition).into()).collect();
            let sql =
                "SELECT 1 FROM ledger_partition WHERE partition = ANY ($1::bigint[]) ORDER BY partition FOR UPDATE";
            self.session.execute(sql, &[&moved])?;
        }
        self.list(&format!("SELECT {PARTITION} FROM ledger_partition ORDER BY partition"), &[], partition)
    }

    /// The server is asked for its timeline every time: a proxy may have led the connection to another one.
    fn state(&mut self, with: StateUse) -> Result<State> {
        let lock = match with {
            StateUse::Reads => "",
            StateUse::Marks => " FOR SHARE",
            StateUse::Changes => " FOR UPDATE",
        };
        let sql = format!("SELECT {STATE}, {RUNS} + raised FROM ledger_state WHERE one = 1{lock}");
        let states = self.list(&sql, &[], state)?;
        states.first().copied().ok_or_else(|| Row::damaged(0, "the ledger's state is not there"))
    }

    fn keys(&mut self, wanted: &BTreeSet<KeyId>) -> Result<Found<KeyId, u64>> {
        let mut by_day: BTreeMap<Day, BTreeSet<KeyId>> = BTreeMap::new();
        for key in wanted {
            by_day.entry(key_day(key.decision)).or_default().insert(key.clone());
        }
        let days: Vec<i64> = by_day.keys().map(|day| day.0.into()).collect();
        let known = "SELECT day FROM ledger_key_day WHERE day = ANY ($1::bigint[])";
        self.key_days = self.list(known, &[&days], |row| day(row, 0))?.into_iter().collect();
        let mut found = Vec::new();
        for (day, keys) in by_day {
            if self.key_days.contains(&day) {
                found.extend(self.keys_of_day(day, &keys)?);
            }
        }
        Ok(found)
    }

    fn leases(&mut self, wanted: &BTreeSet<LeaseId>) -> Result<Found<LeaseId, Lease>> {
        self.find_wide(wanted, ("ledger_lease", LEASE), |id| id.0, |row| Ok(lease(row, 1)?.1))
    }

    fn leases_due(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<LeaseId, Lease>> {
        let sql = "SELECT id FROM ledger_lease WHERE closed = 0 AND expires < $1 ORDER BY expires, id LIMIT $2";
        let due = self.list(sql, &[&watermark.0, &rows_max(limit)], |row| row.wide(0).map(LeaseId))?;
        let mut leases = self.leases(&due.into_iter().collect())?;
        leases.retain(|(_, lease)| !lease.closed && lease.expires < watermark);
        Ok(leases)
    }

    fn controls(&mut self, wanted: &BTreeSet<ControlId>) -> Result<Found<ControlId, Control>> {
        let (accounts, below) = wanted.iter().partition(|id| matches!(id, ControlId::Account(_)));
        let mut found = self.lock_accounts(&accounts)?;
        // A statement of its own: it sees what whoever held the accounts before has left behind.
        found.extend(self.find_controls(&below)?);
        Ok(found)
    }

    fn day_controls(&mut self, campaign: CampaignId, from: Day) -> Result<Found<ControlId, Control>> {
        let sql = format!(
            "SELECT {CONTROL_ID}, {CONTROL} FROM ledger_control WHERE level = 2 AND object = $1 AND day >= $2::bigint
             ORDER BY day{}",
            self.lock()
        );
        let bind: &[&(dyn ToSql + Sync)] = &[&campaign.0.cast_signed(), &i64::from(from.0)];
        self.list(&sql, bind, |row| Ok((control_id(row, 0)?, control(row, 3)?)))
    }

    fn funding(&mut self, wanted: &BTreeSet<AdvertiserId>) -> Result<Found<AdvertiserId, Funding>> {
        let table = ("ledger_funding", "account", FUNDING);
        self.find_numbered(wanted, table, false, |account| [account.0.cast_signed()], |row| funding(row, 1))
    }

    fn daily_limits(&mut self, wanted: &BTreeSet<CampaignId>) -> Result<Found<CampaignId, DailyLimits>> {
        let table = ("ledger_daily_limit", "campaign", "from_day, limit_hi, limit_lo");
        let step = |row: &Row| Ok((day(row, 1)?, amount(row, 2)?));
        let steps = self.find_numbered(wanted, table, false, |campaign| [campaign.0.cast_signed()], step)?;
        let mut limits: BTreeMap<CampaignId, DailyLimits> = BTreeMap::new();
        for (campaign, (from, limit)) in steps {
            limits.entry(campaign).or_default().0.insert(from, limit);
        }
        Ok(limits.into_iter().collect())
    }

    fn pending(&mut self, wanted: &BTreeSet<ClaimId>) -> Result<Found<ClaimId, Pending>> {
        let decisions: Vec<Wide> = wanted.iter().map(|claim| Wide(claim.decision.0)).collect();
        let slots: Vec<i64> = wanted.iter().map(|claim| claim.slot.into()).collect();
        let kinds: Vec<i64> = wanted.iter().map(|claim| billable_code(claim.kind)).collect();
        let orders: Vec<&str> = wanted.iter().map(|claim| claim.order.as_str()).collect();
        let keys = [
            Column::new("decision", Kind::Wide, &decisions),
            Column::new("slot", Kind::Number, &slots),
            Column::new("kind", Kind::Number, &kinds),
            Column::new("order_id", Kind::Text, &orders),
        ];
        let locks = self.locks;
        let lookup = Lookup { table: "ledger_pending", keys: &keys, columns: PENDING, locks };
        self.find(wanted, &lookup, |row| Ok(pending(row, 1)?.1))
    }

    fn pending_of(&mut self, accounts: &BTreeSet<AdvertiserId>, per_chain: usize) -> Result<Found<ClaimId, Pending>> {
        let accounts: Vec<i64> = accounts.iter().map(|account| account.0.cast_signed()).collect();
        self.list(&smallest_of_each_chain(), &[&accounts, &rows_max(per_chain)], |row| pending(row, 0))
    }

    fn pending_past(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<ClaimId, Pending>> {
        let sql = format!(
            "SELECT {PENDING} FROM ledger_pending WHERE token_expires < $1
             ORDER BY token_expires, decision, slot, kind, order_id LIMIT $2"
        );
        self.list(&sql, &[&watermark.0, &rows_max(limit)], |row| pending(row, 0))
    }

    fn pending_accounts(&mut self, after: Option<AdvertiserId>, limit: usize) -> Result<Vec<AdvertiserId>> {
        let sql = "WITH RECURSIVE found (account) AS (
                     (SELECT account FROM ledger_pending WHERE account > $1 ORDER BY account LIMIT 1)
                     UNION ALL
                     SELECT (SELECT p.account FROM ledger_pending p WHERE p.account > found.account ORDER BY 1 LIMIT 1)
                     FROM found WHERE found.account IS NOT NULL
                   ) SELECT account FROM found WHERE account IS NOT NULL LIMIT $2";
        let after = after.map_or(i64::MIN, |account| account.0.cast_signed());
        self.list(sql, &[&after, &rows_max(limit)], |row| id(row, 0).map(AdvertiserId))
    }

    fn commands(&mut self, wanted: &BTreeSet<CommandId>) -> Result<Found<CommandId, CommandRecord>> {
        let table = ("ledger_command", command::COLUMNS);
        self.find_wide(wanted, table, |id| id.0, |row| Ok(command::read(row, 1)?.1))
    }

    fn refunds_waiting(&mut self) -> Result<Found<CommandId, CommandRecord>> {
        let sql = format!("SELECT {} FROM ledger_command WHERE outcome = 1 ORDER BY partition, at", command::COLUMNS);
        self.list(&sql, &[], |row| command::read(row, 0))
    }

    fn balances(&mut self, wanted: &BTreeSet<LedgerAccount>) -> Result<Found<LedgerAccount, Balance>> {
        let (table, locks) = (("ledger_balance", "kind, owner", BALANCE), self.locks);
        self.find_numbered(wanted, table, locks, |id| ledger_account_columns(*id), |row| balance(row, 1))
    }

    fn tallies(&mut self, wanted: &BTreeSet<Chain>) -> Result<Found<Chain, Tally>> {
        self.find_numbered(wanted, ("ledger_tally", CHAIN, TALLY), false, chain_columns, |row| tally(row, 1))
    }

    fn clicks(&mut self, wanted: &BTreeSet<Viewer>) -> Result<Found<Viewer, LastClick>> {
        let (tenants, users): (Vec<i64>, Vec<Vec<u8>>) = wanted.iter().map(viewer_columns).unzip();
        let keys = [Column::new("tenant", Kind::Number, &tenants), Column::new("\"user\"", Kind::Bytes, &users)];
        let (columns, locks) = (format!("{SLICE}, appended"), self.locks);
        let lookup = Lookup { table: "report_click", keys: &keys, columns: &columns, locks };
        self.find(wanted, &lookup, |row| last_click(row, 1))
    }

    fn orders(&mut self, wanted: &BTreeSet<OrderId>) -> Result<Found<OrderId, Timestamp>> {
        let (buyers, orders): (Vec<Vec<u8>>, Vec<&str>) = wanted.iter().map(order_columns).unzip();
        let keys = [Column::new("buyer", Kind::Bytes, &buyers), Column::new("order_id", Kind::Text, &orders)];
        let locks = self.locks;
        let lookup = Lookup { table: "report_order", keys: &keys, columns: "appended", locks };
        self.find(wanted, &lookup, |row| time(row, 1))
    }

    fn unbilled(&mut self, wanted: &BTreeSet<UnbilledId>) -> Result<Found<UnbilledId, Count>> {
        let keys = format!("{CHAIN}, short_level, late");
        let key = |id: &UnbilledId| {
            let [account, campaign, line_item, day] = chain_columns(&id.chain);
            [account, campaign, line_item, day, level_code(id.shortage.level), id.shortage.late.into()]
        };
        let table = ("ledger_unbilled", keys.as_str(), "events, hi, lo");
        self.find_numbered(wanted, table, false, key, |row| count(row, 1))
    }
}

/// From one chain with pending claims to the next by the index, and of each the smallest.
fn smallest_of_each_chain() -> String {
    let columns: Vec<String> = PENDING.split(", ").map(|column| format!("p.{}", column.trim())).collect();
    format!(
        "WITH RECURSIVE chains AS (
           (SELECT f.* FROM unnest($1::bigint[]) AS a (account), LATERAL (
              SELECT p.account, p.campaign, p.line_item, p.day FROM ledger_pending p WHERE p.account = a.account
              ORDER BY p.account, p.campaign, p.line_item, p.day LIMIT 1) f)
           UNION ALL
           SELECT n.* FROM chains c, LATERAL (
              SELECT p.account, p.campaign, p.line_item, p.day FROM ledger_pending p WHERE p.account = c.account
              AND (p.campaign, p.line_item, p.day) > (c.campaign, c.line_item, c.day)
              ORDER BY p.account, p.campaign, p.line_item, p.day LIMIT 1) n
         ) SELECT {} FROM chains c, LATERAL (
             SELECT * FROM ledger_pending p WHERE p.account = c.account AND p.campaign = c.campaign
             AND p.line_item = c.line_item AND p.day = c.day
             ORDER BY p.amount_hi, p.amount_lo, p.decision, p.slot, p.kind, p.order_id LIMIT $2) p",
        columns.join(", ")
    )
}

fn rows_max(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl Tables for Rows<'_> {
    const MARK: char = '$';
    type Row<'r> = Row;

    fn scan(&mut self, sql: &str, bind: &[Bind], take: impl FnMut(&Row) -> Result<()>) -> Result<()> {
        let bind: Vec<&(dyn ToSql + Sync)> = bind.iter().map(Bind::value).collect();
        self.session.each(sql, &bind, take)
    }
}

impl Bind {
    fn value(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Number(number) => number,
            Self::Text(text) => text,
        }
    }
}
