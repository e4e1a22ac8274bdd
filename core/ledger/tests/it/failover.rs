//! A database that lacks its last transactions, and the order in which the log completes it.

use litfass_ledger::{
    Batch, Bill, Book, CatchUp, Command, CommandEntry, CommandId, CommandOutcome, Commands, Consumed, ControlId,
    Effect, GiveBack, Grant, Objection, Outcome, PartitionKind, Promote, Refused, Stand, Target, Timeline, sweep,
};
use litfass_types::{AdvertiserId, LeaseId, LineItemId, Position};

use super::desk::{Desk, batch};
use super::driven::Driven;
use super::ids::{ADMIN_PARTITION, FIRST_DAY, START, TENANT, chain, claim, nanos, terms, window};

const ACCOUNT: AdvertiserId = AdvertiserId(1);

fn target(partition: u16, next: u64) -> Target {
    let kind = if partition == ADMIN_PARTITION { PartitionKind::Admin } else { PartitionKind::Events };
    Target { partition, kind, next }
}

/// Takes the replica's place and says what it waits for.
fn fail_over(desk: &mut Desk, replica: Book) -> Timeline {
    desk.ledger.book = replica;
    desk.ledger.book.state.runs.number += 1;
    let standing = desk.ledger.run(&Stand).unwrap();
    assert_eq!(standing.waits, Some(CatchUp::Promotion));
    standing.timeline
}

/// The log has so many commands and events.
fn promote(desk: &mut Desk, timeline: Timeline, commands: u64, events: u64) -> Result<Vec<LeaseId>, Refused> {
    let targets = [target(ADMIN_PARTITION, commands), target(0, events)];
    desk.ledger.run(&Promote { timeline, targets: &targets }).map(|promoted| promoted.closed)
}

fn waits(desk: &mut Desk) -> Option<CatchUp> {
    desk.ledger.run(&Stand).unwrap().waits
}

fn apply(desk: &mut Desk, from: u64, effects: &[Effect]) -> Result<Vec<CommandOutcome>, Refused> {
    let entries = (from..).zip(effects).map(|(offset, effect)| CommandEntry {
        position: Position { partition: ADMIN_PARTITION, offset },
        appended: START,
        command: Command {
            id: CommandId(u128::from(offset)),
            tenant: TENANT,
            effect: *effect,
            note: litfass_ledger::Note::default(),
        },
    });
    let next = from + effects.len() as u64;
    let consumed = Consumed { partition: ADMIN_PARTITION, from, next, appended: START };
    let commands = Commands { consumed, entries: entries.collect() };
    desk.ledger.apply(&commands).map(|applied| applied.outcomes)
}

/// What every operation but commands says.
fn refusals(desk: &mut Desk, bills: &Batch) -> [Option<Refused>; 4] {
    let (request, terms, now) = (desk.request(77, 1, 1_000), terms(), desk.now);
    let ledger = &mut desk.ledger;
    let grant = Grant { requests: &[request], now, terms: &terms };
    let mut trial = ledger.book.clone();
    let swept = sweep(&mut trial, &terms, None).err().map(|failure| match failure {
        litfass_ledger::Failure::Refused(refused) => refused,
        litfass_ledger::Failure::Store(never) => match never {},
    });
    let book = ledger.book.clone();
    let said = [
        ledger.run(&grant).err(),
        swept,
        ledger.run(&GiveBack { returns: &[] }).err(),
        ledger.run(&Bill { batch: bills, terms: &terms }).err(),
    ];
    ledger.book = book;
    said
}

#[test]
fn commands_come_first_then_events_then_everything() {
    let mut desk = Desk::with_credit(100_000);
    desk.grant(1, 1, 3_000);
    desk.bill(&[claim(1, START, 1, 0, 1_000)]);
    let replica = desk.ledger.book.clone();
    let limited = Effect::SetLimit(litfass_ledger::Limit::LineItem {
        account: ACCOUNT,
        line_item: LineItemId(1),
        limit: Some(nanos(9_000)),
    });
    desk.command(limited);
    desk.bill(&[claim(1, START, 2, 0, 1_000)]);
    let again = batch(0, 1, START, &[claim(1, START, 2, 0, 1_000)]);
    let before = desk.ledger.book.state.runs;

    let timeline = fail_over(&mut desk, replica);
    let wait = |stage| Some(Refused::CatchingUp(stage));
    assert_eq!(refusals(&mut desk, &again), [const { CatchUp::Promotion }; 4].map(wait));
    assert_eq!(apply(&mut desk, 1, &[limited]), Err(Refused::CatchingUp(CatchUp::Promotion)));
    let stale = Err(Refused::Timeline { named: before, runs: timeline });
    assert_eq!(promote(&mut desk, before, 2, 2), stale);
    let short = Promote { timeline, targets: &[target(ADMIN_PARTITION, 2)] };
    assert_eq!(desk.ledger.run(&short).unwrap_err(), Refused::Partition(0), "every partition is named");

    assert_eq!(promote(&mut desk, timeline, 2, 2), Ok(vec![LeaseId(1)]));
    assert!(desk.ledger.book.controls.values().all(|control| control.leased.is_zero()));
    let book = desk.ledger.book.clone();
    assert_eq!(promote(&mut desk, timeline, 9, 9), Ok(vec![]), "once only");
    assert_eq!(desk.ledger.book, book);

    assert_eq!(refusals(&mut desk, &again), [const { CatchUp::Commands }; 4].map(wait));
    assert_eq!(apply(&mut desk, 1, &[limited]), Ok(vec![CommandOutcome::Applied]));
    let events = wait(CatchUp::Events);
    assert_eq!(refusals(&mut desk, &again), [events.clone(), events, None, None]);
    assert_eq!(desk.ledger.bill(&again).unwrap().outcomes, [Outcome::Billed]);
    assert_eq!((waits(&mut desk), refusals(&mut desk, &batch(0, 2, START, &[]))), (None, [None, None, None, None]));
    assert!(desk.broken().is_empty());
}

#[test]
fn a_limit_applied_again_finds_no_lease_in_its_way() {
    let mut desk = Desk::with_credit(100_000);
    desk.grant(1, 2, 2_000);
    let replica = desk.ledger.book.clone();
    // What the slots shown do not need goes back; then the budget is taken away.
    desk.give_back(1, 3_250);
    desk.limit_line_item(2, 0);
    let line_item = ControlId::LineItem(LineItemId(2));
    let first = desk.control(line_item).ceiling;
    assert_eq!(first, nanos(750));

    let timeline = fail_over(&mut desk, replica);
    promote(&mut desk, timeline, 2, 1).unwrap();
    let none = litfass_ledger::Limit::LineItem { account: ACCOUNT, line_item: LineItemId(2), limit: Some(nanos(0)) };
    assert_eq!(apply(&mut desk, 1, &[Effect::SetLimit(none)]).unwrap(), [CommandOutcome::Applied]);
    let click = litfass_ledger::Claim { lease: LeaseId(1), ..claim(2, START, 1, 0, 2_000) };
    let outcomes = desk.ledger.bill(&batch(0, 0, START, &[click])).unwrap().outcomes;
    assert!(matches!(outcomes[..], [Outcome::Pending(_)]), "{outcomes:?}");
    assert!(desk.control(line_item).spent <= first);
}

#[test]
fn what_was_taken_from_an_account_is_taken_again_whatever_waits_for_events() {
    let mut desk = Desk::with_credit(0);
    let deposit = Effect::Deposit { account: ACCOUNT, amount: nanos(10_000) };
    assert_eq!(desk.command(deposit), CommandOutcome::Applied);
    desk.bill(&[claim(1, START, 1, 0, 1_000)]);
    let replica = desk.ledger.book.clone();
    desk.bill(&[claim(1, START, 2, 0, 1_000)]);
    let refund = Effect::Refund { chain: chain(1, FIRST_DAY), day_ends: window(FIRST_DAY).ends, amount: nanos(2_000) };
    let take = |nanos| Effect::Adjust { account: ACCOUNT, nanos };
    let commands = [refund, take(-10_000), take(-1)];
    let outcomes = commands.map(|effect| desk.command(effect));
    let beyond = CommandOutcome::Refused(Objection::BeyondAvailable);
    assert_eq!(outcomes, [CommandOutcome::Applied, CommandOutcome::Applied, beyond]);

    let timeline = fail_over(&mut desk, replica);
    promote(&mut desk, timeline, 5, 2).unwrap();
    let outcomes = apply(&mut desk, 2, &commands).unwrap();
    assert_eq!(outcomes, [CommandOutcome::Waiting, CommandOutcome::Applied, beyond]);
    assert!(desk.broken().is_empty(), "{:?}", desk.broken());
}

#[test]
fn what_waits_is_not_paid_before_the_limits_are_back() {
    let mut desk = Desk::with_credit(10_000);
    desk.grant(1, 1, 4_000);
    desk.limit_line_item(1, 10_000);
    // Nothing reserved it: it finds 2,000.
    let late = claim(2, START, 1, 0, 3_000);
    let outcome = desk.outcome(&late);
    assert!(matches!(outcome, Outcome::Pending(_)), "{outcome:?}");
    let replica = desk.ledger.book.clone();
    let credit = Effect::SetLimit(litfass_ledger::Limit::Credit { account: ACCOUNT, limit: nanos(10_500) });
    let none = Effect::SetLimit(litfass_ledger::Limit::Credit { account: ACCOUNT, limit: nanos(0) });
    assert_eq!([credit, none].map(|effect| desk.command(effect)), [CommandOutcome::Applied; 2]);
    let first = desk.control(ControlId::Account(ACCOUNT)).ceiling;

    let timeline = fail_over(&mut desk, replica);
    promote(&mut desk, timeline, 4, 1).unwrap();
    assert_eq!(apply(&mut desk, 2, &[credit, none]).unwrap(), [CommandOutcome::Applied; 2]);
    desk.ledger.sweep();
    let account = desk.control(ControlId::Account(ACCOUNT));
    assert!(account.spent.is_zero() && account.ceiling <= first, "{account:?}");
}
