//! `POST /v1/decisions` on the wire: shapes, limits, and the way into a validated `AdRequest`.

use std::collections::BTreeMap;

use litfass_catalog::model::{Format, Media, Video};
use litfass_catalog::{Catalog, CreativeRow};
use litfass_decide::{AdRequest, Context, PlacementRequest};
use litfass_types::{Device, Nanos, Os, PlacementId, Price, TenantId, Traffic};
use serde::{Deserialize, Serialize};

use crate::access::Caller;
use crate::gateway::Arrival;
use crate::gateway::agents::Agent;
use crate::problem::Code;

use super::invalid::{Invalid, bounded, bounded_list, one_of};

pub const PLACEMENTS_MAX: usize = 8;
pub const SLOTS_MAX: u8 = 20;
pub const LIST_MAX: usize = 64;
pub const TEXT_MAX: usize = 128;
pub const URL_MAX: usize = 2_048;
pub const REQUEST_ID_MAX: usize = 64;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    pub request_id: Option<String>,
    pub user_id: Option<String>,
    pub placements: Vec<PlacementAsk>,
    #[serde(default)]
    pub context: ContextAsk,
    #[serde(default = "yes")]
    pub personalise: bool,
    #[serde(default)]
    pub explain: bool,
    /// Decided for real and recorded as a test: it bills nothing, counts against no cap, and nothing learns from it.
    #[serde(default)]
    pub test: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct PlacementAsk {
    pub id: u64,
    pub slots: u8,
    /// CPM.
    pub floor_micros: Option<i64>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct ContextAsk {
    pub device: Option<String>,
    pub os: Option<String>,
    pub country: Option<String>,
    pub region: Option<String>,
    pub city: Option<String>,
    pub url: Option<String>,
    #[serde(default)]
    pub categories: Vec<String>,
    #[serde(default)]
    pub keywords: Vec<String>,
    #[serde(default)]
    pub segments: Vec<String>,
    #[serde(default)]
    pub key_values: BTreeMap<String, Vec<String>>,
    /// The viewer's address and user agent: what is told from them is not said otherwise, and they are not kept.
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

#[derive(Serialize, Debug)]
pub struct DecisionResponse {
    /// None where no decision was made, because such traffic is refused.
    pub decision_id: Option<String>,
    /// Who or what asked, where it was not people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<&'static str>,
    pub user_id: Option<String>,
    pub placements: Vec<PlacementAnswer>,
    /// Ports whose answer was missing; the decision went on without them.
    pub degraded: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<crate::console::view::ExplanationView>,
}

#[derive(Serialize, Debug)]
pub struct PlacementAnswer {
    pub id: u64,
    pub ads: Vec<AdAnswer>,
}

#[derive(Serialize, Debug)]
pub struct AdAnswer {
    pub slot: u8,
    pub ad_id: u64,
    pub line_item_id: u64,
    pub campaign_id: u64,
    pub advertiser_id: u64,
    pub item: Option<String>,
    pub creative: CreativeAnswer,
    pub tracking: Tracking,
}

#[derive(Serialize, Debug)]
pub struct CreativeAnswer {
    pub id: u64,
    pub format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u16>,
    pub title: String,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoAnswer>,
}

/// What a player needs; one of the two URLs.
#[derive(Serialize, Debug)]
pub struct VideoAnswer {
    pub duration_ms: i64,
    pub mime_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vast_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_url: Option<String>,
}

/// Paths on this server; each bills, or counts, at most once.
#[derive(Clone, Serialize, Debug)]
pub struct Tracking {
    pub impression: String,
    pub viewable: String,
    pub click: String,
}

/// The request's class of traffic, where it is worth a word.
#[must_use]
pub fn class_of(request: &AdRequest) -> Option<&'static str> {
    Some(request.traffic.name()).filter(|_| !request.traffic.counts())
}

impl DecisionResponse {
    /// No decision was made: the operator serves no such traffic.
    #[must_use]
    pub fn refused(request: &AdRequest) -> Self {
        let empty = |placement: &PlacementRequest| PlacementAnswer { id: placement.id.0, ads: Vec::new() };
        Self {
            decision_id: None,
            traffic: class_of(request),
            user_id: None,
            placements: request.placements.iter().map(empty).collect(),
            degraded: Vec::new(),
            explain: None,
        }
    }
}

impl DecisionRequest {
    /// The tenant follows from the placements, which must all be of one. A placement beyond the caller's scope is unknown.
    ///
    /// # Errors
    /// Names the first field outside its limits or unknown to the catalog.
    pub fn placements(&self, catalog: &Catalog, caller: &Caller) -> Result<(TenantId, Vec<PlacementRequest>), Invalid> {
        if self.placements.is_empty() || self.placements.len() > PLACEMENTS_MAX {
            return Err(Invalid::new("placements", format!("give 1 to {PLACEMENTS_MAX} placements")));
        }
        let mut tenant = None;
        let mut asked: Vec<PlacementRequest> = Vec::with_capacity(self.placements.len());
        for (i, ask) in self.placements.iter().enumerate() {
            let (owner, placement) = ask.check(catalog, caller).map_err(|e| e.below(&format!("placements[{i}]")))?;
            if *tenant.get_or_insert(owner) != owner {
                return Err(Invalid::new(
                    format!("placements[{i}].id"),
                    "belongs to another tenant than the placements before it",
                ));
            }
            if asked.iter().any(|p| p.id == placement.id) {
                return Err(Invalid::new(format!("placements[{i}].id"), "is named twice"));
            }
            asked.push(placement);
        }
        tenant.map(|t| (t, asked)).ok_or_else(|| Invalid::new("placements", "is empty"))
    }

    /// Everything but the user, who is hashed under the tenant's secret first.
    ///
    /// # Errors
    /// Names the first field outside its limits.
    pub fn check(self, catalog: &Catalog, caller: &Caller) -> Result<(AdRequest, Option<String>), Invalid> {
        let (tenant, placements) = self.placements(catalog, caller)?;
        bounded("request_id", self.request_id.as_deref(), REQUEST_ID_MAX)?;
        bounded("user_id", self.user_id.as_deref(), TEXT_MAX)?;
        let context = self.context.check().map_err(|e| e.below("context"))?;
        let request = AdRequest {
            request_id: self.request_id,
            tenant,
            user: None,
            personalise: self.personalise,
            traffic: if self.test { Traffic::Test } else { Traffic::Human },
            placements,
            context,
        };
        Ok((request, self.user_id))
    }
}

impl PlacementAsk {
    fn check(&self, catalog: &Catalog, caller: &Caller) -> Result<(TenantId, PlacementRequest), Invalid> {
        let id = PlacementId(self.id);
        let placement = catalog
            .placement(id)
            .filter(|placement| caller.reaches(placement.tenant))
            .ok_or_else(|| Invalid::unknown(Code::UnknownPlacement, "id", format!("no placement {}", self.id)))?;
        let most = placement.slots_max.min(SLOTS_MAX);
        if self.slots == 0 || self.slots > most {
            return Err(Invalid::new("slots", format!("must be 1 to {most} at this placement")));
        }
        let floor = self.floor_micros.unwrap_or(0);
        if !(0..=Price::MAX_MICROS).contains(&floor) {
            return Err(Invalid::new("floor_micros", format!("must be 0 to {}", Price::MAX_MICROS)));
        }
        // A CPM in micros is that many nanos per impression.
        Ok((placement.tenant, PlacementRequest { id, slots: self.slots, floor: Nanos(floor) }))
    }
}

impl ContextAsk {
    /// What is said of where the viewer comes from.
    ///
    /// # Errors
    /// When the address is none.
    pub fn arrival(&self) -> Result<Arrival, Invalid> {
        bounded("user_agent", self.user_agent.as_deref(), URL_MAX)?;
        let address = self.ip.as_deref().map(str::parse).transpose();
        let address = address.map_err(|_| Invalid::new("ip", "is an IPv4 or IPv6 address"))?;
        Ok(Arrival { address, agent: self.user_agent.as_deref().map(Agent::new) })
    }

    /// # Errors
    /// Names the first field outside its limits.
    pub fn check(self) -> Result<Context, Invalid> {
        let texts = [("region", &self.region), ("city", &self.city)];
        for (field, text) in texts {
            bounded(field, text.as_deref(), TEXT_MAX)?;
        }
        bounded("url", self.url.as_deref(), URL_MAX)?;
        for (field, list) in
            [("categories", &self.categories), ("keywords", &self.keywords), ("segments", &self.segments)]
        {
            bounded_list(field, list, LIST_MAX, TEXT_MAX)?;
        }
        Ok(Context {
            device: one_of("device", self.device.as_deref(), Device::parse, Device::ALL.iter().map(|d| d.name()))?,
            os: one_of("os", self.os.as_deref(), Os::parse, Os::ALL.iter().map(|o| o.name()))?,
            country: self.country.map(check_country).transpose()?,
            region: self.region,
            city: self.city,
            url: self.url,
            categories: self.categories,
            keywords: self.keywords,
            segments: self.segments,
            key_values: flatten(self.key_values)?,
        })
    }
}

fn check_country(code: String) -> Result<String, Invalid> {
    let valid = code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    if valid { Ok(code) } else { Err(Invalid::new("country", "is two upper-case letters of ISO 3166-1")) }
}

fn flatten(key_values: BTreeMap<String, Vec<String>>) -> Result<Vec<(String, String)>, Invalid> {
    let mut pairs = Vec::new();
    for (key, values) in key_values {
        let field = format!("key_values.{key}");
        bounded("key_values", Some(&key), TEXT_MAX)?;
        bounded_list(&field, &values, LIST_MAX, TEXT_MAX)?;
        pairs.extend(values.into_iter().map(|v| (key.clone(), v)));
    }
    if pairs.len() > LIST_MAX {
        return Err(Invalid::new("key_values", format!("holds more than {LIST_MAX} pairs")));
    }
    Ok(pairs)
}

impl CreativeAnswer {
    #[must_use]
    pub fn of(creative: &CreativeRow<'_>) -> Self {
        let (format, size) = match creative.format {
            Format::Banner { width, height } => ("banner", Some((width, height))),
            Format::Video { width, height } => ("video", Some((width, height))),
            Format::SponsoredItem => ("sponsored_item", None),
        };
        Self {
            id: creative.id.0,
            format,
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            title: creative.title.to_owned(),
            text: creative.text.to_owned(),
            image_url: creative.image_url.map(str::to_owned),
            video: creative.video.map(VideoAnswer::of),
        }
    }
}

impl VideoAnswer {
    fn of(video: &Video) -> Self {
        let (vast_url, file_url) = match &video.media {
            Media::Vast(url) => (Some(url.clone()), None),
            Media::File(url) => (None, Some(url.clone())),
        };
        Self { duration_ms: video.duration.0, mime_types: video.mime_types.clone(), vast_url, file_url }
    }
}
