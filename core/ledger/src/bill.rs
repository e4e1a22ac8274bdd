//! Billing: one batch of the log, each claim one outcome.

use std::collections::BTreeSet;

use litfass_types::{AdvertiserId, DecisionId, Position, TenantId, Timestamp, UserHash};

use crate::attribute::Journey;
use crate::books::Cause;
use crate::claim::{
    Batch, Billable, Claim, ClaimId, Consumed, Entry, Outcome, Pending, Shortage, key_day, key_day_end,
};
use crate::gather::{self, Scope};
use crate::moves::Till;
use crate::rollup::{Buyer, Figures, Viewer};
use crate::rows::{BatchRecord, PartitionKind, Refused, Rows};
use crate::settle::{Settled, bill_pending, settle};
use crate::store::{Operation, Source, StateUse};
use crate::terms::Terms;
use crate::timeline::CatchUp;

/// Bills a batch, or is refused where the ledger stands elsewhere than the reader continued from.
#[derive(Debug)]
pub struct Bill<'a> {
    pub batch: &'a Batch,
    pub terms: &'a Terms,
}

/// What became of the batch's claims, in their order, and of others that waited.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Billed {
    pub outcomes: Vec<Outcome>,
    pub settled: Settled,
}

impl Operation for Bill<'_> {
    type Receipt = Billed;

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error> {
        let mut rows = gather::begin(source, self.batch.consumed.iter().map(|c| c.partition), StateUse::Marks)?;
        self.read_keys(&mut rows, source)?;
        let leases = self.batch.entries.iter().map(|entry| entry.claim.lease).collect();
        rows.leases.fill(&leases, source.leases(&leases)?);
        let mut scope = Scope::default();
        for entry in &self.batch.entries {
            scope.chain(Some(entry.claim.tenant), entry.claim.chain);
        }
        let accounts: BTreeSet<AdvertiserId> = scope.accounts.clone();
        let refunded = scope.refunds(source, Some(&accounts))?;
        scope.pending_of(source, &refunded)?;
        scope.read(&mut rows, source)?;
        self.read_journeys(&mut rows, source)?;
        let copies = self.marked(&rows);
        gather::read_missing(&mut rows.pending, copies, |ids| source.pending(ids))?;
        Ok(rows)
    }

    fn plan(&self, rows: &mut Rows) -> Result<Billed, Refused> {
        rows.passed(CatchUp::Commands)?;
        for consumed in &self.batch.consumed {
            rows.advance(PartitionKind::Events, consumed)?;
        }
        let mut till = Till::new(cause(&self.batch.consumed));
        let mut billed = Billed::default();
        let mut journey = Journey::default();
        for entry in &self.batch.entries {
            self.check_inside(entry.position)?;
            let outcome = self.claim(rows, &mut till, entry, &mut billed.settled)?;
            see(rows, &mut journey, entry, outcome)?;
            self.note(rows, entry, outcome)?;
            billed.outcomes.push(outcome);
        }
        self.report(rows, journey)?;
        settle(rows, &mut till, false, &mut billed.settled)?;
        till.close(rows)?;
        rows.batch = Some(self.record(&billed));
        Ok(billed)
    }
}

/// Names the batch by its first partition.
fn cause(consumed: &[Consumed]) -> Cause {
    consumed.first().map_or(Cause::Retry, |c| Cause::Batch { partition: c.partition, next: c.next })
}

impl Bill<'_> {
    fn read_keys<S: Source + ?Sized>(&self, rows: &mut Rows, source: &mut S) -> Result<(), S::Error> {
        let claims = self.batch.entries.iter().map(|entry| &entry.claim.id);
        let ids = claims.chain(self.batch.sightings.iter().map(|sighting| &sighting.id));
        let kept = ids.filter(|id| Some(key_day(id.decision)) > rows.keys_dropped);
        let wanted = kept.map(|id| id.key().0).collect();
        rows.keys.fill(&wanted, source.keys(&wanted)?);
        Ok(())
    }

    /// Clicks of the viewers who click or order in this batch, and its orders where they came before.
    fn read_journeys<S: Source + ?Sized>(&self, rows: &mut Rows, source: &mut S) -> Result<(), S::Error> {
        let claims = self.batch.entries.iter().filter_map(|entry| clicker(&entry.claim.id, &entry.claim));
        let sightings = self.batch.sightings.iter().filter_map(|s| viewer_of(&s.id, s.slice.tenant, s.viewer));
        let buyers = self.batch.orders.iter().filter_map(|order| match order.id.buyer {
            Buyer::Viewer(viewer) => Some(viewer),
            Buyer::Slot(..) => None,
        });
        let forgotten = self.batch.forgotten.iter().map(|forgotten| forgotten.viewer);
        let viewers = claims.chain(sightings).chain(buyers).chain(forgotten).collect();
        rows.clicks.fill(&viewers, source.clicks(&viewers)?);
        let orders = self.batch.orders.iter().map(|order| order.id.clone()).collect();
        rows.orders.fill(&orders, source.orders(&orders)?);
        Ok(())
    }

    /// Counts what bills nothing: events that were not there before, orders and requests.
    fn report<'a>(&'a self, rows: &mut Rows, mut journey: Journey<'a>) -> Result<(), Refused> {
        for sighting in &self.batch.sightings {
            self.check_inside(sighting.position)?;
            let gone = rows.keys_dropped >= Some(key_day(sighting.id.decision));
            if gone || sighting.appended > self.expires(sighting.id.decision, sighting.token_expires) {
                continue;
            }
            if mark(rows, &sighting.id)? {
                rows.rollup.deliver(sighting.slice, &Figures::event(sighting.id.kind))?;
                let by_people = sighting.viewer.filter(|_| sighting.slice.facet.traffic.counts());
                if let Some(viewer) = viewer_of(&sighting.id, sighting.slice.tenant, by_people) {
                    journey.click(sighting.appended, sighting.position, viewer, sighting.slice);
                }
            }
        }
        self.batch.orders.iter().try_for_each(|order| self.check_inside(order.position))?;
        self.batch.forgotten.iter().try_for_each(|forgotten| self.check_inside(forgotten.position))?;
        journey.orders(&self.batch.orders);
        journey.forget(&self.batch.forgotten);
        journey.count(rows, self.terms)?;
        self.batch.asked.iter().try_for_each(|(spot, asked)| rows.rollup.ask(*spot, asked))?;
        Ok(())
    }

    /// Claims that had been marked before this batch: copies, whose originals may wait.
    fn marked(&self, rows: &Rows) -> Vec<ClaimId> {
        let marked = |id: &&ClaimId| {
            let (key, bit) = id.key();
            rows.keys.known(&key).is_some_and(|mask| mask & bit != 0)
        };
        self.batch.entries.iter().map(|entry| &entry.claim.id).filter(marked).cloned().collect()
    }

    fn check_inside(&self, at: Position) -> Result<(), Refused> {
        let holds = |c: &Consumed| c.partition == at.partition && (c.from..c.next).contains(&at.offset);
        if self.batch.consumed.iter().any(holds) { Ok(()) } else { Err(Refused::Outside(at)) }
    }

    fn claim(
        &self,
        rows: &mut Rows,
        till: &mut Till,
        entry: &Entry,
        settled: &mut Settled,
    ) -> Result<Outcome, Refused> {
        let claim = &entry.claim;
        let gone = rows.keys_dropped >= Some(key_day(claim.id.decision));
        if gone || entry.appended > self.expires(claim.id.decision, claim.token_expires) {
            return Ok(Outcome::Expired);
        }
        let late = entry.appended > claim.hold_expires;
        if !mark(rows, &claim.id)? {
            if !late {
                retry_copy(rows, till, claim, settled)?;
            }
            return Ok(Outcome::Repeated);
        }
        match rows.spend(claim.chain, claim.amount(), (!late).then_some(claim.lease))? {
            None => {
                till.ring(rows, (claim.tenant, claim.chain), claim.facet, claim.amount())?;
                Ok(Outcome::Billed)
            }
            Some(level) => Ok(self.wait(rows, entry, Shortage { level, late })),
        }
    }

    /// The token's expiry, but never past the life of the keys of its decision's day.
    fn expires(&self, decision: DecisionId, token_expires: Timestamp) -> Timestamp {
        let life = key_day_end(key_day(decision)) + self.terms.key_life;
        token_expires.min(life)
    }

    fn wait(&self, rows: &mut Rows, entry: &Entry, shortage: Shortage) -> Outcome {
        let claim = &entry.claim;
        let pending = Pending {
            position: entry.position,
            tenant: claim.tenant,
            chain: claim.chain,
            facet: claim.facet,
            amount: claim.amount(),
            lease: claim.lease,
            hold_expires: claim.hold_expires,
            token_expires: self.expires(claim.id.decision, claim.token_expires),
            shortage,
        };
        rows.pending.put(claim.id.clone(), pending);
        Outcome::Pending(shortage)
    }

    fn note(&self, rows: &mut Rows, entry: &Entry, outcome: Outcome) -> Result<(), Refused> {
        let (chain, amount) = (entry.claim.chain, entry.claim.amount());
        match outcome {
            // Counted where it is posted.
            Outcome::Billed => return Ok(()),
            Outcome::Repeated => rows.tally(chain, |tally| tally.repeated.add(1, amount))?,
            Outcome::Expired => rows.tally(chain, |tally| tally.expired.add(1, amount))?,
            Outcome::Pending(_) | Outcome::Unbilled(_) => {}
        }
        rows.outcomes.insert(entry.position, outcome);
        Ok(())
    }

    fn record(&self, billed: &Billed) -> BatchRecord {
        let at_once = billed.outcomes.iter().filter(|outcome| **outcome == Outcome::Billed).count();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        BatchRecord {
            consumed: self.batch.consumed.clone(),
            claims: count(billed.outcomes.len()),
            billed: count(at_once),
        }
    }
}

/// Counts a claim where its key was taken: whether it could be paid at once is another matter.
fn see(rows: &mut Rows, journey: &mut Journey<'_>, entry: &Entry, outcome: Outcome) -> Result<(), Refused> {
    if matches!(outcome, Outcome::Repeated | Outcome::Expired) {
        return Ok(());
    }
    let (claim, slice) = (&entry.claim, entry.claim.slice());
    rows.rollup.deliver(slice, &Figures::event(claim.id.kind))?;
    if let Some(viewer) = clicker(&claim.id, claim) {
        journey.click(entry.appended, entry.position, viewer, slice);
    }
    Ok(())
}

fn clicker(id: &ClaimId, claim: &Claim) -> Option<Viewer> {
    viewer_of(id, claim.tenant, claim.viewer)
}

/// Who clicked, where it is a click of somebody in particular.
fn viewer_of(id: &ClaimId, tenant: TenantId, user: Option<UserHash>) -> Option<Viewer> {
    user.filter(|_| id.kind == Billable::Click).map(|user| Viewer { tenant, user })
}

/// Sets the claim's key; false where it was set before.
fn mark(rows: &mut Rows, id: &ClaimId) -> Result<bool, Refused> {
    let (key, bit) = id.key();
    let mask = rows.keys.slot(&key)?.get_or_insert_default();
    let new = *mask & bit == 0;
    *mask |= bit;
    Ok(new)
}

/// A copy within its hold lets the waiting original draw on its lease.
fn retry_copy(rows: &mut Rows, till: &mut Till, claim: &Claim, settled: &mut Settled) -> Result<(), Refused> {
    // What was marked before this batch was read; what the batch itself marked is in the table where it waits.
    let original = rows.pending.known(&claim.id).filter(|p| (p.tenant, p.chain) == (claim.tenant, claim.chain));
    let Some(amount) = original.map(|p| p.amount) else { return Ok(()) };
    if rows.spend(claim.chain, amount, Some(claim.lease))?.is_none() {
        bill_pending(rows, till, &claim.id, settled)?;
    }
    Ok(())
}
