//! Frequency caps: what is counted per viewer, and when a cap is reached.
//!
//! A **key** is what a store counts: impressions of one ad, line item, campaign or advertiser within a sliding window. Two caps of the
//! same object over different windows are two keys. A cap of `max` is reached at `max` impressions.
//! Where the counts are not known, whoever asks may say that everything with a cap is stopped.

use litfass_catalog::{AppliedCap, CapScope, Catalog};
use litfass_types::{AdId, AdIx, Duration};

use crate::columns::Bidder;

/// What is counted of one viewer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CapKey {
    pub scope: CapScope,
    /// The window's length; it ends now.
    pub window: Duration,
}

/// A key and the count at which it stops an ad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CapLimit {
    pub key: CapKey,
    /// At least 1.
    pub max: u32,
}

impl From<AppliedCap> for CapLimit {
    fn from(applied: AppliedCap) -> Self {
        Self { key: CapKey { scope: applied.scope, window: applied.cap.window }, max: applied.cap.max }
    }
}

/// Every cap that an impression of the ad counts against: its own, its line item's, its campaign's, its
/// advertiser's.
pub fn caps_of(catalog: &Catalog, ad: AdIx) -> impl Iterator<Item = CapLimit> {
    catalog.caps(ad).map(CapLimit::from)
}

/// How much of each key one viewer has used. What is not in it counts 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CapCounts {
    /// By key, each once, none 0.
    counts: Vec<(CapKey, u32)>,
    scopes: Sieve,
    unknown: bool,
}

/// Which scopes may have been counted: says no of almost all others without a look at the counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Sieve([u64; 32]);

impl Sieve {
    fn add(&mut self, scope: CapScope) {
        let (word, bit) = Self::place(scope);
        self.0[word] |= bit;
    }

    fn may_have(&self, scope: CapScope) -> bool {
        let (word, bit) = Self::place(scope);
        self.0[word] & bit != 0
    }

    /// Ids of one kind often follow one another; the product spreads them over the upper bits.
    fn place(scope: CapScope) -> (usize, u64) {
        let (kind, id) = match scope {
            CapScope::Ad(id) => (0, id.0),
            CapScope::LineItem(id) => (1, id.0),
            CapScope::Campaign(id) => (2, id.0),
            CapScope::Advertiser(id) => (3, id.0),
        };
        let spread = id.wrapping_mul(4).wrapping_add(kind).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (usize::try_from(spread >> 59).unwrap_or(0), 1 << (spread >> 53 & 63))
    }
}

impl CapCounts {
    /// Nothing is known of the viewer, and what has a cap is not to be shown.
    #[must_use]
    pub fn unknown() -> Self {
        Self { unknown: true, ..Self::default() }
    }

    #[must_use]
    pub const fn are_unknown(&self) -> bool {
        self.unknown
    }

    #[must_use]
    pub fn count(&self, key: CapKey) -> u32 {
        self.counts.binary_search_by_key(&key, |(k, _)| *k).map_or(0, |at| self.counts[at].1)
    }

    #[must_use]
    pub fn is_reached(&self, limit: CapLimit) -> bool {
        self.count(limit.key) >= limit.max
    }

    /// By key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (CapKey, u32)> + '_ {
        self.counts.iter().copied()
    }

    /// Whether they stop nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.counts.is_empty() && !self.unknown
    }

    /// Whether any cap of the ad is reached, or may be. Most viewers have seen hardly any of the candidates, so the caps themselves are
    /// looked up only where something of the ad was counted at all.
    #[must_use]
    pub fn stop(&self, catalog: &Catalog, ix: AdIx, ad: AdId, bidder: &Bidder) -> bool {
        if self.unknown {
            return caps_of(catalog, ix).next().is_some();
        }
        let scopes = [
            CapScope::Ad(ad),
            CapScope::LineItem(bidder.line_item),
            CapScope::Campaign(bidder.campaign),
            CapScope::Advertiser(bidder.advertiser),
        ];
        scopes.iter().any(|scope| self.has_counted(*scope)) && caps_of(catalog, ix).any(|limit| self.is_reached(limit))
    }

    fn has_counted(&self, scope: CapScope) -> bool {
        if !self.scopes.may_have(scope) {
            return false;
        }
        let at = self.counts.partition_point(|(key, _)| key.scope < scope);
        self.counts.get(at).is_some_and(|(key, _)| key.scope == scope)
    }
}

/// Counts of a key that is given more than once add up.
impl FromIterator<(CapKey, u32)> for CapCounts {
    fn from_iter<I: IntoIterator<Item = (CapKey, u32)>>(given: I) -> Self {
        let mut counts: Vec<(CapKey, u32)> = given.into_iter().filter(|(_, count)| *count > 0).collect();
        counts.sort_unstable();
        counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        let mut scopes = Sieve::default();
        counts.iter().for_each(|(key, _)| scopes.add(key.scope));
        Self { counts, scopes, unknown: false }
    }
}
