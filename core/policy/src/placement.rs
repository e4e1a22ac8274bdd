//! A placement as the rules read it: lists that are searched, not texts.

use litfass_catalog::category_hash;
use litfass_catalog::model::{Format, Placement};
use litfass_catalog::placement_term;
use litfass_types::{AdvertiserId, PlacementId, Term};

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

    pub(crate) fn blocks_category(&self, categories: &[u64]) -> bool {
        !self.blocked_categories.is_empty()
            && categories.iter().any(|category| self.blocked_categories.binary_search(category).is_ok())
    }
}
