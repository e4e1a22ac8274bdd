//! The log and files written whole, through power cuts and kills at any operation: nothing promised is lost, nothing torn is
//! shown, no offset is used twice.

pub(crate) mod machine;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use litfass_store::log::{Clock, EventLog, LogOptions, NewEntry, SegmentLog, Until};
use litfass_store::storage::{SimDisk, SyncSite};
use litfass_types::{EventId, Position, Seed, Timestamp};

use machine::{Broken, End, Machine};

/// Lives of one machine: the last is looked at only.
const LIVES: u64 = 4;
const STEPS: u64 = 40;

/// `LITFASS_SEEDS` of them from `LITFASS_SEED` on.
fn seeds(default: u64) -> Range<u64> {
    let setting =
        |name: &str, default| std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default);
    let first = setting("LITFASS_SEED", 0);
    first..first + setting("LITFASS_SEEDS", default)
}

#[derive(Debug, Default)]
struct Seen {
    power_cuts: u64,
    kills: u64,
    lost: u64,
}

/// One machine through its lives.
fn live(seed: Seed, left_out: Option<SyncSite>) -> Result<Seen, Broken> {
    let mut machine = Machine::new(SimDisk::new());
    if let Some(site) = left_out {
        machine.disk.leave_out(site);
    }
    let mut seen = Seen::default();
    for life in 0..LIVES {
        let end = one_life(&mut machine, seed.derive(life))?;
        seen.power_cuts += u64::from(end == End::Power);
        seen.kills += u64::from(end == End::Kill);
    }
    if !machine.start(seed)? {
        return Err("the last life ended".to_owned());
    }
    machine.check()?;
    let there = machine.told.promised.len() as u64;
    seen.lost = machine.told.sent.len() as u64 - there;
    Ok(seen)
}

/// Starts, checks what is there, works until the end that was drawn or until there is nothing more to do.
fn one_life(machine: &mut Machine, seed: Seed) -> Result<End, Broken> {
    let end = [End::Power, End::Power, End::Kill, End::Kill, End::Close]
        [usize::try_from(seed.derive(1).below(5)).unwrap_or(0)];
    if end != End::Close {
        let operation =
            machine.disk.operations() + 1 + seed.derive(2).below(if seed.derive(3).below(3) == 0 { 30 } else { 200 });
        machine.disk.end_at(operation, seed.derive(4));
    }
    if machine.start(seed)? {
        machine.check()?;
        for step in 0..STEPS {
            if !machine.step(seed.derive(100 + step))? {
                break;
            }
        }
    }
    machine.end(end, seed.derive(5));
    Ok(end)
}

#[test]
fn nothing_promised_is_lost_and_nothing_torn_is_shown_whatever_is_cut() {
    let seeds = seeds(600);
    let many = seeds.end - seeds.start >= 600;
    let mut total = Seen::default();
    for seed in seeds {
        let seen = live(Seed(seed), None).unwrap_or_else(|broken| panic!("LITFASS_SEED={seed}: {broken}"));
        total.power_cuts += seen.power_cuts;
        total.kills += seen.kills;
        total.lost += seen.lost;
    }
    let hurt = total.power_cuts > 600 && total.kills > 600 && total.lost > 100;
    assert!(hurt || !many, "the cuts hurt nobody: {total:?}");
}

#[test]
fn leaving_out_any_one_sync_is_caught() {
    for site in SyncSite::ALL {
        let caught = (0..2_000).find_map(|seed| live(Seed(seed), Some(site)).err().map(|broken| (seed, broken)));
        assert!(caught.is_some(), "nobody misses the sync of {site:?}");
    }
}

#[test]
fn a_seed_determines_every_operation() {
    let run = |seed: Seed| {
        let mut machine = Machine::new(SimDisk::new());
        one_life(&mut machine, seed).unwrap();
        (machine.disk.operations(), machine.disk.syncs())
    };
    for seed in 0..20 {
        assert_eq!(run(Seed(seed)), run(Seed(seed)));
    }
}

/// What one client was told: entry and place, and whether that was for good.
type Acknowledged = Vec<(u128, Position, Until)>;

fn client(log: &SegmentLog, client: u64, seed: Seed) -> Acknowledged {
    let mut told = Vec::new();
    for turn in 0..60 {
        let until = if seed.derive(turn).below(3) == 0 { Until::Written } else { Until::Committed };
        let id = u128::from(client) << 64 | u128::from(turn);
        let partition = u16::try_from(seed.derive(turn).derive(1).below(2)).unwrap_or(0);
        let payload = Bytes::from(id.to_le_bytes().repeat(4));
        let results = log.append(vec![NewEntry { partition, id: EventId(id), payload }], until).wait();
        told.extend(results.into_iter().filter_map(|result| Some((id, result.ok()?, until))));
    }
    told
}

fn contents(log: &SegmentLog) -> BTreeMap<Position, u128> {
    let mut there = BTreeMap::new();
    for partition in 0..2 {
        let mut from = Position { partition, offset: 0 };
        loop {
            let batch = log.read(from, 1_000).unwrap_or_else(|e| panic!("{e}"));
            if batch.entries.is_empty() {
                break;
            }
            from = batch.next;
            there.extend(batch.entries.iter().map(|entry| (entry.position, entry.id.0)));
        }
    }
    there
}

/// Appending, fsync and new segments go on at the same time here, so a seed gives another course every time.
#[test]
fn what_many_clients_at_once_were_told_is_there_after_the_cut() {
    let mut options = LogOptions::new(&[("server", 2)]);
    (options.segment_bytes, options.heartbeat) = (1_500, None);
    let clock = Clock::new(|| Timestamp(1));
    for seed in (0..60).map(Seed) {
        let disk = SimDisk::new();
        let log = SegmentLog::open(Arc::new(disk.clone()), Path::new("/log"), &options, &clock)
            .unwrap_or_else(|e| panic!("{e}"))
            .log;
        disk.end_at(disk.operations() + 20 + seed.derive(1).below(400), seed);
        let told: Vec<Acknowledged> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    scope.spawn({
                        let log = &log;
                        move || client(log, n, seed.derive(n))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
        });
        let after = disk.after_power_loss(seed);
        drop(log);
        let log = SegmentLog::open(Arc::new(after), Path::new("/log"), &options, &clock)
            .unwrap_or_else(|e| panic!("{seed:?}: {e}"))
            .log;
        let there = contents(&log);
        for (id, at, until) in told.into_iter().flatten() {
            let found = there.get(&at);
            let fits = found == Some(&id) || (found.is_none() && until == Until::Written);
            assert!(fits, "{seed:?}: {id:x} at {at:?} until {until:?}, found {found:x?}");
        }
    }
}
