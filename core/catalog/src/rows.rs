//! What one row of a catalog says, by its number.

use litfass_types::{
    AdId, AdIx, AdvertiserId, Calendar, CampaignId, CreativeId, LineItemId, LineItemIx, TenantId, Timestamp,
};

use crate::catalog::Catalog;
use crate::model::{Flight, Format, FrequencyCap, Review, Status, Video};
use crate::segment::{AdvertiserIx, CampaignIx, CreativeIx, LineItemRow, Stretch};
use crate::targeting::Targeting;

/// An ad as decisions read it.
#[derive(Clone, Copy, Debug)]
pub struct AdRow {
    pub id: AdId,
    pub line_item: LineItemIx,
    pub creative: CreativeIx,
    pub status: Status,
    /// [`crate::item_hash`] of the advertised item.
    pub item: Option<u64>,
    /// [`crate::category_hash`] of its first category.
    pub category: Option<u64>,
    pub created: Timestamp,
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
    pub video: Option<&'a Video>,
}

#[derive(Clone, Copy, Debug)]
pub struct CampaignRow<'a> {
    pub id: CampaignId,
    pub advertiser: AdvertiserIx,
    pub status: Status,
    pub flight: Flight,
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
    Advertiser(AdvertiserId),
}

impl Catalog {
    /// # Panics
    /// Where the number is not one of this catalog, as all the accessors by number.
    #[must_use]
    #[inline]
    pub fn ad(&self, ad: AdIx) -> AdRow {
        let columns = *self.local_ad(ad).ad();
        AdRow {
            id: columns.id,
            line_item: columns.line_item,
            creative: columns.creative,
            status: columns.status,
            item: (!columns.item.is_empty()).then_some(columns.item_hash),
            category: (columns.category != 0).then_some(columns.category),
            created: columns.created,
        }
    }

    /// The line item of an ad, without the rest of its row.
    #[must_use]
    pub fn line_item_of(&self, ad: AdIx) -> LineItemIx {
        self.local_ad(ad).ad().line_item
    }

    /// [`crate::category_hash`] of each category, in the ad's order.
    #[must_use]
    pub fn categories(&self, ad: AdIx) -> &[u64] {
        let at = self.local_ad(ad);
        at.segment.category_sets.hashes(at.ad().categories)
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
    #[inline]
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
    pub fn flight(&self, line_item: LineItemIx) -> Flight {
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
        let calendar = self.around.zones.get(row.zone).expect("a row's zone was interned when the row was made");
        AdvertiserRow { id: row.id, tenant: row.tenant, status: row.status, name, calendar }
    }

    #[must_use]
    pub fn creative(&self, creative: CreativeIx) -> CreativeRow<'_> {
        let at = self.local_creative(creative);
        let row = at.segment.creatives[at.row as usize];
        let [title, text, landing_url, image_url] = at.segment.creative_texts(at.row);
        CreativeRow {
            id: row.id,
            advertiser: row.advertiser,
            format: row.size.format(row.is_video),
            review: row.review,
            title,
            text,
            landing_url,
            image_url: (!image_url.is_empty()).then_some(image_url),
            video: if row.is_video { at.segment.videos.of(row.id) } else { None },
        }
    }

    /// A creative's format and review, without the rest of its row and its texts.
    #[must_use]
    #[inline]
    pub fn creative_format(&self, creative: CreativeIx) -> (Format, Review) {
        let row = self.creative_columns(creative);
        (row.size.format(row.is_video), row.review)
    }

    /// Every frequency cap that an impression of this ad counts against: its own, its line item's, its campaign's, its
    /// advertiser's.
    pub fn caps(&self, ad: AdIx) -> impl Iterator<Item = AppliedCap> {
        let at = self.local_ad(ad);
        let line_item = self.line_item(at.ad().line_item);
        let (ad, campaign) = (at.ad().id, self.local_campaign(line_item.campaign_ix).segment);
        let ad_caps = at.segment.ad_caps.of(ad.0).map(move |cap| (CapScope::Ad(ad), cap));
        let line_caps = at.segment.line_item_caps.of(line_item.id.0).map(|cap| (CapScope::LineItem(line_item.id), cap));
        let campaign_caps =
            campaign.campaign_caps.of(line_item.campaign.0).map(|cap| (CapScope::Campaign(line_item.campaign), cap));
        let advertiser_caps =
            self.advertiser_caps(line_item.advertiser_ix).map(|cap| (CapScope::Advertiser(line_item.advertiser), cap));
        let own = ad_caps.chain(line_caps);
        own.chain(campaign_caps).chain(advertiser_caps).map(|(scope, cap)| AppliedCap { scope, cap })
    }

    /// The caps that count this scope's impressions; none where the catalog does not have it.
    pub fn caps_on(&self, scope: CapScope) -> impl Iterator<Item = FrequencyCap> {
        let (caps, id) = match scope {
            CapScope::Ad(id) => (self.ad_by_id(id).map(|ix| &self.local_ad(ix).segment.ad_caps), id.0),
            CapScope::LineItem(id) => {
                (self.line_item_by_id(id).map(|ix| &self.local_line_item(ix).segment.line_item_caps), id.0)
            }
            CapScope::Campaign(id) => {
                (self.campaign_by_id(id).map(|ix| &self.local_campaign(ix).segment.campaign_caps), id.0)
            }
            CapScope::Advertiser(id) => {
                (self.advertiser_by_id(id).map(|ix| &self.local_advertiser(ix).segment.advertiser_caps), id.0)
            }
        };
        caps.into_iter().flat_map(move |caps| caps.of(id))
    }

    pub fn advertiser_caps(&self, advertiser: AdvertiserIx) -> impl Iterator<Item = FrequencyCap> {
        let segment = self.local_advertiser(advertiser).segment;
        segment.advertiser_caps.of(self.advertiser_columns(advertiser).id.0)
    }
}
