//! Litfass itself as a ranker: its shortlist and its auction over a catalog in which every product has one ad and all bid the
//! same per click.
//!
//! A product's line item starts running just after its first sale, so the eligible ads are the products sold so far.

use std::sync::Arc;

use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, Flight, Format, LineItem, Object, PacedBy, PacingMode, Placement,
    Review, Status, Tenant,
};
use litfass_catalog::{AdOrder, Bitset, Builder, Catalog, Problem, Schedule, Targeting};
use litfass_decide::{
    AdRequest, Context, Market, Observed, PacingColumns, PlacementRequest, Rules, Shortlist, Workspace, World,
    WorldVersion, settle_market, shortlist,
};
use litfass_features::FeatureSet;
use litfass_rank::RankProfile;
use litfass_retrieval::{AdSignals, Delivered, Shop, SourceIndex, SourceLimits, SourceSet};
use litfass_types::{
    AdId, AdIx, AdvertiserId, CampaignId, CatalogVersion, CreativeId, Duration, LineItemId, Nanos, PlacementId, Price,
    Reading, Seed, TenantId, Timestamp, Unit,
};

use super::replay::{Basket, Log, Moment, State};
use crate::dataset::Dataset;

const TENANT: TenantId = TenantId(1);
const ADVERTISER: AdvertiserId = AdvertiserId(1);
const CAMPAIGN: CampaignId = CampaignId(1);
const PLACEMENT: PlacementId = PlacementId(1);
const BID: Price = Price { micros: 1_000_000, per: Unit::Click };

/// What was shown to one basket's customer, and how it got there. Products by number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Page {
    /// By slot.
    pub(super) shown: Vec<usize>,
    /// What entered the auction.
    pub(super) entrants: Vec<usize>,
    /// What the sources returned, each with the sources that did.
    pub(super) candidates: Vec<(usize, SourceSet)>,
}

/// The world that the shop's requests are decided in.
#[derive(Debug)]
pub(super) struct Shopfront {
    world: World,
    slots: u8,
    workspace: Workspace,
}

impl Shopfront {
    /// # Errors
    /// What the catalog of the dataset's products breaks.
    pub(super) fn new(dataset: &Dataset, log: &Log, profile: RankProfile, slots: u8) -> Result<Self, Vec<Problem>> {
        let catalog = Arc::new(catalog(dataset, log, slots)?);
        let rows = catalog.line_items() as usize;
        let mut funded = Bitset::new(rows);
        catalog.live_line_items().for_each(|l| funded.insert(l.0));
        let pacing = PacingColumns {
            number: 0,
            multipliers_ppm: Vec::new(),
            funded,
            paced_out: Bitset::new(rows),
            by_requests: Vec::new(),
        };
        let rules = Rules {
            sources: SourceLimits::default(),
            entrants_max: 50,
            exploration_ppm: 0,
            record_full_ppm: 0,
            features: FeatureSet::v1(),
        };
        let world = World {
            version: WorldVersion {
                catalog: catalog.version(),
                profile: [0; 32],
                rules: [0; 32],
                pacing: 0,
                signals: 0,
                time_zones: String::new(),
            },
            schedule: Arc::new(Schedule::at(&catalog, Timestamp(0))),
            signals: Arc::default(),
            sources: Arc::default(),
            profile: Arc::new(profile),
            pacing: Arc::new(pacing),
            rules: Arc::new(rules),
            catalog,
        };
        Ok(Self { world, slots, workspace: Workspace::default() })
    }

    /// Decides one basket's request with everything known just before it.
    #[must_use]
    pub(super) fn page(&mut self, state: &State<'_>, moment: &Moment<'_>, seed: Seed) -> Page {
        self.refresh(state, moment.basket.time);
        let observed = self.observed(moment, seed);
        let shortlist = shortlist(&self.world, &observed, &mut self.workspace);
        let market = Market {
            exploration_ppm: 0,
            placements: shortlist.placements.clone(),
            predictions: self.world.profile.last_phase(&shortlist.viewer, &shortlist.rows),
            entrants: shortlist.entrants.clone(),
        };
        let decision = settle_market(&market, seed, &[], shortlist.board.clone());
        let product = |row: usize| self.product(&shortlist, row);
        Page {
            shown: decision.shown.iter().map(|shown| product(usize::from(shown.row.0))).collect(),
            entrants: shortlist.entrants.rows().iter().map(|row| product(usize::from(row.0))).collect(),
            candidates: shortlist
                .candidates
                .sources
                .iter()
                .enumerate()
                .map(|(row, set)| (product(row), *set))
                .collect(),
        }
    }

    /// Ad-side signals as they stand just before the basket.
    fn refresh(&mut self, state: &State<'_>, now: Timestamp) {
        let delivered = state.pool().iter().map(|product| {
            let counts = state.counts(*product);
            let delivered = Delivered { impressions: counts.impressions, clicks: counts.clicks, conversions: 0 };
            (ad_id(*product), delivered)
        });
        let (popularity_30d, popularity_7d) = state.windows();
        let shop = Shop { tenant: TENANT, popularity_30d, popularity_7d };
        let world = &mut self.world;
        world.signals = Arc::new(AdSignals::new(&world.catalog, delivered, [shop]));
        world.sources = Arc::new(SourceIndex::build(&world.catalog, &world.signals, now));
        if !world.schedule.covers(&world.catalog, now) {
            world.schedule = Arc::new(Schedule::at(&world.catalog, now));
        }
    }

    fn observed(&self, moment: &Moment<'_>, seed: Seed) -> Observed {
        let Basket { time, country, device, os, .. } = moment.basket;
        let context = Context { device: *device, os: *os, country: country.clone(), ..Context::default() };
        let request = AdRequest {
            request_id: None,
            tenant: TENANT,
            user: None,
            personalise: true,
            traffic: litfass_types::Traffic::Human,
            placements: vec![PlacementRequest { id: PLACEMENT, slots: self.slots, floor: Nanos(0) }],
            context,
        };
        let viewer = Reading::Present { value: moment.viewer.clone(), as_of: None };
        Observed { request, now: *time, seed, viewer, caps: Reading::Absent }
    }

    fn product(&self, shortlist: &Shortlist, row: usize) -> usize {
        let ad: AdIx = shortlist.candidates.ad[row];
        usize::try_from(self.world.catalog.ad(ad).id.0 - 1).unwrap_or(usize::MAX)
    }
}

const fn ad_id(product: usize) -> AdId {
    AdId(product as u64 + 1)
}

fn catalog(dataset: &Dataset, log: &Log, slots: u8) -> Result<Catalog, Vec<Problem>> {
    let mut builder = Builder::new();
    let name = || "Imported shop".to_owned();
    builder.push(Object::Tenant(Tenant { id: TENANT, name: name() }));
    builder.push(Object::Placement(Placement {
        id: PLACEMENT,
        tenant: TENANT,
        name: name(),
        page_type: None,
        formats: Vec::new(),
        slots_max: slots,
        floor: Nanos(0),
        max_per_advertiser: slots,
        blocked_advertisers: Vec::new(),
        blocked_categories: Vec::new(),
    }));
    let time_zone = "UTC".to_owned();
    builder.push(Object::Advertiser(Advertiser {
        id: ADVERTISER,
        tenant: TENANT,
        name: name(),
        status: Status::Active,
        time_zone,
        caps: Vec::new(),
    }));
    let (flight, caps) = (Flight::default(), Vec::new());
    builder.push(Object::Campaign(Campaign {
        id: CAMPAIGN,
        advertiser: ADVERTISER,
        name: name(),
        status: Status::Active,
        flight,
        caps,
    }));
    for (number, product) in dataset.products.iter().enumerate() {
        if let Some(first_sold) = log.first_sold[number] {
            objects_of(number, product, first_sold).into_iter().for_each(|object| builder.push(object));
        }
    }
    builder.finish(CatalogVersion { timeline: 1, sequence: 1 }, AdOrder::ByLineItem)
}

fn objects_of(number: usize, product: &crate::dataset::Product, first_sold: Timestamp) -> [Object; 3] {
    let id = number as u64 + 1;
    let line_item = LineItem {
        id: LineItemId(id),
        campaign: CAMPAIGN,
        name: product.title.clone(),
        status: Status::Active,
        flight: Flight { start: Some(first_sold + Duration(1)), end: None },
        bid: BID,
        billable: Billable::Impression,
        pacing: PacingMode::Asap,
        paced_by: PacedBy::Bid,
        curve: Vec::new(),
        targeting: Targeting::All(Vec::new()),
        caps: Vec::new(),
        exclusions: Vec::new(),
        needs_consent: false,
    };
    let creative = Creative {
        id: CreativeId(id),
        advertiser: ADVERTISER,
        format: Format::SponsoredItem,
        title: product.title.clone(),
        text: String::new(),
        landing_url: "https://shop.example/".to_owned(),
        image_url: None,
        review: Review::Approved,
        video: None,
    };
    let ad = Ad {
        id: ad_id(number),
        line_item: LineItemId(id),
        creative: CreativeId(id),
        status: Status::Active,
        item: Some(product.item.clone()),
        categories: product.categories.clone(),
        created: first_sold,
        caps: Vec::new(),
    };
    [Object::LineItem(line_item), Object::Creative(creative), Object::Ad(ad)]
}
