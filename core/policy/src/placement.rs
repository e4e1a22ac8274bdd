//! A placement as the rules read it: lists that are searched, not texts.

use litfass_catalog::model::{Format, Placement};
use litfass_catalog::placement_term;
use litfass_catalog::{Catalog, category_hash};
use litfass_types::{AdIx, AdvertiserId, PlacementId, Term};

/// Made from a placement of the catalog; worth keeping as long as that catalog where many categories are blocked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlacementRules {
    /// What targeting calls it.
    pub(crate) term: Term,
    /// Empty: every format.
    formats: Vec<Format>,
    /// Ascending.
    blocked_advertisers: Vec<AdvertiserId>,
    /// Hashes, ascending.
    blocked_categories: Vec<u64>,
}

impl PlacementRules {
    #[must_use]
    pub fn of(placement: &Placement) -> Self {
        let mut blocked_advertisers = placement.blocked_advertisers.clone();
        let mut blocked_categories: Vec<u64> = placement.blocked_categories.iter().map(|c| category_hash(c)).collect();
        blocked_advertisers.sort_unstable();
        blocked_categories.sort_unstable();
        let formats = placement.formats.clone();
        Self { term: placement_term(placement.id), formats, blocked_advertisers, blocked_categories }
    }

    /// For a placement that the catalog does not know: it takes everything and blocks nobody.
    #[must_use]
    pub fn none(id: PlacementId) -> Self {
        let (formats, blocked_advertisers, blocked_categories) = (Vec::new(), Vec::new(), Vec::new());
        Self { term: placement_term(id), formats, blocked_advertisers, blocked_categories }
    }

    pub(crate) fn takes(&self, format: Format) -> bool {
        self.formats.is_empty() || self.formats.contains(&format)
    }

    pub(crate) fn blocks_advertiser(&self, advertiser: AdvertiserId) -> bool {
        self.blocked_advertisers.binary_search(&advertiser).is_ok()
    }

    /// Whether each ad has a category that is blocked; empty where none is. In a pass of its own, so that the lists of many
    /// ads are fetched at the same time.
    pub(crate) fn blocked_rows(&self, catalog: &Catalog, ads: &[AdIx]) -> Vec<bool> {
        if self.blocked_categories.is_empty() {
            return Vec::new();
        }
        ads.iter().map(|ad| self.blocks_category(catalog.categories(*ad))).collect()
    }

    /// Whether one of the categories, given as hashes, is blocked.
    #[must_use]
    pub fn blocks_category(&self, categories: &[u64]) -> bool {
        categories.iter().any(|category| self.blocked_categories.binary_search(category).is_ok())
    }
}
