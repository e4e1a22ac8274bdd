//! From the catalog's own words back to what the file would say: reading the result gives the same object again.

use serde_json::{Map, Value};

use super::{
    FileAd, FileAdvertiser, FileBid, FileBillable, FileCampaign, FileCap, FileCreative, FileCurvePoint, FileFormat,
    FileFormatName, FileLineItem, FilePacedBy, FilePacing, FilePlacement, FileReview, FileSegment, FileStatus,
    FileTargeting, FileTenant, FileTime, FileUnit, FileVideo,
};
use crate::catalog::limit::LimitField;
use litfass_catalog::Targeting;
use litfass_catalog::model::{
    Ad, Advertiser, Campaign, Creative, Format, FrequencyCap, LineItem, Media, Object, Placement, Segment, Tenant,
    Video,
};
use litfass_types::Timestamp;

/// Limits in force beside an object, in micros.
pub(crate) type LimitsInForce<'a> = &'a dyn Fn(LimitField) -> Option<i64>;

/// The object's members, each of them, `null` where there is nothing.
pub(crate) fn written(object: &Object, limit: LimitsInForce<'_>) -> Map<String, Value> {
    let value = match object {
        Object::Tenant(o) => serde_json::to_value(FileTenant::of(o)),
        Object::Advertiser(o) => serde_json::to_value(FileAdvertiser::of(o, limit)),
        Object::Campaign(o) => serde_json::to_value(FileCampaign::of(o, limit)),
        Object::LineItem(o) => serde_json::to_value(FileLineItem::of(o, limit)),
        Object::Creative(o) => serde_json::to_value(FileCreative::of(o)),
        Object::Ad(o) => serde_json::to_value(FileAd::of(o)),
        Object::Placement(o) => serde_json::to_value(FilePlacement::of(o)),
        Object::Segment(o) => serde_json::to_value(FileSegment::of(o)),
    };
    // A struct with names for its fields is always a map.
    if let Ok(Value::Object(members)) = value { members } else { Map::new() }
}

impl FileTenant {
    fn of(o: &Tenant) -> Self {
        Self { id: o.id.0, name: o.name.clone() }
    }
}

impl FileAdvertiser {
    fn of(o: &Advertiser, limit: LimitsInForce<'_>) -> Self {
        Self {
            id: o.id.0,
            tenant: o.tenant.0,
            name: o.name.clone(),
            status: FileStatus::of(o.status),
            time_zone: Some(o.time_zone.clone()),
            credit_limit_micros: limit(LimitField::CreditLimit),
            frequency_caps: caps(&o.caps),
        }
    }
}

impl FileCampaign {
    fn of(o: &Campaign, limit: LimitsInForce<'_>) -> Self {
        Self {
            id: o.id.0,
            advertiser: o.advertiser.0,
            name: o.name.clone(),
            status: FileStatus::of(o.status),
            start: time(o.flight.start),
            end: time(o.flight.end),
            lifetime_budget_micros: limit(LimitField::LifetimeBudget),
            daily_budget_micros: limit(LimitField::DailyBudget),
            frequency_caps: caps(&o.caps),
        }
    }
}

impl FileLineItem {
    fn of(o: &LineItem, limit: LimitsInForce<'_>) -> Self {
        Self {
            id: o.id.0,
            campaign: o.campaign.0,
            name: o.name.clone(),
            status: FileStatus::of(o.status),
            start: time(o.flight.start),
            end: time(o.flight.end),
            bid: FileBid { micros: o.bid.micros, per: FileUnit::of(o.bid.per) },
            billable: FileBillable::of(o.billable),
            pacing: FilePacing::of(o.pacing),
            paced_by: FilePacedBy::of(o.paced_by),
            pacing_curve: o.curve.iter().map(FileCurvePoint::of).collect(),
            budget_micros: limit(LimitField::Budget),
            targeting: (o.targeting != Targeting::run_of_network()).then(|| FileTargeting::of(&o.targeting)),
            frequency_caps: caps(&o.caps),
            exclusion_groups: o.exclusions.clone(),
            needs_consent: o.needs_consent,
        }
    }
}

impl FileCreative {
    fn of(o: &Creative) -> Self {
        let FileFormat { format, width, height } = FileFormat::of(o.format);
        Self {
            id: o.id.0,
            advertiser: o.advertiser.0,
            format,
            width,
            height,
            title: o.title.clone(),
            text: o.text.clone(),
            landing_url: o.landing_url.clone(),
            image_url: o.image_url.clone(),
            review: FileReview::of(o.review),
            video: o.video.as_ref().map(FileVideo::of),
        }
    }
}

impl FileAd {
    fn of(o: &Ad) -> Self {
        Self {
            id: o.id.0,
            line_item: o.line_item.0,
            creative: o.creative.0,
            status: FileStatus::of(o.status),
            item: o.item.clone(),
            categories: o.categories.clone(),
            frequency_caps: caps(&o.caps),
        }
    }
}

impl FilePlacement {
    fn of(o: &Placement) -> Self {
        Self {
            id: o.id.0,
            tenant: o.tenant.0,
            name: o.name.clone(),
            page_type: o.page_type.clone(),
            formats: o.formats.iter().copied().map(FileFormat::of).collect(),
            slots_max: Some(o.slots_max),
            floor_micros: o.floor.0,
            max_per_advertiser: Some(o.max_per_advertiser),
            blocked_advertisers: o.blocked_advertisers.iter().map(|id| id.0).collect(),
            blocked_categories: o.blocked_categories.clone(),
        }
    }
}

impl FileSegment {
    fn of(o: &Segment) -> Self {
        Self { id: o.id.0, tenant: o.tenant.0, name: o.name.clone(), description: o.description.clone() }
    }
}

impl FileVideo {
    fn of(o: &Video) -> Self {
        let (vast_url, file_url) = match &o.media {
            Media::Vast(url) => (Some(url.clone()), None),
            Media::File(url) => (None, Some(url.clone())),
        };
        Self { duration_ms: o.duration.0, mime_types: o.mime_types.clone(), vast_url, file_url }
    }
}

impl FileFormat {
    const fn of(format: Format) -> Self {
        match format {
            Format::Banner { width, height } => {
                Self { format: FileFormatName::Banner, width: Some(width), height: Some(height) }
            }
            Format::Video { width, height } => {
                Self { format: FileFormatName::Video, width: Some(width), height: Some(height) }
            }
            Format::SponsoredItem => Self { format: FileFormatName::SponsoredItem, width: None, height: None },
        }
    }
}

fn time(at: Option<Timestamp>) -> Option<FileTime> {
    at.map(FileTime)
}

fn caps(caps: &[FrequencyCap]) -> Vec<FileCap> {
    let minutes = |cap: &FrequencyCap| u32::try_from(cap.window.0 / 60_000).unwrap_or(u32::MAX);
    caps.iter().map(|cap| FileCap { max: cap.max, window_minutes: minutes(cap) }).collect()
}
