//! What the catalog says of a request's candidates, as columns.
//!
//! They are made table by table, each in one pass without branches: rows lie scattered over a large catalog, and only so are
//! many of them fetched at the same time. What comes after reads these copies.

use litfass_catalog::model::{Format, Review};
use litfass_catalog::{AdRow, Catalog, LineItemRow};
use litfass_types::AdIx;

/// Row i is the same ad in every column.
#[derive(Clone, Debug)]
pub struct CandidateColumns<'a> {
    pub ads: Vec<AdRow<'a>>,
    pub line_items: Vec<LineItemRow>,
    /// The creative's.
    pub formats: Vec<(Format, Review)>,
    /// The hash of the ad's first category; 0 where it has none.
    pub categories: Vec<u64>,
}

impl<'a> CandidateColumns<'a> {
    /// The numbers must be of `catalog`.
    #[must_use]
    pub fn new(catalog: &'a Catalog, ads: &[AdIx]) -> Self {
        let ads: Vec<AdRow<'a>> = ads.iter().map(|ad| catalog.ad(*ad)).collect();
        Self {
            line_items: ads.iter().map(|ad| *catalog.line_item(ad.line_item)).collect(),
            formats: ads.iter().map(|ad| catalog.creative_format(ad.creative)).collect(),
            categories: ads.iter().map(|ad| ad.categories.first().copied().unwrap_or(0)).collect(),
            ads,
        }
    }
}
