//! Every invariant notices what it is there for.

use litfass_ledger::check::{Audit, nothing_pending_fits};
use litfass_ledger::{Book, CommandId, ControlId, Level, Limit, Outcome, PostingKind};
use litfass_types::{AdvertiserId, Duration, LeaseId, LineItemId, Position};

use super::desk::Desk;
use super::ids::{FIRST_DAY, FUNDS_1, START, chain, claim, nanos};

const LINE_ITEM: ControlId = ControlId::LineItem(LineItemId(1));

/// A lease, events billed, repeated, waiting and expired, a refund.
fn desk() -> Desk {
    let mut desk = Desk::with_credit(9_000);
    desk.limit_line_item(1, 3_000);
    desk.grant(1, 1, 500);
    let shown = |number| claim(1, START, number, 0, 1_000);
    desk.bill(&[shown(1), shown(1), shown(2), shown(3), shown(4)]);
    desk.refund(1, FIRST_DAY, 100);
    desk.bill_at(0, START + Duration::hours(5), &[shown(9)]);
    assert_eq!(desk.broken(), [""; 0]);
    desk
}

fn after<T>(tamper: impl FnOnce(&mut Book) -> T) -> Vec<&'static str> {
    let mut desk = desk();
    tamper(&mut desk.ledger.book);
    desk.broken()
}

fn control(book: &mut Book) -> &mut litfass_ledger::Control {
    book.controls.get_mut(&LINE_ITEM).unwrap()
}

#[test]
fn a_changed_control_is_noticed() {
    assert!(after(|book| control(book).ceiling = nanos(1)).contains(&"spent + leased ≤ ceiling + restored"));
    assert!(after(|book| control(book).spent = nanos(2_001)).contains(&"levels agree"));
    assert!(after(|book| control(book).leased = nanos(1)).contains(&"Σ open leases = leased"));
    assert!(after(|book| control(book).spent = nanos(1_500)).contains(&"controls are folds of postings"));
    assert!(after(|book| control(book).restored = nanos(1)).contains(&"controls are folds of postings"));
    assert!(after(|book| control(book).limit = nanos(3_001)).contains(&"limits are what commands set"));
}

#[test]
fn a_lease_that_is_gone_is_noticed() {
    assert!(after(|book| book.leases.remove(&LeaseId(1))).contains(&"Σ open leases = leased"));
}

#[test]
fn a_changed_balance_or_posting_is_noticed() {
    let balance = after(|book| book.balances.get_mut(&FUNDS_1).unwrap().debits = nanos(1));
    assert!(balance.contains(&"the ledger sums to zero") && balance.contains(&"balances are folds of postings"));
    assert!(balance.contains(&"the books meet at the account"));
    let posting = after(|book| book.postings[0].amount = nanos(1));
    assert!(posting.contains(&"balances are folds of postings") && posting.contains(&"controls are folds of postings"));
    assert!(after(|book| book.postings[0].events += 1).contains(&"postings are folds of outcomes"));
}

#[test]
fn a_lost_or_second_outcome_is_noticed() {
    let first = |book: &Book| *book.outcomes.keys().next().unwrap();
    let lost = after(|book| book.outcomes.remove(&first(book)));
    assert!(lost.contains(&"every claim has one outcome"));
    let second = after(|book| book.outcomes.insert(Position { partition: 0, offset: 0 }, Outcome::Billed));
    assert!(second.contains(&"every claim has one outcome"));
    assert!(after(|book| book.pending.clear()).contains(&"every claim has one outcome"));
    let tally = after(|book| book.tallies.get_mut(&chain(1, FIRST_DAY)).unwrap().billed.events += 1);
    assert!(tally.contains(&"postings are folds of outcomes"));
}

#[test]
fn a_command_with_two_effects_or_none_is_noticed() {
    let twice = after(|book| book.postings.extend(book.postings.last().copied()));
    assert!(twice.contains(&"a command takes effect at most once"));
    assert!(after(|book| book.commands.remove(&CommandId(2))).contains(&"a command takes effect at most once"));
}

#[test]
fn a_day_that_gave_back_more_than_it_took_is_noticed() {
    let name = "refunds of a chain ≤ its bills";
    let mut desk = desk();
    let tally = desk.ledger.book.tallies.get_mut(&chain(1, FIRST_DAY)).unwrap();
    tally.refunded.amount = nanos(1);
    assert!(desk.broken().contains(&name), "not what was posted");
    let (tally, posted) = (desk.ledger.book.tallies.get_mut(&chain(1, FIRST_DAY)).unwrap(), nanos(3_001));
    tally.refunded.amount = posted;
    let refund = desk.ledger.book.postings.iter_mut().find(|posting| posting.kind == PostingKind::Refund).unwrap();
    refund.amount = posted;
    assert!(desk.broken().contains(&name), "more than was billed");
}

#[test]
fn a_pending_claim_that_would_fit_is_noticed() {
    let mut desk = desk();
    assert_eq!(nothing_pending_fits(&Audit::of(&desk.ledger.book)), Ok(()));
    desk.ledger.book.controls.get_mut(&LINE_ITEM).unwrap().limit = nanos(50_000);
    assert!(nothing_pending_fits(&Audit::of(&desk.ledger.book)).is_err());
    assert!(desk.ledger.book.pending.values().all(|pending| pending.shortage.level == Level::LineItem));
    desk.limit(Limit::Credit { account: AdvertiserId(1), limit: nanos(9_000) });
    assert_eq!(nothing_pending_fits(&Audit::of(&desk.ledger.book)), Ok(()), "any raise settles it");
}
