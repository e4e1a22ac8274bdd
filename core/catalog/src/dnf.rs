//! A targeting tree unfolded into alternatives, each of which is a plain list of predicates.
//!
//! `Not` is pushed down to the predicates by De Morgan's laws. A request has any number of values per attribute, so two
//! required predicates of one attribute stay two; only the placement and the hour have one value at a time, so there
//! predicates of one alternative melt into one. Alternatives that nothing can satisfy are dropped.

use litfass_types::TermKind;

use crate::encoded::{Hours, Node, TreeRef, Trees};
use crate::limits::{CONJUNCTIONS_MAX, REQUIRED_PER_CONJUNCTION_MAX};

/// One alternative: every part has to hold. Lists of values are ascending, each value once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Conjunction {
    /// One of these values each.
    pub(crate) required: Vec<(TermKind, Vec<u32>)>,
    /// None of these.
    pub(crate) excluded: Vec<u32>,
    pub(crate) placement: Place,
    pub(crate) hours: Hours,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// The placement is one of these.
    OneOf(Vec<u32>),
    /// The placement is none of these, or there is none.
    NotIn(Vec<u32>),
}

/// Why a tree is not unfolded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum TooLarge {
    #[error("unfolds into more than {CONJUNCTIONS_MAX} alternatives")]
    Alternatives,
    #[error("an alternative requires more than {REQUIRED_PER_CONJUNCTION_MAX} predicates at once")]
    Required,
}

/// The alternatives of a tree; none where nothing satisfies it.
pub(crate) fn unfold(trees: &Trees, tree: TreeRef) -> Result<Vec<Conjunction>, TooLarge> {
    alternatives(trees, &mut tree.start(), false)
}

fn alternatives(trees: &Trees, at: &mut usize, negated: bool) -> Result<Vec<Conjunction>, TooLarge> {
    match trees.node(at) {
        // Negation turns one into the other.
        Node::All(parts) if negated => union(trees, at, parts, negated),
        Node::Any(parts) if negated => product(trees, at, parts, negated),
        Node::All(parts) => product(trees, at, parts, negated),
        Node::Any(parts) => union(trees, at, parts, negated),
        Node::Not => alternatives(trees, at, !negated),
        Node::In(kind, values) => Ok(predicate(kind, values, negated)),
        Node::Daypart(hours) => Ok(daypart(if negated { hours.complement() } else { hours })),
    }
}

fn product(trees: &Trees, at: &mut usize, parts: u32, negated: bool) -> Result<Vec<Conjunction>, TooLarge> {
    let mut all = vec![Conjunction::always()];
    for _ in 0..parts {
        let part = alternatives(trees, at, negated)?;
        let mut both = Vec::new();
        for (a, b) in all.iter().flat_map(|a| part.iter().map(move |b| (a, b))) {
            add(&mut both, a.and(b)?)?;
        }
        all = both;
    }
    Ok(all)
}

fn union(trees: &Trees, at: &mut usize, parts: u32, negated: bool) -> Result<Vec<Conjunction>, TooLarge> {
    let mut any = Vec::new();
    for _ in 0..parts {
        for alternative in alternatives(trees, at, negated)? {
            add(&mut any, Some(alternative))?;
        }
    }
    Ok(any)
}

/// Adds an alternative, melting it into another where that says the same.
fn add(any: &mut Vec<Conjunction>, alternative: Option<Conjunction>) -> Result<(), TooLarge> {
    let Some(alternative) = alternative else { return Ok(()) };
    if any.contains(&alternative) {
        return Ok(());
    }
    let like = |c: &&mut Conjunction| c.only_kind().is_some() && c.only_kind() == alternative.only_kind();
    if let Some(other) = any.iter_mut().find(like) {
        other.required[0].1 = merge(&other.required[0].1, &alternative.required[0].1);
        return Ok(());
    }
    if any.len() == CONJUNCTIONS_MAX {
        return Err(TooLarge::Alternatives);
    }
    any.push(alternative);
    Ok(())
}

fn predicate(kind: TermKind, values: &[u32], negated: bool) -> Vec<Conjunction> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.dedup();
    let always = Conjunction::always();
    match (kind == TermKind::Placement, negated) {
        (_, false) if values.is_empty() => Vec::new(),
        (false, false) => vec![Conjunction { required: vec![(kind, values)], ..always }],
        (false, true) => vec![Conjunction { excluded: values, ..always }],
        (true, false) => vec![Conjunction { placement: Place::OneOf(values), ..always }],
        (true, true) => vec![Conjunction { placement: Place::NotIn(values), ..always }],
    }
}

fn daypart(hours: Hours) -> Vec<Conjunction> {
    if hours == Hours::NONE { Vec::new() } else { vec![Conjunction { hours, ..Conjunction::always() }] }
}

impl Conjunction {
    const fn always() -> Self {
        Self { required: Vec::new(), excluded: Vec::new(), placement: Place::NotIn(Vec::new()), hours: Hours::ALWAYS }
    }

    /// Both, or `None` where nothing can satisfy both.
    fn and(&self, other: &Self) -> Result<Option<Self>, TooLarge> {
        let (placement, hours) = (self.placement.and(&other.placement), self.hours.intersect(other.hours));
        if hours == Hours::NONE || placement == Place::OneOf(Vec::new()) {
            return Ok(None);
        }
        let mut required = self.required.clone();
        required.extend(other.required.iter().filter(|predicate| !self.required.contains(predicate)).cloned());
        if required.len() > REQUIRED_PER_CONJUNCTION_MAX {
            return Err(TooLarge::Required);
        }
        Ok(Some(Self { required, excluded: merge(&self.excluded, &other.excluded), placement, hours }))
    }

    /// The kind, where one required predicate is all there is: two such alternatives are one with the values of both.
    fn only_kind(&self) -> Option<TermKind> {
        let bare =
            self.excluded.is_empty() && self.placement == Place::NotIn(Vec::new()) && self.hours == Hours::ALWAYS;
        match self.required.as_slice() {
            [(kind, _)] if bare => Some(*kind),
            _ => None,
        }
    }
}

impl Place {
    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::NotIn(a), Self::NotIn(b)) => Self::NotIn(merge(a, b)),
            (Self::OneOf(a), Self::OneOf(b)) => Self::OneOf(a.iter().filter(|v| b.contains(v)).copied().collect()),
            (Self::OneOf(a), Self::NotIn(b)) | (Self::NotIn(b), Self::OneOf(a)) => {
                Self::OneOf(a.iter().filter(|v| !b.contains(v)).copied().collect())
            }
        }
    }
}

fn merge(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut both = [a, b].concat();
    both.sort_unstable();
    both.dedup();
    both
}
