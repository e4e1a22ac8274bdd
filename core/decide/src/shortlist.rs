//! Eligibility → sources → policy → first-phase score → cut → features of the entrants. Pure and in memory; never fails, may be
//! empty.

use std::borrow::Cow;
use std::cmp::Reverse;

use litfass_catalog::{Bitset, Eligible, Query, Scratch, placement_term};
use litfass_features::{AdFacts, AdRows, AdSignal, RequestFacts, Viewer, ViewerBlock};
use litfass_market::{AuctionPlacement, Entrant, Entrants, FateBoard, value};
use litfass_policy::{CandidateColumns, CapCounts, PlacementRules, PolicyRequest};
use litfass_retrieval::{Candidates, SourceQuery, SourceSet};
use litfass_types::{AdId, AdIx, Fate, Ineligible, Prediction, Probability, Row, Term, Value};

use crate::observed::Observed;
use crate::world::World;

/// Purpose of the seed.
const SOURCES: u64 = 11;

/// What is known before anything outside is asked. Row i is the same ad in every column and on the board.
#[derive(Clone, PartialEq, Debug)]
pub struct Shortlist {
    pub candidates: Candidates,
    /// First-phase click probability and what it makes the bid worth.
    pub clicks: Vec<Probability>,
    pub values: Vec<Value>,
    /// Marked where a rule or the cut decided; open where an entrant competes.
    pub board: FateBoard,
    pub placements: Vec<AuctionPlacement>,
    pub entrants: Entrants,
    /// The features that the last phase reads: one row per entrant.
    pub viewer: ViewerBlock,
    pub rows: AdRows,
    /// Line items by the first predicate they failed.
    pub ineligible: Vec<(Ineligible, u32)>,
}

/// Memory that requests use again.
#[derive(Debug, Default)]
pub struct Workspace {
    eligibility: Scratch,
}

/// Everything about one request that the steps below read.
struct Request<'a> {
    world: &'a World,
    observed: &'a Observed,
    viewer: &'a Viewer,
    placements: Vec<PlacementRules>,
    /// By `LineItemIx`: whom pacing holds back in this request.
    held_back: Cow<'a, Bitset>,
}

#[must_use]
pub fn shortlist(world: &World, observed: &Observed, workspace: &mut Workspace) -> Shortlist {
    judged(world, observed, workspace, |request, eligible| {
        let candidates = request.candidates(eligible);
        let signals = candidates.ad.iter().map(|ad| world.signals.get(*ad).features).collect();
        (candidates, signals)
    })
}

/// The same from what the sources returned and what was known of each ad; what is not eligible is left out.
pub(crate) fn shortlist_of(
    world: &World,
    observed: &Observed,
    returned: impl Iterator<Item = (AdIx, SourceSet, AdSignal)>,
    workspace: &mut Workspace,
) -> Shortlist {
    judged(world, observed, workspace, |_, eligible| {
        let (mut candidates, mut signals) = (Candidates::default(), Vec::new());
        for (ad, sources, signal) in returned.filter(|(ad, ..)| eligible.contains(*ad)) {
            candidates.ad.push(ad);
            candidates.sources.push(sources);
            signals.push(signal);
        }
        (candidates, signals)
    })
}

fn judged(
    world: &World,
    observed: &Observed,
    workspace: &mut Workspace,
    returned: impl FnOnce(&Request<'_>, &Eligible) -> (Candidates, Vec<AdSignal>),
) -> Shortlist {
    let nobody = Viewer::default();
    let viewer = observed.viewer.value().unwrap_or(&nobody);
    let asked = observed.request.placements.iter();
    // A placement that the catalog has lost since the request was checked has no rules and, below, no slots.
    let rules =
        asked.map(|p| world.catalog.placement(p.id).map_or_else(|| PlacementRules::none(p.id), PlacementRules::of));
    let held_back = world.pacing.held_back(observed.seed);
    let request = Request { world, observed, viewer, placements: rules.collect(), held_back };

    let terms = observed.request.context.terms();
    let places: Vec<Term> = observed.request.placements.iter().map(|p| placement_term(p.id)).collect();
    let query = request.query(&terms, &places);
    let eligible = world.catalog.eligible(&query, &mut workspace.eligibility);
    let (candidates, signals) = returned(&request, eligible);
    let mut board = FateBoard::new(candidates.ad.len(), places.len());
    let columns = CandidateColumns::new(&world.catalog, &candidates.ad);
    request.apply_policy(&query, &candidates.ad, &columns, &mut board);
    let block = request.viewer_block();
    let facts = facts(&columns, signals);
    let (clicks, values) = request.first_phase(&block, &facts, &columns);
    let chosen = cut(world.rules.entrants_max, &columns, &values, &mut board);
    let entering = chosen.iter().map(|row| facts[usize::from(row.0)]);
    let rows = AdRows::last_phase(&world.rules.features, observed.now, viewer, entering);
    Shortlist {
        entrants: chosen.iter().map(|row| request.entrant(*row, &columns, &board)).collect(),
        placements: request.offers(),
        viewer: block,
        rows,
        clicks,
        values,
        board,
        ineligible: removed(eligible),
        candidates,
    }
}

/// What features read of each candidate.
fn facts(columns: &CandidateColumns, signals: Vec<AdSignal>) -> Vec<AdFacts> {
    let rows = columns.ads.iter().zip(&columns.bidders).zip(signals);
    let facts = rows.map(|((ad, bidder), signal)| AdFacts {
        ad: ad.id,
        advertiser: bidder.advertiser,
        item: ad.item.unwrap_or(0),
        category: ad.category.unwrap_or(0),
        created: ad.created,
        signal,
    });
    facts.collect()
}

fn removed(eligible: &Eligible) -> Vec<(Ineligible, u32)> {
    let counts = Ineligible::ALL.iter().map(|why| (*why, eligible.removed(*why)));
    counts.filter(|(_, n)| *n > 0).collect()
}

impl<'a> Request<'a> {
    fn query<'b>(&'b self, terms: &'b [Term], placements: &'b [Term]) -> Query<'b> {
        Query {
            tenant: self.observed.request.tenant,
            terms,
            placements,
            now: self.observed.now,
            schedule: &self.world.schedule,
            funded: &self.world.pacing.funded,
            paced_out: &self.held_back,
        }
    }

    fn candidates(&self, eligible: &Eligible) -> Candidates {
        let categories = &self.observed.request.context.categories;
        let page: Vec<u64> = categories.iter().map(|c| litfass_catalog::category_hash(c)).collect();
        SourceQuery {
            catalog: &self.world.catalog,
            index: &self.world.sources,
            eligible,
            tenant: self.observed.request.tenant,
            viewer: self.observed.viewer.value(),
            categories: &page,
            limits: &self.world.rules.sources,
            seed: self.observed.seed.derive(SOURCES),
        }
        .candidates()
    }

    fn apply_policy(&self, query: &Query<'_>, ads: &[AdIx], columns: &CandidateColumns, board: &mut FateBoard) {
        let none = CapCounts::default();
        let policy = PolicyRequest {
            catalog: &self.world.catalog,
            query,
            placements: &self.placements,
            personalise: self.observed.request.personalise,
            caps: self.observed.caps.value().unwrap_or(&none),
        };
        policy.mark(ads, columns, board);
    }

    fn viewer_block(&self) -> ViewerBlock {
        let request = &self.observed.request;
        let facts = RequestFacts {
            now: self.observed.now,
            device: request.context.device,
            os: request.context.os,
            country: request.context.country.as_deref(),
            page_category: request.context.categories.first().map(String::as_str),
            placement: request.placements.first().map_or(litfass_types::PlacementId(0), |p| p.id),
        };
        ViewerBlock::new(&self.world.rules.features, &facts, self.viewer)
    }

    /// What the first phase thinks of all candidates, as integers: the cut is part of the ranking.
    fn first_phase(
        &self,
        block: &ViewerBlock,
        facts: &[AdFacts],
        columns: &CandidateColumns,
    ) -> (Vec<Probability>, Vec<Value>) {
        let rows = AdRows::first_phase(self.observed.now, self.viewer, facts.iter().copied());
        let mut clicks = Vec::with_capacity(facts.len());
        self.world.profile.first_phase(block, &rows, &mut clicks);
        let offers = columns.ads.iter().zip(&columns.bidders).zip(&clicks);
        let values = offers.map(|((ad, bidder), click)| {
            let prediction = Prediction { click: *click, conversion: Probability::from_bits(u32::MAX) };
            value(bidder.bid, prediction, self.world.pacing.multiplier(ad.line_item), litfass_types::PPM)
        });
        let values = values.collect();
        (clicks, values)
    }

    fn entrant(&self, row: Row, columns: &CandidateColumns, board: &FateBoard) -> Entrant {
        let (ad, bidder) = (&columns.ads[usize::from(row.0)], &columns.bidders[usize::from(row.0)]);
        Entrant {
            row,
            ad: ad.id,
            line_item: bidder.line_item,
            advertiser: bidder.advertiser,
            bid: bidder.bid,
            pacing_ppm: self.world.pacing.multiplier(ad.line_item),
            quality_ppm: litfass_types::PPM,
            exclusions: bidder.exclusions,
            admitted: board.open_placements(row),
        }
    }

    /// A placement that the catalog has lost since the request was checked offers nothing.
    fn offers(&self) -> Vec<AuctionPlacement> {
        let asked = self.observed.request.placements.iter();
        asked
            .map(|ask| match self.world.catalog.placement(ask.id) {
                Some(placement) => AuctionPlacement {
                    slots: ask.slots.min(placement.slots_max),
                    floor: ask.floor.max(placement.floor),
                    max_per_advertiser: placement.max_per_advertiser,
                },
                None => AuctionPlacement { slots: 0, floor: ask.floor, max_per_advertiser: 0 },
            })
            .collect()
    }
}

/// The rows that enter the auction, best first-phase value first, ties by ad id; the others that may compete are marked.
fn cut(entrants_max: usize, columns: &CandidateColumns, values: &[Value], board: &mut FateBoard) -> Vec<Row> {
    let ranks = values.iter().zip(&columns.ads).map(|(value, ad)| (Reverse(*value), ad.id));
    let rows = ranks.zip(0..=u16::MAX).map(|(rank, row)| (rank, Row(row)));
    let mut open: Vec<((Reverse<Value>, AdId), Row)> =
        rows.filter(|(_, row)| board.open_placements(*row) != 0).collect();
    if open.len() > entrants_max {
        open.select_nth_unstable(entrants_max);
        for (_, row) in open.drain(entrants_max..) {
            board.mark_everywhere(row, Fate::BelowCut);
        }
    }
    open.sort_unstable();
    open.into_iter().map(|(_, row)| row).collect()
}
