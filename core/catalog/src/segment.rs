//! One immutable block of rows: the base of a catalog or its overlay.
//!
//! Invariants: a line item and all its ads are in the same segment; references to parents are numbers over base ‖ overlay, so
//! an overlay's rows may stand beneath rows of the base and never the other way round.

use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, LineItemId, LineItemIx, Price, TenantId, Term, TimeZoneId, Timestamp,
};

use crate::bitset::{Bitset, ones};
use crate::encoded::{TreeRef, Trees};
use crate::index::Index;
use crate::items::ItemOrder;
use crate::model::{Billable, CurvePoint, Flight, Format, FrequencyCap, PacedBy, PacingMode, Review, Status, Video};
use crate::text::{Span, Texts, Values};

/// Dense index of an advertiser in one `Catalog`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AdvertiserIx(pub u32);

/// Dense index of a campaign in one `Catalog`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CampaignIx(pub u32);

/// Dense index of a creative in one `Catalog`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CreativeIx(pub u32);

#[derive(Clone, Copy, Debug)]
pub(crate) struct AdvertiserColumns {
    pub(crate) id: AdvertiserId,
    pub(crate) tenant: TenantId,
    pub(crate) name: Span,
    pub(crate) zone: TimeZoneId,
    pub(crate) status: Status,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CampaignColumns {
    pub(crate) id: CampaignId,
    pub(crate) advertiser: AdvertiserIx,
    pub(crate) status: Status,
    pub(crate) name: Span,
    pub(crate) stretch: Stretch,
}

/// A line item as decisions read it. `bid` and what follows are the line item's own; status and flight of what is above it
/// are taken into account by eligibility.
#[derive(Clone, Copy, Debug)]
pub struct LineItemRow {
    pub id: LineItemId,
    pub campaign: CampaignId,
    pub advertiser: AdvertiserId,
    pub tenant: TenantId,
    pub campaign_ix: CampaignIx,
    pub advertiser_ix: AdvertiserIx,
    pub bid: Price,
    /// The tenant's exclusion groups that it belongs to, one bit each.
    pub exclusions: u64,
    pub time_zone: TimeZoneId,
    pub billable: Billable,
    pub pacing: PacingMode,
    pub paced_by: PacedBy,
    pub status: Status,
    pub needs_consent: bool,
    /// Its targeting mentions audience segments, whether to include or to exclude.
    pub targets_segments: bool,
    /// Its targeting mentions placements: it may match at one placement of a page and not at another.
    pub targets_placements: bool,
    pub(crate) name: Span,
    pub(crate) stretch: Stretch,
    pub(crate) targeting: TreeRef,
}

/// A flight in sixteen bytes. No valid instant is as far out as those that stand for an open side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

impl Stretch {
    pub(crate) fn of(flight: Flight) -> Self {
        Self { start: flight.start.unwrap_or(Timestamp(i64::MIN)), end: flight.end.unwrap_or(Timestamp(i64::MAX)) }
    }

    pub(crate) fn flight(self) -> Flight {
        Flight {
            start: Some(self.start).filter(|start| start.0 != i64::MIN),
            end: Some(self.end).filter(|end| end.0 != i64::MAX),
        }
    }

    pub(crate) fn contains(self, now: Timestamp) -> bool {
        self.start <= now && now < self.end
    }

    pub(crate) fn overlap(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: self.end.min(other.end) }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CreativeColumns {
    pub(crate) id: CreativeId,
    /// Title, text, landing URL and image URL stand one behind the other.
    pub(crate) start: Span,
    pub(crate) lengths: [u16; 3],
    pub(crate) advertiser: AdvertiserIx,
    pub(crate) size: BannerSize,
    /// Its row in [`Videos`] says the rest.
    pub(crate) is_video: bool,
    pub(crate) review: Review,
}

/// A creative's size in four bytes; 0 × 0 is a sponsored item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BannerSize(u16, u16);

impl BannerSize {
    pub(crate) const fn of(format: Format) -> Self {
        match format {
            Format::Banner { width, height } | Format::Video { width, height } => Self(width, height),
            Format::SponsoredItem => Self(0, 0),
        }
    }

    pub(crate) const fn format(self, is_video: bool) -> Format {
        match self {
            Self(width, height) if is_video => Format::Video { width, height },
            Self(0, 0) => Format::SponsoredItem,
            Self(width, height) => Format::Banner { width, height },
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct AdColumns {
    pub(crate) id: AdId,
    pub(crate) created: Timestamp,
    /// Empty where it has none.
    pub(crate) item: Span,
    pub(crate) item_hash: u64,
    /// Hash of its first category, 0 where it has none: most readers want no more of `categories`.
    pub(crate) category: u64,
    pub(crate) line_item: LineItemIx,
    pub(crate) creative: CreativeIx,
    pub(crate) categories: u32,
    pub(crate) status: Status,
}

/// Rows, texts and orders of one block.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) texts: Texts,
    pub(crate) values: Values,
    pub(crate) trees: Trees,
    pub(crate) videos: Videos,
    /// These four stand in ascending order of id.
    pub(crate) advertisers: Vec<AdvertiserColumns>,
    pub(crate) campaigns: Vec<CampaignColumns>,
    pub(crate) line_items: Vec<LineItemRow>,
    pub(crate) creatives: Vec<CreativeColumns>,
    /// In the order that the builder was given.
    pub(crate) ads: Vec<AdColumns>,
    pub(crate) category_sets: CategorySets,
    pub(crate) advertiser_caps: Caps,
    pub(crate) campaign_caps: Caps,
    pub(crate) line_item_caps: Caps,
    pub(crate) curves: Curves,
    pub(crate) ad_caps: Caps,
    pub(crate) orders: AdOrders,
    pub(crate) index: Index,
    /// Line items that are active with everything above them.
    pub(crate) active: Bitset,
    /// Ads that are active themselves.
    pub(crate) active_ads: Bitset,
    /// Of the ids of line items and ads in their order.
    pub(crate) fingerprint: u64,
}

/// Frequency caps by the id of what they belong to, ascending.
#[derive(Debug, Default)]
pub(crate) struct Caps(pub(crate) Vec<(u64, FrequencyCap)>);

impl Caps {
    pub(crate) fn of(&self, id: u64) -> impl Iterator<Item = FrequencyCap> + '_ {
        let start = self.0.partition_point(|(owner, _)| *owner < id);
        self.0[start..].iter().take_while(move |(owner, _)| *owner == id).map(|(_, cap)| *cap)
    }
}

/// Curves of custom pacing by the id of their line item, ascending: few line items have one.
#[derive(Debug, Default)]
pub(crate) struct Curves(pub(crate) Vec<(LineItemId, Box<[CurvePoint]>)>);

impl Curves {
    pub(crate) fn of(&self, id: LineItemId) -> &[CurvePoint] {
        self.0.binary_search_by_key(&id, |(owner, _)| *owner).map_or(&[], |at| &self.0[at].1)
    }
}

/// Videos by the id of their creative, ascending: few creatives are one.
#[derive(Debug, Default)]
pub(crate) struct Videos(pub(crate) Vec<(CreativeId, Video)>);

impl Videos {
    pub(crate) fn of(&self, id: CreativeId) -> Option<&Video> {
        let found = self.0.binary_search_by_key(&id, |(owner, _)| *owner);
        found.ok().map(|at| &self.0[at].1)
    }
}

/// Distinct lists of categories: many ads share one.
#[derive(Debug, Default)]
pub(crate) struct CategorySets {
    /// List i is `starts[i]` … `starts[i + 1]`.
    pub(crate) starts: Vec<u32>,
    pub(crate) values: Vec<u32>,
    pub(crate) hashes: Vec<u64>,
}

impl CategorySets {
    pub(crate) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(crate) fn push(&mut self, list: &[u32], values: &Values) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        self.values.extend(list);
        self.hashes.extend(list.iter().map(|value| values.term(*value).0));
        self.starts.push(crate::catalog::count(&self.values));
    }

    pub(crate) fn range(&self, list: u32) -> std::ops::Range<usize> {
        self.starts[list as usize] as usize..self.starts[list as usize + 1] as usize
    }

    pub(crate) fn hashes(&self, list: u32) -> &[u64] {
        &self.hashes[self.range(list)]
    }

    pub(crate) fn values(&self, list: u32) -> &[u32] {
        &self.values[self.range(list)]
    }
}

/// Ads of the segment, by local number, in the orders in which they are looked for.
#[derive(Debug, Default)]
pub(crate) struct AdOrders {
    pub(crate) by_id: Vec<u32>,
    /// Those of one item newest first.
    pub(crate) by_item: ItemOrder,
    /// Ads of line item i are `of_line_item[starts[i]..starts[i + 1]]`, or that very range where `of_line_item` is empty.
    pub(crate) line_item_starts: Vec<u32>,
    pub(crate) of_line_item: Vec<u32>,
}

impl AdOrders {
    pub(crate) fn of_line_item(&self, line_item: u32) -> AdsOf<'_> {
        let (start, end) = (self.line_item_starts[line_item as usize], self.line_item_starts[line_item as usize + 1]);
        if self.of_line_item.is_empty() {
            return AdsOf::Range(start..end);
        }
        AdsOf::List(self.of_line_item[start as usize..end as usize].iter())
    }

    /// Adds the ads of 64 line items from number `first` on; neighbours go in one stretch where ads stand by line item.
    pub(crate) fn insert_ads(&self, mut line_items: u64, first: u32, ads: &mut Bitset) {
        if !self.of_line_item.is_empty() {
            let rows = ones(line_items).flat_map(|bit| self.of_line_item(first + bit));
            return rows.for_each(|row| ads.insert(row));
        }
        while line_items != 0 {
            let start = line_items.trailing_zeros();
            let length = (line_items >> start).trailing_ones();
            let at = (first + start) as usize;
            ads.insert_range(self.line_item_starts[at], self.line_item_starts[at + length as usize]);
            line_items &= !(u64::MAX >> (64 - length) << start);
        }
    }
}

/// Local numbers of a line item's ads.
#[derive(Clone, Debug)]
pub(crate) enum AdsOf<'a> {
    Range(std::ops::Range<u32>),
    List(std::slice::Iter<'a, u32>),
}

impl Iterator for AdsOf<'_> {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        match self {
            Self::Range(range) => range.next(),
            Self::List(list) => list.next().copied(),
        }
    }
}

impl Segment {
    pub(crate) fn advertiser(&self, id: AdvertiserId) -> Option<u32> {
        position(self.advertisers.len(), id.0, |at| self.advertisers[at].id.0).and_then(|at| u32::try_from(at).ok())
    }

    pub(crate) fn campaign(&self, id: CampaignId) -> Option<u32> {
        position(self.campaigns.len(), id.0, |at| self.campaigns[at].id.0).and_then(|at| u32::try_from(at).ok())
    }

    pub(crate) fn line_item(&self, id: LineItemId) -> Option<u32> {
        position(self.line_items.len(), id.0, |at| self.line_items[at].id.0).and_then(|at| u32::try_from(at).ok())
    }

    pub(crate) fn creative(&self, id: CreativeId) -> Option<u32> {
        position(self.creatives.len(), id.0, |at| self.creatives[at].id.0).and_then(|at| u32::try_from(at).ok())
    }

    pub(crate) fn ad(&self, id: AdId) -> Option<u32> {
        let by_id = &self.orders.by_id;
        let at = position(by_id.len(), id.0, |at| self.ads[by_id[at] as usize].id.0)?;
        Some(by_id[at])
    }

    /// Local numbers of the ads with that item, newest first.
    pub(crate) fn with_item(&self, item_hash: u64) -> impl Iterator<Item = u32> + '_ {
        let places = self.orders.by_item.of(item_hash).iter().map(|place| place.ad);
        places.filter(move |ad| self.ads[*ad as usize].item_hash == item_hash)
    }

    pub(crate) fn take_fingerprint(&mut self) {
        let line_items = self.line_items.iter().map(|row| row.id.0);
        let ads = self.ads.iter().map(|row| row.id.0);
        let count = (self.ads.len() as u64) << 32 | self.line_items.len() as u64;
        self.fingerprint = line_items.chain(ads).fold(count, litfass_types::hash_pair);
    }

    /// Title, text, landing URL, image URL.
    pub(crate) fn creative_texts(&self, creative: u32) -> [&str; 4] {
        let row = &self.creatives[creative as usize];
        let (mut span, mut texts) = (row.start, [self.texts.get(row.start), "", "", ""]);
        for (text, length) in texts[1..].iter_mut().zip(row.lengths) {
            span = span.next(length);
            *text = self.texts.get(span);
        }
        texts
    }
}

/// Where the id stands among `n` that ascend. Most catalogs are numbered one by one, so it is looked for first where it then
/// would be.
fn position(n: usize, id: u64, id_at: impl Fn(usize) -> u64) -> Option<usize> {
    let last = id_at(n.checked_sub(1)?);
    let first = id_at(0);
    let guess = usize::try_from(id.checked_sub(first)?).ok().filter(|_| id <= last)?;
    if guess < n && id_at(guess) == id {
        return Some(guess);
    }
    let (mut low, mut high) = (0, n);
    while low < high {
        let middle = low.midpoint(high);
        if id_at(middle) < id { low = middle + 1 } else { high = middle }
    }
    (low < n && id_at(low) == id).then_some(low)
}

/// The hash that stands for an item: the feature hash of `item=<key>`.
#[must_use]
pub fn item_hash(item: &str) -> u64 {
    litfass_types::xxh64(format!("item={item}").as_bytes(), litfass_types::FEATURE_HASH_SEED)
}

/// The hash that stands for a category: its term.
#[must_use]
pub fn category_hash(category: &str) -> u64 {
    Term::new(litfass_types::TermKind::Category, category).0
}
