//! Applying admin commands: id, position and effect in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use litfass_types::{AdvertiserId, CampaignId, Day};

use crate::amount::{Amount, Overflow};
use crate::books::{Cause, LedgerAccount, Posting, PostingKind};
use crate::claim::Tally;
use crate::command::{
    Command, CommandEntry, CommandOutcome, CommandRecord, Commands, Effect, Funding, Limit, Objection,
};
use crate::control::{Chain, Control, ControlId, UNLIMITED};
use crate::gather::{self, Scope};
use crate::moves::Till;
use crate::rows::{PartitionKind, Refused, Rows};
use crate::settle::{Settled, refund, settle};
use crate::store::{Operation, Source, StateUse};
use crate::timeline::CatchUp;

/// Applies a range of the admin partition.
#[derive(Debug)]
pub struct Apply<'a> {
    pub commands: &'a Commands,
}

/// What became of the commands, in their order, and of what waited for them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Applied {
    pub outcomes: Vec<CommandOutcome>,
    pub settled: Settled,
}

impl Operation for Apply<'_> {
    type Receipt = Applied;

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error> {
        let mut rows = gather::begin(source, [self.commands.consumed.partition], StateUse::Reads)?;
        let mut scope = Scope::default();
        for entry in &self.commands.entries {
            scope_of(&entry.command, &mut scope);
        }
        let accounts: BTreeSet<AdvertiserId> = scope.accounts.clone();
        scope.refunds(source, Some(&accounts))?;
        scope.pending_of(source, &accounts)?;
        scope.read(&mut rows, source)?;
        let ids = self.commands.entries.iter().map(|entry| entry.command.id);
        gather::read_missing(&mut rows.commands, ids, |ids| source.commands(ids))?;
        self.read_days(&mut rows, source)?;
        Ok(rows)
    }

    fn plan(&self, rows: &mut Rows) -> Result<Applied, Refused> {
        rows.passed(CatchUp::Promotion)?;
        rows.advance(PartitionKind::Admin, &self.commands.consumed)?;
        let redo = rows.partitions.known(&self.commands.consumed.partition).map_or(0, |row| row.redo);
        let mut applied = Applied::default();
        for entry in &self.commands.entries {
            self.check_inside(entry)?;
            let time = if entry.position.offset < redo { Time::Again } else { Time::First };
            let outcome = once(rows, entry, time, &mut applied.settled)?;
            applied.outcomes.push(outcome);
        }
        Ok(applied)
    }
}

impl Apply<'_> {
    /// Days that a daily limit changes: none is made any more once their accounts are locked.
    fn read_days<S: Source + ?Sized>(&self, rows: &mut Rows, source: &mut S) -> Result<(), S::Error> {
        for entry in &self.commands.entries {
            if let Effect::SetLimit(Limit::CampaignDaily { campaign, from, .. }) = entry.command.effect {
                rows.controls.add(source.day_controls(campaign, from)?);
            }
        }
        Ok(())
    }

    fn check_inside(&self, entry: &CommandEntry) -> Result<(), Refused> {
        let (at, range) = (entry.position, self.commands.consumed);
        let inside = at.partition == range.partition && (range.from..range.next).contains(&at.offset);
        if inside { Ok(()) } else { Err(Refused::Outside(at)) }
    }
}

fn scope_of(command: &Command, scope: &mut Scope) {
    scope.tenants.insert(command.tenant);
    let account = command.effect.account();
    scope.accounts.insert(account);
    scope.controls.insert(ControlId::Account(account));
    match command.effect {
        Effect::Refund { chain, .. } => scope.chain(Some(command.tenant), chain),
        Effect::SetLimit(limit) => {
            scope.controls.insert(control_of(limit));
        }
        Effect::Deposit { .. } | Effect::Adjust { .. } => {}
    }
}

/// The control whose campaign's rows a limit needs; a daily limit needs the campaign's steps.
const fn control_of(limit: Limit) -> ControlId {
    match limit {
        Limit::Credit { account, .. } => ControlId::Account(account),
        Limit::CampaignLifetime { campaign, .. } | Limit::CampaignDaily { campaign, .. } => {
            ControlId::Campaign(campaign)
        }
        Limit::LineItem { line_item, .. } => ControlId::LineItem(line_item),
    }
}

/// Whether a command may have been applied before the database failed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Time {
    First,
    Again,
}

/// A command takes effect the first time its id is seen; what waits is settled before the next command, so that the outcome
/// does not depend on where a batch ends. Of commands that are applied again what waits is settled once all of them are: a
/// limit that follows must not find more spent than it did.
fn once(rows: &mut Rows, entry: &CommandEntry, time: Time, settled: &mut Settled) -> Result<CommandOutcome, Refused> {
    let id = entry.command.id;
    if rows.commands.get(&id)?.is_some() {
        return Ok(CommandOutcome::Repeated);
    }
    let outcome = take_effect(rows, entry, time)?;
    rows.commands.put(id, CommandRecord { entry: entry.clone(), outcome });
    if outcome == CommandOutcome::Applied && time == Time::First {
        let mut till = Till::new(Cause::Command(id));
        settle(rows, &mut till, true, settled)?;
        till.close(rows)?;
    }
    Ok(outcome)
}

fn take_effect(rows: &mut Rows, entry: &CommandEntry, time: Time) -> Result<CommandOutcome, Refused> {
    match entry.command.effect {
        Effect::Deposit { account, amount } => fund(rows, &entry.command, account, amount, PostingKind::Deposit),
        Effect::Adjust { account, nanos } => adjust(rows, &entry.command, account, nanos, time),
        Effect::SetLimit(limit) => set_limit(rows, limit).map(|()| CommandOutcome::Applied),
        Effect::Refund { amount, .. } if amount.is_zero() => Ok(CommandOutcome::Refused(Objection::NothingToMove)),
        Effect::Refund { .. } => {
            Ok(if refund(rows, entry)? { CommandOutcome::Applied } else { CommandOutcome::Waiting })
        }
    }
}

fn adjust(
    rows: &mut Rows,
    command: &Command,
    account: AdvertiserId,
    nanos: i128,
    time: Time,
) -> Result<CommandOutcome, Refused> {
    let Ok(amount) = nanos.checked_abs().map_or(Err(Overflow), Amount::new) else {
        return Ok(CommandOutcome::Refused(Objection::OutOfRange));
    };
    if nanos >= 0 {
        fund(rows, command, account, amount, PostingKind::Adjustment)
    } else {
        let enough = match time {
            Time::First => rows.control(ControlId::Account(account))?.available().nanos(),
            Time::Again => most_there_can_have_been(rows, account)?,
        };
        take(rows, command, account, amount, enough)
    }
}

/// What the account had available at most when a command was applied for the first time. No lease is open while commands are
/// applied again, and no more is spent than was then; but a refund may wait for events that are billed only after it. Of a day
/// of which B was billed, a refund of more than B came after as much more was spent: it made at most B available.
fn most_there_can_have_been(rows: &Rows, account: AdvertiserId) -> Result<i128, Refused> {
    let Funding { added, removed, credit } = rows.funding.get(&account)?.copied().unwrap_or_default();
    let Control { restored, spent, .. } = rows.control(ControlId::Account(account))?;
    let limit = added.nanos() + credit.nanos() - removed.nanos();
    let mut most = limit + restored.nanos() - spent.nanos();
    for (chain, waits) in refunds_waiting(rows, account) {
        let Tally { billed, refunded, .. } = rows.tallies.get(&chain)?.copied().unwrap_or_default();
        most += waits.min(billed.amount.nanos() - refunded.amount.nanos());
    }
    Ok(most)
}

fn refunds_waiting(rows: &Rows, account: AdvertiserId) -> BTreeMap<Chain, i128> {
    let mut sums: BTreeMap<Chain, i128> = BTreeMap::new();
    for (_, record) in rows.commands.iter().filter(|(_, record)| record.outcome == CommandOutcome::Waiting) {
        if let Effect::Refund { chain, amount, .. } = record.entry.command.effect
            && chain.account == account
        {
            let sum = sums.entry(chain).or_default();
            *sum = sum.saturating_add(amount.nanos());
        }
    }
    sums
}

/// Deposits and upward adjustments.
fn fund(
    rows: &mut Rows,
    command: &Command,
    account: AdvertiserId,
    amount: Amount,
    kind: PostingKind,
) -> Result<CommandOutcome, Refused> {
    if amount.is_zero() {
        return Ok(CommandOutcome::Refused(Objection::NothingToMove));
    }
    let funding = rows.funding.get(&account)?.copied().unwrap_or_default();
    let Ok(added) = funding.added.plus(amount) else {
        return Ok(CommandOutcome::Refused(Objection::OutOfRange));
    };
    set_funding(rows, account, Funding { added, ..funding })?;
    let (debit, credit) = (LedgerAccount::House(command.tenant), LedgerAccount::Funds(account));
    rows.post(posting(command, kind, (debit, credit), amount))?;
    Ok(CommandOutcome::Applied)
}

/// Downward adjustments: never beyond what is or was available.
fn take(
    rows: &mut Rows,
    command: &Command,
    account: AdvertiserId,
    amount: Amount,
    enough: i128,
) -> Result<CommandOutcome, Refused> {
    if enough < amount.nanos() {
        return Ok(CommandOutcome::Refused(Objection::BeyondAvailable));
    }
    let funding = rows.funding.get(&account)?.copied().unwrap_or_default();
    let removed = funding.removed.plus(amount)?;
    set_funding(rows, account, Funding { removed, ..funding })?;
    let (debit, credit) = (LedgerAccount::Funds(account), LedgerAccount::House(command.tenant));
    rows.post(posting(command, PostingKind::Adjustment, (debit, credit), amount))?;
    Ok(CommandOutcome::Applied)
}

const fn posting(
    command: &Command,
    kind: PostingKind,
    sides: (LedgerAccount, LedgerAccount),
    amount: Amount,
) -> Posting {
    Posting {
        kind,
        cause: Cause::Command(command.id),
        tenant: command.tenant,
        debit: sides.0,
        credit: sides.1,
        amount,
        events: 1,
        chain: None,
        restores_day: false,
    }
}

fn set_funding(rows: &mut Rows, account: AdvertiserId, funding: Funding) -> Result<(), Refused> {
    *rows.funding.slot(&account)? = Some(funding);
    rows.change(ControlId::Account(account), |control| control.set_limit(funding.limit()))
}

fn set_limit(rows: &mut Rows, limit: Limit) -> Result<(), Refused> {
    let control = control_of(limit);
    match limit {
        Limit::Credit { account, limit } => {
            let funding = rows.funding.get(&account)?.copied().unwrap_or_default();
            set_funding(rows, account, Funding { credit: limit, ..funding })
        }
        Limit::CampaignLifetime { limit, .. } | Limit::LineItem { limit, .. } => {
            rows.change(control, |control| control.set_limit(limit.unwrap_or(UNLIMITED)))
        }
        Limit::CampaignDaily { campaign, from, limit, .. } => {
            set_daily(rows, campaign, from, limit.unwrap_or(UNLIMITED))
        }
    }
}

/// Days that have a control already are changed with it; later ones take the limit when they are first needed.
fn set_daily(rows: &mut Rows, campaign: CampaignId, from: Day, limit: Amount) -> Result<(), Refused> {
    rows.daily.slot(&campaign)?.get_or_insert_default().set(from, limit);
    let days = rows.controls.iter().map(|(id, _)| *id);
    let concerned = |id: &ControlId| matches!(id, ControlId::CampaignDay(c, day) if *c == campaign && *day >= from);
    for id in days.filter(concerned).collect::<Vec<_>>() {
        rows.change(id, |control| control.set_limit(limit))?;
    }
    Ok(())
}
