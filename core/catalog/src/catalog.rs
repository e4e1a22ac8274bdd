//! One version of everything that can be advertised: an immutable base, shared between versions, below a small overlay with
//! what changed since; rows of the base that were made again in the overlay are dead.
//!
//! Rows are numbered densely over base ‖ overlay. Numbers mean something only together with [`Catalog::layout`]; dead rows
//! keep their number and are reached by no look-up, list or eligibility.

use std::sync::Arc;

use litfass_types::{
    AdId, AdIx, AdvertiserId, Calendar, CampaignId, CatalogVersion, CreativeId, LineItemId, LineItemIx, PlacementId,
    TenantId, TimeZones,
};

use crate::bitset::Bitset;
use crate::model::{Format, FrequencyCap, Placement, Review, Status, Tenant};
use crate::segment::{
    AdColumns, AdsOf, AdvertiserColumns, AdvertiserIx, CampaignColumns, CampaignIx, CreativeColumns, CreativeIx,
    LineItemRow, Segment, Stretch,
};
use crate::surroundings::Surroundings;
use crate::targeting::Targeting;

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

/// An ad as decisions read it.
#[derive(Clone, Copy, Debug)]
pub struct AdRow<'a> {
    pub id: AdId,
    pub line_item: LineItemIx,
    pub creative: CreativeIx,
    pub status: Status,
    /// [`crate::item_hash`] of the advertised item.
    pub item: Option<u64>,
    /// [`crate::category_hash`] of each category, in the ad's order.
    pub categories: &'a [u64],
    pub created: litfass_types::Timestamp,
}

#[derive(Clone, Copy, Debug)]
pub struct CreativeRow<'a> {
    pub id: CreativeId,
    pub advertiser: AdvertiserIx,
    pub format: Format,
    pub review: Review,
    pub title: &'a str,
    pub text: &'a str,
    pub landing_url: &'a str,
    pub image_url: Option<&'a str>,
}

#[derive(Clone, Copy, Debug)]
pub struct CampaignRow<'a> {
    pub id: CampaignId,
    pub advertiser: AdvertiserIx,
    pub status: Status,
    pub flight: crate::model::Flight,
    pub name: &'a str,
}

#[derive(Clone, Copy, Debug)]
pub struct AdvertiserRow<'a> {
    pub id: AdvertiserId,
    pub tenant: TenantId,
    pub status: Status,
    pub name: &'a str,
    pub calendar: &'a Calendar,
}

/// One frequency cap that applies to an ad, and whose impressions it counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AppliedCap {
    pub scope: CapScope,
    pub cap: FrequencyCap,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CapScope {
    Ad(AdId),
    LineItem(LineItemId),
    Campaign(CampaignId),
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

    // ── rows ──

    /// # Panics
    /// Where the number is not one of this catalog, as all the accessors by number.
    #[must_use]
    pub fn ad(&self, ad: AdIx) -> AdRow<'_> {
        let at = self.local_ad(ad);
        let columns = at.ad();
        AdRow {
            id: columns.id,
            line_item: at.segment.line_item_of[at.row as usize],
            creative: columns.creative,
            status: at.segment.ad_status[at.row as usize],
            item: (!columns.item.is_empty()).then_some(columns.item_hash),
            categories: at.segment.category_sets.hashes(columns.categories),
            created: columns.created,
        }
    }

    /// The line item of an ad, without the rest of its row.
    #[must_use]
    pub fn line_item_of(&self, ad: AdIx) -> LineItemIx {
        let at = self.local_ad(ad);
        at.segment.line_item_of[at.row as usize]
    }

    /// The advertised item's key.
    #[must_use]
    pub fn item_text(&self, ad: AdIx) -> Option<&str> {
        let at = self.local_ad(ad);
        let item = at.ad().item;
        (!item.is_empty()).then(|| at.segment.texts.get(item))
    }

    pub fn category_texts(&self, ad: AdIx) -> impl Iterator<Item = &str> {
        let at = self.local_ad(ad);
        let segment = at.segment;
        let values = segment.category_sets.values(at.ad().categories);
        values.iter().map(move |value| segment.texts.get(segment.values.span(*value)))
    }

    #[must_use]
    pub fn line_item(&self, line_item: LineItemIx) -> &LineItemRow {
        let at = self.local_line_item(line_item);
        &at.segment.line_items[at.row as usize]
    }

    #[must_use]
    pub fn line_item_name(&self, line_item: LineItemIx) -> &str {
        let at = self.local_line_item(line_item);
        at.segment.texts.get(at.segment.line_items[at.row as usize].name)
    }

    #[must_use]
    pub fn targeting(&self, line_item: LineItemIx) -> Targeting {
        let at = self.local_line_item(line_item);
        let tree = at.segment.line_items[at.row as usize].targeting;
        at.segment.trees.read(tree, &at.segment.values, &at.segment.texts)
    }

    /// When it may run: its own flight and its campaign's.
    #[must_use]
    pub fn flight(&self, line_item: LineItemIx) -> crate::model::Flight {
        self.stretch(self.line_item(line_item)).flight()
    }

    /// Of every line item that is not dead, when it may run.
    pub(crate) fn flights(&self) -> impl Iterator<Item = (LineItemIx, Stretch)> {
        let rows = (0..).zip(self.base.line_items.iter().chain(&self.overlay.line_items));
        let alive = rows.filter(|(row, _)| !self.dead.line_items.contains(*row));
        alive.map(|(row, line_item)| (LineItemIx(row), self.stretch(line_item)))
    }

    fn stretch(&self, row: &LineItemRow) -> Stretch {
        row.stretch.overlap(self.campaign_columns(row.campaign_ix).stretch)
    }

    /// Names of its exclusion groups, in the order of their bits.
    pub fn exclusion_groups(&self, line_item: LineItemIx) -> impl Iterator<Item = &str> {
        let row = self.line_item(line_item);
        self.around.groups.names(row.tenant, row.exclusions)
    }

    #[must_use]
    pub fn campaign(&self, campaign: CampaignIx) -> CampaignRow<'_> {
        let at = self.local_campaign(campaign);
        let row = at.segment.campaigns[at.row as usize];
        let name = at.segment.texts.get(row.name);
        CampaignRow { id: row.id, advertiser: row.advertiser, status: row.status, flight: row.stretch.flight(), name }
    }

    #[must_use]
    pub fn advertiser(&self, advertiser: AdvertiserIx) -> AdvertiserRow<'_> {
        let at = self.local_advertiser(advertiser);
        let row = at.segment.advertisers[at.row as usize];
        let name = at.segment.texts.get(row.name);
        AdvertiserRow { id: row.id, tenant: row.tenant, status: row.status, name, calendar: self.calendar(row) }
    }

    #[must_use]
    pub fn creative(&self, creative: CreativeIx) -> CreativeRow<'_> {
        let at = self.local_creative(creative);
        let row = at.segment.creatives[at.row as usize];
        let [title, text, landing_url, image_url] = at.segment.creative_texts(at.row);
        CreativeRow {
            id: row.id,
            advertiser: row.advertiser,
            format: row.size.format(),
            review: row.review,
            title,
            text,
            landing_url,
            image_url: (!image_url.is_empty()).then_some(image_url),
        }
    }

    /// A creative's format and review, without the rest of its row and its texts.
    #[must_use]
    pub fn creative_format(&self, creative: CreativeIx) -> (Format, Review) {
        let row = self.creative_columns(creative);
        (row.size.format(), row.review)
    }

    /// Every frequency cap that an impression of this ad counts against: its own, its line item's, its campaign's.
    pub fn caps(&self, ad: AdIx) -> impl Iterator<Item = AppliedCap> {
        let at = self.local_ad(ad);
        let line_item = self.line_item(at.segment.line_item_of[at.row as usize]);
        let (ad, campaign) = (at.ad().id, self.local_campaign(line_item.campaign_ix).segment);
        let ad_caps = at.segment.ad_caps.of(ad.0).map(move |cap| (CapScope::Ad(ad), cap));
        let line_caps = at.segment.line_item_caps.of(line_item.id.0).map(|cap| (CapScope::LineItem(line_item.id), cap));
        let campaign_caps =
            campaign.campaign_caps.of(line_item.campaign.0).map(|cap| (CapScope::Campaign(line_item.campaign), cap));
        ad_caps.chain(line_caps).chain(campaign_caps).map(|(scope, cap)| AppliedCap { scope, cap })
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
        self.both(self.base.with_item(item_hash), self.overlay.with_item(item_hash))
    }

    /// Ads of the category, whatever their status.
    pub fn ads_in_category(&self, category_hash: u64) -> impl Iterator<Item = AdIx> {
        self.both(self.base.orders.of_category(category_hash), self.overlay.orders.of_category(category_hash))
    }

    /// All ads, whatever their status, newest first.
    pub fn newest_ads(&self) -> impl Iterator<Item = AdIx> {
        let first = self.first_ad();
        let alive = |row: &u32| !self.dead.ads.contains(*row);
        let mut base = self.base.orders.newest.iter().copied().filter(alive).peekable();
        let mut overlay = self.overlay.orders.newest.iter().map(move |row| first + row).peekable();
        let age = |ad: u32| (std::cmp::Reverse(self.ad(AdIx(ad)).created), self.ad(AdIx(ad)).id);
        std::iter::from_fn(move || match (base.peek(), overlay.peek()) {
            (Some(old), Some(new)) if age(*old) < age(*new) => base.next(),
            (_, Some(_)) => overlay.next(),
            (_, None) => base.next(),
        })
        .map(AdIx)
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

    fn both(&self, base: &'_ [u32], overlay: &'_ [u32]) -> impl Iterator<Item = AdIx> {
        let first = self.first_ad();
        let alive = base.iter().copied().filter(|row| !self.dead.ads.contains(*row));
        alive.chain(overlay.iter().map(move |row| first + row)).map(AdIx)
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

    fn calendar(&self, row: AdvertiserColumns) -> &Calendar {
        self.around.zones.get(row.zone).expect("a row's zone was interned when the row was made")
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
    // `limits::ROWS_MAX` keeps it far below.
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}
