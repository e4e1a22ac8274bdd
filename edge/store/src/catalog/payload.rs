//! An object as the store keeps it: Protobuf, the object's id and the time it was first seen in columns beside it.
//!
//! Field and enum numbers are never reused; a reader refuses a number that it does not know rather than guess. The same object
//! always gives the same bytes.

mod targeting;

use litfass_catalog::ObjectKind;
use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, CurvePoint, Flight, Format, FrequencyCap, LineItem, Media, Object,
    PacedBy, PacingMode, Placement, Review, Segment, Status, Tenant, Video,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Duration, LineItemId, Nanos, PlacementId, Price, SegmentId, TenantId,
    Timestamp, Unit,
};
use prost::Message;
use targeting::StoredTargeting;

/// What the bytes are not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum BadPayload {
    #[error("not a message: {0}")]
    Malformed(#[from] prost::DecodeError),
    #[error("{field}: {number} was written by a newer version or is damaged")]
    Unknown { field: &'static str, number: u32 },
}

/// The number that the store keeps for a kind.
pub(super) const fn kind_number(kind: ObjectKind) -> u8 {
    match kind {
        ObjectKind::Tenant => 1,
        ObjectKind::Advertiser => 2,
        ObjectKind::Campaign => 3,
        ObjectKind::LineItem => 4,
        ObjectKind::Creative => 5,
        ObjectKind::Ad => 6,
        ObjectKind::Placement => 7,
        ObjectKind::Segment => 8,
    }
}

pub(super) fn kind_numbered(number: u8) -> Option<ObjectKind> {
    ObjectKind::ALL.into_iter().find(|kind| kind_number(*kind) == number)
}

/// Pairs of a closed set's value and its number in storage.
fn numbered<T: Copy>(field: &'static str, number: u32, pairs: &[(T, u32)]) -> Result<T, BadPayload> {
    let found = pairs.iter().find(|(_, known)| *known == number);
    found.map(|(value, _)| *value).ok_or(BadPayload::Unknown { field, number })
}

fn number<T: PartialEq>(value: &T, pairs: &[(T, u32)]) -> u32 {
    pairs.iter().find(|(known, _)| known == value).map_or(u32::MAX, |(_, number)| *number)
}

const STATUSES: &[(Status, u32)] = &[(Status::Active, 0), (Status::Paused, 1), (Status::Archived, 2)];
const BILLABLES: &[(Billable, u32)] = &[(Billable::Impression, 0), (Billable::Viewable, 1)];
const PACINGS: &[(PacingMode, u32)] =
    &[(PacingMode::Even, 0), (PacingMode::Asap, 1), (PacingMode::FrontLoaded, 2), (PacingMode::Custom, 3)];
const PACED_BY: &[(PacedBy, u32)] = &[(PacedBy::Bid, 0), (PacedBy::Requests, 1)];
const REVIEWS: &[(Review, u32)] = &[(Review::Approved, 0), (Review::Pending, 1), (Review::Rejected, 2)];
const UNITS: &[(Unit, u32)] = &[(Unit::Mille, 0), (Unit::Click, 1), (Unit::Action, 2)];

#[derive(Clone, PartialEq, Message)]
struct StoredTenant {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct StoredAdvertiser {
    #[prost(uint64, tag = "1")]
    tenant: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(uint32, tag = "3")]
    status: u32,
    #[prost(string, tag = "4")]
    time_zone: String,
    #[prost(message, repeated, tag = "5")]
    caps: Vec<StoredCap>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct StoredCap {
    #[prost(uint32, tag = "1")]
    max: u32,
    #[prost(int64, tag = "2")]
    window_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredCampaign {
    #[prost(uint64, tag = "1")]
    advertiser: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(uint32, tag = "3")]
    status: u32,
    #[prost(int64, optional, tag = "4")]
    start_ms: Option<i64>,
    #[prost(int64, optional, tag = "5")]
    end_ms: Option<i64>,
    #[prost(message, repeated, tag = "6")]
    caps: Vec<StoredCap>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredLineItem {
    #[prost(uint64, tag = "1")]
    campaign: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(uint32, tag = "3")]
    status: u32,
    #[prost(int64, optional, tag = "4")]
    start_ms: Option<i64>,
    #[prost(int64, optional, tag = "5")]
    end_ms: Option<i64>,
    #[prost(message, repeated, tag = "6")]
    caps: Vec<StoredCap>,
    #[prost(int64, tag = "7")]
    bid_micros: i64,
    #[prost(uint32, tag = "8")]
    bid_unit: u32,
    #[prost(uint32, tag = "9")]
    billable: u32,
    #[prost(uint32, tag = "10")]
    pacing: u32,
    #[prost(message, optional, tag = "11")]
    targeting: Option<StoredTargeting>,
    #[prost(string, repeated, tag = "12")]
    exclusions: Vec<String>,
    #[prost(bool, tag = "13")]
    needs_consent: bool,
    #[prost(uint32, tag = "14")]
    paced_by: u32,
    /// Shares of the traffic and of the budget by turns.
    #[prost(uint32, repeated, tag = "15")]
    curve_ppm: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredSegment {
    #[prost(uint64, tag = "1")]
    tenant: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    description: String,
}

/// Where the video is: a VAST document, or a file.
#[derive(Clone, PartialEq, Message)]
struct StoredVideo {
    #[prost(int64, tag = "1")]
    duration_ms: i64,
    #[prost(string, repeated, tag = "2")]
    mime_types: Vec<String>,
    #[prost(bool, tag = "3")]
    is_vast: bool,
    #[prost(string, tag = "4")]
    url: String,
}

/// No size: a sponsored item.
#[derive(Clone, Copy, PartialEq, Message)]
struct StoredFormat {
    #[prost(uint32, tag = "1")]
    width: u32,
    #[prost(uint32, tag = "2")]
    height: u32,
    #[prost(bool, tag = "3")]
    is_video: bool,
}

#[derive(Clone, PartialEq, Message)]
struct StoredCreative {
    #[prost(uint64, tag = "1")]
    advertiser: u64,
    #[prost(message, optional, tag = "2")]
    format: Option<StoredFormat>,
    #[prost(string, tag = "3")]
    title: String,
    #[prost(string, tag = "4")]
    text: String,
    #[prost(string, tag = "5")]
    landing_url: String,
    #[prost(string, optional, tag = "6")]
    image_url: Option<String>,
    #[prost(uint32, tag = "7")]
    review: u32,
    #[prost(message, optional, tag = "8")]
    video: Option<StoredVideo>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredAd {
    #[prost(uint64, tag = "1")]
    line_item: u64,
    #[prost(uint64, tag = "2")]
    creative: u64,
    #[prost(uint32, tag = "3")]
    status: u32,
    #[prost(string, optional, tag = "4")]
    item: Option<String>,
    #[prost(string, repeated, tag = "5")]
    categories: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    caps: Vec<StoredCap>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredPlacement {
    #[prost(uint64, tag = "1")]
    tenant: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, optional, tag = "3")]
    page_type: Option<String>,
    #[prost(message, repeated, tag = "4")]
    formats: Vec<StoredFormat>,
    #[prost(uint32, tag = "5")]
    slots_max: u32,
    #[prost(int64, tag = "6")]
    floor_nanos: i64,
    #[prost(uint32, tag = "7")]
    max_per_advertiser: u32,
    #[prost(uint64, repeated, tag = "8")]
    blocked_advertisers: Vec<u64>,
    #[prost(string, repeated, tag = "9")]
    blocked_categories: Vec<String>,
}

/// The object's bytes, without its id and, for an ad, without when it was made.
pub(super) fn encode(object: &Object) -> Vec<u8> {
    match object {
        Object::Tenant(o) => StoredTenant { name: o.name.clone() }.encode_to_vec(),
        Object::Advertiser(o) => advertiser(o).encode_to_vec(),
        Object::Campaign(o) => campaign(o).encode_to_vec(),
        Object::LineItem(o) => line_item(o).encode_to_vec(),
        Object::Creative(o) => creative(o).encode_to_vec(),
        Object::Ad(o) => ad(o).encode_to_vec(),
        Object::Placement(o) => placement(o).encode_to_vec(),
        Object::Segment(o) => segment(o).encode_to_vec(),
    }
}

/// The object again. `created` is read for ads only.
pub(super) fn decode(kind: ObjectKind, id: u64, created: Timestamp, bytes: &[u8]) -> Result<Object, BadPayload> {
    Ok(match kind {
        ObjectKind::Tenant => Object::Tenant(Tenant { id: TenantId(id), name: StoredTenant::decode(bytes)?.name }),
        ObjectKind::Advertiser => Object::Advertiser(StoredAdvertiser::decode(bytes)?.object(id)?),
        ObjectKind::Campaign => Object::Campaign(StoredCampaign::decode(bytes)?.object(id)?),
        ObjectKind::LineItem => Object::LineItem(StoredLineItem::decode(bytes)?.object(id)?),
        ObjectKind::Creative => Object::Creative(StoredCreative::decode(bytes)?.object(id)?),
        ObjectKind::Ad => Object::Ad(StoredAd::decode(bytes)?.object(id, created)?),
        ObjectKind::Placement => Object::Placement(StoredPlacement::decode(bytes)?.object(id)?),
        ObjectKind::Segment => Object::Segment(StoredSegment::decode(bytes)?.object(id)),
    })
}

fn advertiser(o: &Advertiser) -> StoredAdvertiser {
    let status = number(&o.status, STATUSES);
    let (name, time_zone) = (o.name.clone(), o.time_zone.clone());
    StoredAdvertiser { tenant: o.tenant.0, name, status, time_zone, caps: stored_caps(&o.caps) }
}

impl StoredAdvertiser {
    fn object(self, id: u64) -> Result<Advertiser, BadPayload> {
        let status = numbered("status", self.status, STATUSES)?;
        let (id, tenant) = (AdvertiserId(id), TenantId(self.tenant));
        Ok(Advertiser { id, tenant, name: self.name, status, time_zone: self.time_zone, caps: caps(&self.caps) })
    }
}

fn stored_caps(caps: &[FrequencyCap]) -> Vec<StoredCap> {
    caps.iter().map(|cap| StoredCap { max: cap.max, window_ms: cap.window.0 }).collect()
}

fn caps(caps: &[StoredCap]) -> Vec<FrequencyCap> {
    caps.iter().map(|cap| FrequencyCap { max: cap.max, window: Duration(cap.window_ms) }).collect()
}

fn flight(start_ms: Option<i64>, end_ms: Option<i64>) -> Flight {
    Flight { start: start_ms.map(Timestamp), end: end_ms.map(Timestamp) }
}

fn campaign(o: &Campaign) -> StoredCampaign {
    StoredCampaign {
        advertiser: o.advertiser.0,
        name: o.name.clone(),
        status: number(&o.status, STATUSES),
        start_ms: o.flight.start.map(|t| t.0),
        end_ms: o.flight.end.map(|t| t.0),
        caps: stored_caps(&o.caps),
    }
}

impl StoredCampaign {
    fn object(self, id: u64) -> Result<Campaign, BadPayload> {
        Ok(Campaign {
            id: CampaignId(id),
            advertiser: AdvertiserId(self.advertiser),
            name: self.name,
            status: numbered("status", self.status, STATUSES)?,
            flight: flight(self.start_ms, self.end_ms),
            caps: caps(&self.caps),
        })
    }
}

fn line_item(o: &LineItem) -> StoredLineItem {
    StoredLineItem {
        campaign: o.campaign.0,
        name: o.name.clone(),
        status: number(&o.status, STATUSES),
        start_ms: o.flight.start.map(|t| t.0),
        end_ms: o.flight.end.map(|t| t.0),
        caps: stored_caps(&o.caps),
        bid_micros: o.bid.micros,
        bid_unit: number(&o.bid.per, UNITS),
        billable: number(&o.billable, BILLABLES),
        pacing: number(&o.pacing, PACINGS),
        targeting: Some(StoredTargeting::of(&o.targeting)),
        exclusions: o.exclusions.clone(),
        needs_consent: o.needs_consent,
        paced_by: number(&o.paced_by, PACED_BY),
        curve_ppm: o.curve.iter().flat_map(|point| [point.traffic_ppm, point.budget_ppm]).collect(),
    }
}

impl StoredLineItem {
    fn object(self, id: u64) -> Result<LineItem, BadPayload> {
        Ok(LineItem {
            id: LineItemId(id),
            campaign: CampaignId(self.campaign),
            name: self.name,
            status: numbered("status", self.status, STATUSES)?,
            flight: flight(self.start_ms, self.end_ms),
            bid: Price { micros: self.bid_micros, per: numbered("bid unit", self.bid_unit, UNITS)? },
            billable: numbered("billable", self.billable, BILLABLES)?,
            pacing: numbered("pacing", self.pacing, PACINGS)?,
            targeting: self.targeting.unwrap_or_default().tree()?,
            caps: caps(&self.caps),
            exclusions: self.exclusions,
            needs_consent: self.needs_consent,
            paced_by: numbered("paced by", self.paced_by, PACED_BY)?,
            curve: curve(&self.curve_ppm),
        })
    }
}

fn curve(ppm: &[u32]) -> Vec<CurvePoint> {
    let (points, _) = ppm.as_chunks::<2>();
    points
        .iter()
        .map(|[traffic_ppm, budget_ppm]| CurvePoint { traffic_ppm: *traffic_ppm, budget_ppm: *budget_ppm })
        .collect()
}

fn stored_format(format: Format) -> StoredFormat {
    match format {
        Format::Banner { width, height } => {
            StoredFormat { width: width.into(), height: height.into(), is_video: false }
        }
        Format::Video { width, height } => StoredFormat { width: width.into(), height: height.into(), is_video: true },
        Format::SponsoredItem => StoredFormat::default(),
    }
}

impl StoredFormat {
    fn format(self) -> Result<Format, BadPayload> {
        let pixels = |field, number| u16::try_from(number).map_err(|_| BadPayload::Unknown { field, number });
        if self == Self::default() {
            return Ok(Format::SponsoredItem);
        }
        let (width, height) = (pixels("width", self.width)?, pixels("height", self.height)?);
        Ok(if self.is_video { Format::Video { width, height } } else { Format::Banner { width, height } })
    }
}

fn creative(o: &Creative) -> StoredCreative {
    StoredCreative {
        advertiser: o.advertiser.0,
        format: Some(stored_format(o.format)),
        title: o.title.clone(),
        text: o.text.clone(),
        landing_url: o.landing_url.clone(),
        image_url: o.image_url.clone(),
        review: number(&o.review, REVIEWS),
        video: o.video.as_ref().map(StoredVideo::of),
    }
}

impl StoredCreative {
    fn object(self, id: u64) -> Result<Creative, BadPayload> {
        Ok(Creative {
            id: CreativeId(id),
            advertiser: AdvertiserId(self.advertiser),
            format: self.format.unwrap_or_default().format()?,
            title: self.title,
            text: self.text,
            landing_url: self.landing_url,
            image_url: self.image_url,
            review: numbered("review", self.review, REVIEWS)?,
            video: self.video.map(StoredVideo::video),
        })
    }
}

impl StoredVideo {
    fn of(o: &Video) -> Self {
        let (is_vast, url) = match &o.media {
            Media::Vast(url) => (true, url),
            Media::File(url) => (false, url),
        };
        Self { duration_ms: o.duration.0, mime_types: o.mime_types.clone(), is_vast, url: url.clone() }
    }

    fn video(self) -> Video {
        let media = if self.is_vast { Media::Vast(self.url) } else { Media::File(self.url) };
        Video { duration: Duration(self.duration_ms), mime_types: self.mime_types, media }
    }
}

fn segment(o: &Segment) -> StoredSegment {
    StoredSegment { tenant: o.tenant.0, name: o.name.clone(), description: o.description.clone() }
}

impl StoredSegment {
    fn object(self, id: u64) -> Segment {
        let (id, tenant) = (SegmentId(id), TenantId(self.tenant));
        Segment { id, tenant, name: self.name, description: self.description }
    }
}

fn ad(o: &Ad) -> StoredAd {
    StoredAd {
        line_item: o.line_item.0,
        creative: o.creative.0,
        status: number(&o.status, STATUSES),
        item: o.item.clone(),
        categories: o.categories.clone(),
        caps: stored_caps(&o.caps),
    }
}

impl StoredAd {
    fn object(self, id: u64, created: Timestamp) -> Result<Ad, BadPayload> {
        Ok(Ad {
            id: AdId(id),
            line_item: LineItemId(self.line_item),
            creative: CreativeId(self.creative),
            status: numbered("status", self.status, STATUSES)?,
            item: self.item,
            categories: self.categories,
            created,
            caps: caps(&self.caps),
        })
    }
}

fn placement(o: &Placement) -> StoredPlacement {
    StoredPlacement {
        tenant: o.tenant.0,
        name: o.name.clone(),
        page_type: o.page_type.clone(),
        formats: o.formats.iter().copied().map(stored_format).collect(),
        slots_max: o.slots_max.into(),
        floor_nanos: o.floor.0,
        max_per_advertiser: o.max_per_advertiser.into(),
        blocked_advertisers: o.blocked_advertisers.iter().map(|id| id.0).collect(),
        blocked_categories: o.blocked_categories.clone(),
    }
}

impl StoredPlacement {
    fn object(self, id: u64) -> Result<Placement, BadPayload> {
        let small = |field, number| u8::try_from(number).map_err(|_| BadPayload::Unknown { field, number });
        Ok(Placement {
            id: PlacementId(id),
            tenant: TenantId(self.tenant),
            name: self.name,
            page_type: self.page_type,
            formats: self.formats.into_iter().map(StoredFormat::format).collect::<Result<_, _>>()?,
            slots_max: small("slots_max", self.slots_max)?,
            floor: Nanos(self.floor_nanos),
            max_per_advertiser: small("max_per_advertiser", self.max_per_advertiser)?,
            blocked_advertisers: self.blocked_advertisers.into_iter().map(AdvertiserId).collect(),
            blocked_categories: self.blocked_categories,
        })
    }
}
