//! The naive twin: no stored sums, no bit masks, no rows. It keeps what happened and adds it up each time it is asked.
#![expect(clippy::wildcard_enum_match_arm, reason = "a sum picks the facts it adds up")]

use std::collections::{BTreeMap, BTreeSet};

use litfass_ledger::check::Kept;
use litfass_ledger::{
    Amount, Applied, Batch, Billed, Chain, Claim, ClaimId, CommandEntry, CommandOutcome, Commands, Consumed, ControlId,
    DailyLimits, Effect, Entry, Funding, GrantAnswer, GrantRefusal, GrantRequest, Granted, HolderId, Level, Limit,
    Membership, Objection, Outcome, PartitionKind, Refused, Remaining, Return, Settled, SettledClaim, Shortage, Swept,
    Target, Terms, grant_amount,
};
use litfass_types::{AdvertiserId, Day, LeaseId, TenantId, Timestamp};

mod sums;

use super::driven::Driven;
use super::ids::DAY;

struct TwinLease {
    id: LeaseId,
    holder: HolderId,
    chain: Chain,
    granted: i128,
    billed: i128,
    returned: i128,
    granted_at: Timestamp,
    expires: Timestamp,
    closed: bool,
}

impl TwinLease {
    fn left(&self) -> i128 {
        if self.closed { 0 } else { self.granted - self.billed - self.returned }
    }
}

struct TwinCommand {
    entry: CommandEntry,
    outcome: CommandOutcome,
}

#[derive(Clone)]
struct Waiting {
    entry: Entry,
    token_expires: Timestamp,
    shortage: Shortage,
}

/// Something that changed a control, in order.
enum Fact {
    Spent(TenantId, Chain, i128),
    Restored(Chain, bool, i128),
    Limited(ControlId, i128, /* used then: spent + leased − restored */ i128),
}

pub(crate) struct Twin {
    terms: Terms,
    leases: Vec<TwinLease>,
    commands: Vec<TwinCommand>,
    facts: Vec<Fact>,
    seen: Vec<ClaimId>,
    waiting: Vec<Waiting>,
    ended: Vec<(Chain, Amount, Outcome)>,
    touched: BTreeSet<ControlId>,
    /// kind, next, largest append time.
    partitions: BTreeMap<u16, (PartitionKind, u64, Option<Timestamp>)>,
    dropped: Option<Day>,
}

fn amount(nanos: i128) -> Amount {
    Amount::new(nanos).unwrap()
}

impl Twin {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            terms,
            leases: Vec::new(),
            commands: Vec::new(),
            facts: Vec::new(),
            seen: Vec::new(),
            waiting: Vec::new(),
            ended: Vec::new(),
            touched: BTreeSet::new(),
            partitions: BTreeMap::new(),
            dropped: None,
        }
    }

    fn limited(&mut self, id: ControlId) {
        let used = self.spent(id) + self.leased(id) - self.restored(id);
        self.touched.insert(id);
        self.facts.push(Fact::Limited(id, self.limit(id), used));
    }

    fn pay(&mut self, claim: &Claim, lease: Option<LeaseId>) -> Option<Level> {
        let cost = claim.amount().nanos();
        let usable = |l: &TwinLease| Some(l.id) == lease && l.chain == claim.chain;
        let from_lease = self.leases.iter().find(|l| usable(l)).map_or(0, |l| l.left().min(cost));
        if let Some(level) = self.short(claim.chain, cost - from_lease) {
            return Some(level);
        }
        if let Some(lease) = self.leases.iter_mut().find(|l| usable(l)) {
            lease.billed += from_lease;
        }
        self.touched.extend(claim.chain.controls());
        self.facts.push(Fact::Spent(claim.tenant, claim.chain, cost));
        None
    }

    fn advance(&mut self, consumed: &Consumed, kind: PartitionKind) -> Result<(), Refused> {
        let row = self.partitions.get_mut(&consumed.partition).filter(|row| row.0 == kind);
        let row = row.ok_or(Refused::Partition(consumed.partition))?;
        if row.1 != consumed.from {
            let &Consumed { partition, from, .. } = consumed;
            return Err(Refused::Position { partition, from, stored: row.1 });
        }
        if consumed.next > consumed.from {
            *row = (row.0, consumed.next, row.2.max(Some(consumed.appended)));
        }
        Ok(())
    }

    fn watermark(&self) -> Option<Timestamp> {
        let live = self.partitions.values().filter(|row| row.0 == PartitionKind::Events);
        live.map(|row| row.2).min().flatten()
    }

    fn expiry(&self, claim: &Claim) -> Timestamp {
        let midnight = (claim.id.decision.time().0.div_euclid(DAY) + 1) * DAY;
        claim.token_expires.min(Timestamp(midnight) + self.terms.key_life)
    }

    fn claim(&mut self, entry: &Entry, settled: &mut Settled) -> Outcome {
        let claim = &entry.claim;
        let day = Day(i32::try_from(claim.id.decision.time().0.div_euclid(DAY)).unwrap());
        if Some(day) <= self.dropped || entry.appended > self.expiry(claim) {
            return Outcome::Expired;
        }
        let late = entry.appended > claim.hold_expires;
        if self.seen.contains(&claim.id) {
            if !late && let Some(at) = self.waiting.iter().position(|w| w.entry.claim.id == claim.id) {
                self.retry(at, Some(claim.lease), settled);
            }
            return Outcome::Repeated;
        }
        self.seen.push(claim.id.clone());
        match self.pay(claim, (!late).then_some(claim.lease)) {
            None => Outcome::Billed,
            Some(level) => {
                let shortage = Shortage { level, late };
                let token_expires = self.expiry(claim);
                self.waiting.push(Waiting { entry: entry.clone(), token_expires, shortage });
                Outcome::Pending(shortage)
            }
        }
    }

    fn retry(&mut self, at: usize, lease: Option<LeaseId>, settled: &mut Settled) -> bool {
        let claim = self.waiting[at].entry.claim.clone();
        let fits = self.pay(&claim, lease).is_none();
        if fits {
            self.end(at, Outcome::Billed, settled);
        }
        fits
    }

    fn end(&mut self, at: usize, outcome: Outcome, settled: &mut Settled) {
        let Waiting { entry: Entry { position, claim, .. }, .. } = self.waiting.remove(at);
        let (chain, amount) = (claim.chain, claim.amount());
        self.ended.push((chain, amount, outcome));
        settled.claims.push(SettledClaim { id: claim.id, chain, amount, position, outcome });
    }

    /// Everything that waits, in its order, until nothing moves.
    fn settle(&mut self, mut raised: bool, settled: &mut Settled) {
        loop {
            for at in self.waiting_refunds() {
                if self.refund(&self.commands[at].entry.clone()) {
                    self.commands[at].outcome = CommandOutcome::Applied;
                    settled.refunds.push((self.commands[at].entry.command.id, CommandOutcome::Applied));
                    raised = true;
                }
            }
            let before = self.waiting.len();
            if raised {
                self.retry_all(settled);
            }
            if self.waiting.len() == before {
                return;
            }
        }
    }

    fn retry_all(&mut self, settled: &mut Settled) {
        let order = |w: &Waiting| (w.entry.claim.chain, w.entry.claim.amount(), w.entry.claim.id.clone());
        self.waiting.sort_by_key(order);
        let mut at = 0;
        while at < self.waiting.len() {
            if !self.retry(at, None, settled) {
                at += 1;
            }
        }
    }

    fn waiting_refunds(&self) -> Vec<usize> {
        let waiting = |at: &usize| self.commands[*at].outcome == CommandOutcome::Waiting;
        let mut refunds: Vec<usize> = (0..self.commands.len()).filter(waiting).collect();
        refunds.sort_by_key(|at| self.commands[*at].entry.position);
        refunds
    }

    fn refund(&mut self, entry: &CommandEntry) -> bool {
        let Effect::Refund { chain, day_ends, amount } = entry.command.effect else { return false };
        let day = entry.appended < day_ends;
        let concerned = |id: &ControlId| day || id.level() != Level::CampaignDay;
        if self.refunded(chain).0 + amount.nanos() > self.billed(chain) {
            return false;
        }
        let fits = |id: ControlId| self.restored(id) + amount.nanos() <= self.spent(id);
        if !chain.controls().into_iter().filter(concerned).all(fits) {
            return false;
        }
        self.touched.extend(chain.controls().into_iter().filter(concerned));
        self.facts.push(Fact::Restored(chain, day, amount.nanos()));
        true
    }

    fn effect(&mut self, entry: &CommandEntry) -> CommandOutcome {
        match entry.command.effect {
            Effect::Deposit { amount, .. } | Effect::Refund { amount, .. } if amount.is_zero() => {
                CommandOutcome::Refused(Objection::NothingToMove)
            }
            Effect::Adjust { nanos: 0, .. } => CommandOutcome::Refused(Objection::NothingToMove),
            Effect::Adjust { account, nanos } if nanos < -self.available(ControlId::Account(account)) => {
                CommandOutcome::Refused(Objection::BeyondAvailable)
            }
            Effect::Refund { .. } if !self.refund(entry) => CommandOutcome::Waiting,
            _ => CommandOutcome::Applied,
        }
    }

    fn limits_changed(&mut self, effect: &Effect) {
        match *effect {
            Effect::Deposit { account, .. } | Effect::Adjust { account, .. } => {
                self.limited(ControlId::Account(account));
            }
            Effect::SetLimit(Limit::Credit { account, .. }) => self.limited(ControlId::Account(account)),
            Effect::SetLimit(Limit::CampaignLifetime { campaign, .. }) => self.limited(ControlId::Campaign(campaign)),
            Effect::SetLimit(Limit::LineItem { line_item, .. }) => self.limited(ControlId::LineItem(line_item)),
            Effect::SetLimit(Limit::CampaignDaily { campaign, from, .. }) => {
                let days = self.touched.iter().copied();
                let concerned =
                    |id: &ControlId| matches!(id, ControlId::CampaignDay(c, d) if *c == campaign && *d >= from);
                for id in days.filter(concerned).collect::<Vec<_>>() {
                    self.limited(id);
                }
            }
            Effect::Refund { .. } => {}
        }
    }

    fn grant_one(&mut self, request: &GrantRequest, now: Timestamp) -> Result<Granted, GrantRefusal> {
        if let Some(lease) = self.leases.iter().find(|l| l.id == request.lease) {
            return match (lease.holder, lease.chain) == (request.holder, request.chain) {
                false => Err(GrantRefusal::IdTaken),
                true if lease.closed => Err(GrantRefusal::Closed),
                true => Ok(Granted { amount: amount(lease.granted), at: lease.granted_at }),
            };
        }
        if now < request.window.starts - self.terms.day_lead || now >= request.window.ends {
            return Err(GrantRefusal::DayClosed);
        }
        let level = |id: ControlId| {
            let total = (self.limit(id) + self.restored(id)).min(Amount::MAX.nanos());
            let available = self.available(id).min(Amount::MAX.nanos());
            Remaining { level: id.level(), available: amount(available), total: amount(total) }
        };
        let levels = request.chain.controls().map(level);
        let granted = grant_amount(&levels, Amount::of(request.bid), request.demand, self.terms.holders);
        let granted = granted.map_err(GrantRefusal::NoFunds)?;
        let (chain, expires) = (request.chain, now + self.terms.lease_ttl + self.terms.hold_ttl(request.bid.per));
        self.touched.extend(chain.controls());
        self.leases.push(TwinLease {
            id: request.lease,
            holder: request.holder,
            chain,
            granted: granted.nanos(),
            billed: 0,
            returned: 0,
            granted_at: now,
            expires,
            closed: false,
        });
        Ok(Granted { amount: granted, at: now })
    }
}

impl Driven for Twin {
    fn grant(&mut self, requests: &[GrantRequest], now: Timestamp) -> Vec<GrantAnswer> {
        let answer =
            |request: &GrantRequest| GrantAnswer { lease: request.lease, result: self.grant_one(request, now) };
        requests.iter().map(answer).collect()
    }

    fn bill(&mut self, batch: &Batch) -> Result<Billed, Refused> {
        for consumed in &batch.consumed {
            self.advance(consumed, PartitionKind::Events)?;
        }
        let mut billed = Billed::default();
        for entry in &batch.entries {
            let outcome = self.claim(entry, &mut billed.settled);
            if !matches!(outcome, Outcome::Pending(_)) {
                self.ended.push((entry.claim.chain, entry.claim.amount(), outcome));
            }
            billed.outcomes.push(outcome);
        }
        self.settle(false, &mut billed.settled);
        Ok(billed)
    }

    fn give_back(&mut self, returns: &[Return]) -> Settled {
        let mut raised = false;
        for r in returns {
            if let Some(lease) = self.leases.iter_mut().find(|l| l.id == r.lease) {
                let more = (r.total.nanos() - lease.returned).clamp(0, lease.left());
                lease.returned += more;
                raised |= more > 0;
            }
        }
        let mut settled = Settled::default();
        self.settle(raised, &mut settled);
        settled
    }

    fn sweep(&mut self) -> Swept {
        let mut swept = Swept { keys_dropped: self.dropped, ..Swept::default() };
        let watermark = self.watermark();
        let due = |lease: &&mut TwinLease| !lease.closed && Some(lease.expires) < watermark;
        for lease in self.leases.iter_mut().filter(due) {
            lease.closed = true;
            swept.closed.push(lease.id);
        }
        swept.closed.sort();
        self.settle(true, &mut swept.settled);
        self.waiting.sort_by_key(|w| w.entry.claim.id.clone());
        while let Some(at) = self.waiting.iter().position(|w| Some(w.token_expires) < watermark) {
            self.end(at, Outcome::Unbilled(self.waiting[at].shortage), &mut swept.settled);
        }
        for at in self.waiting_refunds() {
            if Some(self.commands[at].entry.appended) < watermark {
                self.commands[at].outcome = CommandOutcome::Refused(Objection::BeyondSpent);
                swept.settled.refunds.push((self.commands[at].entry.command.id, self.commands[at].outcome));
            }
        }
        if let Some(watermark) = watermark {
            let over = |day: i32| Timestamp((i64::from(day) + 1) * DAY) + self.terms.key_life < watermark;
            let first = self.dropped.map_or(i32::try_from(watermark.0 / DAY).unwrap() - 40, |day| day.0);
            let last = (first..first + 80).take_while(|day| over(*day)).last().map(Day);
            if last > self.dropped {
                self.dropped = last;
                let end = Timestamp(last.map_or(0, |day| (i64::from(day.0) + 1) * DAY));
                self.leases.retain(|lease| !lease.closed || lease.expires >= end);
            }
            swept.keys_dropped = self.dropped;
        }
        swept
    }

    fn apply(&mut self, commands: &Commands) -> Result<Applied, Refused> {
        self.advance(&commands.consumed, PartitionKind::Admin)?;
        let mut applied = Applied::default();
        for entry in &commands.entries {
            let known = self.commands.iter().any(|c| c.entry.command.id == entry.command.id);
            if known {
                applied.outcomes.push(CommandOutcome::Repeated);
                continue;
            }
            let outcome = self.effect(entry);
            self.commands.push(TwinCommand { entry: entry.clone(), outcome });
            applied.outcomes.push(outcome);
            if outcome == CommandOutcome::Applied {
                self.limits_changed(&entry.command.effect);
                self.settle(true, &mut applied.settled);
            }
        }
        Ok(applied)
    }

    fn partitions(&mut self, changes: &[Membership]) {
        for change in changes {
            if let Membership::Open { partition, kind } = change {
                self.partitions.entry(*partition).or_insert((*kind, 0, None));
            }
        }
    }

    fn fail_over(&mut self, _: &[Target]) -> Vec<LeaseId> {
        unreachable!("it has no database")
    }

    fn kept(&mut self) -> Kept {
        let campaigns: BTreeSet<_> = self
            .applied()
            .filter_map(|entry| match entry.command.effect {
                Effect::SetLimit(Limit::CampaignDaily { campaign, .. }) => Some(campaign),
                _ => None,
            })
            .collect();
        let accounts: BTreeSet<_> =
            self.applied().filter(|e| funds(&e.command.effect)).map(|e| e.command.effect.account()).collect();
        let funding = |of: AdvertiserId| {
            let (added, removed, credit) = self.funding(of);
            Funding { added: amount(added), removed: amount(removed), credit: amount(credit) }
        };
        Kept {
            controls: self.touched.iter().map(|id| (*id, self.control(*id))).collect(),
            funding: accounts.into_iter().map(|of| (of, funding(of))).collect(),
            daily: campaigns.into_iter().map(|of| (of, DailyLimits(self.daily(of)))).collect(),
            balances: self.balances(),
            tallies: self.tallies(),
            unbilled: self.unbilled(),
        }
    }

    /// Never billed beyond what limits ever allowed, and nothing billed twice.
    fn check(&mut self) {
        for id in &self.touched {
            let used = self.spent(*id) + self.leased(*id);
            assert!(used <= self.ceiling(*id) + self.restored(*id), "{id:?} is beyond its ceiling");
        }
        let billed = self.facts.iter().filter(|fact| matches!(fact, Fact::Spent(..))).count();
        assert!(billed <= self.seen.len(), "more was billed than there were different claims");
    }
}

fn funds(effect: &Effect) -> bool {
    matches!(effect, Effect::Deposit { .. } | Effect::Adjust { .. } | Effect::SetLimit(Limit::Credit { .. }))
}
