//! Which line items and ads may take part in a request, and what the first obstacle of the others was.
//!
//! The predicates stand in the order of [`Ineligible`]; a line item counts for the first that it fails. Predicates of ads
//! and creatives are not among them: those are fates of rows.

use litfass_types::{AdIx, Ineligible, LineItemIx, TenantId, Term, Timestamp};

use crate::bitset::{Bitset, words_for};
use crate::catalog::Catalog;
use crate::encoded::{Seen, hour_of_week};
use crate::index::IndexScratch;
use crate::schedule::Schedule;
use crate::segment::Segment;

/// What eligibility depends on besides the catalog.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub tenant: TenantId,
    /// Everything known of viewer and context, in any order; without placements and dayparts.
    pub terms: &'a [Term],
    /// [`crate::placement_term`] of every placement asked for. A line item is eligible if it matches at one of them.
    pub placements: &'a [Term],
    pub now: Timestamp,
    /// Where it does not cover the catalog at `now`, the schedule is worked out again for this one query.
    pub schedule: &'a Schedule,
    /// By `LineItemIx`; who is not in it has no funds.
    pub funded: &'a Bitset,
    /// By `LineItemIx`.
    pub paced_out: &'a Bitset,
}

/// How many predicates there are.
pub const PREDICATES: usize = Ineligible::ALL.len();

/// Memory that queries use again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    eligible: Eligible,
    index: IndexScratch,
    tenant: Vec<u64>,
    passed: Vec<u64>,
    ads: Bitset,
}

/// The outcome of one query.
#[derive(Clone, Debug, Default)]
pub struct Eligible {
    line_items: Bitset,
    ads: Bitset,
    removed: [u32; PREDICATES],
}

impl Eligible {
    /// By `LineItemIx`.
    #[must_use]
    pub const fn line_items(&self) -> &Bitset {
        &self.line_items
    }

    /// By `AdIx`: the active ads of eligible line items.
    #[must_use]
    pub const fn ads(&self) -> &Bitset {
        &self.ads
    }

    #[must_use]
    pub fn contains(&self, ad: AdIx) -> bool {
        self.ads.contains(ad.0)
    }

    /// Line items whose first obstacle this was.
    #[must_use]
    pub fn removed(&self, predicate: Ineligible) -> u32 {
        self.removed[place(predicate)]
    }
}

/// Every predicate that one line item fails.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Failures(u8);

impl Failures {
    /// The one it counts for.
    #[must_use]
    pub fn first(self) -> Option<Ineligible> {
        self.iter().next()
    }

    /// The obstacle, if there is exactly one: without it, the line item would be eligible.
    #[must_use]
    pub fn only(self) -> Option<Ineligible> {
        self.first().filter(|_| self.0.is_power_of_two())
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the table's order.
    pub fn iter(self) -> impl Iterator<Item = Ineligible> {
        Ineligible::ALL.iter().copied().filter(move |predicate| self.0 >> place(*predicate) & 1 == 1)
    }

    fn add(&mut self, predicate: Ineligible, fails: bool) {
        self.0 |= u8::from(fails) << place(predicate);
    }
}

/// One segment's rows among all of the catalog.
struct Block<'a> {
    segment: &'a Segment,
    /// Number of its first line item and its first ad.
    line_item: u32,
    ad: u32,
    /// Its line items that are not there any more.
    dead: &'a Bitset,
}

impl Block<'_> {
    /// Line items of its i-th word that are there.
    fn alive(&self, i: usize) -> u64 {
        let there = (self.segment.line_items.len() - i * 64).min(64);
        (u64::MAX >> (64 - there)) & !self.dead.word_at(i * 64)
    }

    /// Which line items of the i-th word pass each predicate, in the table's order.
    fn predicates(&self, i: usize, tenant: u64, matching: u64, query: &Query<'_>) -> [u64; PREDICATES] {
        let at = self.line_item as usize + i * 64;
        [
            tenant,
            self.segment.active.word_at(i * 64),
            query.schedule.running.word_at(at),
            matching,
            query.funded.word_at(at),
            !query.paced_out.word_at(at),
        ]
    }

    /// Adds the active ads of the line items that passed. `own` is memory for the segment's own bitmap.
    fn expand(&self, passed: &[u64], own: &mut Bitset, ads: &mut Bitset) {
        own.reset(self.segment.ads.len());
        for (word, first) in passed.iter().zip((0..).step_by(64)) {
            self.segment.orders.insert_ads(*word, first, own);
        }
        for (i, word) in own.words().iter().enumerate().filter(|(_, word)| **word != 0) {
            ads.or_word_at(self.ad as usize + i * 64, word & self.segment.active_ads.word_at(i * 64));
        }
    }
}

impl Eligible {
    /// What of `alive` passes all predicates; counts the others where they fail first.
    fn pass(&mut self, alive: u64, predicates: [u64; PREDICATES]) -> u64 {
        let mut left = alive;
        for (removed, passing) in self.removed.iter_mut().zip(predicates) {
            *removed += (left & !passing).count_ones();
            left &= passing;
        }
        left
    }
}

fn place(predicate: Ineligible) -> usize {
    usize::from(predicate.number()) - 1
}

impl Catalog {
    /// Bitmaps of the eligible line items and ads, and how many line items each predicate removed first.
    pub fn eligible<'s>(&self, query: &Query<'_>, scratch: &'s mut Scratch) -> &'s Eligible {
        let recomputed;
        let mut query = *query;
        if !query.schedule.covers(self, query.now) {
            recomputed = Schedule::at(self, query.now);
            query.schedule = &recomputed;
        }
        scratch.eligible.line_items.reset(self.line_items() as usize);
        scratch.eligible.ads.reset(self.ads() as usize);
        scratch.eligible.removed = [0; PREDICATES];
        let alive = Bitset::default();
        self.eligible_in(
            &Block { segment: &self.base, line_item: 0, ad: 0, dead: &self.dead.line_items },
            &query,
            scratch,
        );
        let (line_item, ad) = (self.first_line_item(), self.first_ad());
        self.eligible_in(&Block { segment: &self.overlay, line_item, ad, dead: &alive }, &query, scratch);
        &scratch.eligible
    }

    fn eligible_in(&self, block: &Block<'_>, query: &Query<'_>, scratch: &mut Scratch) {
        let segment = block.segment;
        let hour = |zone| hour_of_week(self.around.zones.get(zone), query.now);
        segment.index.evaluate(query.terms, query.placements, hour, &mut scratch.index);
        scratch.tenant.clear();
        scratch.tenant.resize(words_for(segment.line_items.len()), 0);
        segment.index.add_tenant(query.tenant, &mut scratch.tenant);
        scratch.passed.clear();
        let matching = scratch.index.line_items(segment.line_items.len());
        for (i, (tenant, matching)) in scratch.tenant.iter().zip(matching).enumerate() {
            let predicates = block.predicates(i, *tenant, *matching, query);
            let passed = scratch.eligible.pass(block.alive(i), predicates);
            scratch.eligible.line_items.or_word_at(block.line_item as usize + i * 64, passed);
            scratch.passed.push(passed);
        }
        block.expand(&scratch.passed, &mut scratch.ads, &mut scratch.eligible.ads);
    }

    /// The first predicate, in the table's order, that the line item fails; `None` where it is eligible.
    #[must_use]
    pub fn first_failure(&self, line_item: LineItemIx, query: &Query<'_>) -> Option<Ineligible> {
        self.failures(line_item, query).first()
    }

    /// Every predicate that the line item fails.
    #[must_use]
    pub fn failures(&self, line_item: LineItemIx, query: &Query<'_>) -> Failures {
        let row = self.line_item(line_item);
        let at = self.local_line_item(line_item);
        let mut failures = Failures::default();
        failures.add(Ineligible::Tenant, row.tenant != query.tenant);
        failures.add(Ineligible::Status, !at.segment.active.contains(at.row));
        failures.add(Ineligible::Flight, !self.flight(line_item).contains(query.now));
        failures.add(Ineligible::Targeting, !self.matches(line_item, query));
        failures.add(Ineligible::Funds, !query.funded.contains(line_item.0));
        failures.add(Ineligible::PacedOut, query.paced_out.contains(line_item.0));
        failures
    }

    /// Whether the line item's targeting matches at one of the query's placements.
    #[must_use]
    pub fn matches(&self, line_item: LineItemIx, query: &Query<'_>) -> bool {
        if query.placements.is_empty() || !self.line_item(line_item).targets_placements {
            return self.matches_at(line_item, query, None);
        }
        query.placements.iter().any(|placement| self.matches_at(line_item, query, Some(*placement)))
    }

    /// Whether the line item's targeting matches at this placement, be it the query's or not.
    #[must_use]
    pub fn matches_at(&self, line_item: LineItemIx, query: &Query<'_>, placement: Option<Term>) -> bool {
        let row = self.line_item(line_item);
        let at = self.local_line_item(line_item);
        let calendar = self.around.zones.get(row.time_zone);
        let seen = Seen { terms: query.terms, placement, calendar, now: query.now };
        at.segment.trees.matches(row.targeting, &at.segment.values, &seen)
    }
}
