//! One ad, two placements, and what a viewer brings: every case changes something of it.

use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, Flight, Format, FrequencyCap, LineItem, Object, PacedBy, PacingMode,
    Placement, Review, Status, Tenant,
};
use litfass_catalog::{AdOrder, Bitset, Builder, Catalog, Query, Schedule, Targeting};
use litfass_market::FateBoard;
use litfass_policy::{CandidateColumns, CapCounts, CapKey, PlacementRules, PolicyRequest};
use litfass_types::{
    AdId, AdIx, AdvertiserId, CampaignId, CatalogVersion, CreativeId, Duration, Fate, LineItemId, Nanos, PlacementId,
    Price, Row, TenantId, Term, Timestamp, Unit,
};

pub(crate) const DAY: Duration = Duration::days(1);

pub(crate) struct Shop {
    pub advertiser_caps: Vec<FrequencyCap>,
    pub campaign: Campaign,
    pub line_item: LineItem,
    pub creative: Creative,
    pub ad: Ad,
    pub placements: [Placement; 2],
    pub personalise: bool,
    pub seen: Vec<(CapKey, u32)>,
    /// Nothing is known of what the viewer saw.
    pub unknown: bool,
    pub terms: Vec<Term>,
}

impl Default for Shop {
    fn default() -> Self {
        let placement = |id| Placement {
            id: PlacementId(id),
            tenant: TenantId(1),
            name: format!("placement {id}"),
            page_type: None,
            formats: Vec::new(),
            slots_max: 10,
            floor: Nanos(0),
            max_per_advertiser: 10,
            blocked_advertisers: Vec::new(),
            blocked_categories: Vec::new(),
        };
        Self {
            advertiser_caps: Vec::new(),
            campaign: campaign(),
            line_item: line_item(),
            creative: creative(),
            ad: ad(),
            placements: [placement(1), placement(2)],
            personalise: true,
            seen: Vec::new(),
            unknown: false,
            terms: Vec::new(),
        }
    }
}

fn campaign() -> Campaign {
    let (id, advertiser, name) = (CampaignId(1), AdvertiserId(1), "campaign".to_owned());
    Campaign { id, advertiser, name, status: Status::Active, flight: Flight::default(), caps: Vec::new() }
}

fn line_item() -> LineItem {
    LineItem {
        id: LineItemId(1),
        campaign: CampaignId(1),
        name: "line item".to_owned(),
        status: Status::Active,
        flight: Flight::default(),
        bid: Price { micros: 1_000_000, per: Unit::Mille },
        billable: Billable::Impression,
        pacing: PacingMode::Asap,
        paced_by: PacedBy::Bid,
        curve: Vec::new(),
        targeting: Targeting::All(Vec::new()),
        caps: Vec::new(),
        exclusions: Vec::new(),
        needs_consent: false,
    }
}

fn creative() -> Creative {
    Creative {
        id: CreativeId(1),
        advertiser: AdvertiserId(1),
        format: Format::SponsoredItem,
        title: "A mug".to_owned(),
        text: "Holds tea.".to_owned(),
        landing_url: "https://shop.example/mug".to_owned(),
        image_url: None,
        review: Review::Approved,
        video: None,
    }
}

fn ad() -> Ad {
    Ad {
        id: AdId(1),
        line_item: LineItemId(1),
        creative: CreativeId(1),
        status: Status::Active,
        item: Some("MUG".to_owned()),
        categories: vec!["kitchen".to_owned()],
        created: Timestamp(0),
        caps: Vec::new(),
    }
}

pub(crate) fn cap(max: u32, window: Duration) -> FrequencyCap {
    FrequencyCap { max, window }
}

impl Shop {
    pub(crate) fn catalog(&self) -> Catalog {
        let (tenant, advertiser) = (TenantId(1), AdvertiserId(1));
        let mut builder = Builder::new();
        builder.push(Object::Tenant(Tenant { id: tenant, name: "shop".to_owned() }));
        let (name, status, time_zone) = ("maker".to_owned(), Status::Active, "UTC".to_owned());
        builder.push(Object::Advertiser(Advertiser {
            id: advertiser,
            tenant,
            name,
            status,
            time_zone,
            caps: self.advertiser_caps.clone(),
        }));
        builder.push(Object::Campaign(self.campaign.clone()));
        builder.push(Object::LineItem(self.line_item.clone()));
        builder.push(Object::Creative(self.creative.clone()));
        builder.push(Object::Ad(self.ad.clone()));
        self.placements.iter().for_each(|placement| builder.push(Object::Placement(placement.clone())));
        builder.finish(CatalogVersion::default(), AdOrder::ByLineItem).expect("a valid shop")
    }

    /// How the only ad is marked at both placements.
    pub(crate) fn fates(&self) -> [Option<Fate>; 2] {
        let catalog = self.catalog();
        let now = Timestamp(0);
        let query = Query {
            tenant: TenantId(1),
            terms: &self.terms,
            placements: &[],
            now,
            schedule: &Schedule::at(&catalog, now),
            funded: &Bitset::full(1),
            paced_out: &Bitset::default(),
        };
        let placements = self.placements.each_ref().map(PlacementRules::of);
        let known = || self.seen.iter().copied().collect();
        let caps = if self.unknown { CapCounts::unknown() } else { known() };
        let request = PolicyRequest {
            catalog: &catalog,
            query: &query,
            placements: &placements,
            personalise: self.personalise,
            caps: &caps,
        };
        let mut board = FateBoard::new(1, 2);
        request.mark(&[AdIx(0)], &CandidateColumns::new(&catalog, &[AdIx(0)]), &mut board);
        [board.fate(Row(0), 0), board.fate(Row(0), 1)]
    }
}
