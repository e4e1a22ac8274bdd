//! Which line items and ads may take part in a request, and what the first obstacle of the others was.
//!
//! The predicates stand in the order of [`Ineligible`]; a line item counts for the first that it fails. Predicates of ads
//! and creatives are not among them: those are fates of rows.

use litfass_types::{AdIx, Ineligible, LineItemIx, TenantId, Term, Timestamp};

use crate::bitset::Bitset;
use crate::catalog::Catalog;
use crate::encoded::Seen;
use crate::schedule::Schedule;

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

fn place(predicate: Ineligible) -> usize {
    usize::from(predicate.number()) - 1
}

impl Catalog {
    /// Bitmaps of the eligible line items and ads, and how many line items each predicate removed first.
    pub fn eligible<'s>(&self, query: &Query<'_>, scratch: &'s mut Scratch) -> &'s Eligible {
        let eligible = &mut scratch.eligible;
        eligible.line_items.reset(self.line_items() as usize);
        eligible.ads.reset(self.ads() as usize);
        eligible.removed = [0; PREDICATES];
        for line_item in self.live_line_items() {
            match self.first_failure(line_item, query) {
                Some(predicate) => eligible.removed[place(predicate)] += 1,
                None => eligible.line_items.insert(line_item.0),
            }
        }
        for line_item in eligible.line_items.iter() {
            let active = |ad: &AdIx| self.ad(*ad).status == crate::model::Status::Active;
            self.ads_of(LineItemIx(line_item)).filter(active).for_each(|ad| eligible.ads.insert(ad.0));
        }
        eligible
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
        let hour_of_week = self.around.zones.get(row.time_zone).map_or(0, |zone| zone.hour_of_week(query.now));
        let seen = Seen { terms: query.terms, placement, hour_of_week };
        at.segment.trees.matches(row.targeting, &at.segment.values, &seen)
    }
}
