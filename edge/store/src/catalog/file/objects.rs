//! The file's objects as JSON has them, and what they are in the catalog's own words. The admin API reads and writes the same
//! shapes.

mod written;

pub(in crate::catalog) use written::written;

use litfass_catalog::model::{
    Ad, Advertiser, Billable, Campaign, Creative, CurvePoint, Flight, Format, FrequencyCap, LineItem, Media, Object,
    PacedBy, PacingMode, Placement, Review, Segment, Status, Tenant, Video,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, Duration, LineItemId, Nanos, PlacementId, Price, SegmentId, TenantId,
    Timestamp, Unit,
};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use super::Misfit;
use super::targeting::FileTargeting;
use crate::catalog::limit::{LimitField, StatedLimit};

type Parts = (Object, Vec<StatedLimit>);

/// What each kind of entry has in common.
pub(super) trait FileObject<'de>: Deserialize<'de> {
    fn into_parts(self) -> Result<Parts, Misfit>;
}

/// The catalog's own enums under the names that the file gives them.
macro_rules! named_values {
    ($($name:ident: $type:ident { $($variant:ident = $text:literal),* })*) => {$(
        #[derive(Clone, Copy, Default, Deserialize, Serialize)]
        pub(super) enum $name {
            #[default] $(#[serde(rename = $text)] $variant),*
        }
        impl From<$name> for $type {
            fn from(name: $name) -> Self {
                match name { $($name::$variant => Self::$variant),* }
            }
        }
        impl $name {
            /// What no file can have said reads as the first.
            fn of(value: $type) -> Self {
                [$(Self::$variant),*].into_iter().find(|name| $type::from(*name) == value).unwrap_or_default()
            }
        }
    )*};
}

named_values! {
    FileStatus: Status { Active = "active", Paused = "paused", Archived = "archived" }
    FileBillable: Billable { Impression = "impression", Viewable = "viewable" }
    FilePacing: PacingMode { Even = "even", Asap = "asap", FrontLoaded = "front_loaded", Custom = "custom" }
    FilePacedBy: PacedBy { Bid = "bid", Requests = "requests" }
    FileUnit: Unit { Mille = "mille", Click = "click", Action = "action" }
    FileReview: Review { Approved = "approved", Pending = "pending", Rejected = "rejected" }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTenant {
    id: u64,
    name: String,
}

impl FileObject<'_> for FileTenant {
    fn into_parts(self) -> Result<Parts, Misfit> {
        Ok((Object::Tenant(Tenant { id: TenantId(self.id), name: self.name }), Vec::new()))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAdvertiser {
    id: u64,
    tenant: u64,
    name: String,
    #[serde(default)]
    status: FileStatus,
    time_zone: Option<String>,
    credit_limit_micros: Option<i64>,
    #[serde(default)]
    frequency_caps: Vec<FileCap>,
}

impl FileObject<'_> for FileAdvertiser {
    fn into_parts(self) -> Result<Parts, Misfit> {
        let limits = limits([(LimitField::CreditLimit, self.credit_limit_micros)])?;
        let object = Advertiser {
            id: AdvertiserId(self.id),
            tenant: TenantId(self.tenant),
            name: self.name,
            status: self.status.into(),
            time_zone: self.time_zone.unwrap_or_else(|| "UTC".to_owned()),
            caps: caps(&self.frequency_caps),
        };
        Ok((Object::Advertiser(object), limits))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileCampaign {
    id: u64,
    advertiser: u64,
    name: String,
    #[serde(default)]
    status: FileStatus,
    start: Option<FileTime>,
    end: Option<FileTime>,
    lifetime_budget_micros: Option<i64>,
    daily_budget_micros: Option<i64>,
    #[serde(default)]
    frequency_caps: Vec<FileCap>,
}

impl FileObject<'_> for FileCampaign {
    fn into_parts(self) -> Result<Parts, Misfit> {
        let limits = limits([
            (LimitField::LifetimeBudget, self.lifetime_budget_micros),
            (LimitField::DailyBudget, self.daily_budget_micros),
        ])?;
        let object = Campaign {
            id: CampaignId(self.id),
            advertiser: AdvertiserId(self.advertiser),
            name: self.name,
            status: self.status.into(),
            flight: flight(self.start, self.end),
            caps: caps(&self.frequency_caps),
        };
        Ok((Object::Campaign(object), limits))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileLineItem {
    id: u64,
    campaign: u64,
    name: String,
    #[serde(default)]
    status: FileStatus,
    start: Option<FileTime>,
    end: Option<FileTime>,
    bid: FileBid,
    #[serde(default)]
    billable: FileBillable,
    #[serde(default)]
    pacing: FilePacing,
    #[serde(default)]
    paced_by: FilePacedBy,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pacing_curve: Vec<FileCurvePoint>,
    budget_micros: Option<i64>,
    targeting: Option<FileTargeting>,
    #[serde(default)]
    frequency_caps: Vec<FileCap>,
    #[serde(default)]
    exclusion_groups: Vec<String>,
    #[serde(default)]
    needs_consent: bool,
}

impl FileObject<'_> for FileLineItem {
    fn into_parts(self) -> Result<Parts, Misfit> {
        let limits = limits([(LimitField::Budget, self.budget_micros)])?;
        let object = LineItem {
            id: LineItemId(self.id),
            campaign: CampaignId(self.campaign),
            name: self.name,
            status: self.status.into(),
            flight: flight(self.start, self.end),
            bid: Price { micros: self.bid.micros, per: self.bid.per.into() },
            billable: self.billable.into(),
            pacing: self.pacing.into(),
            paced_by: self.paced_by.into(),
            curve: self.pacing_curve.iter().map(FileCurvePoint::point).collect(),
            targeting: self.targeting.map(FileTargeting::into_tree).unwrap_or_default(),
            caps: caps(&self.frequency_caps),
            exclusions: self.exclusion_groups,
            needs_consent: self.needs_consent,
        };
        Ok((Object::LineItem(object), limits))
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileCurvePoint {
    traffic_ppm: u32,
    budget_ppm: u32,
}

impl FileCurvePoint {
    const fn point(&self) -> CurvePoint {
        CurvePoint { traffic_ppm: self.traffic_ppm, budget_ppm: self.budget_ppm }
    }

    const fn of(point: &CurvePoint) -> Self {
        Self { traffic_ppm: point.traffic_ppm, budget_ppm: point.budget_ppm }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileBid {
    micros: i64,
    per: FileUnit,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileCreative {
    id: u64,
    advertiser: u64,
    format: FileFormatName,
    width: Option<u16>,
    height: Option<u16>,
    title: String,
    text: String,
    landing_url: String,
    image_url: Option<String>,
    #[serde(default)]
    review: FileReview,
    video: Option<FileVideo>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileVideo {
    duration_ms: i64,
    mime_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vast_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_url: Option<String>,
}

impl FileVideo {
    fn into_video(self) -> Result<Video, Misfit> {
        let media = match (self.vast_url, self.file_url) {
            (Some(url), None) => Media::Vast(url),
            (None, Some(url)) => Media::File(url),
            (Some(_), Some(_)) | (None, None) => {
                let message = "needs either vast_url or file_url".to_owned();
                return Err(Misfit { field: "video".to_owned(), message });
            }
        };
        Ok(Video { duration: Duration(self.duration_ms), mime_types: self.mime_types, media })
    }
}

impl FileObject<'_> for FileCreative {
    fn into_parts(self) -> Result<Parts, Misfit> {
        let object = Creative {
            id: CreativeId(self.id),
            advertiser: AdvertiserId(self.advertiser),
            format: self.format.with_size(self.width, self.height)?,
            title: self.title,
            text: self.text,
            landing_url: self.landing_url,
            image_url: self.image_url,
            review: self.review.into(),
            video: self.video.map(FileVideo::into_video).transpose()?,
        };
        Ok((Object::Creative(object), Vec::new()))
    }
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum FileFormatName {
    SponsoredItem,
    Banner,
    Video,
}

impl FileFormatName {
    fn with_size(self, width: Option<u16>, height: Option<u16>) -> Result<Format, Misfit> {
        let misfit = |field: &str, message: &str| Err(Misfit { field: field.to_owned(), message: message.to_owned() });
        match (self, width, height) {
            (Self::Banner, Some(width), Some(height)) => Ok(Format::Banner { width, height }),
            (Self::Video, Some(width), Some(height)) => Ok(Format::Video { width, height }),
            (Self::Banner, None, _) => misfit("width", "a banner needs its width in pixels"),
            (Self::Banner, _, None) => misfit("height", "a banner needs its height in pixels"),
            (Self::Video, None, _) => misfit("width", "a video needs its width in pixels"),
            (Self::Video, _, None) => misfit("height", "a video needs its height in pixels"),
            (Self::SponsoredItem, None, None) => Ok(Format::SponsoredItem),
            (Self::SponsoredItem, Some(_), _) => misfit("width", "a sponsored item has no size"),
            (Self::SponsoredItem, _, Some(_)) => misfit("height", "a sponsored item has no size"),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAd {
    id: u64,
    line_item: u64,
    creative: u64,
    #[serde(default)]
    status: FileStatus,
    item: Option<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    frequency_caps: Vec<FileCap>,
}

impl FileObject<'_> for FileAd {
    fn into_parts(self) -> Result<Parts, Misfit> {
        let object = Ad {
            id: AdId(self.id),
            line_item: LineItemId(self.line_item),
            creative: CreativeId(self.creative),
            status: self.status.into(),
            item: self.item,
            categories: self.categories,
            // When the store first saw it; the file does not say.
            created: Timestamp::default(),
            caps: caps(&self.frequency_caps),
        };
        Ok((Object::Ad(object), Vec::new()))
    }
}

const SLOTS_DEFAULT: u8 = 10;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePlacement {
    id: u64,
    tenant: u64,
    name: String,
    page_type: Option<String>,
    #[serde(default)]
    formats: Vec<FileFormat>,
    slots_max: Option<u8>,
    #[serde(default)]
    floor_micros: i64,
    max_per_advertiser: Option<u8>,
    #[serde(default)]
    blocked_advertisers: Vec<u64>,
    #[serde(default)]
    blocked_categories: Vec<String>,
}

impl FileObject<'_> for FilePlacement {
    fn into_parts(self) -> Result<Parts, Misfit> {
        let slots_max = self.slots_max.unwrap_or(SLOTS_DEFAULT);
        let formats = self.formats.iter().map(|f| f.format.with_size(f.width, f.height)).collect::<Result<_, _>>();
        let object = Placement {
            id: PlacementId(self.id),
            tenant: TenantId(self.tenant),
            name: self.name,
            page_type: self.page_type,
            formats: formats.map_err(|misfit| Misfit { field: "formats".to_owned(), ..misfit })?,
            slots_max,
            // Micros per mille are nanos per impression.
            floor: Nanos(self.floor_micros),
            max_per_advertiser: self.max_per_advertiser.unwrap_or(slots_max),
            blocked_advertisers: self.blocked_advertisers.into_iter().map(AdvertiserId).collect(),
            blocked_categories: self.blocked_categories,
        };
        Ok((Object::Placement(object), Vec::new()))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileSegment {
    id: u64,
    tenant: u64,
    name: String,
    #[serde(default)]
    description: String,
}

impl FileObject<'_> for FileSegment {
    fn into_parts(self) -> Result<Parts, Misfit> {
        let (id, tenant) = (SegmentId(self.id), TenantId(self.tenant));
        Ok((Object::Segment(Segment { id, tenant, name: self.name, description: self.description }), Vec::new()))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileFormat {
    format: FileFormatName,
    width: Option<u16>,
    height: Option<u16>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct FileCap {
    max: u32,
    window_minutes: u32,
}

fn caps(caps: &[FileCap]) -> Vec<FrequencyCap> {
    caps.iter().map(|cap| FrequencyCap { max: cap.max, window: Duration::minutes(cap.window_minutes.into()) }).collect()
}

/// RFC 3339 with an offset, to the millisecond.
#[derive(Clone, Copy)]
struct FileTime(Timestamp);

impl<'de> Deserialize<'de> for FileTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let wrong =
            |e| D::Error::custom(format_args!("{text:?} is not a time of RFC 3339 such as 2026-11-01T00:00:00Z: {e}"));
        let time: jiff::Timestamp = text.parse().map_err(wrong)?;
        Ok(Self(Timestamp(time.as_millisecond())))
    }
}

impl Serialize for FileTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::from_millisecond(self.0.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&time)
    }
}

fn flight(start: Option<FileTime>, end: Option<FileTime>) -> Flight {
    Flight { start: start.map(|t| t.0), end: end.map(|t| t.0) }
}

fn limits<const N: usize>(stated: [(LimitField, Option<i64>); N]) -> Result<Vec<StatedLimit>, Misfit> {
    let stated = stated.into_iter().filter_map(|(field, micros)| Some((field, micros?)));
    stated.map(|(field, micros)| StatedLimit::new(field, micros)).collect()
}
