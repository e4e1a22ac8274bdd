//! The read side: a connection of its own, so that pages and pacing read while others write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use litfass_ledger::check::{Audit, Kept};
use litfass_ledger::{
    Account, Balance, Cause, Chain, CommandId, CommandRecord, Consumed, Control, ControlId, Count, DailyLimits,
    Funding, LedgerAccount, Outcome, Partition, Posting, Shortage, Source, Tally, UNLIMITED, UnbilledId,
};
use litfass_types::{AdvertiserId, CampaignId, Day, LineItemId, Position, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Row, Transaction};

use super::columns::{
    amount, chain, control_id, count, damaged, id, ledger_account, outcome, posting_kind, shortage, wide,
};
use super::read::{CONTROL, Rows, balance, control, funding, tally};
use super::{command, connect, report, schema};
use crate::ledger::report::{Report, ReportAsk};
use crate::ledger::{Accounted, Delivery, LedgerError, LedgerReader};

/// Reads a ledger, in this process or beside another; an older file is brought to this version first.
#[derive(Debug)]
pub struct SqliteLedgerReader {
    connection: Mutex<Connection>,
}

impl SqliteLedgerReader {
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut connection = connect(path)?;
        schema::migrate(&mut connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// One read transaction: everything in it is as of one instant.
    fn at_once<T>(&self, read: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T, LedgerError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(read(&connection.transaction()?)?)
    }
}

impl LedgerReader for SqliteLedgerReader {
    fn positions(&self) -> Result<Vec<(u16, Partition)>, LedgerError> {
        self.at_once(|tx| Rows(tx).partitions())
    }

    fn balances(&self) -> Result<Vec<(LedgerAccount, Balance)>, LedgerError> {
        self.at_once(|tx| Ok(balances(tx)?.into_iter().collect()))
    }

    fn controls(&self, ids: &[ControlId]) -> Result<Vec<Control>, LedgerError> {
        self.at_once(|tx| controls(tx, ids))
    }

    fn delivery(&self) -> Result<Vec<Delivery>, LedgerError> {
        self.at_once(delivery)
    }

    fn account(&self, account: AdvertiserId) -> Result<Account, LedgerError> {
        self.at_once(|tx| account_of(tx, account))
    }

    fn command(&self, command: CommandId) -> Result<Option<CommandRecord>, LedgerError> {
        let found = self.at_once(|tx| Rows(tx).commands(&BTreeSet::from([command])))?;
        Ok(found.into_iter().next().map(|(_, record)| record))
    }

    fn outcome(&self, position: Position) -> Result<Option<Outcome>, LedgerError> {
        self.at_once(|tx| outcome_at(tx, position))
    }

    fn report(&self, ask: &ReportAsk) -> Result<Option<Report>, LedgerError> {
        self.at_once(|tx| report::report(tx, ask))
    }

    fn accounted(&self) -> Result<Accounted, LedgerError> {
        self.at_once(accounted)
    }

    fn audit(&self) -> Result<Audit, LedgerError> {
        self.at_once(audit)
    }
}

fn controls(tx: &Connection, ids: &[ControlId]) -> Result<Vec<Control>> {
    let mut rows = Rows(tx);
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

fn balances(tx: &Connection) -> Result<BTreeMap<LedgerAccount, Balance>> {
    let sql = "SELECT kind, owner, debits_hi, debits_lo, credits_hi, credits_lo FROM ledger_balance";
    let rows = Rows(tx).all(sql, [], |row| Ok((ledger_account(row, 0)?, balance(row, 2)?)))?;
    Ok(rows.into_iter().collect())
}

fn tallies(tx: &Connection) -> Result<BTreeMap<Chain, Tally>> {
    let sql = "SELECT account, campaign, line_item, day, billed_events, billed_hi, billed_lo, repeated_events,
               repeated_hi, repeated_lo, expired_events, expired_hi, expired_lo FROM ledger_tally";
    let rows = Rows(tx).all(sql, [], |row| Ok((chain(row, 0)?, tally(row, 4)?)))?;
    Ok(rows.into_iter().collect())
}

fn account_of(tx: &Connection, account: AdvertiserId) -> Result<Account> {
    let id = ControlId::Account(account);
    let [control] = controls(tx, &[id])?[..] else { return Err(damaged(0, format_args!("{id:?}"))) };
    let funding = Rows(tx).funding(&BTreeSet::from([account]))?;
    let moves = format!(
        "SELECT {} FROM ledger_command WHERE account = ?1 AND effect IN (0, 5, 6) AND outcome = 0 ORDER BY partition, at",
        command::COLUMNS
    );
    let billed = "SELECT account, campaign, line_item, day, billed_events, billed_hi, billed_lo FROM ledger_tally
                  WHERE account = ?1";
    let number = account.0.cast_signed();
    Ok(Account {
        id: account,
        funding: funding.first().map(|(_, row)| *row).unwrap_or_default(),
        control,
        moves: Rows(tx).all(&moves, [number], |row| command::read(row).map(|(_, record)| record))?,
        billed: Rows(tx).all(billed, [number], |row| Ok((chain(row, 0)?, count(row, 4)?)))?,
    })
}

fn outcome_at(tx: &Connection, at: Position) -> Result<Option<Outcome>> {
    let offset = at.offset.cast_signed();
    let consumed = "SELECT 1 FROM ledger_partition WHERE partition = ?1 AND next > ?2";
    if !tx.prepare_cached(consumed)?.exists((at.partition, offset))? {
        return Ok(None);
    }
    let other = "SELECT outcome, short_level, late FROM ledger_outcome WHERE partition = ?1 AND at = ?2";
    let other = tx.prepare_cached(other)?.query_row((at.partition, offset), |row| outcome(row, 0)).optional()?;
    Ok(Some(other.unwrap_or(Outcome::Billed)))
}

fn unbilled(tx: &Connection) -> Result<BTreeMap<UnbilledId, Count>> {
    let sql = "SELECT account, campaign, line_item, day, short_level, late, events, hi, lo FROM ledger_unbilled";
    let read = |row: &Row<'_>| {
        let shortage: Shortage = shortage(row, 4)?;
        Ok((UnbilledId { chain: chain(row, 0)?, shortage }, count(row, 6)?))
    };
    Ok(Rows(tx).all(sql, [], read)?.into_iter().collect())
}

fn delivery(tx: &Transaction<'_>) -> Result<Vec<Delivery>> {
    let empty = |chain| Delivery { chain, tally: Tally::default(), pending: Count::default(), unbilled: Vec::new() };
    let mut days: BTreeMap<Chain, Delivery> = BTreeMap::new();
    for (chain, tally) in tallies(tx)? {
        days.insert(chain, Delivery { tally, ..empty(chain) });
    }
    Rows(tx).each_pending(|pending| {
        let waiting = &mut days.entry(pending.chain).or_insert_with(|| empty(pending.chain)).pending;
        waiting.events += 1;
        waiting.amount = waiting.amount.plus(pending.amount).unwrap_or(UNLIMITED);
    })?;
    for (id, count) in unbilled(tx)? {
        days.entry(id.chain).or_insert_with(|| empty(id.chain)).unbilled.push((id, count));
    }
    Ok(days.into_values().collect())
}

fn audit(tx: &Transaction<'_>) -> Result<Audit> {
    let rows = Rows(tx);
    let mut audit = Audit::new(Kept {
        controls: all_controls(&rows)?,
        funding: all_funding(&rows)?,
        daily: all_daily(&rows)?,
        balances: balances(tx)?,
        tallies: tallies(tx)?,
        unbilled: unbilled(tx)?,
    });
    let commands = format!("SELECT {} FROM ledger_command", command::COLUMNS);
    rows.for_each(&commands, |row| command::read(row).map(|(_, record)| audit.command(&record)))?;
    rows.for_each(POSTINGS, |row| posting(row).map(|posting| audit.posting(&posting)))?;
    rows.each_lease(|lease| audit.lease(lease))?;
    rows.for_each("SELECT claims, billed FROM ledger_batch", |row| {
        audit.batch(id(row, 0)?, id(row, 1)?);
        Ok(())
    })?;
    rows.for_each("SELECT outcome, short_level, late FROM ledger_outcome", |row| {
        audit.outcome(outcome(row, 0)?);
        Ok(())
    })?;
    rows.each_pending(|pending| audit.pending(pending))?;
    rows.for_each("SELECT line_item, spent_hi, spent_lo, refunded_hi, refunded_lo FROM report_delivery", |row| {
        audit.reported(LineItemId(id(row, 0)?), amount(row, 1)?, amount(row, 3)?);
        Ok(())
    })?;
    Ok(audit)
}

fn accounted(tx: &Transaction<'_>) -> Result<Accounted> {
    let mut rows = Rows(tx);
    let mut accounted = Accounted { partitions: rows.partitions()?, ..Accounted::default() };
    rows.for_each(
        "SELECT partition, first, next, appended FROM ledger_batch_range ORDER BY partition, first, next",
        |row| {
            let (partition, appended) = (row.get(0)?, Timestamp(row.get(3)?));
            accounted.ranges.push(Consumed { partition, from: id(row, 1)?, next: id(row, 2)?, appended });
            Ok(())
        },
    )?;
    rows.for_each("SELECT claims FROM ledger_batch", |row| {
        accounted.claims += id(row, 0)?;
        Ok(())
    })?;
    rows.for_each("SELECT partition, at, outcome, short_level, late FROM ledger_outcome", |row| {
        let position = Position { partition: row.get(0)?, offset: id(row, 1)? };
        accounted.outcomes.insert(position, outcome(row, 2)?);
        Ok(())
    })?;
    for (chain, tally) in tallies(tx)? {
        let billed = accounted.billed.entry(chain.account).or_default();
        *billed = billed.plus(tally.billed.amount).map_err(|e| damaged(0, e))?;
    }
    let commands = format!("SELECT {} FROM ledger_command", command::COLUMNS);
    rows.for_each(&commands, |row| {
        accounted.commands.extend([command::read(row)?]);
        Ok(())
    })?;
    Ok(accounted)
}

fn all_controls(rows: &Rows<'_>) -> Result<BTreeMap<ControlId, Control>> {
    let sql = format!("SELECT level, object, day, {CONTROL} FROM ledger_control");
    Ok(rows.all(&sql, [], |row| Ok((control_id(row, 0)?, control(row, 3)?)))?.into_iter().collect())
}

fn all_funding(rows: &Rows<'_>) -> Result<BTreeMap<AdvertiserId, Funding>> {
    let sql = "SELECT account, added_hi, added_lo, removed_hi, removed_lo, credit_hi, credit_lo FROM ledger_funding";
    Ok(rows.all(sql, [], |row| Ok((AdvertiserId(id(row, 0)?), funding(row, 1)?)))?.into_iter().collect())
}

fn all_daily(rows: &Rows<'_>) -> Result<BTreeMap<CampaignId, DailyLimits>> {
    let sql = "SELECT campaign, from_day, limit_hi, limit_lo FROM ledger_daily_limit";
    let mut daily: BTreeMap<CampaignId, DailyLimits> = BTreeMap::new();
    rows.for_each(sql, |row| {
        let steps = daily.entry(CampaignId(id(row, 0)?)).or_default();
        steps.0.insert(Day(row.get(1)?), amount(row, 2)?);
        Ok(())
    })?;
    Ok(daily)
}

const POSTINGS: &str = "SELECT kind, cause_partition, cause_next, cause_command, tenant, debit_kind, debit_owner,
                        credit_kind, credit_owner, hi, lo, events, restores_day, account, campaign, line_item, day
                        FROM ledger_posting ORDER BY id";

fn posting(row: &Row<'_>) -> Result<Posting> {
    let concerns_a_day = row.get::<_, Option<i64>>(13)?.is_some();
    Ok(Posting {
        kind: posting_kind(row, 0)?,
        cause: cause(row)?,
        tenant: TenantId(id(row, 4)?),
        debit: ledger_account(row, 5)?,
        credit: ledger_account(row, 7)?,
        amount: amount(row, 9)?,
        events: id(row, 11)?,
        chain: if concerns_a_day { Some(chain(row, 13)?) } else { None },
        restores_day: row.get(12)?,
    })
}

fn cause(row: &Row<'_>) -> Result<Cause> {
    if let Some(partition) = row.get(1)? {
        return Ok(Cause::Batch { partition, next: id(row, 2)? });
    }
    let command = row.get::<_, Option<[u8; 16]>>(3)?;
    Ok(command.map_or(Cause::Retry, |_| Cause::Command(CommandId(wide(row, 3).unwrap_or_default()))))
}
