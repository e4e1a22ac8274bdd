//! Small worlds: two tenants, a few advertisers, any targeting.

use litfass_catalog::Targeting;
use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, Flight, Format, FrequencyCap, LineItem, Object, PacedBy, PacingMode,
    Placement, Review, Status, Tenant,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CatalogVersion, CreativeId, Duration, LineItemId, Nanos, PlacementId, Price, Seed,
    TenantId, Term, TermKind, Timestamp, Unit,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Monday 00:00 UTC.
pub(crate) const MONDAY: Timestamp = Timestamp(4 * 86_400_000);

pub(crate) const ADVERTISERS: u64 = 4;
pub(crate) const CAMPAIGNS: u64 = 6;
pub(crate) const CREATIVES: u64 = 12;

pub(crate) fn version(sequence: u64) -> CatalogVersion {
    CatalogVersion { timeline: 0, sequence }
}

/// Advertiser a is tenant 1's where a is odd.
pub(crate) const fn tenant_of(advertiser: u64) -> u64 {
    2 - advertiser % 2
}

/// Campaign and creative c are advertiser 1 + c mod 4's.
pub(crate) const fn advertiser_of(child: u64) -> u64 {
    1 + child % ADVERTISERS
}

/// Line item l is campaign 1 + l mod 6's.
pub(crate) const fn campaign_of(line_item: u64) -> u64 {
    1 + line_item % CAMPAIGNS
}

pub(crate) const fn advertiser_of_line_item(line_item: u64) -> u64 {
    advertiser_of(campaign_of(line_item))
}

pub(crate) fn tenant(id: u64) -> Tenant {
    Tenant { id: TenantId(id), name: format!("tenant {id}") }
}

pub(crate) fn placement(id: u64, tenant: u64) -> Placement {
    Placement {
        id: PlacementId(id),
        tenant: TenantId(tenant),
        name: format!("placement {id}"),
        page_type: Some(format!("page {id}")),
        formats: vec![Format::SponsoredItem, Format::Banner { width: 728, height: 90 }],
        slots_max: 10,
        floor: Nanos(0),
        max_per_advertiser: 10,
        blocked_advertisers: Vec::new(),
        blocked_categories: vec!["tobacco".to_owned()],
    }
}

pub(crate) fn advertiser(id: u64) -> Advertiser {
    let zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"];
    Advertiser {
        id: AdvertiserId(id),
        tenant: TenantId(tenant_of(id)),
        name: format!("advertiser {id}"),
        status: Status::Active,
        time_zone: zones[usize::try_from(id).unwrap() % 4].to_owned(),
        caps: Vec::new(),
    }
}

pub(crate) fn campaign(id: u64) -> Campaign {
    Campaign {
        id: CampaignId(id),
        advertiser: AdvertiserId(advertiser_of(id)),
        name: format!("campaign {id}"),
        status: Status::Active,
        flight: Flight::default(),
        caps: vec![FrequencyCap { max: 9, window: Duration::days(1) }],
    }
}

pub(crate) fn line_item(id: u64, targeting: Targeting) -> LineItem {
    LineItem {
        id: LineItemId(id),
        campaign: CampaignId(campaign_of(id)),
        name: format!("line item {id}"),
        status: Status::Active,
        flight: Flight::default(),
        bid: Price { micros: 1_000_000, per: Unit::Mille },
        billable: Billable::Impression,
        pacing: PacingMode::Even,
        paced_by: PacedBy::Bid,
        curve: Vec::new(),
        targeting,
        caps: Vec::new(),
        exclusions: Vec::new(),
        needs_consent: false,
    }
}

pub(crate) fn creative(id: u64) -> Creative {
    Creative {
        id: CreativeId(id),
        advertiser: AdvertiserId(advertiser_of(id)),
        format: Format::SponsoredItem,
        title: format!("title {id}"),
        text: String::new(),
        landing_url: format!("https://shop.example/{id}"),
        image_url: id.is_multiple_of(2).then(|| format!("http://images.example/{id}.png")),
        review: Review::Approved,
        video: None,
    }
}

/// An ad of that line item with one of its advertiser's creatives.
pub(crate) fn ad(id: u64, line_item: u64) -> Ad {
    let advertiser = advertiser_of_line_item(line_item);
    Ad {
        id: AdId(id),
        line_item: LineItemId(line_item),
        creative: CreativeId((1..=CREATIVES).find(|c| advertiser_of(*c) == advertiser).unwrap()),
        status: Status::Active,
        item: None,
        categories: Vec::new(),
        created: MONDAY,
        caps: Vec::new(),
    }
}

/// Tenants, placements 1–3 of tenant 1 and 4–6 of tenant 2, advertisers, campaigns and creatives.
pub(crate) fn surroundings() -> Vec<Object> {
    let mut objects: Vec<Object> = (1..=2).map(|id| Object::Tenant(tenant(id))).collect();
    objects.extend((1..=6).map(|id| Object::Placement(placement(id, 1 + (id - 1) / 3))));
    objects.extend((1..=ADVERTISERS).map(|id| Object::Advertiser(advertiser(id))));
    objects.extend((1..=CAMPAIGNS).map(|id| Object::Campaign(campaign(id))));
    objects.extend((1..=CREATIVES).map(|id| Object::Creative(creative(id))));
    objects
}

/// A line item whose every field follows from the seed.
pub(crate) fn random_line_item(id: u64, seed: Seed, targeting: &Targeting) -> LineItem {
    let shift = 3 * (tenant_of(advertiser_of_line_item(id)) - 1);
    LineItem {
        status: random_status(seed.derive(1)),
        flight: random_flight(seed.derive(2)),
        exclusions: (0..seed.derive(3).below(3)).map(|i| format!("group {}", seed.derive(i + 10).below(5))).collect(),
        caps: random_caps(seed.derive(4)),
        needs_consent: seed.derive(5).below(2) == 0,
        ..line_item(id, shift_placements(targeting, shift))
    }
}

pub(crate) fn random_ad(id: u64, line_item: u64, seed: Seed) -> Ad {
    let creatives: Vec<u64> =
        (1..=CREATIVES).filter(|c| advertiser_of(*c) == advertiser_of_line_item(line_item)).collect();
    let pick = usize::try_from(seed.derive(1).below(creatives.len() as u64)).unwrap();
    Ad {
        creative: CreativeId(creatives[pick]),
        status: random_status(seed.derive(2)),
        item: (seed.derive(3).below(2) == 0).then(|| format!("SKU {}", seed.derive(4).below(5))),
        categories: (0..seed.derive(5).below(3))
            .map(|i| format!("category {}", seed.derive(i + 10).below(4)))
            .collect(),
        created: MONDAY + Duration(i64::try_from(seed.derive(6).below(10)).unwrap()),
        caps: random_caps(seed.derive(7)),
        ..ad(id, line_item)
    }
}

pub(crate) fn random_campaign(id: u64, seed: Seed) -> Campaign {
    let (status, flight) = (random_status(seed.derive(1)), random_flight(seed.derive(2)));
    Campaign { status, flight, caps: random_caps(seed.derive(3)), ..campaign(id) }
}

pub(crate) fn random_advertiser(id: u64, seed: Seed) -> Advertiser {
    Advertiser { status: random_status(seed.derive(1)), caps: random_caps(seed.derive(2)), ..advertiser(id) }
}

pub(crate) fn random_creative(id: u64, seed: Seed) -> Creative {
    Creative { title: format!("title {}", seed.derive(1).0), ..creative(id) }
}

fn random_status(seed: Seed) -> Status {
    [Status::Active, Status::Active, Status::Active, Status::Paused, Status::Archived][index(seed.below(5))]
}

/// Around Monday midnight, by milliseconds, so that queries hit the edges.
fn random_flight(seed: Seed) -> Flight {
    let edge = |i: u64| i64::try_from(seed.derive(i).below(8)).unwrap();
    let start = (seed.derive(3).below(2) == 0).then(|| MONDAY + Duration(edge(1)));
    let end = (seed.derive(4).below(2) == 0).then(|| MONDAY + Duration(edge(1) + 1 + edge(2)));
    Flight { start, end }
}

fn random_caps(seed: Seed) -> Vec<FrequencyCap> {
    let cap = |i| FrequencyCap {
        max: 1 + u32::try_from(i).unwrap(),
        window: Duration::minutes(i64::try_from(i).unwrap() + 1),
    };
    (0..seed.below(3)).map(cap).collect()
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

/// Placements 1–3 of the generated targeting stand for the tenant's own three.
fn shift_placements(targeting: &Targeting, shift: u64) -> Targeting {
    let all = |parts: &[Targeting]| parts.iter().map(|part| shift_placements(part, shift)).collect();
    match targeting {
        Targeting::All(parts) => Targeting::All(all(parts)),
        Targeting::Any(parts) => Targeting::Any(all(parts)),
        Targeting::Not(part) => Targeting::Not(Box::new(shift_placements(part, shift))),
        Targeting::In(TermKind::Placement, ids) => {
            let shifted = ids.iter().map(|id| (id.parse::<u64>().unwrap() + shift).to_string());
            Targeting::In(TermKind::Placement, shifted.collect())
        }
        Targeting::In(..) | Targeting::Daypart(_) => targeting.clone(),
    }
}

/// The few values that targeting and requests draw from, so that they meet.
pub(crate) fn values_of(kind: TermKind) -> &'static [&'static str] {
    match kind {
        TermKind::Geo => &["US", "US-CA", "DE"],
        TermKind::Device => &["mobile", "desktop", "tv"],
        TermKind::Os => &["ios", "android"],
        TermKind::Placement => &["1", "2", "3"],
        TermKind::Category => &["shoes", "hats"],
        TermKind::Segment => &["a", "b", "c", "d"],
        TermKind::Keyword => &["x", "y"],
        TermKind::KeyValue => &["k=1", "k=2", "j=1"],
        TermKind::Daypart => &[],
    }
}

const VALUED: [TermKind; 8] = [
    TermKind::Geo,
    TermKind::Device,
    TermKind::Os,
    TermKind::Placement,
    TermKind::Category,
    TermKind::Segment,
    TermKind::Keyword,
    TermKind::KeyValue,
];

fn predicate() -> impl Strategy<Value = Targeting> {
    let listed = select(&VALUED[..]).prop_flat_map(|kind| {
        let value = select(values_of(kind)).prop_map(str::to_owned);
        vec(value, 0..=2).prop_map(move |values| Targeting::In(kind, values))
    });
    let hours = vec(0_u8..168, 0..=100).prop_map(Targeting::Daypart);
    prop_oneof![8 => listed, 1 => hours]
}

/// Any nesting of `all`, `any` and `not`.
pub(crate) fn targeting() -> impl Strategy<Value = Targeting> {
    predicate().prop_recursive(3, 12, 3, |part| {
        prop_oneof![
            3 => vec(part.clone(), 0..=3).prop_map(Targeting::All),
            2 => vec(part.clone(), 0..=3).prop_map(Targeting::Any),
            1 => part.prop_map(|part| Targeting::Not(Box::new(part))),
        ]
    })
}

/// Any set of values but placements, several of a kind, in any order.
pub(crate) fn terms() -> impl Strategy<Value = Vec<Term>> {
    let kinds = VALUED.iter().filter(|kind| **kind != TermKind::Placement);
    let all: Vec<Term> = kinds.flat_map(|kind| values_of(*kind).iter().map(|value| Term::new(*kind, value))).collect();
    let count = all.len();
    proptest::sample::subsequence(all, 0..=count).prop_shuffle()
}
