//! What happens on the machine: a small world of four line items, drawn from a seed. Whatever has the same number is the same
//! token or command, so that most of it comes more than once.

use litfass_events::{Billable, Delivery, EventKind, PartitionKey, Token, delivery_id, named_id};
use litfass_ledger::{
    Amount, BudgetDay, Chain, Command, CommandId, Effect, GrantRequest, HolderId, Limit, Note, Terms,
};
use litfass_store::log::NewEntry;
use litfass_store::wire::{self, Body};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, Duration, LeaseId, LineItemId, PlacementId, Price,
    Probability, Seed, TenantId, Timestamp, Unit,
};

const DAY_MS: i64 = 86_400_000;
const FIRST_DAY: Day = Day(20_000);
/// Noon.
pub(super) const START: Timestamp = Timestamp(20_000 * DAY_MS + DAY_MS / 2);
/// From the start of one life to that of the next.
pub(super) const LIFE: Duration = Duration::minutes(15);
const TENANT: TenantId = TenantId(1);
const LINE_ITEMS: u64 = 4;
const DECISIONS_PER_LIFE: u64 = 30;
const SLOTS: u64 = 2;

pub(super) fn terms() -> Terms {
    Terms {
        lease_ttl: Duration::seconds(10),
        hold_ttl_mille: Duration::seconds(40),
        hold_ttl_click: Duration::seconds(20),
        key_life: Duration::days(2),
        day_lead: Duration::minutes(1),
        holders: 2,
        ..Terms::default()
    }
}

/// Line items 1 and 2 share a campaign, 1 to 3 an account.
fn chain(line_item: u64) -> Chain {
    let (account, campaign) = match line_item {
        1 | 2 => (1, 1),
        3 => (1, 2),
        _ => (2, 3),
    };
    let (account, campaign) = (AdvertiserId(account), CampaignId(campaign));
    Chain { account, campaign, line_item: LineItemId(line_item), day: FIRST_DAY }
}

/// Line items 1 and 4 pay per mille, the others per click; an event costs 1,000 to 9,999 nanos either way, hardly two the same.
fn price(line_item: u64, seed: Seed) -> Price {
    let draw = i64::try_from(seed.below(9_000)).unwrap_or(0);
    match line_item {
        1 | 4 => Price { micros: 1_000 + draw, per: Unit::Mille },
        _ => Price { micros: 1 + draw / 1_000, per: Unit::Click },
    }
}

/// The numbers of a life's decisions, and of some before it.
fn number(life: u64, seed: Seed) -> u64 {
    (life * DECISIONS_PER_LIFE + seed.below(DECISIONS_PER_LIFE + 10)).saturating_sub(10)
}

fn token(number: u64, slot: u64) -> Token {
    let line_item = 1 + (number + slot) % LINE_ITEMS;
    let own = Seed(number).derive(slot);
    let since_start = LIFE.0 * (number / DECISIONS_PER_LIFE).cast_signed();
    let decided = Timestamp(START.0 + since_start + 4_000 * (number % DECISIONS_PER_LIFE).cast_signed());
    let (chain, price) = (chain(line_item), price(line_item, own));
    Token {
        decision: DecisionId::new(decided, 0, number),
        slot: u8::try_from(slot).unwrap_or(0),
        traffic: litfass_types::Traffic::Human,
        rank: 0,
        tenant: TENANT,
        advertiser: chain.account,
        campaign: chain.campaign,
        line_item: chain.line_item,
        ad: AdId(line_item),
        creative: CreativeId(line_item),
        placement: PlacementId(1),
        geo: String::new(),
        price,
        billable: Billable::Impression,
        lease: lease(number, line_item),
        budget_day: chain.day,
        hold_expires: decided + terms().hold_ttl(price.per),
        expires: decided + Duration::days(1),
        user: None,
        item: None,
        category: None,
        click: Probability::from_bits(1),
    }
}

/// Ten decisions in turn use the same leases.
fn lease(number: u64, line_item: u64) -> LeaseId {
    LeaseId(u128::from(number / 10 * 10 + line_item))
}

pub(super) fn grant(life: u64, seed: Seed) -> GrantRequest {
    let line_item = 1 + seed.derive(1).below(LINE_ITEMS);
    let starts = Timestamp(i64::from(FIRST_DAY.0) * DAY_MS);
    GrantRequest {
        lease: lease(number(life, seed.derive(2)), line_item),
        holder: HolderId(1),
        chain: chain(line_item),
        window: BudgetDay { day: FIRST_DAY, starts, ends: starts + Duration::days(1) },
        bid: price(line_item, Seed(0)),
        demand: nanos(2_000, 20_000, seed.derive(3)),
    }
}

/// An impression, viewable or click of some slot, with the key that says where it goes; a copy may go elsewhere.
pub(super) fn delivery(life: u64, now: Timestamp, seed: Seed, partition: impl Fn(PartitionKey) -> u16) -> NewEntry {
    let token = token(number(life, seed.derive(1)), seed.derive(2).below(SLOTS));
    let kind = match seed.derive(3).below(8) {
        0..=3 => EventKind::Impression,
        4..=6 => EventKind::Click,
        _ => EventKind::Viewable,
    };
    let (id, key) = (delivery_id(token.decision, token.slot, kind), PartitionKey(seed.derive(4).0));
    wire::entry(partition(key), id, now, key, &Body::Delivery(Box::new(Delivery { kind, token })))
}

/// What moves time forward in a partition without billing anything: a viewable where the impression is what bills.
pub(super) fn tick(partition: u16, now: Timestamp) -> NewEntry {
    let token = token(0, 0);
    let (id, key) = (delivery_id(token.decision, token.slot, EventKind::Viewable), PartitionKey(0));
    let delivery = Delivery { kind: EventKind::Viewable, token };
    wire::entry(partition, id, now, key, &Body::Delivery(Box::new(delivery)))
}

/// A deposit, limit, refund or adjustment.
pub(super) fn command(partition: u16, life: u64, now: Timestamp, seed: Seed) -> NewEntry {
    let id = life * 10 + seed.below(12);
    let command =
        Command { id: CommandId(id.into()), tenant: TENANT, effect: effect(Seed(id).derive(9)), note: Note::default() };
    let event = named_id("command", &command.id.0.to_be_bytes());
    wire::entry(partition, event, now, PartitionKey(0), &Body::Command(command))
}

fn effect(seed: Seed) -> Effect {
    let line_item = 1 + seed.derive(1).below(LINE_ITEMS);
    let chain = chain(line_item);
    let Chain { account, campaign, line_item, day } = chain;
    let amount = nanos(5_000, 150_000, seed.derive(2));
    let limit = (seed.derive(3).below(4) > 0).then_some(amount);
    match seed.derive(4).below(10) {
        0..=2 => Effect::SetLimit(Limit::Credit { account, limit: amount }),
        3..=4 => Effect::Deposit { account, amount },
        5 => Effect::SetLimit(Limit::CampaignLifetime { account, campaign, limit }),
        6 => Effect::SetLimit(Limit::CampaignDaily { account, campaign, from: day, limit }),
        7 => Effect::SetLimit(Limit::LineItem { account, line_item, limit }),
        8 => {
            let day_ends = Timestamp(i64::from(day.0 + 1) * DAY_MS);
            Effect::Refund { chain, day_ends, amount: nanos(1_000, 6_000, seed.derive(5)) }
        }
        _ => Effect::Adjust { account, nanos: amount.nanos() / 4 - 10_000 },
    }
}

fn nanos(least: u64, below: u64, seed: Seed) -> Amount {
    Amount::new(i128::from(least + seed.below(below - least))).unwrap_or_default()
}
