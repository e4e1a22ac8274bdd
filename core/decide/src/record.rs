//! The decision record: what a decision saw, who bid, what was shown. It is in the log before the response is sent.
//!
//! From the entrants, predictions, placements and rules' hash a decision replays without a catalog (`replay`). The features
//! of the shown ads are what training reads. Candidates that lost are counted by fate; a sample, and whatever asked to be
//! explained, keeps them all (`Full`).

use litfass_features::{AdRows, AdSignal, Viewer, ViewerBlock};
use litfass_market::{AuctionPlacement, Decision, Entrants, Factors, PricedBy, Refusal};
use litfass_policy::CapCounts;
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CatalogVersion, CreativeId, DecisionId, Fate, Ineligible, LeaseId, LineItemId,
    PlacementId, Port, Position, Prediction, Price, Probability, Row, Seed, Timestamp, Value,
};

use crate::request::AdRequest;

/// One decision, complete.
#[derive(Clone, PartialEq, Debug)]
pub struct DecisionRecord {
    pub id: DecisionId,
    pub inputs: Inputs,
    pub market: Market,
    /// Holds that were not granted, in the order in which they were asked for.
    pub refused: Vec<Refusal>,
    /// The request's half of the features.
    pub viewer: ViewerBlock,
    /// By placement, then slot; their feature rows in the same order.
    pub shown: Vec<ShownRecord>,
    pub rows: AdRows,
    /// Per placement of the request: how the candidates ended.
    pub counts: Vec<Vec<(Fate, u32)>>,
    pub full: Option<Full>,
    /// Microseconds per stage.
    pub timings: Vec<(StageName, u32)>,
}

/// What the decision was made from besides what the market saw.
#[derive(Clone, PartialEq, Debug)]
pub struct Inputs {
    pub request: AdRequest,
    pub now: Timestamp,
    pub seed: Seed,
    pub world: WorldVersion,
    pub degraded: Vec<Port>,
    /// Everything of the viewer's partition before it was in the profile that was read; what came after it may have been.
    pub viewer_as_of: Option<Position>,
    /// The same for the counts of frequency caps.
    pub caps_as_of: Option<Position>,
}

/// Names every part of the world that a decision read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorldVersion {
    pub catalog: CatalogVersion,
    /// BLAKE3 of the rank profile's artifact.
    pub profile: [u8; 32],
    /// BLAKE3 of the params and rules.
    pub rules: [u8; 32],
    pub pacing: u64,
    /// Of the published set of ad signals: grows with every set and carries the time.
    pub signals: u64,
    /// Version of the time-zone database.
    pub time_zones: String,
}

/// Integers only: everything `settle` reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Market {
    pub exploration_ppm: u32,
    pub placements: Vec<AuctionPlacement>,
    pub entrants: Entrants,
    /// One per entrant.
    pub predictions: Vec<Prediction>,
}

/// One ad that was shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShownRecord {
    pub row: Row,
    /// Index into the request's placements.
    pub placement: u8,
    pub placement_id: PlacementId,
    /// Within the placement, 0 is the first.
    pub slot: u8,
    pub ad: AdId,
    pub creative: CreativeId,
    pub line_item: LineItemId,
    pub campaign: CampaignId,
    pub advertiser: AdvertiserId,
    pub value: Value,
    pub price: Price,
    pub priced_by: PricedBy,
    pub explored: bool,
    pub propensity: Probability,
    /// What the model expects in the slot where it is shown: the prediction is for the first slot.
    pub click_in_slot: Probability,
    pub lease: LeaseId,
    pub hold_expires: Timestamp,
}

/// Every candidate, what was removed before there were any, and what both were judged by.
#[derive(Clone, PartialEq, Debug)]
pub struct Full {
    /// `None` in records of the first format, which cannot be recomputed.
    pub gathered: Option<Gathered>,
    pub candidates: Vec<CandidateRecord>,
    /// Line items by the first predicate they failed.
    pub ineligible: Vec<(Ineligible, u32)>,
}

/// What was known of the viewer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gathered {
    /// `None` where nothing was known or might be used.
    pub viewer: Option<Viewer>,
    /// `None` where the user is unknown.
    pub caps: Option<CapCounts>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct CandidateRecord {
    pub ad: AdId,
    pub line_item: LineItemId,
    /// Bit mask of the sources that returned it.
    pub sources: u16,
    /// What was known of the ad.
    pub signal: AdSignal,
    /// What the first phase thought.
    pub click: Probability,
    pub value: Value,
    /// One per placement of the request.
    pub fates: Vec<Fate>,
}

/// The steps whose time is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StageName {
    Gather,
    Shortlist,
    Predict,
    Settle,
}

impl StageName {
    pub const ALL: [Self; 4] = [Self::Gather, Self::Shortlist, Self::Predict, Self::Settle];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gather => "gather",
            Self::Shortlist => "shortlist",
            Self::Predict => "predict",
            Self::Settle => "settle",
        }
    }
}

impl DecisionRecord {
    /// Settles again from the recorded integers: the same page on any machine, where the code is the same. Candidates that
    /// did not enter the auction are not known here; their cells, and an entrant's where it was not admitted, are not part of
    /// the result.
    #[must_use]
    pub fn replay(&self) -> Decision {
        crate::settle::replay(&self.market, self.inputs.seed, &self.refused)
    }

    /// What is shown is expected to earn at its prices, if all of it is rendered; each impression rounded down to nanos.
    #[must_use]
    pub fn expected_nanos(&self) -> u64 {
        self.shown.iter().filter_map(|shown| self.expected_of(shown)).sum()
    }

    fn expected_of(&self, shown: &ShownRecord) -> Option<u64> {
        let entrant = self.market.entrants.rows().iter().position(|row| *row == shown.row)?;
        let predicted = Prediction { click: shown.click_in_slot, ..*self.market.predictions.get(entrant)? };
        let earned = Factors::revenue(shown.price.per, predicted).value(shown.price.micros);
        u64::try_from(earned.nanos()).ok()
    }
}
