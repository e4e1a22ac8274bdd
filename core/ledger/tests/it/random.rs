//! Random sequences of operations: the transitions against the naive twin, and every invariant after every step.

use std::collections::BTreeMap;

use litfass_ledger::check::{Audit, nothing_pending_fits};
use litfass_ledger::{Amount, Cause, Claim, Membership, PartitionKind};
use proptest::prelude::*;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::desk::Desk;
use super::driven::{Driven, InMemory};
use super::ids::{START, claim, terms};
use super::steps::{Step, World, same, steps, steps_with_failovers};
use super::twin::Twin;

fn run(steps: &[Step]) -> InMemory {
    let (mut ledger, mut twin) = (InMemory::new(terms()), Twin::new(terms()));
    let both: &mut [&mut dyn Driven] = &mut [&mut ledger, &mut twin];
    let mut world = World::new(both);
    for step in steps {
        world.step(step, both);
        both.iter_mut().for_each(|ledger| ledger.check());
        same(both, |ledger| ledger.kept());
    }
    world.drain(both);
    both.iter_mut().for_each(|ledger| ledger.check());
    same(both, |ledger| ledger.kept());
    ledger
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// After each step every invariant holds and both keep the same rows; at rest nothing is leased, waits or could be billed.
    #[test]
    fn the_transitions_keep_what_the_twin_adds_up(steps in steps(120)) {
        let ledger = run(&steps);
        let audit = Audit::of(&ledger.book);
        prop_assert_eq!(nothing_pending_fits(&audit), Ok(()));
        prop_assert!(ledger.book.pending.is_empty(), "everything is past its token's life");
        prop_assert!(ledger.book.controls.values().all(|control| control.leased == Amount::ZERO), "every lease is closed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_that_fails_over_now_and_then_keeps_every_invariant(steps in steps_with_failovers(120)) {
        let mut ledger = InMemory::new(terms());
        let one: &mut [&mut dyn Driven] = &mut [&mut ledger];
        let mut world = World::new(one);
        for step in &steps {
            world.step(step, one);
            one.iter_mut().for_each(|ledger| ledger.check());
        }
        world.drain(one);
        let audit = Audit::of(&ledger.book);
        prop_assert_eq!(nothing_pending_fits(&audit), Ok(()));
        prop_assert!(ledger.book.controls.values().all(|control| control.leased == Amount::ZERO), "every lease is closed");
    }
}

/// Those claims' events as they are read: which claim, in which partition.
fn read(events: &[(usize, u16)], claims: &[Claim], batch_size: usize, credit: i64) -> Desk {
    let mut desk = Desk::with_credit(credit);
    desk.ledger.partitions(&[Membership::Open { partition: 1, kind: PartitionKind::Events }]);
    for batch in events.chunks(batch_size) {
        for partition in 0..2 {
            let of = batch.iter().filter(|(_, p)| *p == partition).map(|(at, _)| claims[*at].clone());
            desk.bill_at(partition, START, &of.collect::<Vec<_>>());
        }
    }
    desk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Where everything fits, neither order nor copies nor the cutting into batches change any amount; where it does not,
    /// copies of what was read before change nothing either.
    #[test]
    fn order_and_copies_change_no_amount(
        prices in prop::collection::vec((1..=3_u64, 1..5_i64), 1..40),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0..2_u16), 0..80),
        batch_size in 1..30_usize,
    ) {
        let claim = |(at, (line_item, cost)): (u64, &(u64, i64))| claim(*line_item, START, at, 0, cost * 1_000);
        let claims: Vec<Claim> = (0..).zip(&prices).map(claim).collect();
        let straight: Vec<_> = (0..claims.len()).map(|at| (at, 0)).collect();
        let mut mixed: Vec<_> = order.iter().map(|(at, partition)| (at.index(claims.len()), *partition)).collect();
        mixed.extend((0..claims.len()).rev().map(|at| (at, 1)));
        let (a, b) = (read(&straight, &claims, 7, 1_000_000), read(&mixed, &claims, batch_size, 1_000_000));
        prop_assert_eq!(&a.ledger.book.controls, &b.ledger.book.controls);
        prop_assert_eq!(&a.ledger.book.balances, &b.ledger.book.balances);

        let again: Vec<_> = straight.iter().chain(&mixed).copied().collect();
        let (a, b) = (read(&straight, &claims, claims.len(), 20_000), read(&again, &claims, claims.len(), 20_000));
        prop_assert_eq!(&a.ledger.book.controls, &b.ledger.book.controls);
        prop_assert_eq!(&a.ledger.book.pending, &b.ledger.book.pending);
        prop_assert_eq!(b.broken(), [""; 0]);
    }
}

/// A random world that never fills a budget or waits would prove nothing.
#[test]
fn random_worlds_come_to_every_end() {
    let mut runner = TestRunner::deterministic();
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..40 {
        let ledger = run(&steps(120).new_tree(&mut runner).unwrap().current());
        for posting in &ledger.book.postings {
            *ends.entry(format!("{:?} by {}", posting.kind, cause(&posting.cause))).or_default() += 1;
        }
        for outcome in ledger.book.outcomes.values() {
            *ends.entry(format!("{outcome:?}")).or_default() += 1;
        }
        for record in ledger.book.commands.values() {
            *ends.entry(format!("command {:?}", record.outcome)).or_default() += 1;
        }
        let dropped = ledger.book.state.keys_dropped.is_some();
        *ends.entry(format!("keys dropped {dropped}")).or_default() += 1;
    }
    let expected = [
        "Bill by batch",
        "Bill by command",
        "Bill by retry",
        "Refund by command",
        "Adjustment by command",
        "Billed",
        "Repeated",
        "Expired",
        "Unbilled(Shortage { level: Account, late: false })",
        "Unbilled(Shortage { level: Campaign, late: true })",
        "Unbilled(Shortage { level: CampaignDay, late: true })",
        "Unbilled(Shortage { level: LineItem, late: false })",
        "command Refused(BeyondAvailable)",
        "command Refused(BeyondSpent)",
        "keys dropped true",
    ];
    for end in expected {
        assert!(ends.contains_key(end), "no world came to {end}, only to {ends:#?}");
    }
}

fn cause(cause: &Cause) -> &'static str {
    match cause {
        Cause::Batch { .. } => "batch",
        Cause::Command(_) => "command",
        Cause::Retry => "retry",
    }
}
