//! One request's candidates: every source offers, offers are taken by turns, and what room is left is swept.

use litfass_catalog::{Catalog, Eligible};
use litfass_features::Viewer;
use litfass_types::{AdIx, Seed, TenantId};

use crate::distinct::Distinct;
use crate::index::{Orders, SourceIndex};
use crate::source::{SOURCES, Source, SourceLimits, SourceSet};
use crate::viewer;

/// Ads of one item that are looked at, eligible or not.
const ADS_PER_ITEM_MAX: usize = 64;
/// Ads that the index has not seen and that are looked at, eligible or not.
const TAIL_LENGTH_MAX: usize = 4_096;
/// Categories of the viewer, and of the page.
const CATEGORIES_MAX: usize = 16;

/// What the sources may know of a request.
#[derive(Clone, Copy, Debug)]
pub struct SourceQuery<'a> {
    pub catalog: &'a Catalog,
    pub index: &'a SourceIndex,
    pub eligible: &'a Eligible,
    pub tenant: TenantId,
    /// `None` where nothing may or can be known.
    pub viewer: Option<&'a Viewer>,
    /// Hashes of the page's categories, in its order.
    pub categories: &'a [u64],
    pub limits: &'a SourceLimits,
    pub seed: Seed,
}

/// Candidates of one request as columns: row i is the same ad in each of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Candidates {
    pub ad: Vec<AdIx>,
    pub sources: Vec<SourceSet>,
}

impl Candidates {
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ad.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ad.is_empty()
    }
}

impl SourceQuery<'_> {
    /// At most `limits.candidates_max` distinct eligible ads; all that are eligible where they are no more than that.
    #[must_use]
    pub fn candidates(&self) -> Candidates {
        let offers = Source::ALL.map(|source| self.offers(source));
        let mut fusion = Fusion::new(self.limits.candidates_max.min(usize::from(u16::MAX)));
        let longest = offers.iter().map(Vec::len).max().unwrap_or(0);
        for turn in 0..longest {
            for (source, offers) in Source::ALL.into_iter().zip(&offers) {
                if let Some(ad) = offers.get(turn) {
                    fusion.take(*ad, source);
                }
            }
        }
        self.sweep(&mut fusion);
        fusion.candidates
    }

    /// Eligible ads in the order in which the source would have them; some perhaps twice.
    fn offers(&self, source: Source) -> Vec<AdIx> {
        let orders = self.index.orders(self.catalog, self.tenant);
        let limits = self.limits;
        match source {
            Source::ViewerItems => self.viewer.map_or_else(Vec::new, |v| self.of_items(v, limits.viewer_items)),
            Source::ViewerCategories => {
                let categories = self.viewer.map_or_else(Vec::new, |v| viewer::categories(v, CATEGORIES_MAX));
                self.of_categories(orders, &categories, limits.viewer_categories)
            }
            Source::RequestCategories => {
                let categories = &self.categories[..self.categories.len().min(CATEGORIES_MAX)];
                self.of_categories(orders, categories, limits.request_categories)
            }
            Source::Popularity => self.of_order(orders.map(|o| &*o.popular), limits.popularity),
            Source::BidTimesPrior => self.of_order(orders.map(|o| &*o.valuable), limits.bid_times_prior),
            Source::Newest => self.newest(orders, limits.newest),
            Source::Sweep => Vec::new(),
        }
    }

    fn of_items(&self, viewer: &Viewer, quota: usize) -> Vec<AdIx> {
        let of_item =
            |item| self.catalog.ads_with_item(item).take(ADS_PER_ITEM_MAX).filter(|ad| self.eligible.contains(*ad));
        viewer::items(viewer, quota).into_iter().flat_map(of_item).take(quota).collect()
    }

    /// By turns, one ad of each category, so that a large first one leaves room for the others.
    fn of_categories(&self, orders: Option<&Orders>, categories: &[u64], quota: usize) -> Vec<AdIx> {
        let Some(orders) = orders else { return Vec::new() };
        let mut lists: Vec<_> = categories.iter().map(|c| self.known(orders.category(*c))).collect();
        let mut offers = Vec::with_capacity(quota.min(self.limits.candidates_max));
        while !lists.is_empty() {
            lists.retain_mut(|list| {
                let next = if offers.len() < quota { list.next() } else { None };
                offers.extend(next);
                next.is_some()
            });
        }
        offers
    }

    fn of_order(&self, order: Option<&[AdIx]>, quota: usize) -> Vec<AdIx> {
        self.known(order.unwrap_or_default()).take(quota).collect()
    }

    /// What the index has not seen comes first: it was added or changed since.
    fn newest(&self, orders: Option<&Orders>, quota: usize) -> Vec<AdIx> {
        let unseen = self.index.known_ads(self.catalog).max(self.catalog.base_ads())..self.catalog.ads();
        let tail = unseen.rev().take(TAIL_LENGTH_MAX).map(AdIx).filter(|ad| self.eligible.contains(*ad));
        tail.chain(self.known(orders.map_or(&[], |o| &o.newest))).take(quota).collect()
    }

    /// Those of an order that mean what they meant, and are eligible.
    fn known<'o>(&'o self, order: &'o [AdIx]) -> impl Iterator<Item = AdIx> + 'o {
        let end = self.index.known_ads(self.catalog);
        order.iter().copied().filter(move |ad| ad.0 < end && self.eligible.contains(*ad))
    }

    /// Takes what is eligible from a seeded word of the bitmap on, until there is no room.
    fn sweep(&self, fusion: &mut Fusion) {
        let words = self.eligible.ads().words();
        let start = usize::try_from(self.seed.below(words.len() as u64)).unwrap_or(0);
        let round = (start..words.len()).chain(0..start);
        for at in round.filter(|at| words[*at] != 0) {
            let mut word = words[at];
            while word != 0 {
                if fusion.is_full() {
                    return;
                }
                let ad = at * 64 + word.trailing_zeros() as usize;
                fusion.fill(AdIx(u32::try_from(ad).unwrap_or(u32::MAX)));
                word &= word - 1;
            }
        }
    }
}

/// The list while it is made.
struct Fusion {
    candidates: Candidates,
    distinct: Distinct,
    max: usize,
}

impl Fusion {
    fn new(max: usize) -> Self {
        let candidates = Candidates { ad: Vec::with_capacity(max), sources: Vec::with_capacity(max) };
        Self { candidates, distinct: Distinct::new(max), max }
    }

    fn is_full(&self) -> bool {
        self.candidates.len() >= self.max
    }

    /// Another source of a candidate, or a new candidate where there is room.
    fn take(&mut self, ad: AdIx, source: Source) {
        match self.distinct.row(ad) {
            Some(row) => self.candidates.sources[row as usize].add(source),
            None => self.push(ad, source),
        }
    }

    fn push(&mut self, ad: AdIx, source: Source) {
        if !self.is_full() {
            self.distinct.insert(ad, u32::try_from(self.candidates.len()).unwrap_or(u32::MAX));
            self.candidates.ad.push(ad);
            self.candidates.sources.push(SourceSet::of(source));
        }
    }

    /// Takes an ad that no source has offered, unless it is a candidate already.
    fn fill(&mut self, ad: AdIx) {
        if self.distinct.row(ad).is_none() {
            self.push(ad, Source::Sweep);
        }
    }
}

const _: () = assert!(SOURCES <= 16, "a set of sources is sixteen bits");
