//! The invariants of money.md in one state: those that `litfass_ledger::check` knows, and those that only somebody who sees the
//! log and the whole history can know.

use std::collections::BTreeMap;

use litfass_ledger::check::{Audit, violations};
use litfass_ledger::{Amount, Book, CommandOutcome, CommandRecord, ControlId, Effect, Funding, Limit, UNLIMITED};

use crate::database::{Ceilings, limits};
use crate::outcomes;
use crate::world::World;

/// An invariant that does not hold, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    pub invariant: &'static str,
    pub detail: String,
}

impl Violation {
    pub(crate) fn new(invariant: &'static str, detail: impl Into<String>) -> Self {
        Self { invariant, detail: detail.into() }
    }
}

pub(crate) const PLAN: &str = "every operation has a plan";
pub(crate) const AGAIN: &str = "what is asked again changes nothing";
const WITHIN: &str = "spent and leased within the highest limit";
const FIRST: &str = "after a failover nothing is billed beyond the ceiling that a limit had when first applied";

impl World {
    /// Every invariant that does not hold in this state, the first place of each.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let book = self.database.book();
        let kept = violations(&Audit::of(book)).into_iter();
        let mut found: Vec<_> = kept.map(|v| Violation::new(v.invariant, v.detail)).collect();
        found.extend(outcomes::violations(self));
        found.extend(within_limits(book, &self.highest()).err());
        if self.database.promoted {
            found.extend(within_first_ceilings(book, &self.database.first).err());
        }
        found
    }

    /// The highest limit that each control ever had, for those that the world began with.
    fn highest(&self) -> BTreeMap<ControlId, Amount> {
        let book = self.database.book();
        let records = in_order(book);
        book.controls.keys().filter_map(|id| Some((*id, highest_of(&records, *id)?))).collect()
    }
}

fn in_order(book: &Book) -> Vec<&CommandRecord> {
    let mut records: Vec<_> = book.commands.values().filter(|r| r.outcome == CommandOutcome::Applied).collect();
    records.sort_by_key(|record| record.entry.position);
    records
}

fn highest_of(records: &[&CommandRecord], id: ControlId) -> Option<Amount> {
    let mut funding = Funding::default();
    let of_control = records.iter().map(|record| &record.entry.command.effect).filter(|effect| limits(effect, id));
    of_control.filter_map(|effect| limit_after(effect, &mut funding)).max()
}

fn limit_after(effect: &Effect, funding: &mut Funding) -> Option<Amount> {
    match effect {
        Effect::Deposit { amount, .. } => funding.added = funding.added.plus(*amount).ok()?,
        Effect::Adjust { nanos, .. } => {
            let amount = Amount::new(nanos.abs()).ok()?;
            let side = if *nanos < 0 { &mut funding.removed } else { &mut funding.added };
            *side = side.plus(amount).ok()?;
        }
        Effect::SetLimit(Limit::Credit { limit, .. }) => funding.credit = *limit,
        Effect::SetLimit(
            Limit::CampaignLifetime { limit, .. } | Limit::CampaignDaily { limit, .. } | Limit::LineItem { limit, .. },
        ) => return Some(limit.unwrap_or(UNLIMITED)),
        Effect::Refund { .. } => return None,
    }
    Some(funding.limit())
}

/// Knows no ceiling: what is spent and leased, less what was given back, never passes the highest limit there was.
fn within_limits(book: &Book, highest: &BTreeMap<ControlId, Amount>) -> Result<(), Violation> {
    for (id, control) in &book.controls {
        let Some(highest) = highest.get(id) else { continue };
        let used = control.spent.nanos() + control.leased.nanos() - control.restored.nanos();
        if used > highest.nanos() {
            return Err(Violation::new(WITHIN, format!("{id:?} is {control:?}, its highest limit was {highest}")));
        }
    }
    Ok(())
}

/// For every control the limit that holds now, where it was applied before the failover too.
fn within_first_ceilings(book: &Book, first: &Ceilings) -> Result<(), Violation> {
    let records = in_order(book);
    for (id, control) in &book.controls {
        let set = records.iter().rev().find(|record| limits(&record.entry.command.effect, *id));
        let ceiling = set.and_then(|record| first.get(&(*id, record.entry.position.offset)));
        let Some(ceiling) = ceiling else { continue };
        if control.spent.nanos() > ceiling.nanos() + control.restored.nanos() {
            return Err(Violation::new(FIRST, format!("{id:?} is {control:?}, its ceiling was {ceiling} at first")));
        }
    }
    Ok(())
}
