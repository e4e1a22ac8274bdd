//! Decisions: who is asked, what it holds and shows, and what comes back of it.

use litfass_ledger::{Billable, Held};
use litfass_types::{DecisionId, Price, Timestamp, Unit};

use super::agenda::{Due, Instant};
use super::setting::{DECIDERS, span};
use super::token::Token;
use super::world::World;

/// A refused slot is settled again at most twice.
const SETTLEMENTS: usize = 3;
/// Slots whose response never went out: nobody was told.
const UNTOLD: f64 = 0.01;

impl World {
    pub(super) fn request(&mut self) {
        if !self.flying {
            return;
        }
        let mean = self.setting.flight / Instant::from(self.setting.decisions);
        #[expect(clippy::cast_precision_loss, reason = "a few hundred milliseconds")]
        let gap = span(&mut self.demand, 0.0, 1.9 * mean as f64);
        self.agenda.note(self.now + gap, Due::Request);
        if let Some(decider) = self.somebody_up() {
            self.decide(decider);
        }
    }

    fn somebody_up(&mut self) -> Option<usize> {
        let first = self.demand.below(DECIDERS);
        (0..DECIDERS).map(|n| (first + n) % DECIDERS).find(|n| self.deciders[*n].body.up)
    }

    fn decide(&mut self, decider: usize) {
        self.seen.decisions += 1;
        let at = self.deciders[decider].body.wall(self.now);
        let decision = DecisionId::new(at, 0, self.seen.decisions);
        let slots = 1 + u8::from(self.demand.chance(0.3)) + u8::from(self.demand.chance(0.1)) * 16;
        for slot in 0..slots.min(3) {
            // Slot numbers on both sides of a key row's fifteen.
            let slot = if slots > 3 { slot * 14 } else { slot };
            self.fill(decider, decision, slot, at);
        }
    }

    fn fill(&mut self, decider: usize, decision: DecisionId, slot: u8, at: Timestamp) {
        for _ in 0..SETTLEMENTS {
            let line_item = self.market.pick(&mut self.demand);
            let share = self.demand.between(0.5, 1.0);
            if !self.pacer.takes_part(line_item) {
                continue;
            }
            let entrant = self.market.entrant(line_item, at);
            let item = &self.market.line_items[line_item];
            let price = Price { micros: part(item.bid.micros, share), per: item.bid.per };
            let day = entrant.window.day;
            let (holds, monotonic) = self.deciders[decider].holds(self.now);
            if let Ok(held) = holds.try_hold(item.id, day, price, item.p_click, monotonic) {
                if self.demand.chance(UNTOLD) {
                    holds.cancel(item.id, day, &held);
                    return;
                }
                let token = self.token((decision, slot), line_item, price, &held);
                return self.show(Token { chain: entrant.chain, ..token });
            }
            holds.want(&entrant, monotonic);
        }
    }

    fn token(&self, (decision, slot): (DecisionId, u8), line_item: usize, price: Price, held: &Held) -> Token {
        let item = &self.market.line_items[line_item];
        let kind = match item.bid.per {
            Unit::Mille if line_item.is_multiple_of(3) => Billable::Viewable,
            Unit::Mille => Billable::Impression,
            Unit::Click | Unit::Action => Billable::Click,
        };
        let token_expires = decision.time() + litfass_types::Duration(self.setting.token_ttl);
        Token {
            line_item,
            decision,
            slot,
            kind,
            tenant: self.market.accounts[item.account].tenant,
            chain: self.market.chain(line_item, litfass_types::Day(0)),
            price,
            lease: held.lease,
            hold_expires: held.hold_expires,
            token_expires,
        }
    }

    fn show(&mut self, token: Token) {
        self.seen.shown += 1;
        let rate = if token.kind == Billable::Click { self.market.line_items[token.line_item].clicks } else { 1.0 };
        if !self.viewers.chance(self.setting.viewers.render * rate) {
            return;
        }
        let Ok(number) = u32::try_from(self.tokens.len()) else { return };
        let delay = self.delay(&token);
        let key = self.seen.decisions;
        self.tokens.push(token);
        let partition = self.log.partition_of(key);
        self.agenda.note(self.now + delay, Due::Append { token: number, partition });
        if self.viewers.chance(self.setting.viewers.copies) {
            self.copy(number, partition, delay);
        }
    }

    /// Most events come within seconds, some near the end of their hold, late ones at any time of their token's life or after.
    fn delay(&mut self, token: &Token) -> Instant {
        let hold = self.setting.terms.hold_ttl(token.price.per).0;
        #[expect(clippy::cast_precision_loss, reason = "a few minutes")]
        let (within, life) =
            ((hold - 2 * self.setting.skew - 21_000) as f64, (self.setting.token_ttl * 11 / 10) as f64);
        if self.viewers.chance(self.setting.viewers.late) {
            return span(&mut self.viewers, 0.0, life);
        }
        if self.viewers.chance(0.05) {
            return span(&mut self.viewers, 0.0, within.max(5_000.0));
        }
        span(&mut self.viewers, 100.0, 8_000.0)
    }

    /// Copies come soon after or much later, to the same partition or another.
    fn copy(&mut self, token: u32, partition: u16, delay: Instant) {
        let long = if self.viewers.chance(0.5) { 10_000.0 } else { 6_000_000.0 };
        let more = span(&mut self.viewers, 0.0, long);
        let elsewhere = self.viewers.chance(0.3);
        let partition = if elsewhere { self.log.partition_of(u64::from(token)) } else { partition };
        let at = if self.viewers.chance(0.3) { more } else { delay + more };
        self.agenda.note(self.now + at, Due::Append { token, partition });
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share of a bid below 2⁵³")]
fn part(micros: i64, share: f64) -> i64 {
    ((micros as f64 * share) as i64).max(1)
}
