//! What the twin adds up from all that happened, each time anew.
#![expect(clippy::wildcard_enum_match_arm, reason = "a sum picks the facts it adds up")]

use std::collections::BTreeMap;

use litfass_ledger::{
    Amount, Balance, Chain, CommandEntry, CommandOutcome, Control, ControlId, Count, Effect, LedgerAccount, Level,
    Limit, Outcome, Tally, UNLIMITED, UnbilledId,
};
use litfass_types::{AdvertiserId, CampaignId, Day};

use super::{Fact, Twin, TwinLease, amount};
use crate::ids::TENANT;

impl Twin {
    pub(super) fn applied(&self) -> impl Iterator<Item = &CommandEntry> {
        self.commands.iter().filter(|c| c.outcome == CommandOutcome::Applied).map(|c| &c.entry)
    }

    /// Deposits and upward adjustments, downward adjustments, credit.
    pub(super) fn funding(&self, of: AdvertiserId) -> (i128, i128, i128) {
        let (mut added, mut removed, mut credit) = (0, 0, 0);
        for entry in self.applied() {
            match entry.command.effect {
                Effect::Deposit { account, amount } if account == of => added += amount.nanos(),
                Effect::Adjust { account, nanos } if account == of && nanos > 0 => added += nanos,
                Effect::Adjust { account, nanos } if account == of => removed -= nanos,
                Effect::SetLimit(Limit::Credit { account, limit }) if account == of => credit = limit.nanos(),
                _ => {}
            }
        }
        (added, removed, credit)
    }

    pub(super) fn daily(&self, of: CampaignId) -> BTreeMap<Day, Amount> {
        let mut steps = BTreeMap::new();
        for entry in self.applied() {
            if let Effect::SetLimit(Limit::CampaignDaily { campaign, from, limit, .. }) = entry.command.effect
                && campaign == of
            {
                steps.retain(|day, _| *day < from);
                steps.insert(from, limit.unwrap_or(UNLIMITED));
            }
        }
        steps
    }

    pub(super) fn limit(&self, id: ControlId) -> i128 {
        match id {
            ControlId::Account(account) => {
                let (added, removed, credit) = self.funding(account);
                (added + credit - removed).max(0)
            }
            ControlId::CampaignDay(campaign, day) => {
                self.daily(campaign).range(..=day).next_back().map_or(UNLIMITED, |(_, limit)| *limit).nanos()
            }
            ControlId::Campaign(of) => self.last(|limit| match limit {
                Limit::CampaignLifetime { campaign, limit, .. } if campaign == of => Some(limit),
                _ => None,
            }),
            ControlId::LineItem(of) => self.last(|limit| match limit {
                Limit::LineItem { line_item, limit, .. } if line_item == of => Some(limit),
                _ => None,
            }),
        }
    }

    pub(super) fn last(&self, of: impl Fn(Limit) -> Option<Option<Amount>>) -> i128 {
        let limits = self.applied().filter_map(|entry| match entry.command.effect {
            Effect::SetLimit(limit) => of(limit),
            _ => None,
        });
        limits.last().flatten().unwrap_or(UNLIMITED).nanos()
    }

    pub(super) fn spent(&self, id: ControlId) -> i128 {
        let spent = |fact: &Fact| match fact {
            Fact::Spent(_, chain, nanos) if chain.controls().contains(&id) => *nanos,
            _ => 0,
        };
        self.facts.iter().map(spent).sum()
    }

    pub(super) fn restored(&self, id: ControlId) -> i128 {
        let restored = |fact: &Fact| match fact {
            Fact::Restored(chain, day, nanos)
                if chain.controls().contains(&id) && (*day || id.level() != Level::CampaignDay) =>
            {
                *nanos
            }
            _ => 0,
        };
        self.facts.iter().map(restored).sum()
    }

    /// Of one day of a line item.
    pub(super) fn billed(&self, of: Chain) -> i128 {
        let billed =
            |fact: &Fact| if let Fact::Spent(_, chain, nanos) = fact { i128::from(*chain == of) * nanos } else { 0 };
        self.facts.iter().map(billed).sum()
    }

    /// What was given back of one day of a line item, and how often.
    pub(super) fn refunded(&self, of: Chain) -> (i128, u64) {
        let refunds = self.facts.iter().filter_map(|fact| match fact {
            Fact::Restored(chain, _, nanos) if *chain == of => Some(*nanos),
            _ => None,
        });
        refunds.fold((0, 0), |(sum, times), nanos| (sum + nanos, times + 1))
    }

    pub(super) fn leased(&self, id: ControlId) -> i128 {
        self.leases.iter().filter(|lease| lease.chain.controls().contains(&id)).map(TwinLease::left).sum()
    }

    pub(super) fn available(&self, id: ControlId) -> i128 {
        (self.limit(id) + self.restored(id) - self.leased(id) - self.spent(id)).max(0)
    }

    /// The largest amount that limits ever allowed: the limit when last set, or what was used by then if that was more.
    pub(super) fn ceiling(&self, id: ControlId) -> i128 {
        let last = self.facts.iter().rev().find_map(|fact| match fact {
            Fact::Limited(limited, limit, used) if *limited == id => Some((*limit).max(*used)),
            _ => None,
        });
        last.unwrap_or_else(|| self.limit(id))
    }

    pub(super) fn short(&self, chain: Chain, nanos: i128) -> Option<Level> {
        let short = |id: &ControlId| nanos > 0 && self.available(*id) < nanos;
        chain.controls().iter().copied().find(short).map(ControlId::level)
    }

    pub(super) fn balances(&self) -> BTreeMap<LedgerAccount, Balance> {
        let mut sides: BTreeMap<LedgerAccount, (i128, i128)> = BTreeMap::new();
        let mut post = |debit, credit, nanos: i128| {
            sides.entry(debit).or_default().0 += nanos;
            sides.entry(credit).or_default().1 += nanos;
        };
        let tenant = TENANT;
        for fact in &self.facts {
            match fact {
                Fact::Spent(t, chain, n) => post(LedgerAccount::Funds(chain.account), LedgerAccount::Revenue(*t), *n),
                Fact::Restored(chain, _, n) => {
                    post(LedgerAccount::Refunds(tenant), LedgerAccount::Funds(chain.account), *n);
                }
                Fact::Limited(..) => {}
            }
        }
        for entry in self.applied() {
            let (house, funds) = (LedgerAccount::House(tenant), LedgerAccount::Funds(entry.command.effect.account()));
            match entry.command.effect {
                Effect::Deposit { amount, .. } => post(house, funds, amount.nanos()),
                Effect::Adjust { nanos, .. } if nanos > 0 => post(house, funds, nanos),
                Effect::Adjust { nanos, .. } => post(funds, house, -nanos),
                Effect::SetLimit(_) | Effect::Refund { .. } => {}
            }
        }
        let balance = |(d, c): (i128, i128)| Balance { debits: amount(d), credits: amount(c) };
        sides.into_iter().map(|(account, sides)| (account, balance(sides))).collect()
    }

    pub(super) fn control(&self, id: ControlId) -> Control {
        Control {
            limit: amount(self.limit(id)),
            restored: amount(self.restored(id)),
            leased: amount(self.leased(id)),
            spent: amount(self.spent(id)),
            ceiling: amount(self.ceiling(id)),
        }
    }

    pub(super) fn tallies(&self) -> BTreeMap<Chain, Tally> {
        let mut tallies: BTreeMap<Chain, Tally> = BTreeMap::new();
        for (chain, amount, outcome) in &self.ended {
            let tally = tallies.entry(*chain).or_default();
            let count = match outcome {
                Outcome::Billed => &mut tally.billed,
                Outcome::Repeated => &mut tally.repeated,
                Outcome::Expired => &mut tally.expired,
                Outcome::Pending(_) | Outcome::Unbilled(_) => continue,
            };
            *count = Count { events: count.events + 1, amount: count.amount.plus(*amount).unwrap() };
        }
        for (chain, tally) in &mut tallies {
            let (nanos, events) = self.refunded(*chain);
            tally.refunded = Count { events, amount: amount(nanos) };
        }
        tallies.retain(|_, tally| *tally != Tally::default());
        tallies
    }

    pub(super) fn unbilled(&self) -> BTreeMap<UnbilledId, Count> {
        let mut counts: BTreeMap<UnbilledId, Count> = BTreeMap::new();
        for (chain, amount, outcome) in &self.ended {
            if let Outcome::Unbilled(shortage) = outcome {
                let count = counts.entry(UnbilledId { chain: *chain, shortage: *shortage }).or_default();
                *count = Count { events: count.events + 1, amount: count.amount.plus(*amount).unwrap() };
            }
        }
        counts
    }
}
