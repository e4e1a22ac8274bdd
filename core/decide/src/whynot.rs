//! One line item and one recorded request: what kept it from being shown.
//!
//! Two stages, each with its own first and only obstacle. Before there are candidates the predicates of [`Ineligible`] are worked
//! out again, all of them, from the recorded request, the catalog of that version and what the pacing table said. Behind that
//! the record tells how its ads ended; which rules of policy one breaks besides the first is worked out from what was gathered.
//!
//! [`Ineligible`]: litfass_types::Ineligible

use litfass_catalog::{Bitset, Catalog, Failures, Query, Schedule, placement_term};
use litfass_market::value;
use litfass_policy::{CapCounts, PlacementRules, PolicyRequest};
use litfass_types::{AdId, Fate, LineItemId, LineItemIx, PlacementId, Term, Timestamp, Value};

use crate::record::DecisionRecord;

/// A line item as a decision saw it.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Of the decision's version; it need hold no more than the line item, its ads and the request's placements.
    pub catalog: &'a Catalog,
    pub line_item: LineItemId,
    /// What the decision's pacing table said.
    pub funded: bool,
    pub paced_out: bool,
}

/// What became of the line item in one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was not in the catalog yet.
    Absent,
    /// Worked out; never empty.
    Ineligible(Failures),
    /// It was eligible, and no source returned an ad of it.
    NotRetrieved,
    /// It was eligible, and the record does not hold how it ended: it came into no auction.
    Unrecorded,
    /// How its ad that came furthest ended.
    Ended(Ending),
    /// The record holds an ad of it although it is worked out to be ineligible: one of the two is wrong.
    Contradicted,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ending {
    pub fate: Fate,
    /// Nothing else of its stage stood in the way.
    pub only: bool,
    /// Where it was outbid: how much more an impression had to be worth to take the cheapest slot.
    pub gap: Option<Value>,
}

/// From the first obstacle to being shown: which of two endings came further.
const FURTHER: [Fate; 16] = [
    Fate::FormatMismatch,
    Fate::CreativeRejected,
    Fate::ConsentMissing,
    Fate::Blocked,
    Fate::PlacementMismatch,
    Fate::CapsUnknown,
    Fate::Capped,
    Fate::BelowCut,
    Fate::BelowFloor,
    Fate::AlreadyShown,
    Fate::AdvertiserLimit,
    Fate::ExcludedByRival,
    Fate::Outbid,
    Fate::PassedOver,
    Fate::HoldRefused,
    Fate::Shown,
];

/// How one ad ended at one placement.
#[derive(Clone, Copy)]
struct Cell {
    ad: AdId,
    placement: usize,
    fate: Fate,
}

#[must_use]
pub fn why_not(record: &DecisionRecord, standing: Standing<'_>) -> Verdict {
    let Some(ix) = standing.catalog.line_item_by_id(standing.line_item) else { return Verdict::Absent };
    let terms = record.inputs.request.context.terms();
    let places: Vec<Term> = record.inputs.request.placements.iter().map(|p| placement_term(p.id)).collect();
    let bits = Bits::of(&standing, ix, record.inputs.now);
    let query = bits.query(record, &terms, &places);
    let failures = standing.catalog.failures(ix, &query);
    let cells = cells(record, standing.line_item);
    match (failures.is_empty(), cells.iter().map(|cell| further(cell.fate)).max()) {
        (false, None) => Verdict::Ineligible(failures),
        (false, Some(_)) => Verdict::Contradicted,
        (true, None) if record.full.is_some() => Verdict::NotRetrieved,
        (true, None) => Verdict::Unrecorded,
        (true, Some(furthest)) => Verdict::Ended(ending(record, &query, standing.catalog, &cells, furthest)),
    }
}

fn further(fate: Fate) -> usize {
    FURTHER.iter().position(|other| *other == fate).unwrap_or(0)
}

fn cells(record: &DecisionRecord, line_item: LineItemId) -> Vec<Cell> {
    match &record.full {
        Some(full) => {
            let own = full.candidates.iter().filter(|candidate| candidate.line_item == line_item);
            let each = own.flat_map(|c| {
                c.fates.iter().zip(0..).map(|(fate, placement)| Cell { ad: c.ad, placement, fate: *fate })
            });
            each.collect()
        }
        None => entered(record, line_item),
    }
}

/// Without the full record the entrants' fates follow from settling again.
fn entered(record: &DecisionRecord, line_item: LineItemId) -> Vec<Cell> {
    if !record.market.entrants.line_items().contains(&line_item) {
        return Vec::new();
    }
    let settled = record.replay();
    let mut cells = Vec::new();
    for entrant in record.market.entrants.iter().filter(|entrant| entrant.line_item == line_item) {
        for placement in (0..record.market.placements.len()).filter(|p| entrant.admitted >> p & 1 == 1) {
            let fate = settled.fates.fate(entrant.row, placement);
            cells.extend(fate.map(|fate| Cell { ad: entrant.ad, placement, fate }));
        }
    }
    cells
}

fn ending(record: &DecisionRecord, query: &Query<'_>, catalog: &Catalog, cells: &[Cell], furthest: usize) -> Ending {
    let fate = FURTHER[furthest];
    let at_it = || cells.iter().filter(|cell| cell.fate == fate);
    let rules = OtherRules { record, query, catalog };
    Ending {
        fate,
        only: at_it().any(|cell| rules.breaks_nothing_else(cell)),
        gap: (fate == Fate::Outbid).then(|| at_it().filter_map(|cell| gap(record, cell)).min()).flatten(),
    }
}

/// What policy says of a cell besides the rule that was told.
struct OtherRules<'a> {
    record: &'a DecisionRecord,
    query: &'a Query<'a>,
    catalog: &'a Catalog,
}

impl OtherRules<'_> {
    fn breaks_nothing_else(&self, cell: &Cell) -> bool {
        let Some(ad) = self.catalog.ad_by_id(cell.ad) else { return true };
        let request = &self.record.inputs.request;
        let placements: Vec<PlacementRules> = request.placements.iter().map(|p| self.placement(p.id)).collect();
        let none = CapCounts::default();
        let gathered = self.record.full.as_ref().and_then(|full| full.gathered.as_ref());
        let policy = PolicyRequest {
            catalog: self.catalog,
            query: self.query,
            placements: &placements,
            personalise: request.personalise,
            caps: gathered.and_then(|gathered| gathered.caps.as_ref()).unwrap_or(&none),
        };
        policy.broken(ad, cell.placement).iter().all(|rule| rule.fate == cell.fate)
    }

    fn placement(&self, id: PlacementId) -> PlacementRules {
        self.catalog.placement(id).map_or_else(|| PlacementRules::none(id), PlacementRules::of)
    }
}

/// To the cheapest slot that was auctioned there.
fn gap(record: &DecisionRecord, cell: &Cell) -> Option<Value> {
    let at = record.market.entrants.ads().iter().position(|ad| *ad == cell.ad)?;
    let (entrant, prediction) = (record.market.entrants.get(at), *record.market.predictions.get(at)?);
    let own = value(entrant.bid, prediction, entrant.pacing_ppm, entrant.quality_ppm);
    let here = record.shown.iter().filter(|s| usize::from(s.placement) == cell.placement && !s.explored);
    let cheapest = here.map(|shown| shown.value).min()?;
    Some(Value(cheapest.0.saturating_sub(own.0).max(0)))
}

/// The pacing table's word on the one line item, laid out as a query reads it.
struct Bits {
    schedule: Schedule,
    funded: Bitset,
    paced_out: Bitset,
}

impl Bits {
    fn of(standing: &Standing<'_>, ix: LineItemIx, now: Timestamp) -> Self {
        let bit = |is: bool| {
            let mut bits = Bitset::new(standing.catalog.line_items() as usize);
            if is {
                bits.insert(ix.0);
            }
            bits
        };
        let schedule = Schedule::at(standing.catalog, now);
        Self { schedule, funded: bit(standing.funded), paced_out: bit(standing.paced_out) }
    }

    fn query<'a>(&'a self, record: &DecisionRecord, terms: &'a [Term], placements: &'a [Term]) -> Query<'a> {
        Query {
            tenant: record.inputs.request.tenant,
            terms,
            placements,
            now: record.inputs.now,
            schedule: &self.schedule,
            funded: &self.funded,
            paced_out: &self.paced_out,
        }
    }
}
