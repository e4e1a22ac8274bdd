//! A random shop as objects: two tenants, a handful of advertisers, everything that can stand in an ad's way.

use std::collections::BTreeMap;

use litfass_catalog::Targeting;
use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, Flight, Format, FrequencyCap, LineItem, Object, PacedBy, PacingMode,
    Placement, Review, Status, Tenant,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Device, Duration, LineItemId, Nanos, Os, PlacementId, Price, TenantId,
    TermKind, Timestamp, Unit,
};

use crate::dice::Dice;

/// 2026-03-04 09:20 UTC, a Wednesday.
pub(crate) const NOW: Timestamp = Timestamp(1_772_616_000_000);

/// Of tenant 1 the first four, of tenant 2 the last two.
pub(crate) const PLACEMENTS: u64 = 6;
const ADVERTISERS: u64 = 6;
const CAMPAIGNS: u64 = 10;
const CREATIVES: u64 = 24;

pub(crate) const CATEGORIES: [&str; 6] = ["shoes", "hats", "gloves", "scarves", "boots", "belts"];
pub(crate) const COUNTRIES: [&str; 3] = ["DE", "US", "FR"];
pub(crate) const SEGMENTS: [&str; 4] = ["a", "b", "c", "d"];
const BANNER: Format = Format::Banner { width: 728, height: 90 };

/// The objects by id: what the naive twin looks things up in.
#[derive(Clone, Default)]
pub(crate) struct Shop {
    pub(crate) advertisers: BTreeMap<AdvertiserId, Advertiser>,
    pub(crate) campaigns: BTreeMap<CampaignId, Campaign>,
    pub(crate) line_items: BTreeMap<LineItemId, LineItem>,
    pub(crate) creatives: BTreeMap<CreativeId, Creative>,
    pub(crate) ads: BTreeMap<AdId, Ad>,
    pub(crate) placements: BTreeMap<PlacementId, Placement>,
}

impl Shop {
    pub(crate) fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let mut shop = Self::default();
        (1..=ADVERTISERS).map(|id| advertiser(id, &mut dice)).for_each(|o| drop(shop.advertisers.insert(o.id, o)));
        (1..=PLACEMENTS).map(|id| placement(id, &mut dice)).for_each(|o| drop(shop.placements.insert(o.id, o)));
        (1..=CAMPAIGNS).map(|id| campaign(id, &mut dice)).for_each(|o| drop(shop.campaigns.insert(o.id, o)));
        (1..=CREATIVES).map(|id| creative(id, &mut dice)).for_each(|o| drop(shop.creatives.insert(o.id, o)));
        let line_items = 12 + dice.below(50);
        (1..=line_items).map(|id| line_item(id, None, &mut dice)).for_each(|o| drop(shop.line_items.insert(o.id, o)));
        for id in 1..=20 + dice.below(250) {
            let ad = shop.random_ad(id, &mut dice);
            shop.ads.insert(ad.id, ad);
        }
        shop
    }

    /// One object of each kind that changes, as if somebody had edited it.
    pub(crate) fn edited(&mut self, seed: u64) -> Vec<Object> {
        let mut dice = Dice::new(seed, 2);
        let id = LineItemId(1 + dice.below(self.line_items.len() as u64));
        let line_item = line_item(id.0, Some(self.line_items[&id].campaign), &mut dice);
        let old = AdId(1 + dice.below(self.ads.len() as u64));
        let mut changed = vec![Object::LineItem(line_item.clone())];
        self.line_items.insert(id, line_item);
        let new = self.random_ad(self.ads.len() as u64 + 1, &mut dice);
        let retired = Ad { status: Status::Archived, ..self.ads[&old].clone() };
        for ad in [retired, new] {
            changed.push(Object::Ad(ad.clone()));
            self.ads.insert(ad.id, ad);
        }
        changed
    }

    pub(crate) fn objects(&self) -> Vec<Object> {
        let tenants = [1, 2].map(|id| Object::Tenant(Tenant { id: TenantId(id), name: format!("tenant {id}") }));
        let mut objects = Vec::from(tenants);
        objects.extend(self.placements.values().cloned().map(Object::Placement));
        objects.extend(self.advertisers.values().cloned().map(Object::Advertiser));
        objects.extend(self.campaigns.values().cloned().map(Object::Campaign));
        objects.extend(self.line_items.values().cloned().map(Object::LineItem));
        objects.extend(self.creatives.values().cloned().map(Object::Creative));
        objects.extend(self.ads.values().cloned().map(Object::Ad));
        objects
    }

    pub(crate) fn campaign_of(&self, line_item: &LineItem) -> &Campaign {
        &self.campaigns[&line_item.campaign]
    }

    pub(crate) fn advertiser_of(&self, line_item: &LineItem) -> &Advertiser {
        &self.advertisers[&self.campaign_of(line_item).advertiser]
    }

    fn random_ad(&self, id: u64, dice: &mut Dice) -> Ad {
        let line_item = &self.line_items[&LineItemId(1 + dice.below(self.line_items.len() as u64))];
        let advertiser = self.advertiser_of(line_item).id;
        let own: Vec<CreativeId> =
            self.creatives.values().filter(|c| c.advertiser == advertiser).map(|c| c.id).collect();
        Ad {
            id: AdId(id),
            line_item: line_item.id,
            creative: dice.pick(&own),
            status: status(dice),
            item: dice.percent(80).then(|| sku(dice.below(30))),
            categories: (0..dice.below(3)).map(|_| dice.pick(&CATEGORIES).to_owned()).collect(),
            created: NOW - Duration::hours(dice.signed(2_000)),
            caps: caps(dice),
        }
    }
}

pub(crate) fn sku(n: u64) -> String {
    format!("SKU-{n}")
}

fn tenant_of(placement: u64) -> TenantId {
    TenantId(1 + u64::from(placement > 4))
}

fn placement(id: u64, dice: &mut Dice) -> Placement {
    let tenant = tenant_of(id);
    let blocked = (1..=ADVERTISERS).map(AdvertiserId).filter(|a| tenant_of_advertiser(a.0) == tenant);
    let blocked: Vec<AdvertiserId> = blocked.collect();
    Placement {
        id: PlacementId(id),
        tenant,
        name: format!("placement {id}"),
        page_type: None,
        formats: dice.pick(&[
            vec![],
            vec![],
            vec![Format::SponsoredItem],
            vec![BANNER],
            vec![BANNER, Format::SponsoredItem],
        ]),
        slots_max: 1 + u8::try_from(dice.below(6)).unwrap(),
        floor: Nanos(dice.pick(&[0, 0, 100_000, 1_000_000])),
        max_per_advertiser: 1 + u8::try_from(dice.below(3)).unwrap(),
        blocked_advertisers: dice.some_of(&blocked, 10),
        blocked_categories: dice.some_of(&CATEGORIES, 8).into_iter().map(str::to_owned).collect(),
    }
}

/// The first four are tenant 1's.
fn tenant_of_advertiser(id: u64) -> TenantId {
    TenantId(1 + u64::from(id > 4))
}

fn advertiser(id: u64, dice: &mut Dice) -> Advertiser {
    Advertiser {
        id: AdvertiserId(id),
        tenant: tenant_of_advertiser(id),
        name: format!("seller {id}"),
        status: if dice.percent(95) { Status::Active } else { Status::Paused },
        time_zone: dice.pick(&["UTC", "Europe/Berlin", "Asia/Kolkata"]).to_owned(),
        caps: caps(dice),
    }
}

const fn advertiser_of(campaign: CampaignId) -> u64 {
    1 + (campaign.0 - 1) % ADVERTISERS
}

fn campaign(id: u64, dice: &mut Dice) -> Campaign {
    Campaign {
        id: CampaignId(id),
        advertiser: AdvertiserId(advertiser_of(CampaignId(id))),
        name: format!("campaign {id}"),
        status: if dice.percent(95) { Status::Active } else { Status::Paused },
        flight: flight(dice),
        caps: caps(dice),
    }
}

/// Of any campaign, or of that one.
fn line_item(id: u64, campaign: Option<CampaignId>, dice: &mut Dice) -> LineItem {
    let campaign = campaign.unwrap_or_else(|| CampaignId(1 + dice.below(CAMPAIGNS)));
    LineItem {
        id: LineItemId(id),
        campaign,
        name: format!("line item {id}"),
        status: status(dice),
        flight: flight(dice),
        bid: bid(dice),
        billable: Billable::Impression,
        pacing: PacingMode::Even,
        paced_by: PacedBy::Bid,
        curve: Vec::new(),
        targeting: targeting(tenant_of_advertiser(advertiser_of(campaign)), dice),
        caps: caps(dice),
        exclusions: dice.some_of(&["sport", "fashion", "toys"], 12).into_iter().map(str::to_owned).collect(),
        needs_consent: dice.percent(25),
    }
}

fn creative(id: u64, dice: &mut Dice) -> Creative {
    Creative {
        id: CreativeId(id),
        advertiser: AdvertiserId(1 + (id - 1) % ADVERTISERS),
        format: if dice.percent(75) { Format::SponsoredItem } else { BANNER },
        title: format!("creative {id}"),
        text: String::new(),
        landing_url: format!("https://shop.example/{id}"),
        image_url: None,
        video: None,
        review: dice.pick(&[
            Review::Approved,
            Review::Approved,
            Review::Approved,
            Review::Approved,
            Review::Pending,
            Review::Rejected,
        ]),
    }
}

/// Amounts of the same order of magnitude per impression, so that units compete.
fn bid(dice: &mut Dice) -> Price {
    let micros = 500_000 + dice.signed(5_000_000);
    dice.pick(&[
        Price { micros, per: Unit::Mille },
        Price { micros: micros / 10, per: Unit::Click },
        Price { micros: micros * 2, per: Unit::Action },
    ])
}

fn status(dice: &mut Dice) -> Status {
    if dice.percent(88) { Status::Active } else { dice.pick(&[Status::Paused, Status::Archived]) }
}

fn flight(dice: &mut Dice) -> Flight {
    let start = dice.percent(50).then(|| NOW - Duration::hours(dice.signed(100) - 5));
    let end = dice.percent(50).then(|| NOW + Duration::hours(dice.signed(100) + 10));
    Flight { start, end }
}

fn caps(dice: &mut Dice) -> Vec<FrequencyCap> {
    let cap = |max, hours| FrequencyCap { max, window: Duration::hours(hours) };
    dice.pick(&[vec![], vec![], vec![cap(1, 1)], vec![cap(3, 24)], vec![cap(2, 1), cap(5, 24)]])
}

fn targeting(tenant: TenantId, dice: &mut Dice) -> Targeting {
    let any = |kind, values: Vec<String>| Targeting::In(kind, values);
    let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut parts = Vec::new();
    if dice.percent(20) {
        parts.push(any(TermKind::Geo, owned(dice.some_of(&COUNTRIES, 80))));
    }
    if dice.percent(10) {
        parts.push(any(TermKind::Device, vec![dice.pick(Device::ALL).name().to_owned(), "mobile".to_owned()]));
    }
    if dice.percent(10) {
        parts.push(Targeting::Not(Box::new(any(TermKind::Os, vec![dice.pick(Os::ALL).name().to_owned()]))));
    }
    if dice.percent(15) {
        let segments = any(TermKind::Segment, owned(dice.some_of(&SEGMENTS, 40)));
        parts.push(Targeting::Any(vec![segments, any(TermKind::Category, owned(dice.some_of(&CATEGORIES, 50)))]));
    }
    if dice.percent(25) {
        let placements: Vec<u64> = (1..=PLACEMENTS).filter(|id| tenant_of(*id) == tenant).collect();
        let ids = dice.some_of(&placements, 50).into_iter().map(|id| id.to_string());
        parts.push(any(TermKind::Placement, ids.collect()));
    }
    if dice.percent(15) {
        let hours: Vec<u8> = (0..168).collect();
        parts.push(Targeting::Daypart(dice.some_of(&hours, 70)));
    }
    Targeting::All(parts)
}
