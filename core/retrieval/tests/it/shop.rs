//! A catalog of one line item per ad, described by what the sources look at.

use std::collections::BTreeMap;

use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, Flight, Format, LineItem, Object, PacedBy, PacingMode, Review,
    Status, Tenant,
};
use litfass_catalog::{
    AdOrder, Bitset, Builder, Catalog, Eligible, Query, Schedule, Scratch, Targeting, category_hash, item_hash,
};
use litfass_features::{Interaction, InteractionKind, Popularity, Viewer, ViewerProfile};
use litfass_retrieval::{AdSignals, Candidates, Delivered, Shop, SourceIndex, SourceLimits, SourceQuery, SourceSet};
use litfass_types::{
    AdId, AdIx, AdvertiserId, CampaignId, CatalogVersion, CreativeId, LineItemId, Price, Seed, TenantId, Timestamp,
    Unit,
};

pub(crate) const NOW: Timestamp = Timestamp(1_000_000_000);

/// No source brings anything.
pub(crate) const NONE: SourceLimits = SourceLimits {
    candidates_max: 500,
    viewer_items: 0,
    viewer_categories: 0,
    request_categories: 0,
    popularity: 0,
    bid_times_prior: 0,
    newest: 0,
};

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub id: u64,
    pub item: u64,
    pub category: u64,
    pub micros: i64,
    pub created: i64,
    pub active: bool,
    /// Orders of the shop with it.
    pub orders: u32,
    pub clicks: u64,
}

impl Item {
    pub(crate) fn plain(id: u64) -> Self {
        Self { id, item: id, category: id % 3, micros: 1_000_000, created: 0, active: true, orders: 0, clicks: 0 }
    }
}

pub(crate) fn sku(item: u64) -> String {
    format!("SKU-{item}")
}

pub(crate) fn category(category: u64) -> u64 {
    category_hash(&format!("category {category}"))
}

/// Line item and ad; tenant 1 has odd ads and tenant 2 even ones only where `tenants` is 2.
fn objects(item: &Item, tenants: u64) -> [Object; 2] {
    let owner = 1 + item.id % tenants;
    let status = if item.active { Status::Active } else { Status::Paused };
    let line_item = LineItem {
        id: LineItemId(item.id),
        campaign: CampaignId(owner),
        name: "line item".to_owned(),
        status: Status::Active,
        flight: Flight::default(),
        bid: Price { micros: item.micros, per: Unit::Mille },
        billable: Billable::Impression,
        pacing: PacingMode::Asap,
        paced_by: PacedBy::Bid,
        curve: Vec::new(),
        targeting: Targeting::All(Vec::new()),
        caps: Vec::new(),
        exclusions: Vec::new(),
        needs_consent: false,
    };
    let ad = Ad {
        id: AdId(item.id),
        line_item: LineItemId(item.id),
        creative: CreativeId(owner),
        status,
        item: Some(sku(item.item)),
        categories: vec![format!("category {}", item.category)],
        created: Timestamp(item.created),
        caps: Vec::new(),
    };
    [Object::LineItem(line_item), Object::Ad(ad)]
}

pub(crate) fn catalog(items: &[Item], tenants: u64) -> Catalog {
    let mut builder = Builder::new();
    for id in 1..=tenants {
        let (name, status, text) = (format!("tenant {id}"), Status::Active, String::new);
        let (tenant, advertiser) = (TenantId(id), AdvertiserId(id));
        builder.push(Object::Tenant(Tenant { id: tenant, name: name.clone() }));
        let (time_zone, caps) = ("UTC".to_owned(), Vec::new());
        let maker = Advertiser { id: advertiser, tenant, name: name.clone(), status, time_zone, caps };
        builder.push(Object::Advertiser(maker));
        let (id, flight, caps) = (CampaignId(id), Flight::default(), Vec::new());
        builder.push(Object::Campaign(Campaign { id, advertiser, name, status, flight, caps }));
        builder.push(Object::Creative(Creative {
            id: CreativeId(id.0),
            advertiser,
            format: Format::SponsoredItem,
            title: "title".to_owned(),
            text: text(),
            landing_url: "https://shop.example/".to_owned(),
            image_url: None,
            review: Review::Approved,
            video: None,
        }));
    }
    items.iter().flat_map(|item| objects(item, tenants)).for_each(|object| builder.push(object));
    builder.finish(version(0), AdOrder::ByLineItem).expect("a valid catalog")
}

fn version(sequence: u64) -> CatalogVersion {
    CatalogVersion { timeline: 0, sequence }
}

pub(crate) fn changed(catalog: &Catalog, items: &[Item], tenants: u64) -> Catalog {
    let objects: Vec<Object> = items.iter().flat_map(|item| objects(item, tenants)).collect();
    catalog.with_changes(version(catalog.version().sequence + 1), objects).expect("valid changes")
}

pub(crate) fn signals(catalog: &Catalog, items: &[Item], tenants: u64) -> AdSignals {
    let mut sold: BTreeMap<TenantId, Popularity> = BTreeMap::new();
    for item in items {
        let window = sold.entry(TenantId(1 + item.id % tenants)).or_insert_with(|| Popularity::new(30));
        (0..item.orders).for_each(|_| window.add(NOW, [item_hash(&sku(item.item))]));
    }
    let delivered =
        |item: &Item| (AdId(item.id), Delivered { impressions: 1_000, clicks: item.clicks, conversions: 0 });
    let shops = sold.iter().map(|(tenant, sold)| Shop { tenant: *tenant, popularity_30d: sold, popularity_7d: sold });
    AdSignals::new(catalog, items.iter().filter(|item| item.clicks > 0).map(delivered), shops)
}

pub(crate) fn eligible(catalog: &Catalog, tenant: u64, out_of_funds: &[u64]) -> Eligible {
    let mut funded = Bitset::full(catalog.line_items() as usize);
    for line_item in out_of_funds.iter().filter_map(|id| catalog.line_item_by_id(LineItemId(*id))) {
        funded.remove(line_item.0);
    }
    let query = Query {
        tenant: TenantId(tenant),
        terms: &[],
        placements: &[],
        now: NOW,
        schedule: &Schedule::at(catalog, NOW),
        funded: &funded,
        paced_out: &Bitset::default(),
    };
    catalog.eligible(&query, &mut Scratch::default()).clone()
}

/// Everything of one request that a test may want to change.
pub(crate) struct Asked<'a> {
    pub catalog: &'a Catalog,
    pub index: &'a SourceIndex,
    pub eligible: &'a Eligible,
    pub viewer: Option<&'a Viewer>,
    pub categories: &'a [u64],
    pub limits: SourceLimits,
    pub seed: u64,
}

impl Asked<'_> {
    pub(crate) fn candidates(&self) -> Candidates {
        SourceQuery {
            catalog: self.catalog,
            index: self.index,
            eligible: self.eligible,
            tenant: TenantId(1),
            viewer: self.viewer,
            categories: self.categories,
            limits: &self.limits,
            seed: Seed(self.seed),
        }
        .candidates()
    }

    /// Ad ids with their sources, in order.
    pub(crate) fn found(&self) -> Vec<(u64, SourceSet)> {
        let candidates = self.candidates();
        let id = |ad: &AdIx| self.catalog.ad(*ad).id.0;
        candidates.ad.iter().map(id).zip(candidates.sources.iter().copied()).collect()
    }
}

pub(crate) fn viewer(past: &[(InteractionKind, u64, u64)]) -> Viewer {
    let mut profile = ViewerProfile::default();
    for (time, (kind, item, of)) in (0_i64..).zip(past) {
        profile.apply(Interaction {
            time: Timestamp(time),
            kind: *kind,
            item: item_hash(&sku(*item)),
            category: category(*of),
        });
    }
    profile.as_of(NOW)
}
