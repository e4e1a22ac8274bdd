//! From drafted rows to a segment: ids become numbers, and what only shows between objects is checked.
//!
//! A parent is looked for in the segment itself first, then in the base beneath it. A base row that changed is always made
//! again in the segment above, so what is found in the base is current.

use litfass_types::{AdvertiserId, CampaignId, CreativeId, LineItemId, LineItemIx, TenantId};

use crate::catalog::count;
use crate::dnf::unfold;
use crate::draft::{Draft, DraftAd, DraftCampaign, DraftCreative, DraftLineItem};
use crate::index::{Index, IndexBuilder};
use crate::model::{CurvePoint, Format, Status, Video};
use crate::orders::{AdOrder, sort_ads};
use crate::problem::{ObjectKind, ObjectRef, Problems};
use crate::segment::{
    AdColumns, AdvertiserColumns, AdvertiserIx, BannerSize, CampaignColumns, CampaignIx, Caps, CategorySets,
    CreativeColumns, CreativeIx, Curves, LineItemRow, Segment, Stretch, Videos,
};
use crate::surroundings::Surroundings;

/// Makes the segment that stands on `base`; the result is of use only if no problem was added.
pub(crate) fn link(
    draft: Draft,
    base: &Segment,
    around: &mut Surroundings,
    order: AdOrder<'_>,
    problems: &mut Problems,
) -> Segment {
    let mut linker = Linker { segment: Segment::default(), base, around, problems };
    linker.segment.texts = draft.texts;
    linker.segment.values = draft.values;
    linker.segment.trees = draft.trees;
    linker.segment.category_sets = draft.categories.sets;
    linker.advertisers(draft.advertisers);
    linker.campaigns(draft.campaigns);
    linker.line_items(draft.line_items);
    linker.segment.index = linker.segment.indexed();
    linker.creatives(draft.creatives);
    linker.ads(draft.ads, order);
    let mut segment = linker.segment;
    segment.advertiser_caps = caps(draft.advertiser_caps);
    segment.campaign_caps = caps(draft.campaign_caps);
    segment.line_item_caps = caps(draft.line_item_caps);
    segment.curves = curves(draft.curves);
    segment.ad_caps = caps(draft.ad_caps);
    segment.videos = videos(draft.videos);
    segment.take_fingerprint();
    segment.shrink();
    segment
}

impl Segment {
    fn indexed(&self) -> Index {
        let mut builder = IndexBuilder::new(self.line_items.len(), &self.values);
        for row in &self.line_items {
            // What is too large to unfold is a problem already, so this segment is never used.
            builder.push(&unfold(&self.trees, row.targeting).unwrap_or_default(), row.time_zone);
        }
        builder.finish(&self.line_items)
    }
}

fn caps(mut caps: Vec<(u64, crate::model::FrequencyCap)>) -> Caps {
    caps.sort_by_key(|(owner, _)| *owner);
    caps.shrink_to_fit();
    Caps(caps)
}

fn curves(mut curves: Vec<(LineItemId, Box<[CurvePoint]>)>) -> Curves {
    curves.sort_by_key(|(owner, _)| *owner);
    curves.shrink_to_fit();
    Curves(curves)
}

fn videos(mut videos: Vec<(CreativeId, Video)>) -> Videos {
    videos.sort_by_key(|(owner, _)| *owner);
    videos.shrink_to_fit();
    Videos(videos)
}

struct Linker<'a> {
    segment: Segment,
    base: &'a Segment,
    around: &'a mut Surroundings,
    problems: &'a mut Problems,
}

impl Linker<'_> {
    fn advertisers(&mut self, mut drafts: Vec<crate::draft::DraftAdvertiser>) {
        sort_by_id(&mut drafts, |row| row.id.0, ObjectKind::Advertiser, self.problems);
        for row in &drafts {
            if !self.around.tenants.contains_key(&row.tenant) {
                self.unknown(object(ObjectKind::Advertiser, row.id.0), ObjectKind::Tenant, row.tenant.0);
            }
        }
        let row = |d: crate::draft::DraftAdvertiser| AdvertiserColumns {
            id: d.id,
            tenant: d.tenant,
            name: d.name,
            zone: d.zone,
            status: d.status,
        };
        self.segment.advertisers = drafts.into_iter().map(row).collect();
    }

    fn campaigns(&mut self, mut drafts: Vec<DraftCampaign>) {
        sort_by_id(&mut drafts, |row| row.id.0, ObjectKind::Campaign, self.problems);
        self.segment.campaigns.reserve_exact(drafts.len());
        for d in drafts {
            let advertiser = self.advertiser_of(object(ObjectKind::Campaign, d.id.0), d.advertiser);
            let row = CampaignColumns {
                id: d.id,
                advertiser,
                status: d.status,
                name: d.name,
                stretch: Stretch::of(d.flight),
            };
            self.segment.campaigns.push(row);
        }
    }

    fn line_items(&mut self, mut drafts: Vec<DraftLineItem>) {
        sort_by_id(&mut drafts, |row| row.id.0, ObjectKind::LineItem, self.problems);
        self.segment.line_items.reserve_exact(drafts.len());
        for d in drafts {
            let reference = object(ObjectKind::LineItem, d.id.0);
            let campaign = self.campaign_ix(d.campaign).unwrap_or_else(|| {
                self.unknown(reference, ObjectKind::Campaign, d.campaign.0);
                UNKNOWN_CAMPAIGN
            });
            let row = self.line_item(reference, &d, campaign);
            self.segment.line_items.push(row);
        }
    }

    fn line_item(&mut self, reference: ObjectRef, d: &DraftLineItem, campaign_ix: CampaignIx) -> LineItemRow {
        let campaign = self.campaign(campaign_ix);
        let owner = self.advertiser(campaign.advertiser);
        let active = [d.status, campaign.status, owner.status] == [Status::Active; 3];
        if let (true, Ok(row)) = (active, u32::try_from(self.segment.line_items.len())) {
            self.segment.active.insert(row);
        }
        if campaign.advertiser != UNKNOWN_ADVERTISER {
            self.placements_of(reference, d, owner.tenant);
        }
        LineItemRow {
            id: d.id,
            campaign: campaign.id,
            advertiser: owner.id,
            tenant: owner.tenant,
            campaign_ix,
            advertiser_ix: campaign.advertiser,
            bid: d.bid,
            exclusions: self.exclusions(reference, d, owner.tenant),
            time_zone: owner.zone,
            billable: d.billable,
            pacing: d.pacing,
            paced_by: d.paced_by,
            status: d.status,
            needs_consent: d.needs_consent,
            targets_segments: d.targets_segments,
            targets_placements: !d.placements.is_empty(),
            name: d.name,
            stretch: Stretch::of(d.flight),
            targeting: d.targeting,
        }
    }

    fn placements_of(&mut self, reference: ObjectRef, d: &DraftLineItem, tenant: TenantId) {
        for id in &d.placements {
            let known = self.around.placements.get(id).map(|placement| placement.tenant);
            if known != Some(tenant) {
                let message = format!("there is no placement {id} of its tenant");
                self.problems.add(reference, "targeting.placement", message);
            }
        }
    }

    fn exclusions(&mut self, reference: ObjectRef, d: &DraftLineItem, tenant: TenantId) -> u64 {
        let mut mask = 0;
        for (i, name) in d.exclusions.iter().enumerate() {
            let Some(bit) = self.around.groups.intern(tenant, name) else {
                let max = crate::limits::EXCLUSION_GROUPS_PER_TENANT_MAX;
                let message = format!("its tenant has {max} exclusion groups already, {name:?} not among them");
                self.problems.add(reference, format!("exclusion_groups[{i}]"), message);
                continue;
            };
            mask |= bit;
        }
        mask
    }

    fn creatives(&mut self, mut drafts: Vec<DraftCreative>) {
        sort_by_id(&mut drafts, |row| row.id.0, ObjectKind::Creative, self.problems);
        self.segment.creatives = drafts.into_iter().map(|d| self.creative_row(&d)).collect();
    }

    fn creative_row(&mut self, d: &DraftCreative) -> CreativeColumns {
        let advertiser = self.advertiser_of(object(ObjectKind::Creative, d.id.0), d.advertiser);
        let (id, start, lengths, size, review) = (d.id, d.start, d.lengths, BannerSize::of(d.format), d.review);
        let is_video = matches!(d.format, Format::Video { .. });
        CreativeColumns { id, start, lengths, advertiser, size, is_video, review }
    }

    fn ads(&mut self, mut drafts: Vec<DraftAd>, order: AdOrder<'_>) {
        for ad in &mut drafts {
            self.link_ad(ad);
        }
        sort_ads(&mut drafts, order);
        let first = count(&self.base.line_items);
        let segment = &mut self.segment;
        let active = (0..).zip(&drafts).filter(|(_, ad)| ad.status == Status::Active);
        segment.active_ads = active.map(|(row, _)| row).collect();
        segment.ads = drafts.iter().map(|ad| row(ad, first, &segment.category_sets)).collect();
        drop(drafts);
        self.segment.orders.by_id = self.segment.rows_by_id();
        self.ads_given_twice();
        if self.problems.is_empty() {
            self.segment.order_rows(first);
        }
    }

    fn ads_given_twice(&mut self) {
        let id = |row: u32| self.segment.ads[row as usize].id;
        for pair in self.segment.orders.by_id.windows(2).filter(|pair| id(pair[0]) == id(pair[1])) {
            self.problems.add(object(ObjectKind::Ad, id(pair[0]).0), "id", "is given twice");
        }
    }

    /// An ad and its line item are always in one segment.
    fn link_ad(&mut self, ad: &mut DraftAd) {
        let reference = object(ObjectKind::Ad, ad.id.0);
        let (line_item, creative) = (self.segment.line_item(ad.line_item), self.creative_ix(ad.creative));
        if line_item.is_none() {
            self.unknown(reference, ObjectKind::LineItem, ad.line_item.0);
        }
        if creative.is_none() {
            self.unknown(reference, ObjectKind::Creative, ad.creative.0);
        }
        let (Some(line_item), Some(creative)) = (line_item, creative) else { return };
        (ad.line_item_row, ad.creative_ix) = (line_item, CreativeIx(creative));
        let owners = [self.segment.line_items[line_item as usize].advertiser_ix, self.creative(creative).advertiser];
        if owners[0] != owners[1] && !owners.contains(&UNKNOWN_ADVERTISER) {
            let message = format!("creative {} belongs to another advertiser than the ad's line item", ad.creative);
            self.problems.add(reference, "creative", message);
        }
    }

    fn advertiser_of(&mut self, reference: ObjectRef, id: AdvertiserId) -> AdvertiserIx {
        let local = self.segment.advertiser(id).map(|row| row + count(&self.base.advertisers));
        local.or_else(|| self.base.advertiser(id)).map(AdvertiserIx).unwrap_or_else(|| {
            self.unknown(reference, ObjectKind::Advertiser, id.0);
            UNKNOWN_ADVERTISER
        })
    }

    fn advertiser(&self, ix: AdvertiserIx) -> AdvertiserColumns {
        let first = self.base.advertisers.len();
        let at = ix.0 as usize;
        let found = if at < first { self.base.advertisers.get(at) } else { self.segment.advertisers.get(at - first) };
        let nobody = AdvertiserColumns {
            id: AdvertiserId(0),
            tenant: TenantId(0),
            name: crate::text::Span::default(),
            zone: litfass_types::TimeZoneId(0),
            status: Status::Archived,
        };
        found.copied().unwrap_or(nobody)
    }

    fn campaign_ix(&self, id: CampaignId) -> Option<CampaignIx> {
        let local = self.segment.campaign(id).map(|row| row + count(&self.base.campaigns));
        local.or_else(|| self.base.campaign(id)).map(CampaignIx)
    }

    fn campaign(&self, ix: CampaignIx) -> CampaignColumns {
        let first = self.base.campaigns.len();
        let at = ix.0 as usize;
        let found = if at < first { self.base.campaigns.get(at) } else { self.segment.campaigns.get(at - first) };
        let none = CampaignColumns {
            id: CampaignId(0),
            advertiser: UNKNOWN_ADVERTISER,
            status: Status::Archived,
            name: crate::text::Span::default(),
            stretch: Stretch::of(crate::model::Flight::default()),
        };
        found.copied().unwrap_or(none)
    }

    fn creative_ix(&self, id: CreativeId) -> Option<u32> {
        let local = self.segment.creative(id).map(|row| row + count(&self.base.creatives));
        local.or_else(|| self.base.creative(id))
    }

    fn creative(&self, ix: u32) -> CreativeColumns {
        let first = self.base.creatives.len();
        let at = ix as usize;
        if at < first { self.base.creatives[at] } else { self.segment.creatives[at - first] }
    }

    fn unknown(&mut self, child: ObjectRef, kind: ObjectKind, id: u64) {
        self.problems.add(child, kind.name(), format!("there is no {} {id}", kind.name()));
    }
}

// Stand in for an unknown parent, which is a problem by then, so that other problems are found as well.
const UNKNOWN_ADVERTISER: AdvertiserIx = AdvertiserIx(u32::MAX);
const UNKNOWN_CAMPAIGN: CampaignIx = CampaignIx(u32::MAX);

fn row(d: &DraftAd, first_line_item: u32, sets: &CategorySets) -> AdColumns {
    AdColumns {
        id: d.id,
        created: d.created,
        item: d.item,
        item_hash: d.item_hash,
        category: sets.hashes(d.categories).first().copied().unwrap_or(0),
        line_item: LineItemIx(first_line_item.saturating_add(d.line_item_row)),
        creative: d.creative_ix,
        categories: d.categories,
        status: d.status,
    }
}

const fn object(kind: ObjectKind, id: u64) -> ObjectRef {
    ObjectRef { kind, id }
}

fn sort_by_id<T>(rows: &mut [T], id: impl Fn(&T) -> u64, kind: ObjectKind, problems: &mut Problems) {
    rows.sort_by_key(&id);
    for pair in rows.windows(2) {
        if id(&pair[0]) == id(&pair[1]) {
            problems.add(object(kind, id(&pair[0])), "id", "is given twice");
        }
    }
}
