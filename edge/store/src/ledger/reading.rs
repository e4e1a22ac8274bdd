//! The questions of [`super::LedgerReader`], asked of any database: inside one transaction that sees one instant.

use std::collections::{BTreeMap, BTreeSet};

use litfass_ledger::check::{Audit, Kept};
use litfass_ledger::{
    Account, Balance, Chain, CommandId, CommandRecord, Consumed, Control, ControlId, Count, DailyLimits, Funding,
    LedgerAccount, Outcome, Source, Tally, UNLIMITED, UnbilledId,
};
use litfass_types::{AdvertiserId, CampaignId, LineItemId, Position, Timestamp};

use super::fields::{Fields, amount, chain, control_id, count, day, id, ledger_account, narrow, outcome, shortage};
use super::rows::{BALANCE, CHAIN, CONTROL, CONTROL_ID, FUNDING, LEASE, PENDING, POSTING, TALLY};
use super::rows::{balance, control, funding, lease, pending, posting, tally};
use super::{Accounted, Delivery, command};

/// A parameter of a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Bind {
    Number(i64),
    Text(String),
}

/// A source that can be asked in SQL, which is the same in every database but for how parameters are marked.
pub(super) trait Tables: Source {
    /// Stands before a parameter's number, counted from one.
    const MARK: char;
    type Row<'r>: Fields<Error = Self::Error>;

    fn scan(
        &mut self,
        sql: &str,
        bind: &[Bind],
        take: impl FnMut(&Self::Row<'_>) -> Result<(), Self::Error>,
    ) -> Result<(), Self::Error>;

    /// All rows of a question.
    fn list<V>(
        &mut self,
        sql: &str,
        bind: &[Bind],
        read: impl Fn(&Self::Row<'_>) -> Result<V, Self::Error>,
    ) -> Result<Vec<V>, Self::Error> {
        let mut list = Vec::new();
        self.scan(sql, bind, |row| {
            list.push(read(row)?);
            Ok(())
        })?;
        Ok(list)
    }
}

type Answer<T, V> = Result<V, <T as Source>::Error>;

pub(super) fn controls<T: Tables>(rows: &mut T, ids: &[ControlId]) -> Answer<T, Vec<Control>> {
    let wanted: BTreeSet<ControlId> = ids.iter().copied().collect();
    let found: BTreeMap<ControlId, Control> = rows.controls(&wanted)?.into_iter().collect();
    let absent: Vec<ControlId> = wanted.into_iter().filter(|id| !found.contains_key(id)).collect();
    let funding: BTreeMap<AdvertiserId, Funding> = rows.funding(&accounts(&absent))?.into_iter().collect();
    let daily: BTreeMap<CampaignId, DailyLimits> = rows.daily_limits(&campaigns(&absent))?.into_iter().collect();
    let first = |id: ControlId| match id {
        ControlId::Account(account) => funding.get(&account).copied().unwrap_or_default().limit(),
        ControlId::CampaignDay(campaign, day) => daily.get(&campaign).map_or(UNLIMITED, |steps| steps.on(day)),
        ControlId::Campaign(_) | ControlId::LineItem(_) => UNLIMITED,
    };
    let state = |id: &ControlId| found.get(id).copied().unwrap_or_else(|| Control::with_limit(first(*id)));
    Ok(ids.iter().map(state).collect())
}

fn accounts(ids: &[ControlId]) -> BTreeSet<AdvertiserId> {
    let account = |id: &ControlId| if let ControlId::Account(account) = id { Some(*account) } else { None };
    ids.iter().filter_map(account).collect()
}

fn campaigns(ids: &[ControlId]) -> BTreeSet<CampaignId> {
    let campaign = |id: &ControlId| if let ControlId::CampaignDay(campaign, _) = id { Some(*campaign) } else { None };
    ids.iter().filter_map(campaign).collect()
}

pub(super) fn balances<T: Tables>(tables: &mut T) -> Answer<T, BTreeMap<LedgerAccount, Balance>> {
    let sql = format!("SELECT kind, owner, {BALANCE} FROM ledger_balance");
    let rows = tables.list(&sql, &[], |row| Ok((ledger_account(row, 0)?, balance(row, 2)?)))?;
    Ok(rows.into_iter().collect())
}

fn tallies<T: Tables>(tables: &mut T) -> Answer<T, BTreeMap<Chain, Tally>> {
    let sql = format!("SELECT {CHAIN}, {TALLY} FROM ledger_tally");
    let rows = tables.list(&sql, &[], |row| Ok((chain(row, 0)?, tally(row, 4)?)))?;
    Ok(rows.into_iter().collect())
}

pub(super) fn account<T: Tables>(tables: &mut T, account: AdvertiserId) -> Answer<T, Account> {
    let control = controls(tables, &[ControlId::Account(account)])?.into_iter().next();
    let funding = tables.funding(&BTreeSet::from([account]))?.into_iter().next();
    let moves = format!(
        "SELECT {} FROM ledger_command WHERE account = {}1 AND effect IN (0, 5, 6) AND outcome = 0 ORDER BY partition, at",
        command::COLUMNS,
        T::MARK
    );
    let billed = format!(
        "SELECT {CHAIN}, billed_events, billed_hi, billed_lo FROM ledger_tally WHERE account = {}1 ORDER BY {CHAIN}",
        T::MARK
    );
    let number = [Bind::Number(account.0.cast_signed())];
    Ok(Account {
        id: account,
        funding: funding.map(|(_, row)| row).unwrap_or_default(),
        control: control.unwrap_or_else(|| Control::with_limit(Funding::default().limit())),
        moves: tables.list(&moves, &number, |row| command::read(row, 0).map(|(_, record)| record))?,
        billed: tables.list(&billed, &number, |row| Ok((chain(row, 0)?, count(row, 4)?)))?,
    })
}

pub(super) fn command<T: Tables>(tables: &mut T, id: CommandId) -> Answer<T, Option<CommandRecord>> {
    Ok(tables.commands(&BTreeSet::from([id]))?.into_iter().next().map(|(_, record)| record))
}

pub(super) fn outcome_at<T: Tables>(tables: &mut T, at: Position) -> Answer<T, Option<Outcome>> {
    let bind = [Bind::Number(at.partition.into()), Bind::Number(at.offset.cast_signed())];
    let m = T::MARK;
    let consumed = format!("SELECT next FROM ledger_partition WHERE partition = CAST({m}1 AS BIGINT) AND next > {m}2");
    if tables.list(&consumed, &bind, |row| id(row, 0))?.is_empty() {
        return Ok(None);
    }
    let other = format!(
        "SELECT outcome, short_level, late FROM ledger_outcome WHERE partition = CAST({m}1 AS BIGINT) AND at = {m}2"
    );
    let other = tables.list(&other, &bind, |row| outcome(row, 0))?;
    Ok(Some(other.first().copied().unwrap_or(Outcome::Billed)))
}

fn unbilled<T: Tables>(tables: &mut T) -> Answer<T, BTreeMap<UnbilledId, Count>> {
    let sql = format!("SELECT {CHAIN}, short_level, late, events, hi, lo FROM ledger_unbilled");
    let read =
        |row: &T::Row<'_>| Ok((UnbilledId { chain: chain(row, 0)?, shortage: shortage(row, 4)? }, count(row, 6)?));
    Ok(tables.list(&sql, &[], read)?.into_iter().collect())
}

pub(super) fn delivery<T: Tables>(tables: &mut T) -> Answer<T, Vec<Delivery>> {
    let empty = |chain| Delivery { chain, tally: Tally::default(), pending: Count::default(), unbilled: Vec::new() };
    let mut days: BTreeMap<Chain, Delivery> = BTreeMap::new();
    for (chain, tally) in tallies(tables)? {
        days.insert(chain, Delivery { tally, ..empty(chain) });
    }
    tables.scan(&format!("SELECT {PENDING} FROM ledger_pending"), &[], |row| {
        let (_, pending) = pending(row, 0)?;
        let waiting = &mut days.entry(pending.chain).or_insert_with(|| empty(pending.chain)).pending;
        waiting.events += 1;
        waiting.amount = waiting.amount.plus(pending.amount).unwrap_or(UNLIMITED);
        Ok(())
    })?;
    for (id, count) in unbilled(tables)? {
        days.entry(id.chain).or_insert_with(|| empty(id.chain)).unbilled.push((id, count));
    }
    Ok(days.into_values().collect())
}

pub(super) fn audit<T: Tables>(tables: &mut T) -> Answer<T, Audit> {
    let mut audit = Audit::new(Kept {
        controls: all_controls(tables)?,
        funding: all_funding(tables)?,
        daily: all_daily(tables)?,
        balances: balances(tables)?,
        tallies: tallies(tables)?,
        unbilled: unbilled(tables)?,
    });
    let commands = format!("SELECT {} FROM ledger_command", command::COLUMNS);
    tables.scan(&commands, &[], |row| command::read(row, 0).map(|(_, record)| audit.command(&record)))?;
    let postings = format!("SELECT {POSTING} FROM ledger_posting ORDER BY id");
    tables.scan(&postings, &[], |row| posting(row).map(|posting| audit.posting(&posting)))?;
    let leases = format!("SELECT {LEASE} FROM ledger_lease WHERE closed = 0");
    tables.scan(&leases, &[], |row| lease(row, 0).map(|(_, lease)| audit.lease(&lease)))?;
    tables.scan("SELECT claims, billed FROM ledger_batch", &[], |row| {
        audit.batch(id(row, 0)?, id(row, 1)?);
        Ok(())
    })?;
    let outcomes = "SELECT outcome, short_level, late FROM ledger_outcome";
    tables.scan(outcomes, &[], |row| outcome(row, 0).map(|outcome| audit.outcome(outcome)))?;
    let waiting = format!("SELECT {PENDING} FROM ledger_pending");
    tables.scan(&waiting, &[], |row| pending(row, 0).map(|(_, pending)| audit.pending(&pending)))?;
    let reported = "SELECT line_item, spent_hi, spent_lo, refunded_hi, refunded_lo FROM report_delivery";
    tables.scan(reported, &[], |row| {
        audit.reported(LineItemId(id(row, 0)?), amount(row, 1)?, amount(row, 3)?);
        Ok(())
    })?;
    Ok(audit)
}

pub(super) fn accounted<T: Tables>(tables: &mut T) -> Answer<T, Accounted> {
    let mut accounted = Accounted { partitions: tables.partitions(&BTreeSet::new())?, ..Accounted::default() };
    let ranges = "SELECT partition, first, next, appended FROM ledger_batch_range ORDER BY partition, first, next";
    accounted.ranges = tables.list(ranges, &[], |row| {
        let (partition, appended) = (narrow(row, 0)?, Timestamp(row.number(3)?));
        Ok(Consumed { partition, from: id(row, 1)?, next: id(row, 2)?, appended })
    })?;
    tables.scan("SELECT claims FROM ledger_batch", &[], |row| {
        accounted.claims += id(row, 0)?;
        Ok(())
    })?;
    tables.scan("SELECT partition, at, outcome, short_level, late FROM ledger_outcome", &[], |row| {
        let position = Position { partition: narrow(row, 0)?, offset: id(row, 1)? };
        accounted.outcomes.insert(position, outcome(row, 2)?);
        Ok(())
    })?;
    for (chain, tally) in tallies(tables)? {
        let billed = accounted.billed.entry(chain.account).or_default();
        *billed = billed.plus(tally.billed.amount).map_err(|e| <T::Row<'_> as Fields>::damaged(0, e))?;
    }
    let commands = format!("SELECT {} FROM ledger_command", command::COLUMNS);
    accounted.commands = tables.list(&commands, &[], |row| command::read(row, 0))?.into_iter().collect();
    Ok(accounted)
}

fn all_controls<T: Tables>(tables: &mut T) -> Answer<T, BTreeMap<ControlId, Control>> {
    let sql = format!("SELECT {CONTROL_ID}, {CONTROL} FROM ledger_control");
    Ok(tables.list(&sql, &[], |row| Ok((control_id(row, 0)?, control(row, 3)?)))?.into_iter().collect())
}

fn all_funding<T: Tables>(tables: &mut T) -> Answer<T, BTreeMap<AdvertiserId, Funding>> {
    let sql = format!("SELECT account, {FUNDING} FROM ledger_funding");
    let read = |row: &T::Row<'_>| Ok((AdvertiserId(id(row, 0)?), funding(row, 1)?));
    Ok(tables.list(&sql, &[], read)?.into_iter().collect())
}

fn all_daily<T: Tables>(tables: &mut T) -> Answer<T, BTreeMap<CampaignId, DailyLimits>> {
    let sql = "SELECT campaign, from_day, limit_hi, limit_lo FROM ledger_daily_limit";
    let mut daily: BTreeMap<CampaignId, DailyLimits> = BTreeMap::new();
    tables.scan(sql, &[], |row| {
        let steps = daily.entry(CampaignId(id(row, 0)?)).or_default();
        steps.0.insert(day(row, 1)?, amount(row, 2)?);
        Ok(())
    })?;
    Ok(daily)
}
