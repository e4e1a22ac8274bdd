//! Holds: what a deciding process reserves of its leases for slots it shows. Memory only.
//!
//! A lease's holds are one number: free = granted − Σ holds made. Nothing is used twice within a lease, because its minute is
//! shorter than a hold. New holds are made for lease_ttl after the *first* send of the lease's id, by this process's monotonic
//! clock; a hold expires at the grant's database time + monotonic time since that first send + hold_ttl, so no clock of this
//! process is ever compared with another's. What is lost with the process comes back when the ledger closes the lease.
//!
//! `now` is milliseconds of a monotonic clock in every function here.

use std::collections::{BTreeMap, VecDeque};

use litfass_types::{Day, Duration, LeaseId, LineItemId, Price, Probability, Timestamp, Unit};

use crate::amount::Amount;
use crate::control::Chain;
use crate::index::Index;
use crate::lease::{BudgetDay, GrantAnswer, GrantRequest, Granted, HolderId, Return};
use crate::terms::Terms;

/// Milliseconds of the deciding process's monotonic clock.
pub type Monotonic = u64;

/// A grant that was not answered is sent again, under the same id.
const RESEND_MS: u64 = 1_000;
/// A line item that was refused is not asked for again sooner.
const BACK_OFF_MS: u64 = 1_000;
/// How many leases' time a line item's day is remembered after it was last wanted.
const REMEMBERED_LEASES: u64 = 30;

/// What the holds table has to know of an entrant to ask for its budget.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Entrant {
    /// Its day is `window.day`.
    pub chain: Chain,
    pub window: BudgetDay,
    pub bid: Price,
}

/// A slot's budget, reserved: what its token says about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    pub lease: LeaseId,
    pub amount: Amount,
    pub hold_expires: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum HoldRefused {
    /// Asked for, or about to be.
    #[error("this process holds no lease of the line item's day")]
    NoLease,
    #[error("the lease has less than the price free")]
    Spent,
}

/// What a slot reserves: the price per impression, or price × pCTR × 1.5 per click, rounded up; an action reserves nothing.
#[must_use]
pub fn hold_amount(price: Price, p_click: Probability) -> Amount {
    let full = Amount::of(price);
    match price.per {
        Unit::Mille => full,
        Unit::Click => {
            let scaled = full.nanos() * i128::from(p_click.bits()) * 3;
            // 2³² · 2 below: the probability's unit, and the half of safety 3/2.
            Amount::new((scaled + (1 << 33) - 1) >> 33).unwrap_or(full)
        }
        Unit::Action => Amount::ZERO,
    }
}

/// What a line item without a history expects to hold within one lease: a few dozen impressions, or two clicks, each of which
/// covers many slots.
fn first_demand(bid: Price) -> Amount {
    match bid.per {
        Unit::Mille => Amount::of(bid).times(64),
        Unit::Click | Unit::Action => Amount::of(bid).times(2),
    }
}

/// The lease table of one deciding process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Holds {
    holder: HolderId,
    terms: Terms,
    lease_ms: u64,
    index: Index,
    rows: Vec<Row>,
    asked: BTreeMap<LeaseId, u32>,
    /// Lately given up or refused, the oldest first: what is granted under such an id yet goes back whole. Any other id that
    /// is not asked for is one that was answered before.
    vain: VecDeque<(Monotonic, LeaseId)>,
    strays: Vec<Return>,
}

/// One line item's day. `next` was granted before `current` ran out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Row {
    entrant: Entrant,
    current: Option<Open>,
    next: Option<Open>,
    asked: Option<Asked>,
    /// To be given back.
    over: Vec<Return>,
    /// Not asked for before this.
    rest_until: Monotonic,
    wanted_at: Monotonic,
    /// What is expected to be held within one lease.
    demand: Amount,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Open {
    lease: LeaseId,
    granted: Amount,
    held: Amount,
    granted_at: Timestamp,
    first_sent: Monotonic,
}

impl Open {
    fn free(&self) -> Amount {
        self.granted.less(self.held)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Asked {
    request: GrantRequest,
    first_sent: Monotonic,
    sent: Option<Monotonic>,
}

impl Holds {
    #[must_use]
    pub fn new(holder: HolderId, terms: Terms) -> Self {
        let lease_ms = terms.lease_ttl.0.max(0).unsigned_abs();
        Self {
            holder,
            terms,
            lease_ms,
            index: Index::default(),
            rows: Vec::new(),
            asked: BTreeMap::new(),
            vain: VecDeque::new(),
            strays: Vec::new(),
        }
    }

    /// Notes that an entrant wants budget: the next [`Holds::wanted`] asks for it where there is none.
    pub fn want(&mut self, entrant: &Entrant, now: Monotonic) {
        let key = (entrant.chain.line_item, entrant.chain.day);
        if let Some(row) = self.index.get(key).and_then(|at| self.rows.get_mut(at as usize)) {
            row.entrant = *entrant;
            row.wanted_at = now;
            return;
        }
        let Ok(at) = u32::try_from(self.rows.len()) else { return };
        self.index.insert(key, at);
        self.rows.push(Row::new(entrant, now));
    }

    /// Reserves a slot's budget; the whole price must be free even where a click reserves less. `price` is at most the bid.
    ///
    /// # Errors
    /// No lease, or not enough of it: the slot is settled again without this line item.
    pub fn try_hold(
        &mut self,
        line_item: LineItemId,
        day: Day,
        price: Price,
        p_click: Probability,
        now: Monotonic,
    ) -> Result<Held, HoldRefused> {
        let lease_ms = self.lease_ms;
        let row = self.index.get((line_item, day)).and_then(|at| self.rows.get_mut(at as usize));
        let open = row.ok_or(HoldRefused::NoLease)?.usable(Amount::of(price), now, lease_ms)?;
        let amount = hold_amount(price, p_click);
        open.held = open.held.plus(amount).map_err(|_| HoldRefused::Spent)?;
        let since = Duration(i64::try_from(now - open.first_sent).unwrap_or(i64::MAX));
        let hold_expires = open.granted_at + since + self.terms.hold_ttl(price.per);
        Ok(Held { lease: open.lease, amount, hold_expires })
    }

    /// Takes back a hold of which nobody was told: no token was issued for it.
    pub fn cancel(&mut self, line_item: LineItemId, day: Day, held: &Held) {
        let row = self.index.get((line_item, day)).and_then(|at| self.rows.get_mut(at as usize));
        let current = row.and_then(|row| row.current.as_mut()).filter(|open| open.lease == held.lease);
        if let Some(open) = current {
            open.held = open.held.less(held.amount);
        }
    }

    /// What this process could still hold for a line item's day without another grant.
    #[must_use]
    pub fn free(&self, line_item: LineItemId, day: Day, now: Monotonic) -> Amount {
        let row = self.index.get((line_item, day)).and_then(|at| self.rows.get(at as usize));
        let leases = row.into_iter().flat_map(|row| row.current.iter().chain(&row.next));
        let live = leases.filter(|open| now < open.first_sent + self.lease_ms);
        live.fold(Amount::ZERO, |sum, open| sum.plus(open.free()).unwrap_or(Amount::MAX))
    }

    /// What this process has leased for such chains and not held: it will be given back unless it is held yet.
    #[must_use]
    pub fn unheld(&self, of: impl Fn(&Chain) -> bool) -> Amount {
        let rows = self.rows.iter().filter(|row| of(&row.entrant.chain));
        let open = rows.clone().flat_map(|row| row.current.iter().chain(&row.next)).map(Open::free);
        let over = rows.flat_map(|row| &row.over).map(|over| over.total);
        open.chain(over).fold(Amount::ZERO, |sum, free| sum.plus(free).unwrap_or(Amount::MAX))
    }

    /// Whether a hold of that price would be granted.
    #[must_use]
    pub fn can_hold(&self, line_item: LineItemId, day: Day, price: Price, now: Monotonic) -> bool {
        let row = self.index.get((line_item, day)).and_then(|at| self.rows.get(at as usize));
        let mut leases = row.into_iter().flat_map(|row| row.current.iter().chain(&row.next));
        leases.any(|open| now < open.first_sent + self.lease_ms && open.free() >= Amount::of(price))
    }

    /// The grants to ask for now, new ones under ids from `id` and unanswered ones again.
    pub fn wanted(&mut self, now: Monotonic, mut id: impl FnMut() -> LeaseId) -> Vec<GrantRequest> {
        let (holder, lease_ms) = (self.holder, self.lease_ms);
        let mut requests = Vec::new();
        for (at, row) in self.rows.iter_mut().enumerate() {
            if let Some(lease) = row.give_up(now, lease_ms) {
                self.asked.remove(&lease);
                self.vain.push_back((now, lease));
            }
            if row.asked.is_none() && row.needs_more(now, lease_ms) {
                let lease = id();
                row.ask(lease, holder, now, lease_ms);
                self.asked.insert(lease, u32::try_from(at).unwrap_or(u32::MAX));
            }
            requests.extend(row.due(now));
        }
        requests
    }

    /// Takes in the answers to [`Holds::wanted`]. What was sent again may be answered again.
    pub fn granted(&mut self, answers: &[GrantAnswer], now: Monotonic) {
        for answer in answers {
            let row = self.asked.remove(&answer.lease).and_then(|at| self.rows.get_mut(at as usize));
            match (row, answer.result) {
                (Some(row), Ok(granted)) => row.open(answer.lease, granted),
                (Some(row), Err(_)) => {
                    row.refused(now);
                    self.vain.push_back((now, answer.lease));
                }
                (None, Ok(granted)) => {
                    let stray = Return { lease: answer.lease, total: granted.amount };
                    let vain = self.vain.iter().position(|(_, lease)| *lease == answer.lease);
                    self.strays.extend(vain.and_then(|at| self.vain.remove(at)).map(|_| stray));
                }
                (None, Err(_)) => {}
            }
        }
    }

    /// What to give back: of leases whose time is over, whatever was not held. Losing it costs idle budget until the ledger
    /// closes the lease, nothing else.
    pub fn returns(&mut self, now: Monotonic) -> Vec<Return> {
        let lease_ms = self.lease_ms;
        let mut returns = std::mem::take(&mut self.strays);
        for row in &mut self.rows {
            row.retire_over(now, lease_ms);
            returns.extend(row.over.drain(..).filter(|r| !r.total.is_zero()));
        }
        self.forget(now);
        returns
    }

    /// Forgets days that are over and line items that stopped, once they are the larger half.
    fn forget(&mut self, now: Monotonic) {
        while self.vain.front().is_some_and(|(since, _)| now >= since + self.lease_ms) {
            self.vain.pop_front();
        }
        let horizon = self.lease_ms.saturating_mul(REMEMBERED_LEASES);
        let idle = |row: &Row| row.is_idle() && now.saturating_sub(row.wanted_at) > horizon;
        if self.rows.iter().filter(|row| idle(row)).count() * 2 <= self.rows.len() {
            return;
        }
        self.rows.retain(|row| !idle(row));
        self.index = Index::default();
        self.asked.clear();
        for (at, row) in (0_u32..).zip(&self.rows) {
            self.index.insert((row.entrant.chain.line_item, row.entrant.chain.day), at);
            self.asked.extend(row.asked.map(|asked| (asked.request.lease, at)));
        }
    }
}

impl Row {
    fn new(entrant: &Entrant, now: Monotonic) -> Self {
        let demand = first_demand(entrant.bid);
        let entrant = *entrant;
        Self {
            entrant,
            current: None,
            next: None,
            asked: None,
            over: Vec::new(),
            rest_until: 0,
            wanted_at: now,
            demand,
        }
    }

    /// The lease to hold from. One that is over, or too small while another waits, is retired on the way.
    #[inline]
    fn usable(&mut self, price: Amount, now: Monotonic, lease_ms: u64) -> Result<&mut Open, HoldRefused> {
        self.wanted_at = now;
        let fits = |open: &Open| now < open.first_sent + lease_ms && open.free() >= price;
        if !self.current.as_ref().is_some_and(fits) && self.next.as_ref().is_some_and(fits) {
            self.retire();
        }
        let refused = match &self.current {
            Some(open) if now < open.first_sent + lease_ms => HoldRefused::Spent,
            _ => HoldRefused::NoLease,
        };
        self.current.as_mut().filter(|open| fits(open)).ok_or(refused)
    }

    /// Makes the next lease the current one; what the old one has free is to be given back.
    fn retire(&mut self) {
        let over = std::mem::replace(&mut self.current, self.next.take());
        if let Some(open) = over {
            self.over.push(Return { lease: open.lease, total: open.free() });
        }
    }

    fn retire_over(&mut self, now: Monotonic, lease_ms: u64) {
        while self.current.is_some_and(|open| now >= open.first_sent + lease_ms) {
            self.retire();
        }
    }

    fn is_idle(&self) -> bool {
        self.current.is_none() && self.next.is_none() && self.asked.is_none() && self.over.is_empty()
    }

    /// A grant that was not answered within its lease's time is asked for under a new id.
    fn give_up(&mut self, now: Monotonic, lease_ms: u64) -> Option<LeaseId> {
        let over = self.asked.filter(|asked| now >= asked.first_sent + lease_ms)?;
        self.asked = None;
        Some(over.request.lease)
    }

    /// Somebody asked lately, and there is no lease, or it is nearly over or nearly held.
    fn needs_more(&self, now: Monotonic, lease_ms: u64) -> bool {
        let lately = now.saturating_sub(self.wanted_at) < lease_ms / 4;
        let running_out = self.current.is_none_or(|open| {
            let ends_soon = now >= open.first_sent + lease_ms - lease_ms / 4;
            let nearly_held = open.free().times(4) < open.granted || open.free() < Amount::of(self.entrant.bid);
            ends_soon || nearly_held
        });
        lately && running_out && self.next.is_none() && now >= self.rest_until
    }

    fn ask(&mut self, lease: LeaseId, holder: HolderId, now: Monotonic, lease_ms: u64) {
        self.demand = self.measured(now, lease_ms).max(self.fallen()).max(first_demand(self.entrant.bid));
        let Entrant { chain, window, bid } = self.entrant;
        let request = GrantRequest { lease, holder, chain, window, bid, demand: self.demand };
        self.asked = Some(Asked { request, first_sent: now, sent: None });
    }

    /// Holds made of the current lease, at that rate for a whole lease.
    fn measured(&self, now: Monotonic, lease_ms: u64) -> Amount {
        let Some(open) = self.current else { return Amount::ZERO };
        let elapsed = i128::from((now - open.first_sent).clamp(100, lease_ms.max(100)));
        let nanos = open.held.nanos().saturating_mul(i128::from(lease_ms)) / elapsed;
        Amount::new(nanos).unwrap_or(Amount::MAX)
    }

    /// An expectation halves with every lease that does not confirm it.
    fn fallen(&self) -> Amount {
        Amount::new(self.demand.nanos() / 2).unwrap_or_default()
    }

    fn due(&mut self, now: Monotonic) -> Option<GrantRequest> {
        let asked = self.asked.as_mut()?;
        let now_due = asked.sent.is_none_or(|sent| now >= sent + RESEND_MS);
        now_due.then(|| {
            asked.sent = Some(now);
            asked.request
        })
    }

    fn open(&mut self, lease: LeaseId, granted: Granted) {
        let Some(asked) = self.asked.take() else { return };
        let (first_sent, granted_at) = (asked.first_sent, granted.at);
        let open = Open { lease, granted: granted.amount, held: Amount::ZERO, granted_at, first_sent };
        if self.current.is_none() {
            self.current = Some(open);
        } else {
            self.next = Some(open);
        }
    }

    fn refused(&mut self, now: Monotonic) {
        self.asked = None;
        self.rest_until = now + BACK_OFF_MS;
    }
}
