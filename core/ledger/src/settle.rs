//! What waits is tried again: refunds after every billing, pending claims whenever something became available.
//!
//! Smallest first within a chain: where the smallest does not fit no other does, so at rest no pending claim fits.

use std::collections::BTreeSet;

use litfass_types::{Position, Timestamp};

use crate::amount::Amount;
use crate::books::{LedgerAccount, Posting, PostingKind};
use crate::claim::{ClaimId, Outcome, Pending, UnbilledId};
use crate::command::{CommandEntry, CommandId, CommandOutcome, Effect, Objection};
use crate::control::{Chain, ControlId};
use crate::moves::Till;
use crate::rollup::{Figures, Slice};
use crate::rows::{Refused, Rows};

/// What changed its outcome in passing: claims and refunds that waited.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settled {
    pub claims: Vec<SettledClaim>,
    pub refunds: Vec<(CommandId, CommandOutcome)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettledClaim {
    pub id: ClaimId,
    pub chain: Chain,
    pub amount: Amount,
    /// The entry whose outcome was pending.
    pub position: Position,
    pub outcome: Outcome,
}

impl Settled {
    /// Appends what a later transaction settled.
    pub fn extend(&mut self, later: Self) {
        self.claims.extend(later.claims);
        self.refunds.extend(later.refunds);
    }
}

/// Tries again until nothing moves: a refund raises what is available, a claim billed then raises what can be refunded.
pub(crate) fn settle(rows: &mut Rows, till: &mut Till, mut raised: bool, settled: &mut Settled) -> Result<(), Refused> {
    loop {
        raised |= retry_refunds(rows, settled)?;
        if !raised || !retry_pending(rows, till, settled)? {
            return Ok(());
        }
    }
}

fn retry_refunds(rows: &mut Rows, settled: &mut Settled) -> Result<bool, Refused> {
    let mut restored = false;
    for id in rows.waiting() {
        let Some(record) = rows.commands.get(&id)?.cloned() else { continue };
        if refund(rows, &record.entry)? {
            end_refund(rows, id, CommandOutcome::Applied, settled)?;
            restored = true;
        }
    }
    Ok(restored)
}

/// Ends refunds that the watermark has passed: whatever was appended before them has been billed.
pub(crate) fn refuse_overdue(rows: &mut Rows, watermark: Timestamp, settled: &mut Settled) -> Result<(), Refused> {
    for id in rows.waiting() {
        let overdue = rows.commands.get(&id)?.is_some_and(|record| record.entry.appended < watermark);
        if overdue {
            end_refund(rows, id, CommandOutcome::Refused(Objection::BeyondSpent), settled)?;
        }
    }
    Ok(())
}

fn end_refund(rows: &mut Rows, id: CommandId, outcome: CommandOutcome, settled: &mut Settled) -> Result<(), Refused> {
    if let Some(record) = rows.commands.slot(&id)? {
        record.outcome = outcome;
    }
    settled.refunds.push((id, outcome));
    Ok(())
}

/// Restores every level it concerns and posts it, or does nothing where less was billed of its chain: the levels may have been
/// spent by other days, other line items or other time zones.
pub(crate) fn refund(rows: &mut Rows, entry: &CommandEntry) -> Result<bool, Refused> {
    let Effect::Refund { chain, day_ends, amount } = entry.command.effect else { return Ok(false) };
    if !rows.tallies.get(&chain)?.is_some_and(|tally| tally.can_refund(amount)) {
        return Ok(false);
    }
    let restores_day = entry.appended < day_ends;
    let levels = chain.controls().into_iter().filter(|id| restores_day || !matches!(id, ControlId::CampaignDay(..)));
    for id in levels.clone() {
        if !rows.control(id)?.can_restore(amount) {
            return Ok(false);
        }
    }
    for id in levels {
        rows.change(id, |control| control.restore(amount))?;
    }
    rows.tally(chain, |tally| tally.refunded.add(1, amount))?;
    let tenant = entry.command.tenant;
    let figures = Figures { refunded: amount, ..Figures::default() };
    rows.rollup.deliver(Slice::of_refund(tenant, &chain, entry.appended), &figures)?;
    rows.post(Posting {
        kind: PostingKind::Refund,
        cause: crate::books::Cause::Command(entry.command.id),
        tenant,
        debit: LedgerAccount::Refunds(tenant),
        credit: LedgerAccount::Funds(chain.account),
        amount,
        events: 1,
        chain: Some(chain),
        restores_day,
    })?;
    Ok(true)
}

fn retry_pending(rows: &mut Rows, till: &mut Till, settled: &mut Settled) -> Result<bool, Refused> {
    let order: BTreeSet<_> = rows.pending.iter().map(|(id, p)| (p.chain, p.amount, id.clone())).collect();
    let mut full = None;
    let mut billed = false;
    for (chain, amount, id) in order {
        if full == Some(chain) {
            continue;
        }
        if rows.spend(chain, amount, None)?.is_some() {
            full = Some(chain);
        } else {
            bill_pending(rows, till, &id, settled)?;
            billed = true;
        }
    }
    Ok(billed)
}

/// A pending claim whose amount was just spent.
pub(crate) fn bill_pending(
    rows: &mut Rows,
    till: &mut Till,
    id: &ClaimId,
    settled: &mut Settled,
) -> Result<(), Refused> {
    let Some(pending) = rows.pending.slot(id)?.take() else { return Ok(()) };
    till.ring(rows, (pending.tenant, pending.chain), pending.facet, pending.amount)?;
    end_pending(rows, id, &pending, Outcome::Billed, settled);
    Ok(())
}

/// Ends pending claims past their token's life.
pub(crate) fn end_past(rows: &mut Rows, watermark: Timestamp, settled: &mut Settled) -> Result<(), Refused> {
    let past = rows.pending.iter().filter(|(_, p)| p.token_expires < watermark);
    let past: Vec<ClaimId> = past.map(|(id, _)| id.clone()).collect();
    for id in past {
        let Some(pending) = rows.pending.slot(&id)?.take() else { continue };
        let counter = UnbilledId { chain: pending.chain, shortage: pending.shortage };
        rows.unbilled.slot(&counter)?.get_or_insert_default().add(1, pending.amount)?;
        end_pending(rows, &id, &pending, Outcome::Unbilled(pending.shortage), settled);
    }
    Ok(())
}

fn end_pending(rows: &mut Rows, id: &ClaimId, pending: &Pending, outcome: Outcome, settled: &mut Settled) {
    rows.outcomes.insert(pending.position, outcome);
    let &Pending { position, chain, amount, .. } = pending;
    settled.claims.push(SettledClaim { id: id.clone(), chain, amount, position, outcome });
}
