//! What every database behind the ledger's ports has to show. `open` gives another process's view of one and the same ledger,
//! empty at first; the terms are those of `ids::terms`.

use std::collections::BTreeMap;
use std::thread;

use litfass_ledger::check::nothing_pending_fits;
use litfass_ledger::{
    Asked, Batch, Billable, Buyer, CatchUp, ClaimId, Command, CommandEntry, CommandId, CommandOutcome, Commands,
    Consumed, ControlId, Country, Effect, Entry, Forgotten, GrantRequest, HolderId, Level, Limit, Membership, Note,
    Order, OrderId, Outcome, PartitionKind, Quarter, Refused, Shortage, Sighting, Spot, Standing, Target, Viewer,
};
use litfass_store::ledger::report::{Bucket, Cell, Dimension, ReportAsk, Stretch};
use litfass_store::ledger::{LedgerError, funds, verify};
use litfass_types::{AdvertiserId, Duration, LeaseId, LineItemId, PlacementId, Position, Traffic, UserHash};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::driven::{Driven, InMemory};
use super::ids::{ADMIN_PARTITION, FIRST_DAY, START, TENANT, chain, claim, nanos, price, terms, window};
use super::ports::{Ports, refused};
use super::steps::{World, same, steps_with_failovers};

/// The suite's tests, each on a ledger that `$on` makes.
macro_rules! suite {
    ($on:path) => {
        #[test]
        fn random_worlds_end_like_those_in_memory() {
            let mut runner = proptest::test_runner::TestRunner::deterministic();
            for _ in 0..12 {
                $on(|open| $crate::ledger::conformance::answers_like_the_ledger_in_memory(&mut runner, open));
            }
        }
        #[test]
        fn an_export_is_every_row_of_one_instant() {
            $on($crate::ledger::exports::an_export_is_every_row_of_one_instant);
        }
        $crate::ledger::conformance::suite! {
            $on: concurrent_processes_stay_within_the_budget, a_batch_is_billed_by_one_of_its_readers,
            what_is_committed_is_seen_by_every_process, a_dropped_day_stays_dropped,
            whatever_happens_at_the_same_time_the_books_are_exact, events_requests_and_orders_are_reported,
            after_a_failover_the_log_completes_it_in_order
        }
    };
    ($on:path: $($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                $on($crate::ledger::conformance::$name);
            }
        )*
    };
}
pub(super) use suite;

pub(super) type Open<'a> = &'a (dyn Fn() -> Ports + Sync);

/// One world of random steps: the same answers and the same rows as in memory, after every step.
pub(super) fn answers_like_the_ledger_in_memory(runner: &mut TestRunner, open: Open<'_>) {
    let (mut memory, mut database) = (InMemory::new(terms()), open());
    let both: &mut [&mut dyn Driven] = &mut [&mut memory, &mut database];
    let mut world = World::new(both);
    for step in steps_with_failovers(100).new_tree(runner).unwrap().current() {
        world.step(&step, both);
        same(both, |ledger| ledger.kept());
    }
    world.drain(both);
    same(both, |ledger| ledger.kept());
    both.iter_mut().for_each(|ledger| ledger.check());
}

pub(super) fn set_up(ports: &mut Ports, line_item_limit: i64) {
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

/// A request on the day of `at`.
#[cfg(feature = "postgres")]
pub(super) fn request_at(at: litfass_types::Timestamp) -> GrantRequest {
    let day = super::ids::day_of(at);
    GrantRequest { chain: chain(1, day), window: window(day), ..request(1, 1) }
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
    let outcomes = (0..4).map(|offset| second.reader.outcome(Position { partition: 0, offset }).unwrap());
    let short = Shortage { level: Level::LineItem, late: false };
    let waits = Some(Outcome::Pending(short));
    assert_eq!(outcomes.collect::<Vec<_>>(), [Some(Outcome::Billed), Some(Outcome::Billed), waits, None]);
    assert_eq!(second.reader.command(CommandId(1)).unwrap(), second.admin.outcome(CommandId(1)).unwrap());
    let command = second.admin.outcome(CommandId(1)).unwrap();
    assert_eq!(command.map(|record| record.outcome), Some(CommandOutcome::Applied));
    assert_eq!(second.admin.outcome(CommandId(77)).unwrap(), None);
}

/// Every lease is closed; then commands are taken, then events, then everything, in whichever process.
pub(super) fn after_a_failover_the_log_completes_it_in_order(open: Open<'_>) {
    let (mut ports, other) = (open(), open());
    set_up(&mut ports, 60_000);
    let before = ports.admin.standing().unwrap();
    assert_eq!(before.waits, None);
    ports.authority.grant(&[request(1, 1), request(2, 2)]).unwrap();
    ports.bill(&impressions(0, 0, 3)).unwrap();
    (ports.fail_over)();
    let Standing { timeline, waits } = other.admin.standing().unwrap();
    assert_eq!((waits, waits_for(&other)), (Some(CatchUp::Promotion), [Some(CatchUp::Promotion); 4]));
    let edit = |from| commands(from, &[Effect::Deposit { account: AdvertiserId(1), amount: nanos(5) }]);
    assert_eq!(ports.apply(&edit(2)), Err(Refused::CatchingUp(CatchUp::Promotion)));

    let events = PartitionKind::Events;
    let target = |partition, kind, next| Target { partition, kind, next };
    let targets = [
        target(ADMIN_PARTITION, PartitionKind::Admin, 3),
        target(0, events, 5),
        target(1, events, 0),
        target(3, events, 1),
    ];
    let late = ports.admin.promote(before.timeline, &targets).map_err(refused);
    assert_eq!(late, Err(Refused::Timeline { named: before.timeline, runs: timeline }));
    let closed: Vec<usize> = thread::scope(|scope| {
        let promote = || open().admin.promote(timeline, &targets).unwrap().closed.len();
        let promoting: Vec<_> = (0..4).map(|_| scope.spawn(promote)).collect();
        promoting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!((closed.iter().sum::<usize>(), closed.iter().filter(|closed| **closed > 0).count()), (2, 1));
    let control = ports.reader.controls(&[ControlId::LineItem(LineItemId(1))]).unwrap()[0];
    assert_eq!((control.leased, control.spent), (nanos(0), nanos(3_000)));

    assert_eq!(waits_for(&other), [Some(CatchUp::Commands); 4]);
    assert_eq!(ports.apply(&edit(2)).unwrap().outcomes, [CommandOutcome::Applied]);
    let waits = Some(CatchUp::Events);
    assert_eq!(waits_for(&other), [waits, waits, None, None]);
    ports.bill(&impressions(0, 3, 2)).unwrap();
    assert_eq!(other.admin.standing().unwrap().waits, waits, "a partition that it did not know is behind too");
    ports.bill(&impressions(3, 0, 1)).unwrap();
    assert_eq!((other.admin.standing().unwrap().waits, waits_for(&other)), (None, [None; 4]));
    assert!(ports.authority.grant(&[request(3, 1)]).unwrap()[0].result.is_ok());
    ports.check();
}

/// What a grant, a sweep, a return and a batch that brings nothing have to wait for.
fn waits_for(ports: &Ports) -> [Option<CatchUp>; 4] {
    let waits = |error: LedgerError| error.catching_up().expect("nothing else is refused");
    let authority = &ports.authority;
    [
        authority.grant(&[]).err().map(waits),
        authority.sweep().err().map(waits),
        authority.give_back(&[]).err().map(waits),
        authority.bill(&Batch::default()).err().map(waits),
    ]
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

const COPIES: u64 = 40;

/// Two partitions carry copies of the same events while limits move, refunds come and leases go: every event is billed once.
pub(super) fn whatever_happens_at_the_same_time_the_books_are_exact(open: Open<'_>) {
    set_up(&mut open(), 100_000);
    thread::scope(|scope| {
        for partition in 0..2_u16 {
            scope.spawn(move || bill_copies(&open(), partition));
        }
        for holder in 1..=2_u64 {
            scope.spawn(move || lease_and_return(&mut open(), holder));
        }
        scope.spawn(|| {
            let ports = open();
            (0..12).for_each(|_| drop(ports.authority.sweep().unwrap()));
        });
        scope.spawn(|| edit(&open()));
    });
    let mut ports = open();
    ports.apply(&commands(2 + 3 * EDITS, &[Effect::SetLimit(daily(None))])).unwrap();
    ports.sweep();
    ports.check();
    let audit = ports.reader.audit().unwrap();
    assert_eq!(nothing_pending_fits(&audit), Ok(()));
    let tally = audit.kept().tallies[&chain(1, FIRST_DAY)];
    assert_eq!((tally.billed.events, tally.repeated.events), (COPIES, COPIES));
    let control = audit.kept().controls[&ControlId::LineItem(LineItemId(1))];
    assert_eq!((control.spent, control.leased), (nanos(1_000 * COPIES as i64), nanos(0)));
    let funding = audit.kept().funding[&AdvertiserId(1)];
    assert_eq!(funding.added, nanos(500 * EDITS as i64));
}

fn bill_copies(ports: &Ports, partition: u16) {
    for from in (0..COPIES).step_by(5) {
        let mut batch = impressions(partition, from, 5);
        for entry in &mut batch.entries {
            entry.claim = claim(1, START, entry.position.offset, 0, 1_000);
        }
        ports.authority.bill(&batch).unwrap();
    }
}

fn lease_and_return(ports: &mut Ports, holder: u64) {
    for lease in 0..10_u128 {
        let lease = lease << 8 | u128::from(holder);
        if let Ok(granted) = ports.authority.grant(&[request(lease, holder)]).unwrap()[0].result {
            ports.give_back(&[litfass_ledger::Return { lease: LeaseId(lease), total: granted.amount }]);
        }
    }
}

const EDITS: u64 = 8;

fn daily(limit: Option<i64>) -> Limit {
    let chain = chain(1, FIRST_DAY);
    let limit = limit.map(nanos);
    Limit::CampaignDaily { account: chain.account, campaign: chain.campaign, from: FIRST_DAY, limit }
}

/// A daily limit that falls and rises, refunds, deposits.
fn edit(ports: &Ports) {
    for round in 0..EDITS {
        let chain = chain(1, FIRST_DAY);
        let effects = [
            Effect::SetLimit(daily((round % 2 == 0).then_some(10_000))),
            Effect::Refund { chain, day_ends: window(FIRST_DAY).ends, amount: nanos(500) },
            Effect::Deposit { account: AdvertiserId(1), amount: nanos(500) },
        ];
        let outcomes = ports.admin.apply(&commands(2 + 3 * round, &effects)).unwrap().outcomes;
        assert_eq!((outcomes[0], outcomes[2]), (CommandOutcome::Applied, CommandOutcome::Applied));
    }
}

/// The same figures as in memory, whatever is asked: events that bill nothing, requests, and orders attributed to clicks.
pub(super) fn events_requests_and_orders_are_reported(open: Open<'_>) {
    let mut memory = InMemory::new(terms());
    let mut ports = open();
    for ledger in [&mut memory as &mut dyn Driven, &mut ports] {
        ledger.partitions(&[
            Membership::Open { partition: 0, kind: PartitionKind::Events },
            Membership::Open { partition: ADMIN_PARTITION, kind: PartitionKind::Admin },
        ]);
        let credit = Limit::Credit { account: AdvertiserId(1), limit: nanos(1_000_000) };
        ledger.apply(&commands(0, &[Effect::SetLimit(credit)])).unwrap();
        for number in 0..6 {
            ledger.bill(&journey(number)).unwrap();
        }
    }
    let twin = super::memory::book(memory.book);
    let mut rows = 0;
    for ask in asks() {
        let (report, expected) = (ports.reader.report(&ask).unwrap(), twin.reader.report(&ask).unwrap());
        rows += expected.as_ref().map_or(0, |report| report.rows.len());
        assert_eq!(report, expected, "{ask:?}");
    }
    assert!(rows > 50, "{rows} rows");
    assert_eq!(ports.reader.accounted().unwrap(), twin.reader.accounted().unwrap());
    assert_eq!(ports.reader.account(AdvertiserId(1)).unwrap(), twin.reader.account(AdvertiserId(1)).unwrap());
    assert_eq!(ports.reader.delivery().unwrap(), twin.reader.delivery().unwrap());
}

/// One batch: impressions that bill, clicks that do not, orders with and without a click, a viewer forgotten, requests.
fn journey(number: u64) -> Batch {
    let from = number * 20;
    let appended = START + Duration::minutes(number as i64 * 10);
    let position = |nth: u64| Position { partition: 0, offset: from + nth };
    let viewer = |nth: u64| Viewer { tenant: TENANT, user: UserHash { key_version: 1, hash: u128::from(nth % 3) } };
    let shown = |nth: u64| {
        let mut claim = claim(1, appended, from + nth, (nth % 40) as u8, 1_000 + nth as i64);
        claim.facet.placement = PlacementId(1 + nth % 2);
        claim.facet.country = Country::of(["DE", "", "US"][usize::try_from(nth % 3).unwrap()]);
        claim.facet.traffic = if nth == 4 { Traffic::ALL[1] } else { Traffic::Human };
        claim
    };
    let entry = |nth: u64| Entry { position: position(nth), appended, claim: shown(nth) };
    let sighting = |nth: u64| {
        let claim = shown(nth);
        let id = ClaimId { kind: Billable::Click, ..claim.id.clone() };
        let (slice, viewer) = (claim.slice(), Some(viewer(nth).user));
        Sighting { position: position(6 + nth), appended, id, slice, viewer, token_expires: claim.token_expires }
    };
    let order = |nth: u64| Order {
        position: position(12 + nth),
        appended,
        id: OrderId { buyer: Buyer::Viewer(viewer(nth)), order: format!("order {}", (number + nth) % 5) },
        click: (nth == 2).then(|| shown(1).slice()),
        at: appended,
        value_micros: 7_000_000 - 5_000_000 * nth as i64,
    };
    let spot = |nth: u64| Spot {
        tenant: TENANT,
        quarter: Quarter::of(appended),
        placement: PlacementId(1 + nth),
        country: Country::of("DE"),
        traffic: Traffic::Human,
    };
    let asked = |nth: u64| Asked { requests: 3 + nth, eligible: 2, slots: 4 + nth, filled: 1 };
    Batch {
        consumed: vec![Consumed { partition: 0, from, next: from + 20, appended }],
        entries: (0..6).map(entry).collect(),
        sightings: (0..6).map(sighting).collect(),
        orders: (0..4).map(order).collect(),
        forgotten: vec![Forgotten { position: position(18), appended, viewer: viewer(number) }],
        asked: (0..2).map(|nth| (spot(nth), asked(nth))).collect(),
    }
}

/// Every bucket by every dimension, and with filters, net of other traffic, and too large.
fn asks() -> Vec<ReportAsk> {
    let noon = Quarter::of(START);
    let stretches = vec![
        Stretch { from: Quarter(noon.0 - 8), to: Quarter(noon.0 + 2), ahead: 4 },
        Stretch { from: Quarter(noon.0 + 2), to: Quarter(noon.0 + 200), ahead: -3 },
    ];
    let ask = |bucket, dimensions| ReportAsk {
        stretches: stretches.clone(),
        bucket,
        dimensions,
        filters: BTreeMap::new(),
        net: false,
        requests: true,
        rows_max: 1_000,
    };
    let mut asks = vec![ask(Bucket::All, Vec::new()), ask(Bucket::Hour, Dimension::ALL.to_vec())];
    for bucket in [Bucket::Hour, Bucket::Day, Bucket::All] {
        asks.extend(Dimension::ALL.iter().map(|dimension| ask(bucket, vec![*dimension])));
    }
    let by_place = || ask(Bucket::Hour, vec![Dimension::Placement, Dimension::Country]);
    asks.push(ReportAsk { net: true, ..by_place() });
    asks.push(ReportAsk { requests: false, ..by_place() });
    asks.push(ReportAsk { rows_max: 2, ..by_place() });
    let filters = BTreeMap::from([
        (Dimension::Country, vec![Cell::Text("DE".to_owned()), Cell::Text(String::new())]),
        (Dimension::Placement, vec![Cell::Id(1)]),
    ]);
    asks.push(ReportAsk { filters, ..by_place() });
    asks
}
