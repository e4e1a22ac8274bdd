//! How budget and money move: the few steps that every operation is made of. Each moves all four levels of a chain or, on an
//! error, leaves a plan that nobody writes.

use std::collections::{BTreeMap, BTreeSet};

use litfass_types::{LeaseId, TenantId};

use crate::amount::{Amount, Overflow};
use crate::books::{Cause, LedgerAccount, Posting, PostingKind};
use crate::claim::{Count, Tally};
use crate::command::CommandOutcome;
use crate::control::{Chain, Control, ControlId, Level, UNLIMITED};
use crate::lease::Remaining;
use crate::rollup::{Facet, Figures, Rollup, Slice};
use crate::rows::{Refused, Rows};

impl Rows {
    /// The control as it is, or in its first state.
    pub(crate) fn control(&self, id: ControlId) -> Result<Control, Refused> {
        match self.controls.get(&id)? {
            Some(control) => Ok(*control),
            None => self.first_state(id),
        }
    }

    fn first_state(&self, id: ControlId) -> Result<Control, Refused> {
        let limit = match id {
            ControlId::Account(account) => self.funding.get(&account)?.copied().unwrap_or_default().limit(),
            ControlId::CampaignDay(campaign, day) => {
                self.daily.get(&campaign)?.map_or(UNLIMITED, |steps| steps.on(day))
            }
            ControlId::Campaign(_) | ControlId::LineItem(_) => UNLIMITED,
        };
        Ok(Control::with_limit(limit))
    }

    pub(crate) fn change(
        &mut self,
        id: ControlId,
        change: impl FnOnce(&mut Control) -> Result<(), Overflow>,
    ) -> Result<(), Refused> {
        if let Some(control) = self.controls.slot(&id)? {
            return Ok(change(control)?);
        }
        let mut control = self.first_state(id)?;
        change(&mut control)?;
        *self.controls.slot(&id)? = Some(control);
        Ok(())
    }

    fn change_all(
        &mut self,
        chain: Chain,
        change: impl Fn(&mut Control) -> Result<(), Overflow>,
    ) -> Result<(), Refused> {
        chain.controls().into_iter().try_for_each(|id| self.change(id, &change))
    }

    /// The first level from the account down that has less than `amount` available.
    pub(crate) fn lacking(&self, chain: Chain, amount: Amount) -> Result<Option<Level>, Refused> {
        for id in chain.controls() {
            if self.control(id)?.available() < amount {
                return Ok(Some(id.level()));
            }
        }
        Ok(None)
    }

    pub(crate) fn remaining(&self, chain: Chain) -> Result<Vec<Remaining>, Refused> {
        let level = |id: ControlId| {
            let control = self.control(id)?;
            Ok(Remaining { level: id.level(), available: control.available(), total: control.total() })
        };
        chain.controls().into_iter().map(level).collect()
    }

    pub(crate) fn promise(&mut self, chain: Chain, amount: Amount) -> Result<(), Refused> {
        self.change_all(chain, |control| control.lease(amount))
    }

    /// Gives back at every level what the lease has left.
    pub(crate) fn close(&mut self, id: LeaseId) -> Result<(), Refused> {
        let Some(lease) = self.leases.slot(&id)? else { return Ok(()) };
        let (chain, rest) = (lease.chain, lease.close()?);
        self.release(chain, rest)
    }

    pub(crate) fn release(&mut self, chain: Chain, amount: Amount) -> Result<(), Refused> {
        self.change_all(chain, |control| control.unlease(amount))
    }

    /// Takes `amount` from what the lease has left and the rest from what is available, or nothing at all: then the level
    /// that was short is returned.
    pub(crate) fn spend(
        &mut self,
        chain: Chain,
        amount: Amount,
        lease: Option<LeaseId>,
    ) -> Result<Option<Level>, Refused> {
        let leased = self.left_for(chain, lease)?.min(amount);
        let rest = amount.minus(leased)?;
        if !rest.is_zero()
            && let Some(level) = self.lacking(chain, rest)?
        {
            return Ok(Some(level));
        }
        if let Some(lease) = lease.filter(|_| !leased.is_zero())
            && let Some(row) = self.leases.slot(&lease)?
        {
            row.spend(leased)?;
        }
        self.change_all(chain, |control| control.spend(amount, leased))?;
        Ok(None)
    }

    /// What a lease has left for that chain: nothing where it is closed, forgotten or another chain's.
    fn left_for(&self, chain: Chain, lease: Option<LeaseId>) -> Result<Amount, Refused> {
        let Some(lease) = lease else { return Ok(Amount::ZERO) };
        let row = self.leases.get(&lease)?.filter(|row| row.chain == chain);
        Ok(row.map_or(Amount::ZERO, crate::lease::Lease::left))
    }

    /// Writes a posting and both its balances.
    pub(crate) fn post(&mut self, posting: Posting) -> Result<(), Refused> {
        self.balances.slot(&posting.debit)?.get_or_insert_default().debit(posting.amount)?;
        self.balances.slot(&posting.credit)?.get_or_insert_default().credit(posting.amount)?;
        self.postings.push(posting);
        Ok(())
    }

    pub(crate) fn tally(
        &mut self,
        chain: Chain,
        count: impl FnOnce(&mut Tally) -> Result<(), Overflow>,
    ) -> Result<(), Refused> {
        Ok(count(self.tallies.slot(&chain)?.get_or_insert_default())?)
    }

    /// Refunds that wait, in position order.
    pub(crate) fn waiting(&self) -> Vec<crate::command::CommandId> {
        let waiting = self.commands.iter().filter(|(_, record)| record.outcome == CommandOutcome::Waiting);
        let ordered: BTreeSet<_> = waiting.map(|(id, record)| (record.entry.position, *id)).collect();
        ordered.into_iter().map(|(_, id)| id).collect()
    }
}

/// Gathers what one operation bills, so that it is posted once per line item and budget day.
#[derive(Debug)]
pub(crate) struct Till {
    cause: Cause,
    sums: BTreeMap<(TenantId, Chain), Count>,
    spent: Rollup,
}

impl Till {
    pub(crate) const fn new(cause: Cause) -> Self {
        Self { cause, sums: BTreeMap::new(), spent: Rollup { delivered: BTreeMap::new(), asked: BTreeMap::new() } }
    }

    /// Counted at once, because a refund that waits may ask in the same transaction.
    pub(crate) fn ring(
        &mut self,
        rows: &mut Rows,
        (tenant, chain): (TenantId, Chain),
        facet: Facet,
        amount: Amount,
    ) -> Result<(), Refused> {
        rows.tally(chain, |tally| tally.billed.add(1, amount))?;
        let figures = Figures { spent: amount, ..Figures::default() };
        self.spent.deliver(Slice::new(tenant, &chain, facet), &figures)?;
        Ok(self.sums.entry((tenant, chain)).or_default().add(1, amount)?)
    }

    pub(crate) fn close(self, rows: &mut Rows) -> Result<(), Refused> {
        let Self { cause, sums, spent } = self;
        rows.rollup.add(&spent)?;
        for ((tenant, chain), Count { events, amount }) in sums {
            rows.post(Posting {
                kind: PostingKind::Bill,
                cause,
                tenant,
                debit: LedgerAccount::Funds(chain.account),
                credit: LedgerAccount::Revenue(tenant),
                amount,
                events,
                chain: Some(chain),
                restores_day: false,
            })?;
        }
        Ok(())
    }
}
