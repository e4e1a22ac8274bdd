//! Who advertises: accounts with their calendars, campaigns, line items with bids, and what they pay in.
//!
//! Most campaigns have a budget that the flight's requests exhaust, at a level that the seed draws.

use litfass_ledger::{Amount, BudgetDay, Chain, Effect, Entrant, Limit};
use litfass_types::{
    AdvertiserId, Calendar, CampaignId, Day, LineItemId, Price, Probability, TenantId, Timestamp, Unit,
};

use super::agenda::Instant;
use super::setting::{Setting, Stream, draws};
use crate::draw::{Draw, Weighted};

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Auckland",
];
const DAY_MS: i64 = 86_400_000;

#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: AdvertiserId,
    pub(super) tenant: TenantId,
    calendar: Calendar,
    /// Every budget day that a skewed clock may read during the world.
    days: Vec<BudgetDay>,
}

impl Account {
    pub(super) fn day(&self, wall: Timestamp) -> BudgetDay {
        let known = self.days.iter().find(|day| day.starts <= wall && wall < day.ends);
        known.copied().unwrap_or_else(|| BudgetDay::of(&self.calendar, wall))
    }

    pub(super) fn ends(&self, day: Day) -> Timestamp {
        self.calendar.start(Day(day.0.saturating_add(1)))
    }
}

#[derive(Debug)]
pub(super) struct LineItem {
    pub(super) id: LineItemId,
    pub(super) account: usize,
    pub(super) campaign: CampaignId,
    pub(super) bid: Price,
    /// What the model says of a click, and how often one comes.
    pub(super) p_click: Probability,
    pub(super) clicks: f64,
}

#[derive(Debug)]
pub(super) struct Market {
    pub(super) accounts: Vec<Account>,
    pub(super) line_items: Vec<LineItem>,
    pub(super) campaigns: Vec<(CampaignId, usize)>,
    weights: Weighted,
    /// Appended before the first request.
    pub(super) first_commands: Vec<(TenantId, Effect)>,
    /// When the flight starts.
    pub(super) starts: Instant,
}

impl Market {
    pub(super) fn of(setting: &Setting) -> Self {
        let draw = &mut draws(setting.seed, Stream::Market);
        let calendars = calendars(draw);
        let day = Day(20_000 + i32::try_from(draw.below(2_000)).unwrap_or(0));
        let starts = calendars.first().map_or(0, |first| first.start(day).0) - setting.to_midnight;
        let accounts: Vec<Account> =
            calendars.into_iter().zip(1..).map(|(calendar, number)| account(calendar, number, starts)).collect();
        let campaigns: Vec<(CampaignId, usize)> =
            (0..accounts.len() * 2).map(|n| (CampaignId(n as u64 + 1), n / 2)).collect();
        let line_items: Vec<LineItem> = campaigns.iter().flat_map(|campaign| line_items(draw, *campaign)).collect();
        let weights: Vec<f64> = line_items.iter().map(|_| draw.between(0.3, 1.0)).collect();
        let mut market = Self {
            accounts,
            line_items,
            campaigns,
            weights: Weighted::new(weights.iter().copied()),
            first_commands: Vec::new(),
            starts,
        };
        market.first_commands = market.budgets(draw, setting, &weights);
        market
    }

    pub(super) fn pick(&self, draw: &mut Draw) -> usize {
        self.weights.draw(draw)
    }

    /// A line item's budget day by a process's clock.
    pub(super) fn entrant(&self, line_item: usize, wall: Timestamp) -> Entrant {
        let item = &self.line_items[line_item];
        let account = &self.accounts[item.account];
        let window = account.day(wall);
        Entrant { chain: self.chain(line_item, window.day), window, bid: item.bid }
    }

    pub(super) fn chain(&self, line_item: usize, day: Day) -> Chain {
        let item = &self.line_items[line_item];
        let account = self.accounts[item.account].id;
        Chain { account, campaign: item.campaign, line_item: item.id, day }
    }

    pub(super) fn account_of(&self, id: AdvertiserId) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    /// What the flight's requests would bill of a campaign, were there no limits.
    fn demand(&self, setting: &Setting, weights: &[f64], campaign: CampaignId) -> f64 {
        let total: f64 = weights.iter().sum();
        let of_campaign = self.line_items.iter().zip(weights).filter(|(item, _)| item.campaign == campaign);
        let share = |(item, weight): (&LineItem, &f64)| {
            let rate = if item.bid.per == Unit::Mille { 1.0 } else { item.clicks };
            weight / total * rate * 0.75 * nanos(item.bid)
        };
        of_campaign.map(share).sum::<f64>() * f64::from(setting.decisions) * setting.viewers.render * 1.4
    }

    fn budgets(&self, draw: &mut Draw, setting: &Setting, weights: &[f64]) -> Vec<(TenantId, Effect)> {
        let mut commands = Vec::new();
        let mut paid_in: Vec<f64> = vec![0.0; self.accounts.len()];
        for (campaign, at) in &self.campaigns {
            let demand = self.demand(setting, weights, *campaign);
            let account = &self.accounts[*at];
            // The account itself is what binds where the campaign has no limit of its own.
            let share = if draw.chance(0.85) { draw.between(0.15, 0.5) } else { draw.between(1.2, 3.0) };
            let budget = share * demand;
            paid_in[*at] += budget;
            let limit = self.limit(draw, (account, *campaign), budget, setting);
            commands.extend(limit.into_iter().map(|limit| (account.tenant, Effect::SetLimit(limit))));
        }
        for (account, sum) in self.accounts.iter().zip(paid_in) {
            let amount = whole(sum * draw.between(0.8, 1.3));
            commands.push((account.tenant, Effect::Deposit { account: account.id, amount }));
        }
        commands
    }

    fn limit(&self, draw: &mut Draw, of: (&Account, CampaignId), budget: f64, setting: &Setting) -> Vec<Limit> {
        let (account, campaign) = (of.0.id, of.1);
        let amount = whole(budget);
        match draw.below(4) {
            0 => Vec::new(),
            1 => vec![Limit::CampaignLifetime { account, campaign, limit: Some(amount) }],
            2 => {
                let from = of.0.day(Timestamp(self.starts - setting.skew)).day;
                vec![Limit::CampaignDaily { account, campaign, from, limit: Some(whole(budget / 2.0)) }]
            }
            _ => self.of_line_items(account, campaign, budget),
        }
    }

    fn of_line_items(&self, account: AdvertiserId, campaign: CampaignId, budget: f64) -> Vec<Limit> {
        let items: Vec<LineItemId> =
            self.line_items.iter().filter(|item| item.campaign == campaign).map(|item| item.id).collect();
        let each = whole(budget / items.len().max(1) as f64);
        items.into_iter().map(|line_item| Limit::LineItem { account, line_item, limit: Some(each) }).collect()
    }
}

/// The first account's midnight is within the flight.
fn calendars(draw: &mut Draw) -> Vec<Calendar> {
    let mut names = ZONES.to_vec();
    if draw.chance(0.5) {
        names.swap(0, 1 + draw.below(ZONES.len() - 1));
    }
    let more = 1 + draw.below(2);
    let rest = draw.several(&names[1..], more);
    names[..1].iter().chain(&rest).filter_map(|name| Calendar::named(name).ok()).collect()
}

fn account(calendar: Calendar, number: u64, starts: Instant) -> Account {
    let days = (-1..=2).map(|day| BudgetDay::of(&calendar, Timestamp(starts + day * DAY_MS))).collect();
    Account { id: AdvertiserId(number), tenant: TenantId(1 + number % 2), calendar, days }
}

fn line_items(draw: &mut Draw, (campaign, account): (CampaignId, usize)) -> Vec<LineItem> {
    let per_click = draw.chance(0.45);
    let count = 1 + draw.below(2) as u64;
    let other = draw.chance(0.15);
    (0..count).map(|n| line_item(draw, campaign, account, (n, per_click != (other && n > 0)))).collect()
}

fn line_item(draw: &mut Draw, campaign: CampaignId, account: usize, (n, per_click): (u64, bool)) -> LineItem {
    let per = if per_click { Unit::Click } else { Unit::Mille };
    let micros = if per_click { span_of(draw, 200.0, 900.0) } else { span_of(draw, 1_000.0, 9_000_000.0) };
    let predicted = draw.between(0.03, 0.2);
    LineItem {
        id: LineItemId(campaign.0 * 10 + n),
        account,
        campaign,
        bid: Price { micros, per },
        p_click: Probability::from_f64(predicted),
        clicks: predicted * draw.between(0.8, 1.2),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a draw of micros")]
fn span_of(draw: &mut Draw, low: f64, high: f64) -> i64 {
    draw.between(low, high) as i64
}

#[expect(clippy::cast_precision_loss, reason = "an expectation")]
fn nanos(price: Price) -> f64 {
    price.per_event().0 as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a budget of less than 2⁶³ nanos")]
fn whole(nanos: f64) -> Amount {
    Amount::new(i128::from(nanos.max(1.0) as i64)).unwrap_or_default()
}
