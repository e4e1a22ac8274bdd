//! The contract on a real server, and what happens to caps when it is flushed, killed, or loses writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use litfass_catalog::Catalog;
use litfass_decide::DecisionRecord;
use litfass_events::EventKind;
use litfass_store::caps::{
    CapCounters, CapStore, CapsAway, Confirmed, HOLD_TTL, NotHeld, RECORD_BYTES_MAX, RedisCaps, Renders,
    SharedCapStore, TOLD_WITHIN, Told,
};
use litfass_store::fold::{Choices, Fold, FoldOptions, FoldRunner};
use litfass_store::log::EventLog;
use litfass_store::storage::{SimDisk, Storage};
use litfass_types::{DecisionId, Duration, Seed, Timestamp, UserHash};

use super::server::Redis;
use super::{ADS, START, agree, catalog, keeps_the_contract, render, show, user};
use crate::fold::shop::{Shop, record, token};

fn filled(redis: &Redis, seed: u64) -> RedisCaps {
    let store = redis.store(seed);
    assert!(store.rebuild(&CapCounters::new(100)).unwrap());
    store
}

#[test]
fn redis_keeps_the_contract() {
    let redis = Redis::start();
    keeps_the_contract(&filled(&redis, 1));
}

#[test]
fn redis_and_the_embedded_store_agree_on_random_histories() {
    let redis = Redis::start();
    agree(&filled(&redis, 1), &CapCounters::new(1_000), 100);
}

#[test]
fn three_processes_on_one_server_share_the_last_impression() {
    let (redis, catalog) = (Redis::start(), &catalog());
    filled(&redis, 9);
    for round in 0..20_u8 {
        let stores = [1, 2, 3].map(|seed| redis.store(seed + 10 * u64::from(round)));
        let granted: usize = std::thread::scope(|scope| {
            let ask = |n: u64| {
                let store = &stores[usize::try_from(n % 3).unwrap()];
                let id = DecisionId::new(START, 0, n);
                scope.spawn(move || usize::from(show(store, catalog, user(round), id, &[120], START).is_ok()))
            };
            let asked: Vec<_> = (0..12).map(ask).collect();
            asked.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(granted, 3, "round {round}");
    }
}

#[test]
fn a_server_that_lost_everything_is_told_from_a_viewer_who_is_new() {
    let (redis, catalog) = (Redis::start(), catalog());
    let store = redis.store(1);
    assert_eq!(store.look(user(1), &catalog, START).unwrap_err(), CapsAway::Lost, "never filled");
    assert!(store.rebuild(&CapCounters::new(100)).unwrap());
    let (counts, looked) = store.look(user(1), &catalog, START).unwrap();
    assert!(counts.is_empty());
    redis.flush();
    assert_eq!(store.look(user(1), &catalog, START).unwrap_err(), CapsAway::Lost);
    let held = store.hold(user(1), looked, DecisionId(1), &[super::wanted(&catalog, 120)], START);
    assert_eq!(held, Err(NotHeld::Away), "looked before the loss, holds after it");
}

#[test]
fn a_server_that_is_gone_is_away_and_one_that_comes_back_empty_is_filled_by_one() {
    let (mut redis, catalog) = (Redis::start(), catalog());
    let stores = [filled(&redis, 1), redis.store(2), redis.store(3)];
    redis.kill();
    assert!(stores.iter().all(|store| store.look(user(1), &catalog, START).unwrap_err() == CapsAway::Silent));
    redis.replace();
    assert!(stores.iter().all(|store| store.look_alive() == Err(CapsAway::Lost)));
    let counters = CapCounters::new(100);
    let rebuilt: Vec<bool> = std::thread::scope(|scope| {
        let all: Vec<_> = stores.iter().map(|store| scope.spawn(|| store.rebuild(&counters).unwrap())).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(rebuilt.contains(&true));
    assert!(stores.iter().all(|store| store.look_alive().is_ok()));
}

#[test]
fn a_failover_that_loses_writes_is_noticed() {
    let (redis, catalog) = (Redis::start(), catalog());
    let store = filled(&redis, 1);
    let id = |n| DecisionId::new(START, 0, n);
    show(&store, &catalog, user(1), id(1), &[120], START).unwrap();
    let before = values(&redis);
    show(&store, &catalog, user(1), id(2), &[120], START).unwrap();
    let (_, looked) = store.look(user(1), &catalog, START).unwrap();
    restore(&redis, &before);
    assert_eq!(store.confirm(user(1), &render(&catalog, id(2), 0, 120, START)), Ok(Confirmed::Missing));
    restore(&redis, &before);
    store.hold(user(1), looked, id(3), &[super::wanted(&catalog, 120)], START).unwrap();
    assert_eq!(store.take_notices().went_back, 1);
}

/// Every key with its value, as a replica has it that lags.
fn values(redis: &Redis) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut connection = redis.connection();
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("test:caps:v:*").query(&mut connection).unwrap();
    let value = |key: Vec<u8>| (key.clone(), redis::cmd("GET").arg(&key).query(&mut connection).unwrap());
    keys.into_iter().map(value).collect()
}

fn restore(redis: &Redis, values: &[(Vec<u8>, Vec<u8>)]) {
    let mut connection = redis.connection();
    for (key, value) in values {
        redis::cmd("SET").arg(key).arg(value).query::<()>(&mut connection).unwrap();
    }
}

#[test]
fn a_record_is_bounded_in_bytes_and_ends_by_itself() {
    let (redis, catalog) = (Redis::start(), catalog());
    let store = filled(&redis, 1);
    for n in 0..1_500_u64 {
        let mut seen =
            render(&catalog, DecisionId::new(START, 0, n), 0, 120, START + Duration::hours(i64::try_from(n).unwrap()));
        seen.counted.ad = litfass_types::AdId(1_000_000_000 + n % 500);
        store.confirm(user(1), &seen).unwrap();
    }
    let [(key, value)] = &values(&redis)[..] else { panic!("one viewer") };
    assert!(value.len() <= RECORD_BYTES_MAX, "{}", value.len());
    let life: i64 = redis::cmd("PTTL").arg(key).query(&mut redis.connection()).unwrap();
    assert!(life > Duration::days(365).0);
}

// ── a shop whose server is flushed and killed in the middle ──

/// What becomes of capped ads while the server is away.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Policy {
    Closed,
    Open,
}

/// Three processes that decide, one log, one fold that reads it.
struct Site {
    redis: Redis,
    catalog: Catalog,
    stores: [RedisCaps; 3],
    shop: Shop,
    runner: FoldRunner,
    counters: Arc<CapCounters>,
    renders: Arc<Renders>,
    policy: Policy,
    decisions: u64,
    uncertain: u64,
    waiting: Vec<(DecisionRecord, Timestamp)>,
    rendered: Vec<(UserHash, Timestamp)>,
    told: Told,
}

impl Site {
    fn open(policy: Policy) -> Self {
        let redis = Redis::start();
        let (shop, choices) = (Shop::open(&SimDisk::new()), Arc::<Choices>::default());
        let counters = Arc::new(CapCounters::new(1_000));
        let renders = Arc::new(Renders::new(&choices, HOLD_TTL, START));
        let folds: Vec<Arc<dyn Fold>> = vec![Arc::clone(&counters) as _, Arc::clone(&renders) as _];
        let (storage, log) =
            (Arc::new(shop.disk.clone()) as Arc<dyn Storage>, Arc::clone(&shop.log) as Arc<dyn EventLog>);
        let runner = FoldRunner::open(log, storage, "/snapshots".as_ref(), &[], folds, FoldOptions::default()).unwrap();
        let stores = [filled(&redis, 1), redis.store(2), redis.store(3)];
        let (catalog, told) = (catalog(), Told::default());
        Self {
            redis,
            catalog,
            stores,
            shop,
            runner,
            counters,
            renders,
            policy,
            told,
            decisions: 0,
            uncertain: 0,
            waiting: Vec::new(),
            rendered: Vec::new(),
        }
    }

    fn decide(&mut self, process: usize, who: u8, ad: u64) {
        self.decisions += 1;
        let now = self.shop.now();
        let record = record(self.decisions, user(who), now, &[ad]);
        match show(&self.stores[process], &self.catalog, user(who), record.id, &[ad], now) {
            Ok(()) => {}
            Err(NotHeld::Reached(_)) => return,
            Err(NotHeld::Away) if self.policy == Policy::Closed => return,
            Err(NotHeld::Away) => self.uncertain += 1,
        }
        self.shop.decide(&record);
        self.waiting.push((record, now));
    }

    /// Seven of ten that are shown are rendered, some time within their hold, and early enough to be told.
    fn browse(&mut self, dice: &mut Dice) {
        let now = self.shop.now();
        let (still, due) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(_, at)| now - *at < Duration::minutes(2));
        self.waiting = still;
        let due: Vec<(DecisionRecord, Timestamp)> = due;
        for (record, at) in due {
            if dice.below(10) < 7 && now - at <= Duration(HOLD_TTL.0 - TOLD_WITHIN.0) {
                assert!(self.shop.deliver(EventKind::Impression, &token(&record, 0)));
                self.rendered.push((record.inputs.request.user.unwrap(), now));
            }
        }
    }

    /// The worker's step: what the log has is told, and a server that has lost everything is filled again.
    fn work(&mut self) {
        self.runner.catch_up().unwrap();
        if self.stores[0].look_alive() == Err(CapsAway::Lost) {
            assert!(self.stores[0].rebuild(&self.counters).unwrap());
        }
        let ours: BTreeSet<u16> = (0..8).collect();
        if let Ok(told) = self.renders.tell(&self.stores[0], &ours, self.shop.now()) {
            self.told.confirmed += told.confirmed;
            self.told.missing += told.missing;
        }
    }

    /// The most that any hour held of the campaign, over all viewers, above its cap.
    fn above(&self) -> u64 {
        let within = |who: UserHash, start: Timestamp| {
            let same = self
                .rendered
                .iter()
                .filter(|(user, at)| *user == who && *at >= start && *at < start + Duration::hours(1));
            same.count() as u64
        };
        self.rendered.iter().map(|(who, at)| within(*who, *at).saturating_sub(3)).max().unwrap_or(0)
    }
}

struct Dice(Seed, u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.1 += 1;
        self.0.derive(self.1).below(n)
    }
}

/// Decisions on three processes for few viewers, with the server flushed and killed again and again.
fn lived_through(policy: Policy, seed: u64) -> Site {
    let (mut site, mut dice) = (Site::open(policy), Dice(Seed(seed), 0));
    for _ in 0..1_500 {
        match dice.below(100) {
            0..=1 => site.redis.flush(),
            2 => site.redis.replace(),
            3..=20 => site.work(),
            21..=40 => site.browse(&mut dice),
            // However late the worker is, it is not as late as that.
            41..=55 => {
                site.shop.pass(i64::try_from(dice.below(TOLD_WITHIN.0.unsigned_abs())).unwrap());
                site.work();
            }
            _ => {
                let (process, who) = (usize::try_from(dice.below(3)).unwrap(), u8::try_from(dice.below(12)).unwrap());
                let ad = ADS[usize::try_from(dice.below(3)).unwrap()];
                // A retry of one that is on its way is a decision of its own.
                for _ in 0..=dice.below(2) {
                    site.decide(process, who, ad);
                }
            }
        }
    }
    site
}

#[test]
fn closed_nothing_goes_above_a_cap_while_redis_is_flushed_and_killed() {
    for seed in 0..4 {
        let site = lived_through(Policy::Closed, seed);
        assert!(
            site.rendered.len() > 20 && site.told.confirmed > 10,
            "seed {seed}: {} rendered, {:?}",
            site.rendered.len(),
            site.told
        );
        assert_eq!((site.above(), site.uncertain), (0, 0), "seed {seed}");
    }
}

#[test]
fn open_what_goes_above_a_cap_was_counted_as_uncertain() {
    let sites = (0..4).map(|seed| lived_through(Policy::Open, seed));
    for site in sites {
        assert!(site.uncertain > 0);
        assert!(site.above() <= site.uncertain, "{} above, {} uncertain", site.above(), site.uncertain);
    }
}
