//! Many seeds on every core. Seeds are worlds of their own; their figures are added in seed order, so that neither the number
//! of cores nor their speed shows.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;

use litfass_ledger::check::Violation;

use super::figures::Figures;
use super::seen::Seen;
use super::watch::broken;

type Lived = Result<Seen, Violation>;

/// Lives the seeds and adds them to `figures`, telling after each how far all of them came; false stops after the seeds that
/// have begun.
pub fn simulate(
    seeds: Range<u64>,
    live: impl Fn(u64) -> Lived + Sync,
    figures: &mut Figures,
    mut told: impl FnMut(u64, &Figures) -> bool,
) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let (done, results) = channel();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let done = done.clone();
            let (next, stop, live, end) = (&next, &stop, &live, seeds.end);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || done.send((seed, sound(live, seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        in_order(seeds.start, results.iter(), |seed, lived| {
            figures.add(seed, lived);
            if !told(seed + 1, figures) {
                stop.store(true, Ordering::Relaxed);
            }
        });
    });
}

/// A panic, such as an overflow's, is one seed's failure.
fn sound(live: impl Fn(u64) -> Lived, seed: u64) -> Lived {
    let lived = catch_unwind(AssertUnwindSafe(|| live(seed)));
    lived.unwrap_or_else(|_| Err(broken("nothing panics", || "see standard error".to_owned())))
}

fn in_order(first: u64, results: impl Iterator<Item = (u64, Lived)>, mut take: impl FnMut(u64, Lived)) {
    let (mut next, mut early) = (first, BTreeMap::new());
    for (seed, lived) in results {
        early.insert(seed, lived);
        while let Some(lived) = early.remove(&next) {
            take(next, lived);
            next += 1;
        }
    }
}
