//! The rows that bid: all that the auction may know of them, as columns of integers. They are recorded, so a decision replays
//! without the catalog that it was made from.

use litfass_types::{AdId, AdvertiserId, LineItemId, Prediction, Price, Row};

use crate::value::Factors;

/// Placements in one request, at most: one bit each in `Entrant::admitted`.
pub const PLACEMENTS_MAX: usize = 64;

/// One row of `Entrants`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entrant {
    /// The candidate's row on the board; no two entrants share it.
    pub row: Row,
    /// Stable ids, so that ties fall alike whatever the catalog's layout. No two entrants share an ad.
    pub ad: AdId,
    pub line_item: LineItemId,
    pub advertiser: AdvertiserId,
    pub bid: Price,
    /// 0 … `MULTIPLIER_PPM_MAX`; 0 is never shown.
    pub pacing_ppm: u32,
    /// 0 … `MULTIPLIER_PPM_MAX`; 0 is never shown.
    pub quality_ppm: u32,
    /// Competitive exclusion groups as bits: two advertisers that share one are never on the same page.
    pub exclusions: u64,
    /// Bit p: it may compete for placement p.
    pub admitted: u64,
}

impl Entrant {
    #[must_use]
    pub const fn factors(&self, prediction: Prediction) -> Factors {
        Factors { per: self.bid.per, prediction, pacing_ppm: self.pacing_ppm, quality_ppm: self.quality_ppm }
    }
}

/// At most a few dozen rows; entrant i is the same ad in every column.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entrants {
    row: Vec<Row>,
    ad: Vec<AdId>,
    line_item: Vec<LineItemId>,
    advertiser: Vec<AdvertiserId>,
    bid: Vec<Price>,
    pacing_ppm: Vec<u32>,
    quality_ppm: Vec<u32>,
    exclusions: Vec<u64>,
    admitted: Vec<u64>,
}

impl Entrants {
    #[must_use]
    pub fn with_capacity(n: usize) -> Self {
        Self {
            row: Vec::with_capacity(n),
            ad: Vec::with_capacity(n),
            line_item: Vec::with_capacity(n),
            advertiser: Vec::with_capacity(n),
            bid: Vec::with_capacity(n),
            pacing_ppm: Vec::with_capacity(n),
            quality_ppm: Vec::with_capacity(n),
            exclusions: Vec::with_capacity(n),
            admitted: Vec::with_capacity(n),
        }
    }

    pub fn push(&mut self, entrant: Entrant) {
        self.row.push(entrant.row);
        self.ad.push(entrant.ad);
        self.line_item.push(entrant.line_item);
        self.advertiser.push(entrant.advertiser);
        self.bid.push(entrant.bid);
        self.pacing_ppm.push(entrant.pacing_ppm);
        self.quality_ppm.push(entrant.quality_ppm);
        self.exclusions.push(entrant.exclusions);
        self.admitted.push(entrant.admitted);
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.row.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    /// Entrant `i`.
    ///
    /// # Panics
    /// Where `i` is not below `len()`.
    #[must_use]
    pub fn get(&self, i: usize) -> Entrant {
        Entrant {
            row: self.row[i],
            ad: self.ad[i],
            line_item: self.line_item[i],
            advertiser: self.advertiser[i],
            bid: self.bid[i],
            pacing_ppm: self.pacing_ppm[i],
            quality_ppm: self.quality_ppm[i],
            exclusions: self.exclusions[i],
            admitted: self.admitted[i],
        }
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Entrant> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.row
    }

    #[must_use]
    pub fn ads(&self) -> &[AdId] {
        &self.ad
    }

    #[must_use]
    pub fn line_items(&self) -> &[LineItemId] {
        &self.line_item
    }

    #[must_use]
    pub fn advertisers(&self) -> &[AdvertiserId] {
        &self.advertiser
    }

    #[must_use]
    pub fn bids(&self) -> &[Price] {
        &self.bid
    }

    #[must_use]
    pub fn exclusions(&self) -> &[u64] {
        &self.exclusions
    }

    #[must_use]
    pub fn admitted(&self) -> &[u64] {
        &self.admitted
    }
}

impl Extend<Entrant> for Entrants {
    fn extend<I: IntoIterator<Item = Entrant>>(&mut self, rows: I) {
        rows.into_iter().for_each(|entrant| self.push(entrant));
    }
}

impl FromIterator<Entrant> for Entrants {
    fn from_iter<I: IntoIterator<Item = Entrant>>(rows: I) -> Self {
        let rows = rows.into_iter();
        let mut entrants = Self::with_capacity(rows.size_hint().0);
        entrants.extend(rows);
        entrants
    }
}
