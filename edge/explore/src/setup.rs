//! The world before its first act: an account of a thousand coins of which all but a few are spent, so that every grant is one
//! bid and every limit is near.

use litfass_ledger::{
    Amount, Billable, BudgetDay, Chain, Claim, ClaimId, Command, CommandEntry, CommandId, Country, Effect, Entrant,
    Facet, Limit, Note, Quarter,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, Duration, LeaseId, LineItemId, PlacementId, Position,
    Price, TenantId, Timestamp, Traffic, Unit,
};

use crate::bounds::{Bounds, COIN, Item, START, TERMS, TOKEN_TTL, Wish};
use crate::log::{ADMIN, TokenId, offset};

pub(crate) const ACCOUNT: AdvertiserId = AdvertiserId(1);
pub(crate) const CAMPAIGN: CampaignId = CampaignId(1);
const TENANT: TenantId = TenantId(1);
/// Spent everything that is not available.
pub(crate) const PAST: TokenId = u8::MAX;
const PAST_ITEM: usize = 2;
const FUNDS: i64 = 1_000;
const DAY_MS: i64 = 86_400_000;
/// The day that ends five seconds after the start.
pub(crate) const FIRST_DAY: Day = Day(19_999);

pub(crate) fn day_of(at: Timestamp) -> Day {
    Day(i32::try_from(at.0.div_euclid(DAY_MS)).unwrap_or(i32::MAX))
}

pub(crate) fn coins(n: i64) -> Amount {
    Amount::new(i128::from(n) * i128::from(COIN)).unwrap_or_default()
}

pub(crate) const fn line_item(item: usize) -> LineItemId {
    LineItemId(item as u64 + 1)
}

pub(crate) const fn chain(item: usize, day: Day) -> Chain {
    Chain { account: ACCOUNT, campaign: CAMPAIGN, line_item: line_item(item), day }
}

pub(crate) const fn price(per: Unit, cost: i64) -> Price {
    match per {
        Unit::Mille => Price { micros: cost * COIN, per },
        Unit::Click | Unit::Action => Price { micros: cost, per },
    }
}

fn window(day: Day) -> BudgetDay {
    let starts = Timestamp(i64::from(day.0) * DAY_MS);
    BudgetDay { day, starts, ends: starts + Duration::days(1) }
}

pub(crate) fn entrant(item: usize, of: &Item, decided: Timestamp) -> Entrant {
    let day = day_of(decided);
    Entrant { chain: chain(item, day), window: window(day), bid: price(of.per, of.bid) }
}

/// What a token of that slot says, without its hold.
pub(crate) fn claim(item: usize, price: Price, decided: Timestamp, token: TokenId) -> Claim {
    let kind = if price.per == Unit::Mille { Billable::Impression } else { Billable::Click };
    let decision = DecisionId::new(decided, 0, u64::from(token));
    Claim {
        id: ClaimId { decision, slot: 0, kind, order: String::new() },
        tenant: TENANT,
        chain: chain(item, day_of(decided)),
        facet: Facet {
            quarter: Quarter::of(decided),
            ad: AdId(1),
            creative: CreativeId(1),
            placement: PlacementId(1),
            country: Country::UNKNOWN,
            traffic: Traffic::Human,
        },
        viewer: None,
        price,
        lease: LeaseId(0),
        hold_expires: decided,
        token_expires: decided + TOKEN_TTL,
    }
}

const fn past_cost(bounds: &Bounds) -> i64 {
    FUNDS - bounds.available
}

/// The event that spent it.
pub(crate) fn past(bounds: &Bounds) -> Claim {
    claim(PAST_ITEM, price(Unit::Mille, past_cost(bounds)), START, PAST)
}

/// Deposit and limits: the first entries of the admin partition.
pub(crate) fn commands(bounds: &Bounds) -> Vec<CommandEntry> {
    let mut wishes = vec![Wish::Deposit(FUNDS)];
    wishes.extend(bounds.campaign.map(|limit| Wish::Campaign(Some(limit))));
    wishes.extend(bounds.day.map(|limit| Wish::Day(Some(limit))));
    let items = bounds.items.iter().enumerate();
    wishes.extend(items.filter_map(|(item, of)| of.limit.map(|limit| Wish::Item(item, Some(limit)))));
    wishes.into_iter().enumerate().map(|(at, wish)| command(bounds, wish, at, at, START)).collect()
}

/// The command of that number, at that index of the admin partition.
pub(crate) fn command(bounds: &Bounds, wish: Wish, number: usize, at: usize, appended: Timestamp) -> CommandEntry {
    let effect = effect(bounds, wish);
    let command = Command { id: CommandId(number as u128), tenant: TENANT, effect, note: Note::default() };
    CommandEntry { position: Position { partition: ADMIN, offset: offset(at) }, appended, command }
}

fn effect(bounds: &Bounds, wish: Wish) -> Effect {
    let past = past_cost(bounds);
    let shared = |limit: Option<i64>| limit.map(|limit| coins(past + limit));
    let (account, campaign) = (ACCOUNT, CAMPAIGN);
    let limit = match wish {
        Wish::Deposit(amount) => return Effect::Deposit { account, amount: coins(amount) },
        Wish::Adjust(amount) => return Effect::Adjust { account, nanos: i128::from(amount * COIN) },
        Wish::Refund(item, amount) => return refund(item, amount),
        Wish::Credit(limit) => Limit::Credit { account, limit: coins(limit) },
        Wish::Campaign(limit) => Limit::CampaignLifetime { account, campaign, limit: shared(limit) },
        Wish::Day(limit) => Limit::CampaignDaily { account, campaign, from: FIRST_DAY, limit: shared(limit) },
        Wish::Item(item, limit) => Limit::LineItem { account, line_item: line_item(item), limit: limit.map(coins) },
    };
    Effect::SetLimit(limit)
}

fn refund(item: usize, amount: i64) -> Effect {
    let day_ends = window(FIRST_DAY).ends;
    Effect::Refund { chain: chain(item, FIRST_DAY), day_ends, amount: coins(amount) }
}

/// The latest instant at which anything of that lease's time is still alive.
pub(crate) fn lease_life() -> Duration {
    TERMS.lease_ttl + TERMS.hold_ttl_mille.max(TERMS.hold_ttl_click)
}
