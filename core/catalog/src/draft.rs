//! Rows of a segment while objects come in, in any order: parents are still ids.

use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, LineItemId, PlacementId, Price, TenantId, TermKind, TimeZoneId,
    Timestamp, hash_pair,
};

use crate::dnf::unfold;
use crate::encoded::{TreeRef, TreeWriter, Trees};
use crate::model::{
    Ad, Advertiser, Billable, Campaign, Creative, CurvePoint, Flight, Format, FrequencyCap, LineItem, Object, PacedBy,
    PacingMode, Review, Status, Video,
};
use crate::problem::{ObjectKind, ObjectRef, Problems};
use crate::segment::{CategorySets, CreativeIx, item_hash};
use crate::surroundings::Surroundings;
use crate::targeting::Targeting;
use crate::text::{FREE, Interner, Span, Texts, Values};
use crate::validate;

#[derive(Debug)]
pub(crate) struct DraftAdvertiser {
    pub(crate) id: AdvertiserId,
    pub(crate) tenant: TenantId,
    pub(crate) name: Span,
    pub(crate) zone: TimeZoneId,
    pub(crate) status: Status,
}

#[derive(Debug)]
pub(crate) struct DraftCampaign {
    pub(crate) id: CampaignId,
    pub(crate) advertiser: AdvertiserId,
    pub(crate) name: Span,
    pub(crate) status: Status,
    pub(crate) flight: Flight,
}

#[derive(Debug)]
pub(crate) struct DraftLineItem {
    pub(crate) id: LineItemId,
    pub(crate) campaign: CampaignId,
    pub(crate) name: Span,
    pub(crate) status: Status,
    pub(crate) flight: Flight,
    pub(crate) bid: Price,
    pub(crate) billable: Billable,
    pub(crate) pacing: PacingMode,
    pub(crate) paced_by: PacedBy,
    pub(crate) exclusions: Box<[String]>,
    pub(crate) placements: Box<[PlacementId]>,
    pub(crate) targeting: TreeRef,
    pub(crate) needs_consent: bool,
    pub(crate) targets_segments: bool,
}

#[derive(Debug)]
pub(crate) struct DraftCreative {
    pub(crate) id: CreativeId,
    pub(crate) advertiser: AdvertiserId,
    pub(crate) start: Span,
    pub(crate) lengths: [u16; 3],
    pub(crate) format: Format,
    pub(crate) review: Review,
}

#[derive(Debug)]
pub(crate) struct DraftAd {
    pub(crate) id: AdId,
    pub(crate) line_item: LineItemId,
    pub(crate) creative: CreativeId,
    pub(crate) created: Timestamp,
    pub(crate) item: Span,
    pub(crate) item_hash: u64,
    pub(crate) categories: u32,
    pub(crate) status: Status,
    /// Its line item's row in the segment and its creative's number, once they are linked.
    pub(crate) line_item_row: u32,
    pub(crate) creative_ix: CreativeIx,
}

#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) texts: Texts,
    pub(crate) values: Values,
    interner: Interner,
    pub(crate) trees: Trees,
    pub(crate) advertisers: Vec<DraftAdvertiser>,
    pub(crate) campaigns: Vec<DraftCampaign>,
    pub(crate) line_items: Vec<DraftLineItem>,
    pub(crate) creatives: Vec<DraftCreative>,
    pub(crate) ads: Vec<DraftAd>,
    pub(crate) advertiser_caps: Vec<(u64, FrequencyCap)>,
    pub(crate) campaign_caps: Vec<(u64, FrequencyCap)>,
    pub(crate) line_item_caps: Vec<(u64, FrequencyCap)>,
    pub(crate) curves: Vec<(LineItemId, Box<[CurvePoint]>)>,
    pub(crate) ad_caps: Vec<(u64, FrequencyCap)>,
    pub(crate) videos: Vec<(CreativeId, Video)>,
    pub(crate) categories: CategoryLists,
}

/// Distinct lists of categories, found by the hash of their values.
#[derive(Debug, Default)]
pub(crate) struct CategoryLists {
    slots: Vec<u32>,
    pub(crate) sets: CategorySets,
}

impl CategoryLists {
    fn number(&mut self, list: &[u32], values: &Values) -> u32 {
        if self.slots.len() < (self.sets.len() + 1) * 2 {
            self.grow();
        }
        let mut slot = first_slot(list, self.slots.len());
        while self.slots[slot] != FREE {
            if self.sets.values(self.slots[slot]) == list {
                return self.slots[slot];
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        // Fewer than 2³² lists: every one belongs to an ad.
        let number = u32::try_from(self.sets.len()).unwrap_or(FREE - 1);
        self.slots[slot] = number;
        self.sets.push(list, values);
        number
    }

    fn grow(&mut self) {
        let size = (self.sets.len() + 1).next_power_of_two() * 4;
        self.slots = vec![FREE; size];
        for number in (0..).take(self.sets.len()) {
            let mut slot = first_slot(self.sets.values(number), size);
            while self.slots[slot] != FREE {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = number;
        }
    }
}

fn first_slot(list: &[u32], size: usize) -> usize {
    let hash = list.iter().fold(list.len() as u64, |hash, value| hash_pair(hash, u64::from(*value)));
    usize::try_from(hash & (size as u64 - 1)).unwrap_or(0)
}

impl Draft {
    /// Adds the object's row. Tenants and placements go to `around`.
    pub(crate) fn push(&mut self, object: Object, around: &mut Surroundings, problems: &mut Problems) {
        let reference = object.reference();
        match object {
            Object::Tenant(o) => drop(around.tenants.insert(o.id, o)),
            Object::Placement(o) => drop(around.placements.insert(o.id, o)),
            Object::Segment(o) => drop(around.segments.insert(o.id, o)),
            Object::Advertiser(o) => {
                let zone = zone(reference, &o, around, problems);
                self.advertiser(&o, zone);
            }
            Object::Campaign(o) => self.campaign(&o),
            Object::LineItem(o) => self.line_item(o, problems),
            Object::Creative(o) => self.creative(&o),
            Object::Ad(o) => self.ad(&o),
        }
    }

    fn advertiser(&mut self, o: &Advertiser, zone: TimeZoneId) {
        let name = self.texts.push(&o.name);
        self.advertiser_caps.extend(o.caps.iter().map(|cap| (o.id.0, *cap)));
        self.advertisers.push(DraftAdvertiser { id: o.id, tenant: o.tenant, name, zone, status: o.status });
    }

    fn campaign(&mut self, o: &Campaign) {
        let name = self.texts.push(&o.name);
        let row = DraftCampaign { id: o.id, advertiser: o.advertiser, name, status: o.status, flight: o.flight };
        self.campaigns.push(row);
        self.campaign_caps.extend(o.caps.iter().map(|cap| (o.id.0, *cap)));
    }

    fn line_item(&mut self, o: LineItem, problems: &mut Problems) {
        let targeting = if validate::is_compilable(&o.targeting) { o.targeting } else { Targeting::run_of_network() };
        let (mut placements, mut targets_segments) = (Vec::new(), false);
        targeting.each_value(&mut |kind, value| {
            targets_segments |= kind == TermKind::Segment;
            placements.extend(
                (kind == TermKind::Placement).then(|| validate::placement_id(value)).flatten().map(PlacementId),
            );
        });
        let name = self.texts.push(&o.name);
        let mut writer = TreeWriter { interner: &mut self.interner, values: &mut self.values, texts: &mut self.texts };
        let tree = self.trees.push(&targeting, &mut writer);
        if let Err(too_large) = unfold(&self.trees, tree) {
            problems.add(ObjectRef { kind: ObjectKind::LineItem, id: o.id.0 }, "targeting", too_large.to_string());
        }
        self.line_item_caps.extend(o.caps.iter().map(|cap| (o.id.0, *cap)));
        if !o.curve.is_empty() {
            self.curves.push((o.id, o.curve.as_slice().into()));
        }
        self.line_items.push(DraftLineItem {
            id: o.id,
            campaign: o.campaign,
            name,
            status: o.status,
            flight: o.flight,
            bid: o.bid,
            billable: o.billable,
            pacing: o.pacing,
            paced_by: o.paced_by,
            exclusions: o.exclusions.into(),
            placements: placements.into(),
            targeting: tree,
            needs_consent: o.needs_consent,
            targets_segments,
        });
    }

    fn creative(&mut self, o: &Creative) {
        let start = self.texts.push(&o.title);
        let rest = [o.text.as_str(), &o.landing_url, o.image_url.as_deref().unwrap_or("")];
        let lengths = rest.map(|text| {
            self.texts.push(text);
            // A longer text is refused, and none of it was kept.
            u16::try_from(text.len()).unwrap_or(0)
        });
        let (id, advertiser, format, review) = (o.id, o.advertiser, o.format, o.review);
        self.creatives.push(DraftCreative { id, advertiser, start, lengths, format, review });
        self.videos.extend(o.video.clone().map(|video| (id, video)));
    }

    fn ad(&mut self, o: &Ad) {
        let list: Vec<u32> = o.categories.iter().map(|category| self.value(TermKind::Category, category)).collect();
        let categories = self.categories.number(&list, &self.values);
        let item = o.item.as_deref().map_or(Span::default(), |item| self.texts.push(item));
        self.ad_caps.extend(o.caps.iter().map(|cap| (o.id.0, *cap)));
        self.ads.push(DraftAd {
            id: o.id,
            line_item: o.line_item,
            creative: o.creative,
            created: o.created,
            item,
            item_hash: o.item.as_deref().map_or(0, item_hash),
            categories,
            status: o.status,
            line_item_row: 0,
            creative_ix: CreativeIx(0),
        });
    }

    fn value(&mut self, kind: TermKind, text: &str) -> u32 {
        self.interner.intern(kind, text, &mut self.values, &mut self.texts)
    }
}

fn zone(object: ObjectRef, o: &Advertiser, around: &mut Surroundings, problems: &mut Problems) -> TimeZoneId {
    around.zones.intern(&o.time_zone).unwrap_or_else(|unknown| {
        problems.add(object, "time_zone", unknown.to_string());
        TimeZoneId(0)
    })
}
