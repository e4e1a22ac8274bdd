//! A ledger in memory: every row in ordered maps. It is what simulations drive and what databases are compared with; it does
//! what a database does and no more, so the transitions it runs are the shipped ones.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use litfass_types::{AdvertiserId, CampaignId, Day, LeaseId, Position, Timestamp};

use crate::books::{Balance, LedgerAccount, Posting};
use crate::claim::{ClaimId, Count, KeyId, Outcome, Pending, Tally, UnbilledId, key_day};
use crate::command::{CommandId, CommandOutcome, CommandRecord, DailyLimits, Funding};
use crate::control::{Chain, Control, ControlId};
use crate::lease::Lease;
use crate::rollup::{LastClick, OrderId, Rollup, Viewer};
use crate::rows::{BatchRecord, Partition, Rows, Table};
use crate::store::{Found, Source, State, StateUse, Store};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Book {
    pub partitions: BTreeMap<u16, Partition>,
    pub state: State,
    pub keys: BTreeMap<KeyId, u64>,
    pub leases: BTreeMap<LeaseId, Lease>,
    pub controls: BTreeMap<ControlId, Control>,
    pub funding: BTreeMap<AdvertiserId, Funding>,
    pub daily: BTreeMap<CampaignId, DailyLimits>,
    pub pending: BTreeMap<ClaimId, Pending>,
    pub commands: BTreeMap<CommandId, CommandRecord>,
    pub balances: BTreeMap<LedgerAccount, Balance>,
    pub tallies: BTreeMap<Chain, Tally>,
    pub unbilled: BTreeMap<UnbilledId, Count>,
    /// Outcomes other than billed at once.
    pub outcomes: BTreeMap<Position, Outcome>,
    pub postings: Vec<Posting>,
    pub batches: Vec<BatchRecord>,
    pub clicks: BTreeMap<Viewer, LastClick>,
    pub orders: BTreeMap<OrderId, Timestamp>,
    pub rollup: Rollup,
}

fn find<K: Ord + Clone, V: Clone>(rows: &BTreeMap<K, V>, wanted: &BTreeSet<K>) -> Result<Found<K, V>, Infallible> {
    Ok(wanted.iter().filter_map(|key| Some((key.clone(), rows.get(key)?.clone()))).collect())
}

fn copied<K: Clone, V: Clone>(row: (&K, &V)) -> (K, V) {
    (row.0.clone(), row.1.clone())
}

fn write<K: Ord + Clone, V: Clone + PartialEq>(rows: &mut BTreeMap<K, V>, table: &Table<K, V>) {
    for change in table.changes() {
        match change.now {
            Some(row) => rows.insert(change.key.clone(), row.clone()),
            None => rows.remove(change.key),
        };
    }
}

/// A book holds more than any test counts to; what would not fit is left out, and the checks say so.
fn add(kept: &mut Rollup, more: &Rollup) {
    for (slice, figures) in &more.delivered {
        kept.deliver(*slice, figures).unwrap_or_default();
    }
    for (spot, asked) in &more.asked {
        kept.ask(*spot, asked).unwrap_or_default();
    }
}

impl Source for Book {
    type Error = Infallible;

    fn partitions(&mut self, _: &BTreeSet<u16>) -> Result<Found<u16, Partition>, Infallible> {
        Ok(self.partitions.iter().map(copied).collect())
    }

    fn state(&mut self, _: StateUse) -> Result<State, Infallible> {
        Ok(self.state)
    }

    fn keys(&mut self, wanted: &BTreeSet<KeyId>) -> Result<Found<KeyId, u64>, Infallible> {
        find(&self.keys, wanted)
    }

    fn leases(&mut self, wanted: &BTreeSet<LeaseId>) -> Result<Found<LeaseId, Lease>, Infallible> {
        find(&self.leases, wanted)
    }

    fn leases_due(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<LeaseId, Lease>, Infallible> {
        let due = self.leases.iter().filter(|(_, lease)| !lease.closed && lease.expires < watermark);
        let mut due: Vec<_> = due.map(copied).collect();
        due.sort_by_key(|(id, lease)| (lease.expires, *id));
        due.truncate(limit);
        Ok(due)
    }

    fn controls(&mut self, wanted: &BTreeSet<ControlId>) -> Result<Found<ControlId, Control>, Infallible> {
        find(&self.controls, wanted)
    }

    fn day_controls(&mut self, campaign: CampaignId, from: Day) -> Result<Found<ControlId, Control>, Infallible> {
        let days = ControlId::CampaignDay(campaign, from)..=ControlId::CampaignDay(campaign, Day(i32::MAX));
        Ok(self.controls.range(days).map(copied).collect())
    }

    fn funding(&mut self, wanted: &BTreeSet<AdvertiserId>) -> Result<Found<AdvertiserId, Funding>, Infallible> {
        find(&self.funding, wanted)
    }

    fn daily_limits(&mut self, wanted: &BTreeSet<CampaignId>) -> Result<Found<CampaignId, DailyLimits>, Infallible> {
        find(&self.daily, wanted)
    }

    fn pending(&mut self, wanted: &BTreeSet<ClaimId>) -> Result<Found<ClaimId, Pending>, Infallible> {
        find(&self.pending, wanted)
    }

    fn pending_of(
        &mut self,
        accounts: &BTreeSet<AdvertiserId>,
        per_chain: usize,
    ) -> Result<Found<ClaimId, Pending>, Infallible> {
        let waiting = self.pending.iter().filter(|(_, p)| accounts.contains(&p.chain.account));
        let mut waiting: Vec<_> = waiting.map(copied).collect();
        waiting.sort_by(|(a, p), (b, q)| (p.chain, p.amount, a).cmp(&(q.chain, q.amount, b)));
        let chains = waiting.chunk_by(|(_, p), (_, q)| p.chain == q.chain);
        Ok(chains.flat_map(|chain| chain.iter().take(per_chain).cloned()).collect())
    }

    fn pending_past(&mut self, watermark: Timestamp, limit: usize) -> Result<Found<ClaimId, Pending>, Infallible> {
        let mut past: Vec<_> = self.pending.iter().filter(|(_, p)| p.token_expires < watermark).map(copied).collect();
        past.sort_by(|(a, p), (b, q)| (p.token_expires, a).cmp(&(q.token_expires, b)));
        past.truncate(limit);
        Ok(past)
    }

    fn pending_accounts(&mut self, after: Option<AdvertiserId>, limit: usize) -> Result<Vec<AdvertiserId>, Infallible> {
        let accounts: BTreeSet<_> =
            self.pending.values().map(|p| p.chain.account).filter(|a| Some(*a) > after).collect();
        Ok(accounts.into_iter().take(limit).collect())
    }

    fn commands(&mut self, wanted: &BTreeSet<CommandId>) -> Result<Found<CommandId, CommandRecord>, Infallible> {
        find(&self.commands, wanted)
    }

    fn refunds_waiting(&mut self) -> Result<Found<CommandId, CommandRecord>, Infallible> {
        Ok(self.commands.iter().filter(|(_, r)| r.outcome == CommandOutcome::Waiting).map(copied).collect())
    }

    fn balances(&mut self, wanted: &BTreeSet<LedgerAccount>) -> Result<Found<LedgerAccount, Balance>, Infallible> {
        find(&self.balances, wanted)
    }

    fn tallies(&mut self, wanted: &BTreeSet<Chain>) -> Result<Found<Chain, Tally>, Infallible> {
        find(&self.tallies, wanted)
    }

    fn clicks(&mut self, wanted: &BTreeSet<Viewer>) -> Result<Found<Viewer, LastClick>, Infallible> {
        find(&self.clicks, wanted)
    }

    fn orders(&mut self, wanted: &BTreeSet<OrderId>) -> Result<Found<OrderId, Timestamp>, Infallible> {
        find(&self.orders, wanted)
    }

    fn unbilled(&mut self, wanted: &BTreeSet<UnbilledId>) -> Result<Found<UnbilledId, Count>, Infallible> {
        find(&self.unbilled, wanted)
    }
}

impl Store for Book {
    fn write(&mut self, rows: &Rows) -> Result<(), Infallible> {
        write(&mut self.partitions, &rows.partitions);
        write(&mut self.keys, &rows.keys);
        write(&mut self.leases, &rows.leases);
        write(&mut self.controls, &rows.controls);
        write(&mut self.funding, &rows.funding);
        write(&mut self.daily, &rows.daily);
        write(&mut self.pending, &rows.pending);
        write(&mut self.commands, &rows.commands);
        write(&mut self.balances, &rows.balances);
        write(&mut self.tallies, &rows.tallies);
        write(&mut self.unbilled, &rows.unbilled);
        self.outcomes.extend(&rows.outcomes);
        self.postings.extend_from_slice(&rows.postings);
        self.batches.extend(rows.batch.clone());
        write(&mut self.clicks, &rows.clicks);
        write(&mut self.orders, &rows.orders);
        add(&mut self.rollup, &rows.rollup);
        self.state.promoted = rows.promoted.unwrap_or(self.state.promoted);
        self.forget(rows);
        Ok(())
    }
}

impl Book {
    fn forget(&mut self, rows: &Rows) {
        if rows.keys_dropped > self.state.keys_dropped {
            self.state.keys_dropped = rows.keys_dropped;
            self.keys.retain(|key, _| Some(key_day(key.decision)) > rows.keys_dropped);
        }
        if let Some(before) = rows.journeys_forgotten {
            self.clicks.retain(|_, click| click.appended >= before);
            self.orders.retain(|_, appended| *appended >= before);
        }
        if let Some(before) = rows.leases_forgotten {
            self.leases.retain(|_, lease| !lease.closed || lease.expires >= before);
        }
    }
}
