//! What the catalog says of a request's candidates, as columns.
//!
//! They are made table by table, each in one pass without branches: rows lie scattered over a large catalog, and only so are
//! many of them fetched at the same time. What comes after reads these copies.

use litfass_catalog::model::{Format, Review};
use litfass_catalog::{AdRow, Catalog, LineItemRow};
use litfass_types::{AdIx, AdvertiserId, CampaignId, LineItemId, Price};

/// Row i is the same ad in every column.
#[derive(Clone, Debug)]
pub struct CandidateColumns {
    pub ads: Vec<AdRow>,
    pub bidders: Vec<Bidder>,
    /// The creative's.
    pub formats: Vec<(Format, Review)>,
}

/// What deciding reads of a candidate's line item.
#[derive(Clone, Copy, Debug)]
pub struct Bidder {
    pub line_item: LineItemId,
    pub campaign: CampaignId,
    pub advertiser: AdvertiserId,
    pub bid: Price,
    pub exclusions: u64,
    pub needs_consent: bool,
    pub targets_placements: bool,
}

impl Bidder {
    const fn of(row: &LineItemRow) -> Self {
        Self {
            line_item: row.id,
            campaign: row.campaign,
            advertiser: row.advertiser,
            bid: row.bid,
            exclusions: row.exclusions,
            needs_consent: row.needs_consent,
            targets_placements: row.targets_placements,
        }
    }
}

impl CandidateColumns {
    /// The numbers must be of `catalog`.
    #[must_use]
    pub fn new(catalog: &Catalog, ads: &[AdIx]) -> Self {
        let ads: Vec<AdRow> = ads.iter().map(|ad| catalog.ad(*ad)).collect();
        Self {
            bidders: ads.iter().map(|ad| Bidder::of(catalog.line_item(ad.line_item))).collect(),
            formats: ads.iter().map(|ad| catalog.creative_format(ad.creative)).collect(),
            ads,
        }
    }
}
