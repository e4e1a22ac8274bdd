//! Random sequences of operations: the transitions against the naive twin, and every invariant after every step.

use std::collections::BTreeMap;

use litfass_ledger::check::{Audit, nothing_pending_fits};
use litfass_ledger::{Amount, Cause};
use proptest::prelude::*;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::driven::{Driven, InMemory};
use super::ids::terms;
use super::steps::{Step, World, same, steps};
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
        let dropped = ledger.book.keys_dropped.is_some();
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
