//! Whom a line item is for, as a tree of predicates, and what it means.
//!
//! A request assigns to each attribute any number of values, or none. `In` holds where the attribute has one of the listed
//! values; an attribute without values satisfies no `In` and every negated `In`; a negated `In` fails as soon as *any* of
//! the attribute's values is listed. An empty list is never satisfied. `All([])` matches everything: run of network.
//!
//! A page asks for several placements at once: targeting matches the request if it matches at one of them.
//! [`matches`] says so literally; the index of [`crate::Catalog::eligible`] must agree with it.

use litfass_types::{PlacementId, Term, TermKind};

/// Hours in a week.
pub const HOURS_PER_WEEK: u8 = 168;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Targeting {
    /// Every part holds.
    All(Vec<Self>),
    /// At least one part holds.
    Any(Vec<Self>),
    Not(Box<Self>),
    /// The attribute has one of these values. A key-value is `key=value`, a placement its id in decimal. Not for dayparts.
    In(TermKind, Vec<String>),
    /// Hours since Monday 00:00 in the advertiser's time zone, 0 … 167.
    Daypart(Vec<u8>),
}

impl Default for Targeting {
    fn default() -> Self {
        Self::run_of_network()
    }
}

impl Targeting {
    #[must_use]
    pub const fn run_of_network() -> Self {
        Self::All(Vec::new())
    }

    /// Visits every value of every `In`.
    pub fn each_value(&self, visit: &mut impl FnMut(TermKind, &str)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_value(visit)),
            Self::Not(part) => part.each_value(visit),
            Self::In(kind, values) => values.iter().for_each(|value| visit(*kind, value)),
            Self::Daypart(_) => {}
        }
    }
}

/// What one request says, as targeting sees it.
#[derive(Clone, Copy, Debug)]
pub struct Assignment<'a> {
    /// Every value known of viewer and context, in any order; without placements and dayparts.
    pub terms: &'a [Term],
    /// The page's placements ([`placement_term`]).
    pub placements: &'a [Term],
    /// Now, in the advertiser's time zone.
    pub hour_of_week: u8,
}

/// The term of one placement.
#[must_use]
pub fn placement_term(id: PlacementId) -> Term {
    Term::new(TermKind::Placement, &id.to_string())
}

/// Whether the targeting matches the request at one of its placements at least. The definition, not the fast way.
#[must_use]
pub fn matches(targeting: &Targeting, assignment: &Assignment<'_>) -> bool {
    if assignment.placements.is_empty() {
        return matches_at(targeting, assignment, None);
    }
    assignment.placements.iter().any(|placement| matches_at(targeting, assignment, Some(*placement)))
}

/// Whether the targeting matches the request at this placement.
#[must_use]
pub fn matches_at(targeting: &Targeting, assignment: &Assignment<'_>, placement: Option<Term>) -> bool {
    match targeting {
        Targeting::All(parts) => parts.iter().all(|part| matches_at(part, assignment, placement)),
        Targeting::Any(parts) => parts.iter().any(|part| matches_at(part, assignment, placement)),
        Targeting::Not(part) => !matches_at(part, assignment, placement),
        Targeting::In(kind, values) => values.iter().any(|value| {
            let term = Term::new(*kind, value);
            placement == Some(term) || assignment.terms.contains(&term)
        }),
        Targeting::Daypart(hours) => hours.contains(&assignment.hour_of_week),
    }
}
