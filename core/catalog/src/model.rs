//! What a catalog is made of: tenants own advertisers and placements; advertisers own campaigns and creatives; a campaign
//! has line items (what is bid, for whom, when), a line item has ads (which creative, for which item).
//!
//! These are plain values. [`crate::Builder`] checks them and says of each problem which object and field it concerns; the
//! field names in problems are those of the catalog file.

use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Duration, LineItemId, Nanos, PlacementId, Price, SegmentId, TenantId,
    Timestamp,
};

use crate::problem::{ObjectKind, ObjectRef};
use crate::targeting::Targeting;

/// Only what is active, itself and everything above it, takes part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Status {
    #[default]
    Active,
    Paused,
    Archived,
}

/// When something may run: from `start` on, until just before `end`. An open side has no bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Flight {
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
}

/// At most `max` impressions per viewer within any `window`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FrequencyCap {
    /// 1 … [`crate::limits::CAP_IMPRESSIONS_MAX`].
    pub max: u32,
    /// One minute … [`crate::limits::CAP_WINDOW_MAX`], whole minutes.
    pub window: Duration,
}

/// Which event of a CPM line item is paid for. What is bid per click bills clicks, whatever stands here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Billable {
    #[default]
    Impression,
    Viewable,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum PacingMode {
    /// Spread over the budget's period, in proportion to its traffic.
    #[default]
    Even,
    Asap,
    /// Half as fast again at the start, half as fast at the end.
    FrontLoaded,
    /// Along the line item's own curve.
    Custom,
}

/// What pacing moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum PacedBy {
    /// The share of its bid with which it takes part: for what is auctioned.
    #[default]
    Bid,
    /// The share of requests in which it takes part, with its whole bid: for fixed prices and guarantees.
    Requests,
}

/// A point of a custom curve: which share of the budget is to be spent once a share of the traffic has passed. Parts per
/// million.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CurvePoint {
    /// 1 … 999,999, more than at the point before.
    pub traffic_ppm: u32,
    /// 0 … 1,000,000, no less than at the point before.
    pub budget_ppm: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Format {
    /// Pixels, each at least 1.
    Banner {
        width: u16,
        height: u16,
    },
    SponsoredItem,
    /// Pixels, each at least 1.
    Video {
        width: u16,
        height: u16,
    },
}

/// What a player has to know of a video besides its size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Video {
    /// One millisecond … [`crate::limits::VIDEO_DURATION_MAX`].
    pub duration: Duration,
    /// Such as `video/mp4`; at least one.
    pub mime_types: Vec<String>,
    pub media: Media,
}

/// Where the video is; http or https.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Media {
    /// A VAST document.
    Vast(String),
    File(String),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Review {
    Pending,
    #[default]
    Approved,
    Rejected,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advertiser {
    pub id: AdvertiserId,
    pub tenant: TenantId,
    pub name: String,
    pub status: Status,
    /// IANA name; budget days and dayparts follow it.
    pub time_zone: String,
    pub caps: Vec<FrequencyCap>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Campaign {
    pub id: CampaignId,
    pub advertiser: AdvertiserId,
    pub name: String,
    pub status: Status,
    pub flight: Flight,
    pub caps: Vec<FrequencyCap>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineItem {
    pub id: LineItemId,
    pub campaign: CampaignId,
    pub name: String,
    pub status: Status,
    /// Runs where this and its campaign's flight overlap.
    pub flight: Flight,
    pub bid: Price,
    pub billable: Billable,
    pub pacing: PacingMode,
    pub paced_by: PacedBy,
    /// Of custom pacing, and of nothing else; its ends (0, 0) and (1, 1) need not be said.
    pub curve: Vec<CurvePoint>,
    pub targeting: Targeting,
    pub caps: Vec<FrequencyCap>,
    /// Names of groups of competitors: two line items that share one do not stand on one page.
    pub exclusions: Vec<String>,
    pub needs_consent: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ad {
    pub id: AdId,
    pub line_item: LineItemId,
    pub creative: CreativeId,
    pub status: Status,
    /// The advertised item's key (SKU) in the shop's own catalogue.
    pub item: Option<String>,
    pub categories: Vec<String>,
    pub created: Timestamp,
    pub caps: Vec<FrequencyCap>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Creative {
    pub id: CreativeId,
    pub advertiser: AdvertiserId,
    pub format: Format,
    pub title: String,
    pub text: String,
    /// http or https, and so is `image_url`.
    pub landing_url: String,
    pub image_url: Option<String>,
    pub review: Review,
    /// Of a video, and of nothing else.
    pub video: Option<Video>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    pub id: PlacementId,
    pub tenant: TenantId,
    pub name: String,
    /// The name by which `POST /rank_ads` asks for this placement; one placement per name.
    pub page_type: Option<String>,
    /// Empty: every format.
    pub formats: Vec<Format>,
    pub slots_max: u8,
    /// Per impression.
    pub floor: Nanos,
    pub max_per_advertiser: u8,
    pub blocked_advertisers: Vec<AdvertiserId>,
    pub blocked_categories: Vec<String>,
}

/// A group of viewers that targeting's `segment` values may name. Which viewers are in it, requests say; values that name no
/// segment are taken too, so that a segment may be used before it is described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    pub id: SegmentId,
    pub tenant: TenantId,
    /// One segment per name and tenant.
    pub name: String,
    pub description: String,
}

/// Any object of the catalog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Object {
    Tenant(Tenant),
    Advertiser(Advertiser),
    Campaign(Campaign),
    LineItem(LineItem),
    Creative(Creative),
    Ad(Ad),
    Placement(Placement),
    Segment(Segment),
}

impl Object {
    /// Kind and id, as problems name it.
    #[must_use]
    pub const fn reference(&self) -> ObjectRef {
        match self {
            Self::Tenant(o) => ObjectRef { kind: ObjectKind::Tenant, id: o.id.0 },
            Self::Advertiser(o) => ObjectRef { kind: ObjectKind::Advertiser, id: o.id.0 },
            Self::Campaign(o) => ObjectRef { kind: ObjectKind::Campaign, id: o.id.0 },
            Self::LineItem(o) => ObjectRef { kind: ObjectKind::LineItem, id: o.id.0 },
            Self::Creative(o) => ObjectRef { kind: ObjectKind::Creative, id: o.id.0 },
            Self::Ad(o) => ObjectRef { kind: ObjectKind::Ad, id: o.id.0 },
            Self::Placement(o) => ObjectRef { kind: ObjectKind::Placement, id: o.id.0 },
            Self::Segment(o) => ObjectRef { kind: ObjectKind::Segment, id: o.id.0 },
        }
    }
}

impl Flight {
    #[must_use]
    pub fn contains(self, now: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= now) && self.end.is_none_or(|end| now < end)
    }

    /// When both run.
    #[must_use]
    pub fn overlap(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: earlier(self.end, other.end) }
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
