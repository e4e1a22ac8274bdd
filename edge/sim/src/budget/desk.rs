//! Who changes budgets: commands that the API appends to the admin partition, some of them twice.

use litfass_ledger::{Amount, Book, Chain, Command, CommandId, ControlId, Effect, Limit, Note, UNLIMITED};
use litfass_types::{Day, TenantId, Timestamp};

use super::agenda::Instant;
use super::log::Log;
use super::market::Market;
use crate::draw::Draw;

#[derive(Debug)]
pub(super) struct Desk {
    draw: Draw,
    commands: u128,
}

impl Desk {
    pub(super) const fn new(draw: Draw) -> Self {
        Self { draw, commands: 0 }
    }

    pub(super) fn command(&mut self, tenant: TenantId, effect: Effect) -> Command {
        self.commands += 1;
        Command { id: CommandId(self.commands), tenant, effect, note: Note::default() }
    }

    /// One edit by somebody who looks at the ledger as it is.
    pub(super) fn edit(&mut self, market: &Market, book: &Book, log: &mut Log, now: Instant) {
        let line_item = self.draw.below(market.line_items.len());
        let account = &market.accounts[market.line_items[line_item].account];
        let today = account.day(Timestamp(now)).day;
        let effect = self.effect(market, book, line_item, today);
        let command = self.command(account.tenant, effect);
        if self.draw.chance(0.2) {
            log.command(command.clone(), now);
        }
        log.command(command, now);
        if self.draw.chance(0.1)
            && let Some(again) = log.admin.get(self.draw.below(log.admin.len())).map(|entry| entry.command.clone())
        {
            log.command(again, now);
        }
    }

    /// To about what is spent.
    pub(super) fn lower(&mut self, market: &Market, book: &Book, log: &mut Log, now: Instant) {
        let line_item = self.draw.below(market.line_items.len());
        let owner = &market.accounts[market.line_items[line_item].account];
        let from = owner.day(Timestamp(now)).day;
        let Chain { account, campaign, line_item, .. } = market.chain(line_item, from);
        let about = |desk: &mut Self, id| Some(desk.part(spent(book, id), 1.1));
        let limit = match self.draw.below(3) {
            0 => Limit::CampaignLifetime { account, campaign, limit: about(self, ControlId::Campaign(campaign)) },
            1 => Limit::CampaignDaily {
                account,
                campaign,
                from,
                limit: about(self, ControlId::CampaignDay(campaign, from)),
            },
            _ => Limit::LineItem { account, line_item, limit: about(self, ControlId::LineItem(line_item)) },
        };
        let command = self.command(owner.tenant, Effect::SetLimit(limit));
        log.command(command, now);
    }

    fn effect(&mut self, market: &Market, book: &Book, line_item: usize, today: Day) -> Effect {
        let item = &market.line_items[line_item];
        let chain = market.chain(line_item, today);
        let (account, campaign, line_item) = (chain.account, chain.campaign, item.id);
        match self.draw.below(8) {
            0 => Effect::Deposit { account, amount: self.part(spent(book, ControlId::Account(account)), 0.3) },
            1 => Effect::Adjust { account, nanos: self.adjustment(book, ControlId::Account(account)) },
            2 => {
                let limit = self.part(spent(book, ControlId::Account(account)), 0.2);
                Effect::SetLimit(Limit::Credit { account, limit })
            }
            3 => {
                let limit = self.limit(book, ControlId::Campaign(campaign));
                Effect::SetLimit(Limit::CampaignLifetime { account, campaign, limit })
            }
            4 => {
                let from = Day(today.0 + i32::from(self.draw.chance(0.3)));
                let limit = self.limit(book, ControlId::CampaignDay(campaign, from));
                Effect::SetLimit(Limit::CampaignDaily { account, campaign, from, limit })
            }
            5 => {
                let limit = self.limit(book, ControlId::LineItem(line_item));
                Effect::SetLimit(Limit::LineItem { account, line_item, limit })
            }
            _ => {
                let of = self.draw.chance(0.2);
                let chain = if of { market.chain(self.draw.below(market.line_items.len()), today) } else { chain };
                let day_ends = market.account_of(chain.account).map_or(Timestamp(0), |a| a.ends(chain.day));
                let amount = self.part(spent(book, ControlId::LineItem(chain.line_item)), 0.3);
                Effect::Refund { chain, day_ends, amount }
            }
        }
    }

    /// A little more or less than now; sometimes less than is used already, seldom none.
    fn limit(&mut self, book: &Book, id: ControlId) -> Option<Amount> {
        let control = book.controls.get(&id);
        let used = control.map_or(Amount::ZERO, |control| control.spent);
        let limit = control.map_or(UNLIMITED, |control| control.limit);
        if limit == UNLIMITED {
            let more = self.part(used, 0.5);
            return Some(used.plus(more).unwrap_or(used));
        }
        match self.draw.below(10) {
            0 => None,
            1..3 => Some(self.part(used, 1.0)),
            _ => Some(self.part(limit, 1.6).max(self.part(limit, 0.9))),
        }
    }

    fn adjustment(&mut self, book: &Book, id: ControlId) -> i128 {
        let available = book.controls.get(&id).map_or(Amount::ZERO, |control| control.available());
        let nanos = self.part(available, 1.1).nanos();
        if self.draw.chance(0.7) { -nanos } else { nanos / 4 }
    }

    /// A share, up to `most`, of an amount.
    #[expect(clippy::cast_possible_truncation, reason = "a share in thousandths")]
    fn part(&mut self, of: Amount, most: f64) -> Amount {
        let thousandths = self.draw.between(0.0, most * 1_000.0) as i128;
        Amount::new(of.nanos() / 1_000 * thousandths).unwrap_or(of)
    }
}

fn spent(book: &Book, id: ControlId) -> Amount {
    book.controls.get(&id).map_or(Amount::ZERO, |control| control.spent)
}
