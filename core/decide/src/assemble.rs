//! From what the steps produced to the record of the decision.

use litfass_features::{AdRows, RowId, RowNumber};
use litfass_market::Shown;
use litfass_types::{AdIx, DecisionId, Fate, LeaseId, PPM, Probability, Row, Timestamp};

use crate::observed::Observed;
use crate::record::{CandidateRecord, DecisionRecord, Full, Gathered, Inputs, Market, ShownRecord, StageName};
use crate::settle::Settled;
use crate::shortlist::Shortlist;
use crate::world::World;

/// Purpose of the seed.
const FULL: u64 = 12;

/// What reserves the budget of a shown ad.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hold {
    pub lease: LeaseId,
    pub expires: Timestamp,
}

/// A decision that was made, step by step.
#[derive(Clone, Debug)]
pub struct Made<'a> {
    pub id: DecisionId,
    pub world: &'a World,
    pub observed: Observed,
    pub shortlist: Shortlist,
    pub market: Market,
    pub settled: Settled,
    /// One per shown ad.
    pub holds: Vec<Hold>,
    /// Record every candidate, whether the sample asks for it or not.
    pub explain: bool,
    pub timings: Vec<(StageName, u32)>,
}

impl Made<'_> {
    #[must_use]
    pub fn into_record(self) -> DecisionRecord {
        let decision = &self.settled.decision;
        let shown = decision.shown.iter().zip(&self.holds).map(|(shown, hold)| self.shown(shown, *hold)).collect();
        let places = 0..self.market.placements.len();
        let entrants: Vec<usize> = decision.shown.iter().map(|s| s.entrant).collect();
        DecisionRecord {
            id: self.id,
            rows: pick(&self.shortlist.rows, &entrants),
            shown,
            counts: places.map(|p| decision.fates.count_by_fate(p).iter().collect()).collect(),
            full: self.wants_full().then(|| self.full()),
            inputs: Inputs {
                degraded: self.observed.degraded(),
                viewer_as_of: self.observed.viewer.as_of(),
                caps_as_of: self.observed.caps.as_of(),
                now: self.observed.now,
                seed: self.observed.seed,
                world: self.world.version.clone(),
                request: self.observed.request,
            },
            refused: self.settled.refused,
            viewer: self.shortlist.viewer,
            market: self.market,
            timings: self.timings,
        }
    }

    fn wants_full(&self) -> bool {
        let draw = self.observed.seed.derive(FULL).below(u64::from(PPM));
        self.explain || draw < u64::from(self.world.rules.record_full_ppm)
    }

    fn shown(&self, shown: &Shown, hold: Hold) -> ShownRecord {
        let ix = self.ad(shown.row);
        let catalog = &self.world.catalog;
        let line_item = catalog.line_item(catalog.line_item_of(ix));
        let click = self.market.predictions.get(shown.entrant).map_or(Probability::from_bits(1), |p| p.click);
        ShownRecord {
            row: shown.row,
            placement: shown.placement,
            placement_id: self.observed.request.placements[usize::from(shown.placement)].id,
            slot: shown.slot,
            ad: catalog.ad(ix).id,
            creative: catalog.creative(catalog.ad(ix).creative).id,
            line_item: line_item.id,
            campaign: line_item.campaign,
            advertiser: line_item.advertiser,
            value: shown.value,
            price: shown.price,
            priced_by: shown.priced_by,
            explored: shown.explored,
            propensity: shown.propensity,
            click_in_slot: Probability::from_f64(self.world.profile.click_at(click, shown.slot)),
            lease: hold.lease,
            hold_expires: hold.expires,
        }
    }

    fn full(&self) -> Full {
        let rows = (0..=u16::MAX).take(self.shortlist.candidates.len()).map(Row);
        let Observed { viewer, caps, .. } = &self.observed;
        Full {
            gathered: Some(Gathered { viewer: viewer.value().cloned(), caps: caps.value().cloned() }),
            candidates: rows.map(|row| self.candidate(row)).collect(),
            ineligible: self.shortlist.ineligible.clone(),
        }
    }

    fn candidate(&self, row: Row) -> CandidateRecord {
        let i = usize::from(row.0);
        let catalog = &self.world.catalog;
        let ix = self.ad(row);
        let ad = catalog.ad(ix);
        let fates = (0..self.market.placements.len()).map(|p| self.settled.decision.fates.fate(row, p));
        CandidateRecord {
            ad: ad.id,
            line_item: catalog.line_item(ad.line_item).id,
            sources: self.shortlist.candidates.sources[i].0,
            signal: self.world.signals.get(ix).features,
            click: self.shortlist.clicks[i],
            value: self.shortlist.values[i],
            // Settling leaves no cell unmarked; a counter in production watches that.
            fates: fates.map(|fate| fate.unwrap_or(Fate::BelowCut)).collect(),
        }
    }

    fn ad(&self, row: Row) -> AdIx {
        self.shortlist.candidates.ad[usize::from(row.0)]
    }
}

/// The rows of the shown ads, in their order.
fn pick(rows: &AdRows, wanted: &[usize]) -> AdRows {
    let mut picked = AdRows {
        numbers: Vec::with_capacity(wanted.len() * RowNumber::COUNT),
        ids: Vec::with_capacity(wanted.len() * RowId::COUNT),
    };
    for row in wanted {
        picked.numbers.extend_from_slice(rows.numbers_of(*row));
        picked.ids.extend_from_slice(rows.ids_of(*row));
    }
    picked
}
