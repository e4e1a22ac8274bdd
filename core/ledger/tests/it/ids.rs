//! A small universe: two accounts, three campaigns, four line items, two budget days.

use litfass_ledger::{
    Amount, Billable, BudgetDay, Chain, Claim, ClaimId, Country, Facet, LedgerAccount, Quarter, Terms,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Day, DecisionId, Duration, LeaseId, LineItemId, PlacementId, Price,
    TenantId, Timestamp, Traffic, Unit,
};

pub(crate) const TENANT: TenantId = TenantId(1);
pub(crate) const DAY: i64 = 86_400_000;
/// The instant at which every world begins: noon of the first budget day.
pub(crate) const START: Timestamp = Timestamp(20_000 * DAY + DAY / 2);
pub(crate) const FIRST_DAY: Day = Day(20_000);
pub(crate) const EVENT_PARTITIONS: [u16; 2] = [0, 1];
pub(crate) const ADMIN_PARTITION: u16 = 9;

pub(crate) fn nanos(n: i64) -> Amount {
    Amount::new(i128::from(n)).unwrap()
}

pub(crate) fn terms() -> Terms {
    Terms {
        lease_ttl: Duration::seconds(10),
        hold_ttl_mille: Duration::seconds(40),
        hold_ttl_click: Duration::seconds(20),
        key_life: Duration::hours(2),
        day_lead: Duration::minutes(1),
        holders: 2,
        ..Terms::default()
    }
}

/// Line items 1, 2 of campaign 1 and 3 of campaign 2 belong to account 1; line item 4 of campaign 3 to account 2.
pub(crate) fn chain(line_item: u64, day: Day) -> Chain {
    let (account, campaign) = match line_item {
        1 | 2 => (1, 1),
        3 => (1, 2),
        _ => (2, 3),
    };
    let (account, campaign) = (AdvertiserId(account), CampaignId(campaign));
    Chain { account, campaign, line_item: LineItemId(line_item), day }
}

pub(crate) fn window(day: Day) -> BudgetDay {
    let starts = Timestamp(i64::from(day.0) * DAY);
    BudgetDay { day, starts, ends: starts + Duration::days(1) }
}

pub(crate) fn day_of(at: Timestamp) -> Day {
    Day(i32::try_from(at.0.div_euclid(DAY)).unwrap())
}

/// Line items 1 and 4 pay per mille, the others per click.
pub(crate) fn unit(line_item: u64) -> Unit {
    if matches!(line_item, 1 | 4) { Unit::Mille } else { Unit::Click }
}

/// A price whose event costs that many nanos (a click's micros are thousands of nanos).
pub(crate) fn price(line_item: u64, cost: i64) -> Price {
    match unit(line_item) {
        per @ Unit::Mille => Price { micros: cost, per },
        per @ (Unit::Click | Unit::Action) => Price { micros: cost / 1_000, per },
    }
}

pub(crate) fn facet(at: Timestamp) -> Facet {
    Facet {
        quarter: Quarter::of(at),
        ad: AdId(1),
        creative: CreativeId(1),
        placement: PlacementId(1),
        country: Country::of("DE"),
        traffic: Traffic::Human,
    }
}

pub(crate) fn claim(line_item: u64, decided: Timestamp, number: u64, slot: u8, cost: i64) -> Claim {
    let kind = if unit(line_item) == Unit::Mille { Billable::Impression } else { Billable::Click };
    let decision = DecisionId::new(decided, 0, number);
    Claim {
        id: ClaimId { decision, slot, kind, order: String::new() },
        tenant: TENANT,
        chain: chain(line_item, day_of(decided)),
        facet: facet(decided),
        viewer: None,
        price: price(line_item, cost),
        lease: LeaseId(0),
        hold_expires: decided + terms().hold_ttl(unit(line_item)),
        token_expires: decided + Duration::hours(1),
    }
}

pub(crate) const FUNDS_1: LedgerAccount = LedgerAccount::Funds(AdvertiserId(1));
