//! The invariants of the money, each a named function over what a database holds and what its postings add up to.
//!
//! An [`Audit`] is filled row by row, so a ledger of any size is checked in memory proportional to its controls and days; the
//! checks know nothing of how the rows were planned.

use std::collections::BTreeMap;
use std::fmt::Display;

use litfass_types::{AdvertiserId, CampaignId, LineItemId, Position};

use crate::amount::Amount;
use crate::book::Book;
use crate::books::{Balance, Cause, LedgerAccount, Posting, PostingKind};
use crate::claim::{Count, Outcome, Pending, Tally, UnbilledId};
use crate::command::{CommandId, CommandOutcome, CommandRecord, DailyLimits, Effect, Funding, Limit};
use crate::control::{Chain, Control, ControlId, Level, UNLIMITED};
use crate::lease::Lease;

/// An invariant that does not hold, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{invariant}: {detail}")]
pub struct Violation {
    pub invariant: &'static str,
    pub detail: String,
}

/// What a ledger keeps as sums.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    pub controls: BTreeMap<ControlId, Control>,
    pub funding: BTreeMap<AdvertiserId, Funding>,
    pub daily: BTreeMap<CampaignId, DailyLimits>,
    pub balances: BTreeMap<LedgerAccount, Balance>,
    pub tallies: BTreeMap<Chain, Tally>,
    pub unbilled: BTreeMap<UnbilledId, Count>,
}

/// What a ledger keeps, and what its postings, leases and outcomes add up to.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    kept: Kept,
    commands: BTreeMap<CommandId, CommandRecord>,
    set: BTreeMap<ControlId, (Position, Amount)>,
    sums: BTreeMap<ControlId, Sums>,
    sides: BTreeMap<LedgerAccount, (i128, i128)>,
    moved: BTreeMap<AdvertiserId, (i128, i128)>,
    billed: BTreeMap<Chain, (u64, i128)>,
    refunded: BTreeMap<Chain, (u64, i128)>,
    effects: BTreeMap<CommandId, u64>,
    claims: u64,
    billed_at_once: u64,
    outcomes: Outcomes,
    waiting: Vec<(Chain, Amount)>,
    reported: BTreeMap<LineItemId, (i128, i128)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sums {
    spent: i128,
    restored: i128,
    leased: i128,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Outcomes {
    billed: u64,
    repeated: u64,
    expired: u64,
    pending: u64,
    unbilled: u64,
}

impl Audit {
    /// To be completed with every command, posting, open lease, batch, outcome and pending claim.
    #[must_use]
    pub fn new(kept: Kept) -> Self {
        Self { kept, ..Self::default() }
    }

    #[must_use]
    pub const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Every row of a ledger in memory.
    #[must_use]
    pub fn of(book: &Book) -> Self {
        let mut audit = Self::new(Kept {
            controls: book.controls.clone(),
            funding: book.funding.clone(),
            daily: book.daily.clone(),
            balances: book.balances.clone(),
            tallies: book.tallies.clone(),
            unbilled: book.unbilled.clone(),
        });
        book.commands.values().for_each(|record| audit.command(record));
        book.postings.iter().for_each(|posting| audit.posting(posting));
        book.leases.values().for_each(|lease| audit.lease(lease));
        book.batches.iter().for_each(|batch| audit.batch(batch.claims, batch.billed));
        book.outcomes.values().for_each(|outcome| audit.outcome(*outcome));
        book.pending.values().for_each(|pending| audit.pending(pending));
        let delivered = book.rollup.delivered.iter();
        delivered.for_each(|(slice, figures)| audit.reported(slice.line_item, figures.spent, figures.refunded));
        audit
    }

    pub fn posting(&mut self, posting: &Posting) {
        let nanos = posting.amount.nanos();
        self.sides.entry(posting.debit).or_default().0 += nanos;
        self.sides.entry(posting.credit).or_default().1 += nanos;
        if let (Cause::Command(id), false) = (posting.cause, posting.kind == PostingKind::Bill) {
            *self.effects.entry(id).or_default() += 1;
        }
        match (posting.kind, posting.chain) {
            (PostingKind::Bill, Some(chain)) => self.bill(chain, posting.events, nanos),
            (PostingKind::Refund, Some(chain)) => self.refund(chain, posting.restores_day, nanos),
            _ => self.transfer(posting),
        }
    }

    fn bill(&mut self, chain: Chain, events: u64, nanos: i128) {
        let billed = self.billed.entry(chain).or_default();
        *billed = (billed.0 + events, billed.1 + nanos);
        for id in chain.controls() {
            self.sums.entry(id).or_default().spent += nanos;
        }
    }

    fn refund(&mut self, chain: Chain, restores_day: bool, nanos: i128) {
        let refunded = self.refunded.entry(chain).or_default();
        *refunded = (refunded.0 + 1, refunded.1 + nanos);
        for id in chain.controls().into_iter().filter(|id| restores_day || id.level() != Level::CampaignDay) {
            self.sums.entry(id).or_default().restored += nanos;
        }
    }

    fn transfer(&mut self, posting: &Posting) {
        if let LedgerAccount::Funds(account) = posting.credit {
            self.moved.entry(account).or_default().0 += posting.amount.nanos();
        }
        if let LedgerAccount::Funds(account) = posting.debit {
            self.moved.entry(account).or_default().1 += posting.amount.nanos();
        }
    }

    pub fn lease(&mut self, lease: &Lease) {
        for id in lease.chain.controls() {
            self.sums.entry(id).or_default().leased += lease.left().nanos();
        }
    }

    pub fn command(&mut self, record: &CommandRecord) {
        let entry = &record.entry;
        self.commands.insert(entry.command.id, record.clone());
        if let Some((id, limit)) = sets(&entry.command.effect) {
            let last = self.set.entry(id).or_insert((entry.position, limit));
            if entry.position >= last.0 {
                *last = (entry.position, limit);
            }
        }
    }

    /// One batch: how many claims it had, and how many of them it billed at once.
    pub fn batch(&mut self, claims: u64, billed: u64) {
        self.claims += claims;
        self.billed_at_once += billed;
    }

    /// One row of the reports.
    pub fn reported(&mut self, line_item: LineItemId, spent: Amount, refunded: Amount) {
        let sums = self.reported.entry(line_item).or_default();
        *sums = (sums.0 + spent.nanos(), sums.1 + refunded.nanos());
    }

    /// One outcome other than billed at once.
    pub fn outcome(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Billed => &mut self.outcomes.billed,
            Outcome::Repeated => &mut self.outcomes.repeated,
            Outcome::Expired => &mut self.outcomes.expired,
            Outcome::Pending(_) => &mut self.outcomes.pending,
            Outcome::Unbilled(_) => &mut self.outcomes.unbilled,
        };
        *counter += 1;
    }

    pub fn pending(&mut self, pending: &Pending) {
        self.waiting.push((pending.chain, pending.amount));
    }

    fn sums(&self, id: ControlId) -> Sums {
        self.sums.get(&id).copied().unwrap_or_default()
    }

    fn control(&self, id: ControlId) -> Control {
        self.kept.controls.get(&id).copied().unwrap_or_else(|| Control::with_limit(self.limit(id)))
    }

    /// What commands say that the limit is.
    fn limit(&self, id: ControlId) -> Amount {
        match id {
            ControlId::Account(account) => self.kept.funding.get(&account).copied().unwrap_or_default().limit(),
            ControlId::CampaignDay(campaign, day) => {
                self.kept.daily.get(&campaign).map_or(UNLIMITED, |steps| steps.on(day))
            }
            ControlId::Campaign(_) | ControlId::LineItem(_) => self.set.get(&id).map_or(UNLIMITED, |(_, limit)| *limit),
        }
    }
}

/// The lifetime or line item control that a command limits, and to what.
const fn sets(effect: &Effect) -> Option<(ControlId, Amount)> {
    let Effect::SetLimit(limit) = effect else { return None };
    let (id, limit) = match limit {
        Limit::CampaignLifetime { campaign, limit, .. } => (ControlId::Campaign(*campaign), *limit),
        Limit::LineItem { line_item, limit, .. } => (ControlId::LineItem(*line_item), *limit),
        Limit::Credit { .. } | Limit::CampaignDaily { .. } => return None,
    };
    match limit {
        Some(limit) => Some((id, limit)),
        None => Some((id, UNLIMITED)),
    }
}

fn ensure(invariant: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { invariant, detail: detail() }) }
}

fn same<T: PartialEq + Display + Copy>(
    invariant: &'static str,
    what: impl Display,
    stored: T,
    derived: T,
) -> Result<(), Violation> {
    ensure(invariant, stored == derived, || format!("{what} is {stored}, its sources add up to {derived}"))
}

pub fn spent_and_leased_within_ceiling_and_restored(audit: &Audit) -> Result<(), Violation> {
    audit.kept.controls.iter().try_for_each(|(id, control)| {
        ensure("spent + leased ≤ ceiling + restored", control.holds(), || format!("{id:?} is {control:?}"))
    })
}

/// Every operation moves all four levels: whatever was spent and leased at one was at each of them.
pub fn levels_agree(audit: &Audit) -> Result<(), Violation> {
    let total = |level: Level, of: fn(&Control) -> Amount| -> i128 {
        audit.kept.controls.iter().filter(|(id, _)| id.level() == level).map(|(_, c)| of(c).nanos()).sum()
    };
    for level in Level::ALL {
        let name = level.name();
        same(
            "levels agree",
            format_args!("spent of {name}"),
            total(level, |c| c.spent),
            total(Level::Account, |c| c.spent),
        )?;
        same(
            "levels agree",
            format_args!("leased of {name}"),
            total(level, |c| c.leased),
            total(Level::Account, |c| c.leased),
        )?;
    }
    Ok(())
}

pub fn open_leases_are_what_is_leased(audit: &Audit) -> Result<(), Violation> {
    let ids = audit.kept.controls.keys().chain(audit.sums.keys());
    ids.copied().try_for_each(|id| {
        let leased = audit.control(id).leased.nanos();
        same("Σ open leases = leased", format_args!("leased of {id:?}"), leased, audit.sums(id).leased)
    })
}

pub fn controls_are_folds_of_postings(audit: &Audit) -> Result<(), Violation> {
    let name = "controls are folds of postings";
    let ids = audit.kept.controls.keys().chain(audit.sums.keys());
    ids.copied().try_for_each(|id| {
        let (control, sums) = (audit.control(id), audit.sums(id));
        same(name, format_args!("spent of {id:?}"), control.spent.nanos(), sums.spent)?;
        same(name, format_args!("restored of {id:?}"), control.restored.nanos(), sums.restored)
    })
}

pub fn limits_are_what_commands_set(audit: &Audit) -> Result<(), Violation> {
    let name = "limits are what commands set";
    audit.kept.controls.iter().try_for_each(|(id, control)| {
        same(name, format_args!("limit of {id:?}"), control.limit, audit.limit(*id))?;
        ensure(name, control.ceiling >= control.limit, || format!("{id:?} has its ceiling below its limit"))
    })
}

pub fn ledger_sums_to_zero(audit: &Audit) -> Result<(), Violation> {
    let debits: i128 = audit.kept.balances.values().map(|b| b.debits.nanos()).sum();
    let credits: i128 = audit.kept.balances.values().map(|b| b.credits.nanos()).sum();
    same("the ledger sums to zero", "the sum of debits", debits, credits)
}

pub fn balances_are_folds_of_postings(audit: &Audit) -> Result<(), Violation> {
    let name = "balances are folds of postings";
    let accounts = audit.kept.balances.keys().chain(audit.sides.keys());
    accounts.copied().try_for_each(|account| {
        let stored = audit.kept.balances.get(&account).copied().unwrap_or_default();
        let derived = audit.sides.get(&account).copied().unwrap_or_default();
        same(name, format_args!("debits of {account:?}"), stored.debits.nanos(), derived.0)?;
        same(name, format_args!("credits of {account:?}"), stored.credits.nanos(), derived.1)
    })
}

/// limit = deposits + adjustments + credit; while nothing is overdrawn, available + leased = ledger funds + credit.
pub fn books_meet_at_the_account(audit: &Audit) -> Result<(), Violation> {
    let name = "the books meet at the account";
    let accounts = audit.kept.funding.keys().chain(audit.moved.keys());
    accounts.copied().try_for_each(|account| {
        let funding = audit.kept.funding.get(&account).copied().unwrap_or_default();
        let moved = audit.moved.get(&account).copied().unwrap_or_default();
        same(name, format_args!("what came to {account}"), funding.added.nanos(), moved.0)?;
        same(name, format_args!("what left {account}"), funding.removed.nanos(), moved.1)?;
        let control = audit.control(ControlId::Account(account));
        let free = control.limit.nanos() + control.restored.nanos() - control.leased.nanos() - control.spent.nanos();
        let exact = funding.added.nanos() + funding.credit.nanos() - funding.removed.nanos();
        if free < 0 || exact != control.limit.nanos() {
            return Ok(()); // overdrawn by a cut of its limit, or clamped
        }
        let funds = audit.kept.balances.get(&LedgerAccount::Funds(account)).copied().unwrap_or_default().net();
        let promised = control.available().nanos() + control.leased.nanos();
        same(name, format_args!("what {account} can still spend"), promised, funds + funding.credit.nanos())
    })
}

/// The claims of every batch are those billed at once and those with an outcome of their own.
pub fn every_claim_has_one_outcome(audit: &Audit) -> Result<(), Violation> {
    let name = "every claim has one outcome";
    let Outcomes { billed, repeated, expired, pending, unbilled } = audit.outcomes;
    let others = billed + repeated + expired + pending + unbilled;
    same(name, "the number of claims", audit.claims, audit.billed_at_once + others)?;
    let waiting = u64::try_from(audit.waiting.len()).unwrap_or(u64::MAX);
    same(name, "the number of claims that wait", waiting, pending)
}

/// What is posted as billed is what was billed, and the counters count it.
pub fn postings_are_folds_of_outcomes(audit: &Audit) -> Result<(), Violation> {
    let name = "postings are folds of outcomes";
    let events: u64 = audit.billed.values().map(|(events, _)| events).sum();
    same(name, "the number of events posted", events, audit.billed_at_once + audit.outcomes.billed)?;
    for (chain, tally) in &audit.kept.tallies {
        let (events, nanos) = audit.billed.get(chain).copied().unwrap_or_default();
        same(name, format_args!("events billed for {chain:?}"), tally.billed.events, events)?;
        same(name, format_args!("nanos billed for {chain:?}"), tally.billed.amount.nanos(), nanos)?;
    }
    let count = |of: fn(&Tally) -> u64| -> u64 { audit.kept.tallies.values().map(of).sum() };
    same(name, "the number of repeated claims", count(|t| t.repeated.events), audit.outcomes.repeated)?;
    same(name, "the number of expired claims", count(|t| t.expired.events), audit.outcomes.expired)?;
    let unbilled: u64 = audit.kept.unbilled.values().map(|count| count.events).sum();
    same(name, "the number of unbilled claims", unbilled, audit.outcomes.unbilled)
}

/// No day of a line item gives back more than it took, and what it gave back is what was posted.
pub fn refunds_of_a_chain_are_within_its_bills(audit: &Audit) -> Result<(), Violation> {
    let name = "refunds of a chain ≤ its bills";
    let chains = audit.kept.tallies.keys().chain(audit.refunded.keys());
    chains.copied().try_for_each(|chain| {
        let Tally { billed, refunded, .. } = audit.kept.tallies.get(&chain).copied().unwrap_or_default();
        let (refunds, nanos) = audit.refunded.get(&chain).copied().unwrap_or_default();
        same(name, format!("refunds of {chain:?}"), refunded.events, refunds)?;
        same(name, format!("nanos refunded of {chain:?}"), refunded.amount.nanos(), nanos)?;
        let within = refunded.amount <= billed.amount;
        ensure(name, within, || format!("{} of {} of {chain:?} were refunded", refunded.amount, billed.amount))
    })
}

/// Reports show what was billed and refunded of every line item, to the nano.
pub fn reports_are_folds_of_postings(audit: &Audit) -> Result<(), Violation> {
    let name = "reports are folds of postings";
    let posted = audit.sums.keys().filter_map(|id| if let ControlId::LineItem(id) = id { Some(*id) } else { None });
    posted.chain(audit.reported.keys().copied()).try_for_each(|line_item| {
        let (spent, refunded) = audit.reported.get(&line_item).copied().unwrap_or_default();
        let posted = audit.sums(ControlId::LineItem(line_item));
        same(name, format_args!("the reported spend of line item {line_item}"), spent, posted.spent)?;
        same(name, format_args!("the reported refunds of line item {line_item}"), refunded, posted.restored)
    })
}

/// A command that moves money has one posting where it was applied, and none otherwise.
pub fn commands_take_effect_once(audit: &Audit) -> Result<(), Violation> {
    let name = "a command takes effect at most once";
    for (id, record) in &audit.commands {
        let moves = !matches!(record.entry.command.effect, Effect::SetLimit(_));
        let expected = u64::from(moves && record.outcome == CommandOutcome::Applied);
        let effects = audit.effects.get(id).copied().unwrap_or_default();
        same(name, format_args!("the number of postings of command {id}"), effects, expected)?;
    }
    let unknown = audit.effects.keys().find(|id| !audit.commands.contains_key(id));
    ensure(name, unknown.is_none(), || format!("postings name an unknown command: {unknown:?}"))
}

/// At rest, after a sweep: whatever waits does not fit.
pub fn nothing_pending_fits(audit: &Audit) -> Result<(), Violation> {
    audit.waiting.iter().try_for_each(|(chain, amount)| {
        let fits = chain.controls().into_iter().all(|id| audit.control(id).available() >= *amount);
        ensure("at rest no pending claim fits", !fits, || format!("{amount} of {chain:?} would"))
    })
}

type Check = fn(&Audit) -> Result<(), Violation>;

/// What holds after every transaction.
pub const ALWAYS: [Check; 13] = [
    spent_and_leased_within_ceiling_and_restored,
    levels_agree,
    open_leases_are_what_is_leased,
    controls_are_folds_of_postings,
    limits_are_what_commands_set,
    ledger_sums_to_zero,
    balances_are_folds_of_postings,
    books_meet_at_the_account,
    every_claim_has_one_outcome,
    postings_are_folds_of_outcomes,
    commands_take_effect_once,
    reports_are_folds_of_postings,
    refunds_of_a_chain_are_within_its_bills,
];

/// Every invariant that does not hold, the first place of each.
#[must_use]
pub fn violations(audit: &Audit) -> Vec<Violation> {
    ALWAYS.iter().filter_map(|check| check(audit).err()).collect()
}
