//! A full record decided again from what was gathered: eligibility, policy, first phase, cut, features, predictions and the
//! auction, in the world of its version.
//!
//! Taken from the record: the request, what was known of viewer and ads, what the sources returned, and which holds were refused.
//! Everything else is worked out. A **flip** is another ad in a slot, another fate of a candidate, another number of line items
//! removed; a score that is merely not the same number is counted with how far it lies off.

use std::collections::BTreeMap;

use litfass_market::{Decision, Refusal};
use litfass_retrieval::SourceSet;
use litfass_types::{AdId, Ineligible, Probability, Reading, Row};

use crate::observed::Observed;
use crate::record::{DecisionRecord, Full, Gathered, Market};
use crate::replay::{AD, At, Difference, differences, fate_differs};
use crate::settle::settle_market;
use crate::shortlist::{Shortlist, Workspace, shortlist_of};
use crate::world::World;

/// What a record must hold to be recomputed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotRecomputable {
    #[error("the record does not hold every candidate")]
    NotFull,
    #[error("the record does not hold what was known of the viewer: the first format did not keep it")]
    NotGathered,
}

/// A decision made again, and what came out otherwise.
#[derive(Clone, PartialEq, Debug)]
pub struct Recomputed {
    pub market: Market,
    pub shortlist: Shortlist,
    pub decision: Decision,
    /// The row of every ad that is a candidate again, by ad.
    rows: BTreeMap<AdId, Row>,
    pub flips: Vec<Difference>,
    pub scores: ScoreDeviation,
}

/// How far first-phase scores and predictions lie from the recorded ones.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ScoreDeviation {
    pub compared: u64,
    /// More than the tolerance off.
    pub beyond: u64,
    /// The largest, as a share of the recorded one.
    pub worst: f64,
}

/// The share by which a score may be off and still count as the same.
pub const SCORE_TOLERANCE: f64 = 1e-6;

/// Makes the decision again in `world`, which must be of the record's version; ad signals and sources are not read from it.
///
/// # Errors
/// When the record does not hold enough.
pub fn recompute(
    record: &DecisionRecord,
    world: &World,
    workspace: &mut Workspace,
) -> Result<Recomputed, NotRecomputable> {
    let full = record.full.as_ref().ok_or(NotRecomputable::NotFull)?;
    let gathered = full.gathered.as_ref().ok_or(NotRecomputable::NotGathered)?;
    let observed = observed(record, gathered);
    let returned = full.candidates.iter().filter_map(|candidate| {
        let ix = world.catalog.ad_by_id(candidate.ad)?;
        Some((ix, SourceSet(candidate.sources), candidate.signal))
    });
    let shortlist = shortlist_of(world, &observed, returned, workspace);
    let rows = rows(&shortlist, world);
    let market = Market {
        exploration_ppm: world.rules.exploration_ppm,
        placements: shortlist.placements.clone(),
        entrants: shortlist.entrants.clone(),
        predictions: world.profile.last_phase(&shortlist.viewer, &shortlist.rows),
    };
    let again = Again { record, full, rows: &rows, shortlist: &shortlist, market: &market };
    let decision = settle_market(&market, observed.seed, &again.refused(), shortlist.board.clone());
    let (flips, scores) = (again.flips(&decision), again.scores());
    Ok(Recomputed { market, shortlist, decision, rows, flips, scores })
}

impl Recomputed {
    #[must_use]
    pub fn row_of(&self, ad: AdId) -> Option<Row> {
        self.rows.get(&ad).copied()
    }
}

fn rows(shortlist: &Shortlist, world: &World) -> BTreeMap<AdId, Row> {
    let ads = shortlist.candidates.ad.iter().map(|ix| world.catalog.ad(*ix).id);
    ads.zip((0..=u16::MAX).map(Row)).collect()
}

fn observed(record: &DecisionRecord, gathered: &Gathered) -> Observed {
    let inputs = &record.inputs;
    Observed {
        request: inputs.request.clone(),
        now: inputs.now,
        seed: inputs.seed,
        viewer: reading(gathered.viewer.clone()),
        caps: reading(gathered.caps.clone()),
    }
}

fn reading<T>(known: Option<T>) -> Reading<T> {
    known.map_or(Reading::Absent, |value| Reading::Present { value, as_of: None })
}

struct Again<'a> {
    record: &'a DecisionRecord,
    full: &'a Full,
    rows: &'a BTreeMap<AdId, Row>,
    shortlist: &'a Shortlist,
    market: &'a Market,
}

impl Again<'_> {
    fn row_of(&self, ad: AdId) -> Option<Row> {
        self.rows.get(&ad).copied()
    }

    /// The recorded refusals by today's rows.
    fn refused(&self) -> Vec<Refusal> {
        let of = |refusal: &Refusal| {
            let ad = self.full.candidates.get(usize::from(refusal.row.0))?.ad;
            Some(Refusal { row: self.row_of(ad)?, fate: refusal.fate })
        };
        self.record.refused.iter().filter_map(of).collect()
    }

    fn flips(&self, decision: &Decision) -> Vec<Difference> {
        let page = differences(self.record, self.market, decision);
        let mut flips: Vec<Difference> =
            page.into_iter().filter(|d| matches!(d.at, At::Slot { what: AD, .. })).collect();
        flips.extend(Ineligible::ALL.iter().filter_map(|why| self.removed(*why)));
        self.full.candidates.iter().for_each(|candidate| {
            let row = self.row_of(candidate.ad);
            let Some(row) = row else { return flips.push(lost(candidate.ad)) };
            for (placement, kept) in candidate.fates.iter().enumerate() {
                let made = decision.fates.fate(row, placement);
                if made != Some(*kept) {
                    flips.push(fate_differs(placement, candidate.ad, Some(*kept), made));
                }
            }
        });
        flips
    }

    fn removed(&self, why: Ineligible) -> Option<Difference> {
        let count = |counts: &[(Ineligible, u32)]| counts.iter().find(|(w, _)| *w == why).map_or(0, |(_, n)| *n);
        let (kept, made) = (count(&self.full.ineligible), count(&self.shortlist.ineligible));
        let differs = || Difference { at: At::Removed(why), recorded: kept.to_string(), again: made.to_string() };
        (kept != made).then(differs)
    }

    /// First-phase scores of all candidates, predictions of all entrants.
    fn scores(&self) -> ScoreDeviation {
        let mut deviation = ScoreDeviation::default();
        for candidate in &self.full.candidates {
            if let Some(row) = self.row_of(candidate.ad) {
                deviation.add(candidate.click, self.shortlist.clicks[usize::from(row.0)]);
            }
        }
        let kept = self.record.market.entrants.ads().iter().zip(&self.record.market.predictions);
        for (ad, kept) in kept {
            let at = self.market.entrants.ads().iter().position(|other| other == ad);
            if let Some(made) = at.and_then(|at| self.market.predictions.get(at)) {
                deviation.add(kept.click, made.click);
                deviation.add(kept.conversion, made.conversion);
            }
        }
        deviation
    }
}

impl ScoreDeviation {
    fn add(&mut self, kept: Probability, made: Probability) {
        let off = (f64::from(made.bits()) - f64::from(kept.bits())).abs() / f64::from(kept.bits());
        self.compared += 1;
        self.beyond += u64::from(off > SCORE_TOLERANCE);
        self.worst = self.worst.max(off);
    }
}

fn lost(ad: AdId) -> Difference {
    Difference { at: At::Eligible(ad), recorded: "candidate".to_owned(), again: "not eligible".to_owned() }
}
