//! One version of everything that can be advertised: an immutable base, shared between versions, below a small overlay with
//! what changed since; rows of the base that were made again in the overlay are dead.
//!
//! Rows are numbered densely over base ‖ overlay. Numbers mean something only together with [`Catalog::layout`]; dead rows
//! keep their number and are reached by no look-up, list or eligibility.

use std::sync::Arc;

use litfass_types::{
    AdId, AdIx, AdvertiserId, CampaignId, CatalogVersion, CreativeId, LineItemId, LineItemIx, PlacementId, SegmentId,
    TenantId, TimeZones,
};

use crate::bitset::Bitset;
use crate::model::{self, Placement, Tenant};
use crate::segment::{
    AdColumns, AdsOf, AdvertiserColumns, AdvertiserIx, CampaignColumns, CampaignIx, CreativeColumns, CreativeIx,
    Segment,
};
use crate::surroundings::Surroundings;

#[derive(Clone, Debug)]
pub struct Catalog {
    pub(crate) version: CatalogVersion,
    pub(crate) base: Arc<Segment>,
    pub(crate) overlay: Arc<Segment>,
    pub(crate) dead: Arc<Dead>,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) layout: Layout,
}

/// A fingerprint of which row has which number: what is kept by `AdIx` or `LineItemIx` fits every catalog of equal layout.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Layout(pub(crate) u64);

/// Rows of the base that the overlay has replaced, by kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dead {
    pub(crate) advertisers: Bitset,
    pub(crate) campaigns: Bitset,
    pub(crate) line_items: Bitset,
    pub(crate) creatives: Bitset,
    pub(crate) ads: Bitset,
}

/// A row's segment and its number there.
#[derive(Clone, Copy)]
pub(crate) struct Local<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) row: u32,
}

impl Catalog {
    #[must_use]
    pub const fn version(&self) -> CatalogVersion {
        self.version
    }

    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The layout of the base alone: what is kept by numbers below [`Self::base_ads`] fits every catalog of equal base layout.
    #[must_use]
    pub fn base_layout(&self) -> Layout {
        Layout(self.base.fingerprint)
    }

    /// How many ad numbers belong to the base; those from here on are the overlay's.
    #[must_use]
    pub fn base_ads(&self) -> u32 {
        self.first_ad()
    }

    /// How many ad numbers there are: every `AdIx` is below it. Counts dead rows too.
    #[must_use]
    pub fn ads(&self) -> u32 {
        self.first_ad() + count(&self.overlay.ads)
    }

    /// How many line item numbers there are: every `LineItemIx` is below it. Counts dead rows too.
    #[must_use]
    pub fn line_items(&self) -> u32 {
        self.first_line_item() + count(&self.overlay.line_items)
    }

    /// Ads in the overlay: what a merge would fold.
    #[must_use]
    pub fn overlay_ads(&self) -> u32 {
        count(&self.overlay.ads)
    }

    /// Whether the overlay has grown so far that folding it pays: more than an eighth of the base's rows.
    #[must_use]
    pub fn wants_merge(&self) -> bool {
        let rows = |s: &Segment| {
            s.ads.len() + s.creatives.len() + s.line_items.len() + s.campaigns.len() + s.advertisers.len()
        };
        rows(&self.overlay) * 8 > rows(&self.base)
    }

    // ── look-up by stable id ──

    #[must_use]
    pub fn ad_by_id(&self, id: AdId) -> Option<AdIx> {
        let found = find(id, Segment::ad, &self.overlay, self.first_ad());
        found.or_else(|| self.base.ad(id).filter(|row| !self.dead.ads.contains(*row))).map(AdIx)
    }

    #[must_use]
    pub fn line_item_by_id(&self, id: LineItemId) -> Option<LineItemIx> {
        let found = find(id, Segment::line_item, &self.overlay, self.first_line_item());
        found.or_else(|| self.base.line_item(id).filter(|row| !self.dead.line_items.contains(*row))).map(LineItemIx)
    }

    #[must_use]
    pub fn campaign_by_id(&self, id: CampaignId) -> Option<CampaignIx> {
        let found = find(id, Segment::campaign, &self.overlay, count(&self.base.campaigns));
        found.or_else(|| self.base.campaign(id).filter(|row| !self.dead.campaigns.contains(*row))).map(CampaignIx)
    }

    #[must_use]
    pub fn advertiser_by_id(&self, id: AdvertiserId) -> Option<AdvertiserIx> {
        let found = find(id, Segment::advertiser, &self.overlay, count(&self.base.advertisers));
        found.or_else(|| self.base.advertiser(id).filter(|row| !self.dead.advertisers.contains(*row))).map(AdvertiserIx)
    }

    #[must_use]
    pub fn creative_by_id(&self, id: CreativeId) -> Option<CreativeIx> {
        let found = find(id, Segment::creative, &self.overlay, count(&self.base.creatives));
        found.or_else(|| self.base.creative(id).filter(|row| !self.dead.creatives.contains(*row))).map(CreativeIx)
    }

    #[must_use]
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.around.tenants.get(&id)
    }

    #[must_use]
    pub fn placement(&self, id: PlacementId) -> Option<&Placement> {
        self.around.placements.get(&id)
    }

    #[must_use]
    pub fn placement_by_page_type(&self, page_type: &str) -> Option<&Placement> {
        self.placement(*self.around.page_types.get(page_type)?)
    }

    #[must_use]
    pub fn segment(&self, id: SegmentId) -> Option<&model::Segment> {
        self.around.segments.get(&id)
    }

    /// By id.
    pub fn segments(&self) -> impl Iterator<Item = &model::Segment> {
        self.around.segments.values()
    }

    /// By id.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.around.tenants.values()
    }

    /// By id.
    pub fn placements(&self) -> impl Iterator<Item = &Placement> {
        self.around.placements.values()
    }

    /// The zones that its advertisers live in; never forgets one that an earlier version had.
    #[must_use]
    pub fn time_zones(&self) -> &TimeZones {
        &self.around.zones
    }

    // ── lists ──

    /// In ascending order.
    pub fn ads_of(&self, line_item: LineItemIx) -> impl Iterator<Item = AdIx> {
        let at = self.local_line_item(line_item);
        let first = if std::ptr::eq(at.segment, &raw const *self.base) { 0 } else { self.first_ad() };
        let dead = first == 0 && self.dead.line_items.contains(line_item.0);
        let ads = if dead { AdsOf::Range(0..0) } else { at.segment.orders.of_line_item(at.row) };
        ads.map(move |row| AdIx(first + row))
    }

    /// Ads that advertise the item, whatever their status.
    pub fn ads_with_item(&self, item_hash: u64) -> impl Iterator<Item = AdIx> {
        let first = self.first_ad();
        let alive = self.base.with_item(item_hash).filter(|row| !self.dead.ads.contains(*row));
        alive.chain(self.overlay.with_item(item_hash).map(move |row| first + row)).map(AdIx)
    }

    /// Line items that are not dead, in ascending order.
    pub fn live_line_items(&self) -> impl Iterator<Item = LineItemIx> {
        (0..self.line_items()).filter(|row| !self.dead.line_items.contains(*row)).map(LineItemIx)
    }

    /// Ads that are not dead, in ascending order.
    pub fn live_ads(&self) -> impl Iterator<Item = AdIx> {
        (0..self.ads()).filter(|row| !self.dead.ads.contains(*row)).map(AdIx)
    }

    /// Advertisers that are not dead, in ascending order.
    pub fn live_advertisers(&self) -> impl Iterator<Item = AdvertiserIx> {
        let rows = count(&self.base.advertisers) + count(&self.overlay.advertisers);
        (0..rows).filter(|row| !self.dead.advertisers.contains(*row)).map(AdvertiserIx)
    }

    /// Campaigns that are not dead, in ascending order.
    pub fn live_campaigns(&self) -> impl Iterator<Item = CampaignIx> {
        let rows = count(&self.base.campaigns) + count(&self.overlay.campaigns);
        (0..rows).filter(|row| !self.dead.campaigns.contains(*row)).map(CampaignIx)
    }

    /// Creatives that are not dead, in ascending order.
    pub fn live_creatives(&self) -> impl Iterator<Item = CreativeIx> {
        let rows = count(&self.base.creatives) + count(&self.overlay.creatives);
        (0..rows).filter(|row| !self.dead.creatives.contains(*row)).map(CreativeIx)
    }

    // ── base ‖ overlay ──

    pub(crate) fn first_ad(&self) -> u32 {
        count(&self.base.ads)
    }

    pub(crate) fn first_line_item(&self) -> u32 {
        count(&self.base.line_items)
    }

    pub(crate) fn local_ad(&self, ad: AdIx) -> Local<'_> {
        self.local(ad.0, self.first_ad())
    }

    pub(crate) fn local_line_item(&self, line_item: LineItemIx) -> Local<'_> {
        self.local(line_item.0, self.first_line_item())
    }

    pub(crate) fn local_campaign(&self, campaign: CampaignIx) -> Local<'_> {
        self.local(campaign.0, count(&self.base.campaigns))
    }

    pub(crate) fn local_advertiser(&self, advertiser: AdvertiserIx) -> Local<'_> {
        self.local(advertiser.0, count(&self.base.advertisers))
    }

    pub(crate) fn local_creative(&self, creative: CreativeIx) -> Local<'_> {
        self.local(creative.0, count(&self.base.creatives))
    }

    fn local(&self, row: u32, first: u32) -> Local<'_> {
        if row < first {
            return Local { segment: &self.base, row };
        }
        Local { segment: &self.overlay, row: row - first }
    }

    pub(crate) fn campaign_columns(&self, campaign: CampaignIx) -> CampaignColumns {
        let at = self.local_campaign(campaign);
        at.segment.campaigns[at.row as usize]
    }

    pub(crate) fn advertiser_columns(&self, advertiser: AdvertiserIx) -> AdvertiserColumns {
        let at = self.local_advertiser(advertiser);
        at.segment.advertisers[at.row as usize]
    }

    pub(crate) fn creative_columns(&self, creative: CreativeIx) -> CreativeColumns {
        let at = self.local_creative(creative);
        at.segment.creatives[at.row as usize]
    }
}

impl Local<'_> {
    pub(crate) fn ad(&self) -> &AdColumns {
        &self.segment.ads[self.row as usize]
    }
}

fn find<Id>(id: Id, search: impl Fn(&Segment, Id) -> Option<u32>, overlay: &Segment, first: u32) -> Option<u32> {
    search(overlay, id).map(|row| first + row)
}

pub(crate) fn count<T>(rows: &[T]) -> u32 {
    // `limits::OBJECTS_MAX` keeps it far below.
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}
