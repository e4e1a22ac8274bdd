//! What every database behind the ledger's ports has to show. `open` gives another process's view of one and the same ledger,
//! empty at first; the terms are those of `ids::terms`.

use std::thread;

use litfass_ledger::{
    Batch, Command, CommandEntry, CommandId, CommandOutcome, Commands, Consumed, ControlId, Effect, Entry,
    GrantRequest, HolderId, Limit, Membership, Note, Outcome, PartitionKind, Refused,
};
use litfass_store::ledger::{LedgerError, funds, verify};
use litfass_types::{AdvertiserId, Duration, LeaseId, LineItemId, Position};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::driven::{Driven, InMemory};
use super::ids::{ADMIN_PARTITION, FIRST_DAY, START, TENANT, chain, claim, nanos, price, terms, window};
use super::ports::Ports;
use super::steps::{World, same, steps};

pub(super) type Open<'a> = &'a (dyn Fn() -> Ports + Sync);

/// One world of random steps: the same answers and the same rows as in memory, after every step.
pub(super) fn answers_like_the_ledger_in_memory(runner: &mut TestRunner, open: Open<'_>) {
    let (mut memory, mut database) = (InMemory::new(terms()), open());
    let both: &mut [&mut dyn Driven] = &mut [&mut memory, &mut database];
    let mut world = World::new(both);
    for step in steps(100).new_tree(runner).unwrap().current() {
        world.step(&step, both);
        same(both, |ledger| ledger.kept());
    }
    world.drain(both);
    same(both, |ledger| ledger.kept());
    both.iter_mut().for_each(|ledger| ledger.check());
}

fn set_up(ports: &mut Ports, line_item_limit: i64) {
    ports.partitions(&[
        Membership::Open { partition: 0, kind: PartitionKind::Events },
        Membership::Open { partition: 1, kind: PartitionKind::Events },
        Membership::Open { partition: ADMIN_PARTITION, kind: PartitionKind::Admin },
    ]);
    let account = AdvertiserId(1);
    let credit = Effect::SetLimit(Limit::Credit { account, limit: nanos(1_000_000) });
    let budget = Limit::LineItem { account, line_item: LineItemId(1), limit: Some(nanos(line_item_limit)) };
    let outcomes = ports.apply(&commands(0, &[credit, Effect::SetLimit(budget)])).unwrap().outcomes;
    assert_eq!(outcomes, [CommandOutcome::Applied; 2]);
}

fn commands(from: u64, effects: &[Effect]) -> Commands {
    let entries = (from..).zip(effects).map(|(offset, effect)| CommandEntry {
        position: Position { partition: ADMIN_PARTITION, offset },
        appended: START,
        command: Command { id: CommandId(u128::from(offset)), tenant: TENANT, effect: *effect, note: Note::default() },
    });
    let next = from + effects.len() as u64;
    let consumed = Consumed { partition: ADMIN_PARTITION, from, next, appended: START };
    Commands { consumed, entries: entries.collect() }
}

/// `count` impressions of line item 1, each of another decision, from that offset on.
pub(super) fn impressions(partition: u16, from: u64, count: u64) -> Batch {
    let entry = |offset: u64| Entry {
        position: Position { partition, offset },
        appended: START,
        claim: claim(1, START, u64::from(partition) << 32 | offset, 0, 1_000),
    };
    let consumed = Consumed { partition, from, next: from + count, appended: START };
    Batch { consumed: vec![consumed], entries: (from..from + count).map(entry).collect(), ..Batch::default() }
}

fn request(lease: u128, holder: u64) -> GrantRequest {
    GrantRequest {
        lease: LeaseId(lease),
        holder: HolderId(holder),
        chain: chain(1, FIRST_DAY),
        window: window(FIRST_DAY),
        bid: price(1, 1_000),
        demand: nanos(2_000),
    }
}

/// Processes that lease, bill and give back at the same time stay within the budget and leave the books exact.
pub(super) fn concurrent_processes_stay_within_the_budget(open: Open<'_>) {
    set_up(&mut open(), 60_000);
    thread::scope(|scope| {
        for partition in 0..2_u16 {
            scope.spawn(move || {
                let ports = open();
                for from in (0..50).step_by(10) {
                    ports.authority.bill(&impressions(partition, from, 10)).unwrap();
                }
            });
        }
        for holder in 1..=2_u64 {
            scope.spawn(move || {
                let mut ports = open();
                for lease in 0..20_u128 {
                    let lease = lease << 8 | u128::from(holder);
                    if let Ok(granted) = ports.authority.grant(&[request(lease, holder)]).unwrap()[0].result {
                        let total = granted.amount;
                        ports.give_back(&[litfass_ledger::Return { lease: LeaseId(lease), total }]);
                    }
                }
            });
        }
    });
    let mut ports = open();
    ports.sweep();
    ports.check();
    let [control] = ports.reader.controls(&[ControlId::LineItem(LineItemId(1))]).unwrap()[..] else {
        panic!("one control")
    };
    assert_eq!((control.spent, control.leased), (nanos(60_000), nanos(0)), "60 of 100 fit, whoever came first");
}

/// Of two readers that continue from the same position one bills the batch, the other is refused and changes nothing.
pub(super) fn a_batch_is_billed_by_one_of_its_readers(open: Open<'_>) {
    set_up(&mut open(), 60_000);
    let bill = || open().authority.bill(&impressions(0, 0, 20));
    let results: Vec<_> = thread::scope(|scope| {
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(bill)).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    let refused =
        |r: &Result<_, LedgerError>| matches!(r, Err(LedgerError::Refused(Refused::Position { stored: 20, .. })));
    assert_eq!((results.iter().filter(|r| r.is_ok()).count(), results.iter().filter(|r| refused(r)).count()), (1, 3));
    open().check();
}

/// Everything is there for the next process, and for readers.
pub(super) fn what_is_committed_is_seen_by_every_process(open: Open<'_>) {
    let mut first = open();
    set_up(&mut first, 2_500);
    let billed = first.bill(&impressions(0, 0, 3)).unwrap();
    assert_eq!(billed.outcomes[..2], [Outcome::Billed; 2]);
    let kept = first.kept();
    drop(first);

    let mut second = open();
    assert_eq!(second.kept(), kept);
    let positions = second.reader.positions().unwrap();
    assert_eq!(positions.iter().map(|(number, p)| (*number, p.next)).collect::<Vec<_>>(), [(0, 3), (1, 0), (9, 2)]);
    let [delivery] = &second.reader.delivery().unwrap()[..] else { panic!("one line item's day") };
    assert_eq!((delivery.chain, delivery.tally.billed.events, delivery.pending.events), (chain(1, FIRST_DAY), 2, 1));
    assert_eq!(delivery.tally.billed.amount, nanos(2_000));
    let left = funds(second.reader.as_ref(), &[chain(1, FIRST_DAY), chain(2, FIRST_DAY), chain(4, FIRST_DAY)]).unwrap();
    assert_eq!(left, [nanos(500), nanos(998_000), nanos(0)]);
    let command = second.admin.outcome(CommandId(1)).unwrap();
    assert_eq!(command.map(|record| record.outcome), Some(CommandOutcome::Applied));
    assert_eq!(second.admin.outcome(CommandId(77)).unwrap(), None);
}

/// Keys of a dropped day are gone, and the day never bills again, in whichever process.
pub(super) fn a_dropped_day_stays_dropped(open: Open<'_>) {
    let mut first = open();
    set_up(&mut first, 60_000);
    first.bill(&impressions(0, 0, 3)).unwrap();
    let later = START + Duration::hours(20);
    for partition in 0..2 {
        let from = if partition == 0 { 3 } else { 0 };
        let consumed = vec![Consumed { partition, from, next: from + 1, appended: later }];
        first.bill(&Batch { consumed, ..Batch::default() }).unwrap();
    }
    assert_eq!(first.sweep().keys_dropped, Some(FIRST_DAY));
    let mut batch = impressions(0, 4, 2);
    for entry in &mut batch.entries {
        entry.claim.token_expires = later + Duration::days(9);
    }
    let mut second = open();
    assert_eq!(second.bill(&batch).unwrap().outcomes, [Outcome::Expired; 2]);
    assert_eq!(verify(second.reader.as_ref()).unwrap(), []);
}
