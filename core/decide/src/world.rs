//! The world that a decision is made in: immutable, swapped whole, named by a version that the record keeps.

use std::borrow::Cow;
use std::sync::Arc;

use litfass_catalog::{Bitset, Catalog, Schedule};
use litfass_features::FeatureSet;
use litfass_rank::RankProfile;
use litfass_retrieval::{AdSignals, SourceIndex, SourceLimits};
use litfass_types::{LineItemId, LineItemIx, PPM, Seed};

use crate::record::WorldVersion;

#[derive(Clone, Debug)]
pub struct World {
    pub version: WorldVersion,
    pub catalog: Arc<Catalog>,
    /// Covers `now` mostly; a query that it does not cover works it out for itself.
    pub schedule: Arc<Schedule>,
    pub signals: Arc<AdSignals>,
    pub sources: Arc<SourceIndex>,
    pub profile: Arc<RankProfile>,
    pub pacing: Arc<PacingColumns>,
    pub rules: Arc<Rules>,
}

/// The params that a decision reads, and the feature set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    pub sources: SourceLimits,
    /// Rows that enter the auction, at most 50.
    pub entrants_max: usize,
    /// How often a placement's last slot is drawn instead of auctioned, ppm.
    pub exploration_ppm: u32,
    /// Share of decisions that are recorded with every candidate, ppm.
    pub record_full_ppm: u32,
    pub features: FeatureSet,
}

/// One pacing table laid out by the line items of one catalog, and who has funds left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PacingColumns {
    pub number: u64,
    /// By `LineItemIx`: the bid multiplier. What lies past the end is not held back.
    pub multipliers_ppm: Vec<u32>,
    /// By `LineItemIx`.
    pub funded: Bitset,
    /// By `LineItemIx`: multiplier 0.
    pub paced_out: Bitset,
    /// Line items that take part in a share of the requests only, with that share in parts per million; few.
    pub by_requests: Vec<(LineItemIx, LineItemId, u32)>,
}

/// Purpose of the seed.
const PARTICIPATION: u64 = 12;

/// Whether a line item that takes part in so many of a million requests does in the one of this seed.
#[must_use]
pub fn takes_part(seed: Seed, line_item: LineItemId, share_ppm: u32) -> bool {
    seed.derive(PARTICIPATION).derive(line_item.0).below(PPM.into()) < u64::from(share_ppm)
}

impl PacingColumns {
    #[must_use]
    pub fn multiplier(&self, line_item: LineItemIx) -> u32 {
        self.multipliers_ppm.get(line_item.0 as usize).copied().unwrap_or(PPM)
    }

    /// Who is held back altogether in the request of this seed.
    #[must_use]
    pub fn held_back(&self, seed: Seed) -> Cow<'_, Bitset> {
        let out = self.by_requests.iter().filter(|(_, id, share_ppm)| !takes_part(seed, *id, *share_ppm));
        let mut held_back = Cow::Borrowed(&self.paced_out);
        out.for_each(|(ix, ..)| held_back.to_mut().insert(ix.0));
        held_back
    }
}
