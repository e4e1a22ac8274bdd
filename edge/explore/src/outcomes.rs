//! What became of every entry of the log, told by somebody who reads the log and the book side by side.

use std::collections::BTreeMap;

use litfass_ledger::{Batch, Billed, Book, Chain, Claim, Outcome, key_day, key_day_end};
use litfass_types::{Position, Timestamp, Unit};

use crate::bounds::TERMS;
use crate::check::Violation;
use crate::log::{Line, Read, TokenId};
use crate::world::World;

const AT_ONCE: &str = "a CPM event within its hold is billed at once";
const ONE_OUTCOME: &str = "every billable event has one outcome";
const EXPIRED: &str = "expired only past token life";
const CONSUMED: &str = "nothing is consumed without an outcome";
const FOLD: &str = "postings are the fold of the log's outcomes";

/// Of one batch, where no database failed over: an event that was appended within its hold was billed, now or before.
pub(crate) fn at_once(batch: &Batch, billed: &Billed) -> Result<(), Violation> {
    for (entry, outcome) in batch.entries.iter().zip(&billed.outcomes) {
        let promised = entry.claim.price.per == Unit::Mille && entry.appended <= entry.claim.hold_expires;
        if promised && !matches!(outcome, Outcome::Billed | Outcome::Repeated) {
            return Err(Violation::new(AT_ONCE, format!("{} at {:?} is {outcome:?}", entry.claim.id, entry.position)));
        }
    }
    Ok(())
}

/// A billable entry that was consumed, and what the book says of it.
struct Fact<'a> {
    position: Position,
    appended: Timestamp,
    token: TokenId,
    claim: &'a Claim,
    outcome: Outcome,
}

pub(crate) fn violations(world: &World) -> Vec<Violation> {
    let (book, facts) = (world.database.book(), facts(world));
    let mut found = Vec::new();
    found.extend(one_outcome(&facts).err());
    found.extend(expired_past_life(world, &facts).err());
    found.extend(nothing_without_outcome(book, &facts).err());
    found.extend(postings_are_the_fold(book, &facts).err());
    found
}

fn facts(world: &World) -> Vec<Fact<'_>> {
    let book = world.database.book();
    let mut facts = Vec::new();
    for partition in 0..2 {
        let read = Read { partition, from: 0, next: world.position(partition) };
        facts.extend(world.log.lines(read).filter_map(|(position, line)| fact(world, book, position, line)));
    }
    facts
}

fn fact<'a>(world: &'a World, book: &Book, position: Position, line: Line) -> Option<Fact<'a>> {
    let Line::Event(appended, token) = line else { return None };
    let outcome = book.outcomes.get(&position).copied().unwrap_or(Outcome::Billed);
    Some(Fact { position, appended, token, claim: world.tokens.get(&token)?, outcome })
}

/// Of all copies of an event one is billed, waits or stays unbilled, or all of them came too late.
fn one_outcome(facts: &[Fact<'_>]) -> Result<(), Violation> {
    let mut of_event: BTreeMap<TokenId, (u32, u32)> = BTreeMap::new();
    for fact in facts {
        let (own, repeated) = of_event.entry(fact.token).or_default();
        match fact.outcome {
            Outcome::Billed | Outcome::Pending(_) | Outcome::Unbilled(_) => *own += 1,
            Outcome::Repeated => *repeated += 1,
            Outcome::Expired => {}
        }
    }
    for (token, (own, repeated)) in of_event {
        if own > 1 || own == 0 && repeated > 0 {
            let detail = format!("slot {token} has {own} outcomes of its own and {repeated} repeated ones");
            return Err(Violation::new(ONE_OUTCOME, detail));
        }
    }
    Ok(())
}

fn expired_past_life(world: &World, facts: &[Fact<'_>]) -> Result<(), Violation> {
    // What it dates before that, keys may have been dropped for.
    let behind = |fact: &Fact<'_>| world.bounds.behind && fact.position.partition == 1;
    for fact in facts.iter().filter(|fact| fact.outcome == Outcome::Expired && !behind(fact)) {
        let life = fact.claim.token_expires.min(key_day_end(key_day(fact.claim.id.decision)) + TERMS.key_life);
        if fact.appended <= life {
            return Err(Violation::new(EXPIRED, format!("slot {} at {:?}", fact.token, fact.position)));
        }
    }
    Ok(())
}

/// Batches follow one another without gap or overlap, and count every billable entry.
fn nothing_without_outcome(book: &Book, facts: &[Fact<'_>]) -> Result<(), Violation> {
    let claims: u64 = book.batches.iter().map(|batch| batch.claims).sum();
    if claims != facts.len() as u64 {
        let detail = format!("{} billable entries were consumed, batches count {claims}", facts.len());
        return Err(Violation::new(CONSUMED, detail));
    }
    for (partition, row) in &book.partitions {
        let mut ranges = book.batches.iter().flat_map(|b| &b.consumed).filter(|c| c.partition == *partition);
        let end = ranges.try_fold(0, |end, range| (range.from == end).then_some(range.next));
        if *partition < 2 && end != Some(row.next) {
            return Err(Violation::new(CONSUMED, format!("the batches of partition {partition} end at {end:?}")));
        }
    }
    Ok(())
}

/// Per line item and day of the decision's time.
fn postings_are_the_fold(book: &Book, facts: &[Fact<'_>]) -> Result<(), Violation> {
    let mut sums: BTreeMap<Chain, (i128, i128)> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.outcome == Outcome::Billed) {
        sums.entry(fact.claim.chain).or_default().0 += fact.claim.amount().nanos();
    }
    let bills = book.postings.iter().filter(|posting| posting.kind == litfass_ledger::PostingKind::Bill);
    for (chain, posting) in bills.filter_map(|posting| Some((posting.chain?, posting))) {
        sums.entry(chain).or_default().1 += posting.amount.nanos();
    }
    match sums.into_iter().find(|(_, (billed, posted))| billed != posted) {
        Some((chain, (billed, posted))) => {
            Err(Violation::new(FOLD, format!("{billed} of {chain:?} were billed, {posted} posted")))
        }
        None => Ok(()),
    }
}
