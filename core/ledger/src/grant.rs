//! Granting leases, and giving back what was not held.

use std::collections::BTreeSet;

use litfass_types::Timestamp;

use crate::amount::Amount;
use crate::books::Cause;
use crate::gather::{self, Scope};
use crate::lease::{GrantAnswer, GrantRefusal, GrantRequest, Granted, Lease, Return, grant_amount};
use crate::moves::Till;
use crate::rows::{Refused, Rows};
use crate::settle::{Settled, settle};
use crate::store::{Operation, Source, StateUse};
use crate::terms::Terms;
use crate::timeline::CatchUp;

/// Grants what is asked for, each wish at every level or not at all.
#[derive(Debug)]
pub struct Grant<'a> {
    pub requests: &'a [GrantRequest],
    /// The database's time.
    pub now: Timestamp,
    pub terms: &'a Terms,
}

impl Operation for Grant<'_> {
    type Receipt = Vec<GrantAnswer>;

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error> {
        let mut rows = gather::begin(source, [], StateUse::Reads)?;
        let leases = self.requests.iter().map(|request| request.lease).collect();
        rows.leases.fill(&leases, source.leases(&leases)?);
        let mut scope = Scope::default();
        for request in self.requests {
            scope.chain(None, request.chain);
        }
        scope.read(&mut rows, source)?;
        Ok(rows)
    }

    fn plan(&self, rows: &mut Rows) -> Result<Vec<GrantAnswer>, Refused> {
        rows.passed(CatchUp::Events)?;
        let answer =
            |request: &GrantRequest| Ok(GrantAnswer { lease: request.lease, result: self.grant(rows, request)? });
        self.requests.iter().map(answer).collect()
    }
}

impl Grant<'_> {
    fn grant(&self, rows: &mut Rows, request: &GrantRequest) -> Result<Result<Granted, GrantRefusal>, Refused> {
        if let Some(lease) = rows.leases.get(&request.lease)? {
            return Ok(again(lease, request));
        }
        if !self.open(request) {
            return Ok(Err(GrantRefusal::DayClosed));
        }
        let levels = rows.remaining(request.chain)?;
        match grant_amount(&levels, Amount::of(request.bid), request.demand, self.terms.holders) {
            Err(level) => Ok(Err(GrantRefusal::NoFunds(level))),
            Ok(amount) => self.lease(rows, request, amount).map(Ok),
        }
    }

    /// A day leases from shortly before it begins until it ends.
    fn open(&self, request: &GrantRequest) -> bool {
        let window = request.window;
        window.day == request.chain.day && window.starts - self.terms.day_lead <= self.now && self.now < window.ends
    }

    fn lease(&self, rows: &mut Rows, request: &GrantRequest, amount: Amount) -> Result<Granted, Refused> {
        rows.promise(request.chain, amount)?;
        let lease = Lease {
            holder: request.holder,
            chain: request.chain,
            granted: amount,
            spent: Amount::ZERO,
            returned: Amount::ZERO,
            granted_at: self.now,
            expires: self.now + self.terms.lease_ttl + self.terms.hold_ttl(request.bid.per),
            closed: false,
        };
        rows.leases.put(request.lease, lease);
        Ok(Granted { amount, at: self.now })
    }
}

/// The answer to an id that was granted before.
fn again(lease: &Lease, request: &GrantRequest) -> Result<Granted, GrantRefusal> {
    if (lease.holder, lease.chain) != (request.holder, request.chain) {
        return Err(GrantRefusal::IdTaken);
    }
    if lease.closed { Err(GrantRefusal::Closed) } else { Ok(Granted { amount: lease.granted, at: lease.granted_at }) }
}

/// Gives back what holders did not hold.
#[derive(Debug)]
pub struct GiveBack<'a> {
    pub returns: &'a [Return],
}

impl Operation for GiveBack<'_> {
    type Receipt = Settled;

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error> {
        let mut rows = gather::begin(source, [], StateUse::Reads)?;
        let leases = self.returns.iter().map(|r| r.lease).collect();
        rows.leases.fill(&leases, source.leases(&leases)?);
        let mut scope = Scope::default();
        for (_, lease) in rows.leases.iter() {
            scope.chain(None, lease.chain);
        }
        let accounts: BTreeSet<_> = scope.accounts.clone();
        scope.refunds(source, Some(&accounts))?;
        scope.pending_of(source, &accounts)?;
        scope.read(&mut rows, source)?;
        Ok(rows)
    }

    fn plan(&self, rows: &mut Rows) -> Result<Settled, Refused> {
        rows.passed(CatchUp::Commands)?;
        let mut settled = Settled::default();
        let mut raised = false;
        for r in self.returns {
            raised |= give_back(rows, r)?;
        }
        let mut till = Till::new(Cause::Retry);
        settle(rows, &mut till, raised, &mut settled)?;
        till.close(rows)?;
        Ok(settled)
    }
}

/// An unknown lease is one that was closed and forgotten: nothing is left to give back.
fn give_back(rows: &mut Rows, r: &Return) -> Result<bool, Refused> {
    let Some(lease) = rows.leases.slot(&r.lease)? else { return Ok(false) };
    let chain = lease.chain;
    let more = lease.give_back(r.total)?;
    rows.release(chain, more)?;
    Ok(!more.is_zero())
}
