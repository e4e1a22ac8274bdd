//! Looks at every commit: what must always hold, and what is measured on the way.

use std::collections::BTreeMap;

use litfass_ledger::check::{Audit, Kept, Violation, nothing_pending_fits, violations};
use litfass_ledger::{
    Amount, Batch, Billed, Book, CommandEntry, CommandId, CommandOutcome, ControlId, Effect, Entry, GrantAnswer,
    GrantRefusal, Limit, Outcome, Promoted, Swept, Terms, key_day, key_day_end,
};
use litfass_types::{CampaignId, Duration, LeaseId, Timestamp, Unit, hash_pair};

use super::agenda::Instant;

pub(super) const CEILING: &str = "nothing is billed beyond the ceiling that its limit had when first applied";
pub(super) const AT_ONCE: &str = "a CPM event appended within its hold is billed at once";
pub(super) const EXPIRED: &str = "an event is refused as expired only past its token's life";
pub(super) const STUCK: &str =
    "no budget is stuck longer than lease_ttl + hold_ttl + skew + watermark lag + time between sweeps";
const WITHIN: &str = "spent + leased ≤ ceiling + restored";
const CLOSED: &str = "a lease that the watermark has passed is closed by the sweep";

/// Whether that invariant says that money was billed which no budget allowed.
pub(super) fn is_overbilling(violation: &Violation) -> bool {
    [CEILING, WITHIN].contains(&violation.invariant)
}

pub(super) fn broken(invariant: &'static str, detail: impl FnOnce() -> String) -> Violation {
    Violation { invariant, detail: detail() }
}

/// A limit as it was when it was applied for the first time.
#[derive(Clone, Copy, Debug)]
struct First {
    offset: u64,
    ceiling: Amount,
}

#[derive(Debug, Default)]
pub(super) struct Watch {
    /// A fold of everything that was committed: the same seed gives the same.
    pub(super) trace: u64,
    applied: BTreeMap<CommandId, ()>,
    first: BTreeMap<ControlId, First>,
    /// When a campaign was last refused for want of funds.
    pub(super) refused: BTreeMap<CampaignId, Instant>,
    pub(super) stuck: Instant,
    last_sweep: Option<Instant>,
    gap: Instant,
    lag: Instant,
    sweeps: u64,
    pub(super) granted: u64,
    pub(super) billed_at_once: u64,
    pub(super) audits: u64,
}

/// What a commit is looked at with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) book: &'a Book,
    pub(super) terms: &'a Terms,
    pub(super) now: Instant,
    /// How far the database's clock is ahead.
    pub(super) ahead: Instant,
    pub(super) failed_over: bool,
    /// Whether every command of before the failover has been applied again.
    pub(super) knows_its_limits: bool,
}

impl Watch {
    fn note(&mut self, what: u64) {
        self.trace = hash_pair(self.trace, what);
    }

    /// After every commit.
    fn committed(&mut self, scene: &Scene<'_>) -> Result<(), Violation> {
        let over = scene.book.controls.iter().find(|(_, control)| !control.holds());
        if let Some((id, control)) = over {
            return Err(broken(WITHIN, || format!("{id:?} is {control:?}")));
        }
        if scene.failed_over && scene.knows_its_limits { self.within_first_ceilings(scene.book) } else { Ok(()) }
    }

    fn within_first_ceilings(&self, book: &Book) -> Result<(), Violation> {
        for (id, first) in &self.first {
            let Some(control) = book.controls.get(id) else { continue };
            if control.spent.less(control.restored) > first.ceiling {
                return Err(broken(CEILING, || format!("{id:?} is {control:?}, its ceiling was {}", first.ceiling)));
            }
        }
        Ok(())
    }

    pub(super) fn granted(
        &mut self,
        scene: &Scene<'_>,
        answers: &[GrantAnswer],
        of: impl Fn(LeaseId) -> Option<CampaignId>,
    ) -> Result<(), Violation> {
        for answer in answers {
            match answer.result {
                Ok(granted) => {
                    self.granted += 1;
                    self.note(folded(granted.amount));
                }
                Err(GrantRefusal::NoFunds(_)) => {
                    self.refused.extend(of(answer.lease).map(|campaign| (campaign, scene.now)));
                }
                Err(_) => {}
            }
        }
        self.committed(scene)
    }

    pub(super) fn billed(&mut self, scene: &Scene<'_>, batch: &Batch, billed: &Billed) -> Result<(), Violation> {
        for (entry, outcome) in batch.entries.iter().zip(&billed.outcomes) {
            self.note(entry.position.offset << 3 | code(*outcome));
            self.billed_at_once += u64::from(*outcome == Outcome::Billed);
            expired_past_life(scene, entry, *outcome)?;
            if !scene.failed_over {
                at_once(scene.book, entry, *outcome)?;
            }
        }
        self.settled(&billed.settled);
        self.committed(scene)
    }

    fn settled(&mut self, settled: &litfass_ledger::Settled) {
        for claim in &settled.claims {
            self.note(claim.position.offset << 3 | code(claim.outcome));
        }
    }

    pub(super) fn promoted(&mut self, scene: &Scene<'_>, promoted: &Promoted) -> Result<(), Violation> {
        for lease in &promoted.closed {
            self.closed(scene, *lease);
        }
        self.committed(scene)
    }

    pub(super) fn given_back(&mut self, scene: &Scene<'_>, settled: &litfass_ledger::Settled) -> Result<(), Violation> {
        self.settled(settled);
        self.committed(scene)
    }

    pub(super) fn applied(
        &mut self,
        scene: &Scene<'_>,
        entries: &[CommandEntry],
        outcomes: &[CommandOutcome],
    ) -> Result<(), Violation> {
        for (entry, outcome) in entries.iter().zip(outcomes) {
            self.note(entry.position.offset << 3 | u64::from(*outcome == CommandOutcome::Applied));
            if *outcome == CommandOutcome::Applied && self.applied.insert(entry.command.id, ()).is_none() {
                self.first_ceilings(scene.book, entry);
            }
        }
        self.committed(scene)
    }

    fn first_ceilings(&mut self, book: &Book, entry: &CommandEntry) {
        let offset = entry.position.offset;
        for id in limited(book, &entry.command.effect) {
            let Some(control) = book.controls.get(&id) else { continue };
            let first = First { offset, ceiling: control.ceiling };
            let last = self.first.entry(id).or_insert(first);
            if offset >= last.offset {
                *last = first;
            }
        }
    }

    pub(super) fn swept(&mut self, scene: &Scene<'_>, swept: &Swept) -> Result<(), Violation> {
        for lease in &swept.closed {
            self.closed(scene, *lease);
        }
        self.settled(&swept.settled);
        self.sweeps += 1;
        let watermark = watermark(scene.book);
        if let Some(watermark) = watermark {
            self.lag = self.lag.max(scene.now - watermark.0);
        }
        self.gap = self.gap.max(self.last_sweep.map_or(0, |last| scene.now - last));
        self.last_sweep = Some(scene.now);
        if self.sweeps.is_multiple_of(16) {
            due_are_closed(scene.book, watermark)?;
            nothing_that_waits_fits(scene.book)?;
        }
        self.committed(scene)
    }

    fn closed(&mut self, scene: &Scene<'_>, lease: LeaseId) {
        let Some(lease) = scene.book.leases.get(&lease) else { return };
        self.note(folded(lease.returned));
        let granted = lease.granted_at.0 - scene.ahead;
        self.stuck = self.stuck.max(scene.now - granted);
    }

    /// Every invariant that the ledger's own rows can show.
    pub(super) fn audit(&mut self, book: &Book) -> Result<(), Violation> {
        self.audits += 1;
        violations(&Audit::of(book)).into_iter().next().map_or(Ok(()), Err)
    }

    /// Where no database failed over.
    pub(super) fn nothing_was_stuck(&self, terms: &Terms, skew: Instant) -> Result<(), Violation> {
        let hold = terms.hold_ttl_mille.max(terms.hold_ttl_click);
        let bound = terms.lease_ttl.0 + hold.0 + skew + self.lag + self.gap;
        if self.stuck <= bound {
            Ok(())
        } else {
            Err(broken(STUCK, || format!("{} ms, the bound is {bound}", self.stuck)))
        }
    }
}

fn nothing_that_waits_fits(book: &Book) -> Result<(), Violation> {
    if book.pending.is_empty() {
        return Ok(());
    }
    let (controls, funding, daily) = (book.controls.clone(), book.funding.clone(), book.daily.clone());
    let mut audit = Audit::new(Kept { controls, funding, daily, ..Kept::default() });
    book.pending.values().for_each(|pending| audit.pending(pending));
    nothing_pending_fits(&audit)
}

fn folded(amount: Amount) -> u64 {
    let (hi, lo) = amount.to_pair();
    hash_pair(hi.cast_unsigned(), lo.cast_unsigned())
}

const fn code(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Billed => 0,
        Outcome::Repeated => 1,
        Outcome::Expired => 2,
        Outcome::Pending(_) => 3,
        Outcome::Unbilled(_) => 4,
    }
}

/// As the ledger derives it: the least, over live event partitions, of what was consumed.
fn watermark(book: &Book) -> Option<Timestamp> {
    book.partitions.values().filter(|partition| partition.live()).map(|partition| partition.appended).min().flatten()
}

fn due_are_closed(book: &Book, watermark: Option<Timestamp>) -> Result<(), Violation> {
    let due = |lease: &&litfass_ledger::Lease| !lease.closed && Some(lease.expires) < watermark;
    let open = book.leases.values().find(due);
    open.map_or(Ok(()), |lease| Err(broken(CLOSED, || format!("{lease:?} is open at watermark {watermark:?}"))))
}

fn at_once(book: &Book, entry: &Entry, outcome: Outcome) -> Result<(), Violation> {
    let claim = &entry.claim;
    let reserved = claim.price.per == Unit::Mille && entry.appended <= claim.hold_expires;
    let said = matches!(outcome, Outcome::Billed | Outcome::Repeated | Outcome::Expired);
    let lease = book.leases.get(&claim.lease);
    let told = || {
        format!(
            "{} appended at {} is {outcome:?}; its token {claim:?}, its lease {lease:?}",
            claim.id, entry.appended.0
        )
    };
    if said || !reserved { Ok(()) } else { Err(broken(AT_ONCE, told)) }
}

fn expired_past_life(scene: &Scene<'_>, entry: &Entry, outcome: Outcome) -> Result<(), Violation> {
    let life: Duration = scene.terms.key_life;
    let end = entry.claim.token_expires.min(key_day_end(key_day(entry.claim.id.decision)) + life);
    let dead = entry.appended > end;
    if outcome != Outcome::Expired || dead { Ok(()) } else { Err(broken(EXPIRED, || format!("{entry:?}"))) }
}

/// Whose ceilings a command sets.
fn limited(book: &Book, effect: &Effect) -> Vec<ControlId> {
    match effect {
        Effect::Deposit { account, .. } | Effect::Adjust { account, .. } => vec![ControlId::Account(*account)],
        Effect::Refund { .. } => Vec::new(),
        Effect::SetLimit(Limit::Credit { account, .. }) => vec![ControlId::Account(*account)],
        Effect::SetLimit(Limit::CampaignLifetime { campaign, .. }) => vec![ControlId::Campaign(*campaign)],
        Effect::SetLimit(Limit::LineItem { line_item, .. }) => vec![ControlId::LineItem(*line_item)],
        Effect::SetLimit(Limit::CampaignDaily { campaign, from, .. }) => {
            let concerned =
                |id: &&ControlId| matches!(id, ControlId::CampaignDay(c, day) if c == campaign && day >= from);
            book.controls.keys().filter(concerned).copied().collect()
        }
    }
}
