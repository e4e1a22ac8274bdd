//! The processes: three that decide and hold leases, two that read the log and bill. What is here is their memory: a crash
//! begins it anew.

use litfass_ledger::{
    Batch, CatchUp, Commands, Consumed, Entry, GrantRequest, HolderId, Holds, Monotonic, Standing, Terms, Timeline,
};
use litfass_types::{LeaseId, Timestamp};

use super::agenda::Instant;
use super::log::{ADMIN, Log, off};
use super::setting::Setting;
use super::token::Token;
use crate::draw::Draw;

/// A call that is not answered within that time is given up.
const PATIENCE: Instant = 4_000;

/// What every process has: a life, a clock that is off, and whether it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    pub(super) life: u32,
    pub(super) up: bool,
    ahead: Instant,
    booted: Instant,
}

impl Body {
    fn new(ahead: Instant, now: Instant) -> Self {
        Self { life: 0, up: true, ahead, booted: now }
    }

    pub(super) fn wall(&self, now: Instant) -> Timestamp {
        Timestamp(now + self.ahead)
    }

    /// Begins when the process does.
    fn monotonic(&self, now: Instant) -> Monotonic {
        (now - self.booted).unsigned_abs()
    }

    fn die(&mut self) {
        self.up = false;
        self.life += 1;
    }

    fn rise(&mut self, ahead: Instant, now: Instant) {
        (self.up, self.ahead, self.booted) = (true, ahead, now);
    }
}

#[derive(Debug)]
pub(super) struct Decider {
    pub(super) body: Body,
    number: usize,
    terms: Terms,
    holds: Holds,
    leases: u64,
}

impl Decider {
    pub(super) fn new(number: usize, setting: &Setting, draw: &mut Draw, now: Instant) -> Self {
        let terms = setting.terms;
        let holds = Holds::new(HolderId(number as u64), terms);
        Self { body: Body::new(off(draw, setting.skew), now), number, terms, holds, leases: 0 }
    }

    pub(super) fn crash(&mut self) {
        self.body.die();
        self.holds = Holds::new(HolderId(self.number as u64), self.terms);
    }

    pub(super) fn start(&mut self, ahead: Instant, now: Instant) {
        self.body.rise(ahead, now);
    }

    pub(super) fn holds(&mut self, now: Instant) -> (&mut Holds, Monotonic) {
        let monotonic = self.body.monotonic(now);
        (&mut self.holds, monotonic)
    }

    /// Ids never repeat: not in another life, nor in another process.
    pub(super) fn wanted(&mut self, now: Instant) -> Vec<GrantRequest> {
        let (number, life, leases) = (self.number as u128, u128::from(self.body.life), &mut self.leases);
        self.holds.wanted(self.body.monotonic(now), || {
            *leases += 1;
            LeaseId((number + 1) << 96 | life << 64 | u128::from(*leases))
        })
    }
}

#[derive(Debug)]
pub(super) struct Biller {
    pub(super) body: Body,
    /// Where the ledger stood at the last answer, by partition; nothing at first and after a silence.
    stands: Vec<(u16, u64)>,
    /// A timeline that nobody has begun yet.
    pub(super) unpromoted: Option<Timeline>,
    bill_asked: Instant,
    apply_asked: Instant,
    pub(super) swept: Instant,
}

impl Biller {
    pub(super) fn new(setting: &Setting, draw: &mut Draw, now: Instant) -> Self {
        let body = Body::new(off(draw, setting.skew), now);
        Self { body, stands: Vec::new(), unpromoted: None, bill_asked: 0, apply_asked: 0, swept: now }
    }

    pub(super) fn crash(&mut self) {
        self.body.die();
        self.stands.clear();
        self.unpromoted = None;
        (self.bill_asked, self.apply_asked) = (0, 0);
    }

    pub(super) fn start(&mut self, ahead: Instant, now: Instant) {
        self.body.rise(ahead, now);
    }

    /// Takes in where the ledger stands and is free to ask again.
    pub(super) fn stands(&mut self, stands: Vec<(u16, u64)>, standing: Standing) {
        self.stands = stands;
        self.unpromoted = Some(standing.timeline).filter(|_| standing.waits == Some(CatchUp::Promotion));
        (self.bill_asked, self.apply_asked) = (0, 0);
    }

    pub(super) const fn lost(&self) -> bool {
        self.stands.is_empty()
    }

    /// Forgets where the ledger stood once a call was not answered.
    pub(super) fn impatient(&mut self, now: Instant) {
        let oldest = [self.bill_asked, self.apply_asked].into_iter().filter(|asked| *asked > 0).min();
        if oldest.is_some_and(|asked| now > asked + PATIENCE) {
            self.stands.clear();
            (self.bill_asked, self.apply_asked) = (0, 0);
        }
    }

    fn next(&self, partition: u16) -> Option<u64> {
        self.stands.iter().find(|(p, _)| *p == partition).map(|(_, next)| *next)
    }

    /// What the log has beyond where the ledger stands, of the partitions that `mine` names.
    pub(super) fn batch(
        &mut self,
        log: &Log,
        tokens: &[Token],
        most: usize,
        now: Instant,
        mine: impl Fn(u16) -> bool,
    ) -> Option<Batch> {
        if self.bill_asked > 0 {
            return None;
        }
        let mut batch = Batch::default();
        for partition in log.partitions.iter().filter(|p| mine(p.number)) {
            let Some(next) = self.next(partition.number) else { continue };
            take(&mut batch, log, tokens, (partition.number, next), most);
        }
        if batch.consumed.is_empty() {
            return None;
        }
        batch.entries.sort_by_key(|entry| (entry.appended, entry.position));
        self.bill_asked = now;
        Some(batch)
    }

    pub(super) fn commands(&mut self, log: &Log, now: Instant) -> Option<Commands> {
        let from = self.next(ADMIN)?;
        if self.apply_asked > 0 {
            return None;
        }
        let commands = commands_from(log, from, 3)?;
        self.apply_asked = now;
        Some(commands)
    }
}

/// The admin partition from an offset on, at most so many commands; none where there is nothing.
pub(super) fn commands_from(log: &Log, from: u64, most: usize) -> Option<Commands> {
    let (end, end_appended) = log.admin_end();
    if from >= end {
        return None;
    }
    let first = log.admin.partition_point(|entry| entry.position.offset < from);
    let entries: Vec<_> = log.admin[first..].iter().take(most).cloned().collect();
    let cut = log.admin.get(first + entries.len()).is_some();
    let last = entries.last().filter(|_| cut);
    let (next, appended) = last.map_or((end, end_appended), |last| (last.position.offset + 1, last.appended));
    Some(Commands { consumed: Consumed { partition: ADMIN, from, next, appended }, entries })
}

/// Adds up to `most` entries of a partition, from an offset on.
pub(super) fn take(batch: &mut Batch, log: &Log, tokens: &[Token], (partition, from): (u16, u64), most: usize) {
    let Some(entries) = log.partitions.get(usize::from(partition)).map(|p| &p.entries) else { return };
    let start = usize::try_from(from).unwrap_or(usize::MAX).min(entries.len());
    let end = entries.len().min(start + most);
    let Some(last) = entries[start..end].last() else { return };
    batch.consumed.push(Consumed { partition, from, next: end as u64, appended: last.appended });
    for (offset, entry) in (from..).zip(&entries[start..end]) {
        if let Some(token) = entry.token() {
            let position = litfass_types::Position { partition, offset };
            batch.entries.push(Entry { position, appended: entry.appended, claim: tokens[token].claim() });
        }
    }
}
