//! The power goes while money moves: the log is cut in the middle of anything, the database keeps what it had committed, and
//! the shipped readers go on from there.

mod hasty;
mod machine;
mod traffic;

use std::ops::Range;

use litfass_store::storage::SyncSite;
use litfass_types::Seed;

use crate::process::setting;
use machine::{Broken, End, Fault, Machine, Seen};

/// Lives of one machine before the last, which only looks.
const LIVES: u64 = 3;
const STEPS: u64 = 30;

/// `LITFASS_SEEDS` of them from `LITFASS_SEED` on.
fn seeds(default: u64) -> Range<u64> {
    let first = setting("LITFASS_SEED", 0);
    first..first + setting("LITFASS_SEEDS", default)
}

/// One machine through its lives; then the cut log with the database as it survived, and with an earlier state of it.
fn live(seed: Seed, fault: Fault) -> Result<[Seen; 2], Broken> {
    let mut machine = Machine::new(fault);
    for life in 0..LIVES {
        one_life(&mut machine, seed.derive(life))?;
    }
    let mut earlier = machine.with_earlier_ledger(seed);
    let seen = last_life(&mut machine)?;
    let behind =
        earlier.as_mut().map(last_life).transpose().map_err(|broken| format!("an earlier ledger: {broken}"))?;
    Ok([seen, behind.unwrap_or_default()])
}

/// Starts, settles, works until the end that was drawn or until there is nothing more to do.
fn one_life(machine: &mut Machine, seed: Seed) -> Result<(), Broken> {
    let end = [End::Power, End::Power, End::Power, End::Kill, End::Close]
        [usize::try_from(seed.derive(1).below(5)).unwrap_or(0)];
    if end != End::Close {
        let span = if seed.derive(2).below(4) == 0 { 20 } else { 120 };
        machine.disk.end_at(machine.disk.operations() + 1 + seed.derive(3).below(span), seed.derive(4));
    }
    if machine.start()? && machine.settle()? {
        machine.begin();
        for step in 0..STEPS {
            if !machine.step(seed.derive(100 + step))? {
                break;
            }
        }
    }
    machine.end(end, seed.derive(5));
    Ok(())
}

fn last_life(machine: &mut Machine) -> Result<Seen, Broken> {
    if machine.start()? && machine.settle()? {
        return Ok(machine.seen.clone());
    }
    Err("the last life ended".to_owned())
}

#[test]
fn nothing_acknowledged_is_lost_or_billed_twice_whatever_is_cut() {
    let seeds = seeds(500);
    let many = seeds.end - seeds.start >= 100;
    let mut total = [Seen::default(), Seen::default()];
    for seed in seeds {
        let seen = live(Seed(seed), Fault::None).unwrap_or_else(|broken| panic!("LITFASS_SEED={seed}: {broken}"));
        total.iter_mut().zip(&seen).for_each(|(total, seen)| total.add(seen));
    }
    println!("the database as it survived: {:?}\nan earlier state of it: {:?}", total[0], total[1]);
    let everything = total.iter().all(|seen| {
        let each = [seen.checks, seen.lost, seen.billed, seen.unbilled, seen.repeated, seen.caught_up];
        each.into_iter().all(|count| count > 0)
    });
    assert!(everything || !many, "something never happened");
}

/// Seeds until the fault is noticed.
fn is_caught(fault: Fault) -> bool {
    (0..500)
        .any(|seed| live(Seed(seed), fault).inspect_err(|broken| println!("{fault:?}, seed {seed}: {broken}")).is_err())
}

#[test]
fn a_reader_that_bills_what_is_not_on_disk_yet_is_caught() {
    assert!(is_caught(Fault::Hasty));
}

#[test]
fn leaving_out_the_sync_of_entries_or_of_a_segment_is_caught() {
    for site in [SyncSite::Commit, SyncSite::Seal, SyncSite::SegmentName] {
        assert!(is_caught(Fault::LeftOut(site)), "nobody misses the sync of {site:?}");
    }
}
