//! What operations read, in lock order. Each function adds what is missing to the rows and asks for nothing twice.

use std::collections::BTreeSet;

use litfass_types::{AdvertiserId, TenantId};

use crate::books::LedgerAccount;
use crate::claim::{ClaimId, Pending, UnbilledId};
use crate::command::{CommandId, CommandOutcome, CommandRecord, Effect};
use crate::control::{Chain, ControlId};
use crate::rows::{Rows, Table};
use crate::store::{Found, Source, StateUse};

/// Pending claims of one chain that a single transaction tries again; the sweep comes back for the rest.
pub(crate) const RETRY_PER_CHAIN: usize = 256;

/// The timeline, which key tables are gone, and positions: the first rows of every operation. The state comes first: a promotion
/// changes it together with the positions, so whoever sees the new state sees up to where the log is to be applied again.
pub(crate) fn begin<S: Source + ?Sized>(
    source: &mut S,
    moved: impl IntoIterator<Item = u16>,
    with: StateUse,
) -> Result<Rows, S::Error> {
    let mut rows = Rows::default();
    rows.state = source.state(with)?;
    rows.keys_dropped = rows.state.keys_dropped;
    rows.partitions.add(source.partitions(&moved.into_iter().collect())?);
    Ok(rows)
}

/// What a transaction may touch below the leases: chains, single controls, and the books of their accounts.
#[derive(Default)]
pub(crate) struct Scope {
    pub chains: BTreeSet<Chain>,
    pub controls: BTreeSet<ControlId>,
    pub accounts: BTreeSet<AdvertiserId>,
    pub tenants: BTreeSet<TenantId>,
    /// Pending claims found without a lock: read again once all their controls are locked.
    candidates: BTreeSet<ClaimId>,
    /// Refunds that waited when nothing was locked: read again likewise.
    refunds: BTreeSet<CommandId>,
}

impl Scope {
    pub(crate) fn chain(&mut self, tenant: Option<TenantId>, chain: Chain) {
        self.chains.insert(chain);
        self.accounts.insert(chain.account);
        self.tenants.extend(tenant);
    }

    /// Pending claims of accounts in which something may become available.
    pub(crate) fn pending_of<S: Source + ?Sized>(
        &mut self,
        source: &mut S,
        accounts: &BTreeSet<AdvertiserId>,
    ) -> Result<(), S::Error> {
        if !accounts.is_empty() {
            self.candidates(source.pending_of(accounts, RETRY_PER_CHAIN)?);
        }
        Ok(())
    }

    pub(crate) fn candidates(&mut self, found: Found<ClaimId, Pending>) {
        for (id, pending) in found {
            self.chain(Some(pending.tenant), pending.chain);
            self.candidates.insert(id);
        }
    }

    /// Waiting refunds of those accounts (all of them where none is named); what one restores may let pending claims fit.
    pub(crate) fn refunds<S: Source + ?Sized>(
        &mut self,
        source: &mut S,
        accounts: Option<&BTreeSet<AdvertiserId>>,
    ) -> Result<BTreeSet<AdvertiserId>, S::Error> {
        let concerns =
            |record: &CommandRecord| accounts.is_none_or(|a| a.contains(&record.entry.command.effect.account()));
        let mut waiting = source.refunds_waiting()?;
        waiting.retain(|(_, record)| record.outcome == CommandOutcome::Waiting && concerns(record));
        for (id, record) in &waiting {
            self.refunds.insert(*id);
            if let Effect::Refund { chain, .. } = record.entry.command.effect {
                self.chain(Some(record.entry.command.tenant), chain);
            }
        }
        Ok(waiting.iter().map(|(_, record)| record.entry.command.effect.account()).collect())
    }

    /// Controls, then pending claims, then books.
    pub(crate) fn read<S: Source + ?Sized>(self, rows: &mut Rows, source: &mut S) -> Result<(), S::Error> {
        let levels = self.chains.iter().flat_map(|chain| chain.controls());
        let wanted = levels.chain(self.controls).collect();
        rows.controls.fill(&wanted, source.controls(&wanted)?);
        rows.funding.fill(&self.accounts, source.funding(&self.accounts)?);
        let campaigns = wanted.iter().filter_map(|id| campaign_of(*id)).collect();
        rows.daily.fill(&campaigns, source.daily_limits(&campaigns)?);
        read_missing(&mut rows.pending, self.candidates, |ids| source.pending(ids))?;
        read_missing(&mut rows.commands, self.refunds, |ids| source.commands(ids))?;
        let books = books(&self.accounts, &self.tenants);
        rows.balances.fill(&books, source.balances(&books)?);
        rows.tallies.fill(&self.chains, source.tallies(&self.chains)?);
        Ok(())
    }
}

fn campaign_of(id: ControlId) -> Option<litfass_types::CampaignId> {
    match id {
        ControlId::Campaign(campaign) | ControlId::CampaignDay(campaign, _) => Some(campaign),
        ControlId::Account(_) | ControlId::LineItem(_) => None,
    }
}

fn books(accounts: &BTreeSet<AdvertiserId>, tenants: &BTreeSet<TenantId>) -> BTreeSet<LedgerAccount> {
    let funds = accounts.iter().map(|account| LedgerAccount::Funds(*account));
    let of_tenant = |t: &TenantId| [LedgerAccount::Revenue(*t), LedgerAccount::Refunds(*t), LedgerAccount::House(*t)];
    funds.chain(tenants.iter().flat_map(of_tenant)).collect()
}

pub(crate) fn read_missing<K: Ord + Clone, V: Clone + PartialEq, E>(
    table: &mut Table<K, V>,
    keys: impl IntoIterator<Item = K>,
    read: impl FnOnce(&BTreeSet<K>) -> Result<Found<K, V>, E>,
) -> Result<(), E> {
    let wanted = table.missing(keys);
    if wanted.is_empty() {
        return Ok(());
    }
    let found = read(&wanted)?;
    table.fill(&wanted, found);
    Ok(())
}

/// Counters of the pending claims read so far, for a plan that may end them.
pub(crate) fn unbilled<S: Source + ?Sized>(rows: &mut Rows, source: &mut S) -> Result<(), S::Error> {
    let ids = rows.pending.iter().map(|(_, p)| UnbilledId { chain: p.chain, shortage: p.shortage });
    let wanted = ids.collect();
    rows.unbilled.fill(&wanted, source.unbilled(&wanted)?);
    Ok(())
}
