//! Folds: what they make of the log, and that a restart, a damaged snapshot or a power cut makes no difference.
#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

mod caps;
mod restore;
pub(crate) mod shop;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use litfass_events::{DedupeKey, EventKind, Seen, Wish};
use litfass_features::InteractionKind;
use litfass_store::fold::{AdTotals, Fold, Viewers};
use litfass_store::log::{EventLog, NewEntry, Until};
use litfass_store::storage::{SimDisk, Storage, SyncSite, write_atomic};
use litfass_types::{AdId, Duration, EventId, Seed, TenantId};
use proptest::prelude::*;

use shop::{Folds, START, Shop, record, token, user};

const DAY: i64 = 86_400_000;

/// One thing that happens in the shop.
#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Decide { viewer: u8, ads: Vec<u64> },
    Deliver { decision: usize, slot: usize, kind: EventKind },
    View { viewer: u8, item: u64 },
    Order { viewer: u8, order: u8, items: Vec<u64> },
    Wish { viewer: u8, wish: Wish },
    CatchUp,
    Snapshot,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = prop::sample::select(vec![EventKind::Impression, EventKind::Viewable, EventKind::Click]);
    let items = || prop::collection::vec(9_000..9_040_u64, 0..4);
    prop_oneof![
        2 => prop_oneof![0..5_000_i64, 0..2 * DAY].prop_map(Step::Pass),
        4 => (0..4_u8, prop::collection::vec(0..300_u64, 0..4)).prop_map(|(viewer, ads)| Step::Decide { viewer, ads }),
        8 => (0..20_usize, 0..4_usize, kinds).prop_map(|(decision, slot, kind)| Step::Deliver { decision, slot, kind }),
        3 => (0..4_u8, 9_000..9_040_u64).prop_map(|(viewer, item)| Step::View { viewer, item }),
        3 => (0..4_u8, 0..6_u8, items()).prop_map(|(viewer, order, items)| Step::Order { viewer, order, items }),
        1 => (0..4_u8, prop::sample::select(Wish::ALL.to_vec())).prop_map(|(viewer, wish)| Step::Wish { viewer, wish }),
        2 => Just(Step::CatchUp),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Restart),
    ]
}

/// Does what the steps say; the folds are caught up in the end.
fn play(shop: &Shop, steps: &[Step]) -> Folds {
    let mut folds = Folds::new();
    let mut runner = folds.runner(shop);
    let mut decisions = Vec::new();
    for (number, step) in (0..).zip(steps) {
        match step {
            Step::Pass(ms) => shop.pass(*ms),
            Step::Decide { viewer, ads } => {
                decisions.push(record(number, user(*viewer), shop.now(), ads));
                shop.decide(&decisions[decisions.len() - 1]);
            }
            Step::Deliver { decision, slot, kind } => {
                let shown = decisions.get(*decision).filter(|decision| *slot < decision.shown.len());
                shown.inspect(|decision| assert!(shop.deliver(*kind, &token(decision, *slot))));
            }
            Step::View { viewer, item } => assert!(shop.view(user(*viewer), *item)),
            Step::Order { viewer, order, items } => assert!(shop.order(user(*viewer), &format!("o{order}"), items)),
            Step::Wish { viewer, wish } => assert!(shop.wish(number, user(*viewer), *wish)),
            Step::CatchUp => drop(runner.catch_up().unwrap()),
            Step::Snapshot => runner.snapshot().unwrap(),
            Step::Restart => {
                folds = Folds::new();
                runner = folds.runner(shop);
                assert_eq!(runner.progress().snapshots_refused(), 0);
            }
        }
    }
    runner.catch_up().unwrap();
    folds
}

/// Snapshot files, the newest last.
fn snapshots(disk: &SimDisk) -> Vec<PathBuf> {
    let dir = Path::new("/snapshots");
    disk.list(dir).unwrap().iter().map(|name| dir.join(name)).collect()
}

/// A shop with something of everything in its log, and two generations of snapshots.
fn busy_shop() -> Shop {
    let shop = Shop::open(&SimDisk::new());
    let folds = Folds::new();
    let mut runner = folds.runner(&shop);
    for round in 0..6_u8 {
        let decision = record(round.into(), user(round % 3), shop.now(), &[u64::from(round), 250]);
        shop.decide(&decision);
        shop.deliver(EventKind::Impression, &token(&decision, 0));
        shop.deliver(EventKind::Click, &token(&decision, 0));
        shop.view(user(round % 3), 9_001);
        shop.order(user(round % 3), &format!("o{round}"), &[9_001, 9_002]);
        shop.pass(DAY / 4);
        runner.catch_up().unwrap();
        if round % 2 == 0 {
            runner.snapshot().unwrap();
        }
    }
    shop
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn snapshots_and_restarts_make_no_difference(steps in prop::collection::vec(step(), 0..60)) {
        let shop = Shop::open(&SimDisk::new());
        let folds = play(&shop, &steps);
        prop_assert_eq!(folds.bytes(), Folds::from_scratch(&shop).bytes());
    }

    #[test]
    fn after_a_power_cut_the_folds_are_those_of_the_log_that_survived(
        steps in prop::collection::vec(step(), 10..40), cut in 20..400_u64, seed in any::<u64>(),
    ) {
        let disk = SimDisk::new();
        let shop = Shop::open(&disk);
        // Steps fail from the cut on; what the dying process holds then does not matter.
        disk.end_at(cut, Seed(seed));
        let dying = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(&shop, &steps)));
        drop((dying, shop));
        let shop = Shop::open(&disk.after_power_loss(Seed(seed)));
        let folds = Folds::new();
        let mut runner = folds.runner(&shop);
        runner.catch_up().unwrap();
        prop_assert_eq!(runner.progress().snapshots_refused(), 0, "a snapshot is there whole or not at all");
        prop_assert_eq!(folds.bytes(), Folds::from_scratch(&shop).bytes());
    }
}

#[test]
fn a_snapshot_whose_bytes_were_not_synced_is_noticed_after_a_power_cut() {
    let torn = (0..40).filter(|seed| {
        let disk = SimDisk::new();
        let shop = Shop::open(&disk);
        disk.leave_out(SyncSite::WholeFile);
        let folds = Folds::new();
        let mut runner = folds.runner(&shop);
        (0..30).for_each(|item| assert!(shop.view(user(1), item)));
        runner.catch_up().unwrap();
        runner.snapshot().unwrap();
        let shop = Shop::open(&disk.after_power_loss(Seed(*seed)));
        let folds = Folds::new();
        let mut runner = folds.runner(&shop);
        runner.catch_up().unwrap();
        assert_eq!(folds.bytes(), Folds::from_scratch(&shop).bytes());
        runner.progress().snapshots_refused() > 0
    });
    assert!(torn.count() > 0);
}

#[test]
fn every_fold_restores_what_it_wrote() {
    let shop = busy_shop();
    for (fold, fresh) in Folds::from_scratch(&shop).all().iter().zip(Folds::new().all()) {
        let bytes = fold.snapshot();
        assert_eq!(fresh.restore(&bytes), Ok(()), "{}", fold.name());
        assert_eq!(fresh.snapshot(), bytes, "{}", fold.name());
        for end in 0..bytes.len() {
            assert!(fresh.restore(&bytes[..end]).is_err(), "{} cut at {end}", fold.name());
        }
        fresh.clear();
        assert_eq!(fresh.snapshot(), Folds::new().all().iter().find(|f| f.name() == fold.name()).unwrap().snapshot());
    }
}

#[test]
fn a_restart_reads_only_what_came_after_the_snapshot() {
    let shop = busy_shop();
    let all = Folds::new().runner_in(&shop, "/nothing").catch_up().unwrap();
    let tail = Folds::new().runner(&shop).catch_up().unwrap();
    assert_eq!((all, tail), (30, 5));
}

#[test]
fn a_snapshot_damaged_anywhere_is_refused_and_the_one_before_it_used() {
    let shop = busy_shop();
    let newest = snapshots(&shop.disk).pop().unwrap();
    let (bytes, expected) = (shop.disk.bytes(&newest).unwrap(), Folds::from_scratch(&shop).bytes());
    let damaged = (0..bytes.len()).step_by(7).map(|at| {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        flipped
    });
    let cut = (0..bytes.len()).step_by(11).map(|at| bytes[..at].to_vec());
    for bytes in damaged.chain(cut) {
        shop.disk.put(&newest, bytes);
        let folds = Folds::new();
        let mut runner = folds.runner(&shop);
        assert_eq!(runner.progress().snapshots_refused(), 1);
        assert_eq!(runner.catch_up().unwrap(), 15, "from the generation before");
        assert_eq!(folds.bytes(), expected);
    }
}

#[test]
fn without_any_sound_snapshot_everything_is_built_from_the_log() {
    let shop = busy_shop();
    let expected = Folds::from_scratch(&shop).bytes();
    for path in snapshots(&shop.disk) {
        shop.disk.put(&path, b"LFFOLDS1 and nothing sound".to_vec());
    }
    let folds = Folds::new();
    let mut runner = folds.runner(&shop);
    assert_eq!((runner.progress().snapshots_refused(), runner.catch_up().unwrap()), (2, 30));
    assert_eq!(folds.bytes(), expected);
}

#[test]
fn a_snapshot_ahead_of_the_log_is_that_of_another_log() {
    let busy = busy_shop();
    let fresh = SimDisk::new();
    fresh.make_dir(Path::new("/snapshots")).unwrap();
    let newest = snapshots(&busy.disk).pop().unwrap();
    write_atomic(&fresh, &newest, &busy.disk.bytes(&newest).unwrap()).unwrap();
    let shop = Shop::open(&fresh);
    let folds = Folds::new();
    assert_eq!(folds.runner(&shop).progress().snapshots_refused(), 1);
    assert!(folds.viewers.is_empty());
}

#[test]
fn two_generations_are_kept() {
    assert_eq!(snapshots(&busy_shop().disk).len(), 2);
}

#[test]
fn an_event_that_is_in_the_log_twice_counts_once() {
    let shop = Shop::open(&SimDisk::new());
    let decision = record(1, user(1), START, &[7]);
    let shown = token(&decision, 0);
    for _ in 0..3 {
        assert!(shop.deliver(EventKind::Impression, &shown) && shop.deliver(EventKind::Click, &shown));
        assert!(shop.view(user(1), 5) && shop.order(user(1), "o1", &[5]));
    }
    let folds = Folds::new();
    let mut runner = folds.runner(&shop);
    runner.catch_up().unwrap();
    let signals = folds.signals.at(shop.now());
    assert_eq!(signals.ads, [(AdId(7), AdTotals { impressions: 1, clicks: 1, purchases: 1 })]);
    assert_eq!(signals.shops[&TenantId(1)].popularity_30d.count(5), 1);
    let viewer = folds.viewers.viewer(user(1), shop.now() + Duration(1)).unwrap();
    assert_eq!((viewer.interactions, viewer.purchases), (3, 1));
    let key = |kind| DedupeKey::Slot { decision: decision.id, slot: 0, kind };
    let seen = runner.seen_events();
    assert_eq!((seen.look(key(EventKind::Click)), seen.look(key(EventKind::Viewable))), (Seen::Repeated, Seen::First));
}

#[test]
fn an_erased_viewer_is_as_one_who_never_came() {
    let (shop, control) = (Shop::open(&SimDisk::new()), Shop::open(&SimDisk::new()));
    let decision = record(1, user(1), START, &[7]);
    shop.decide(&decision);
    shop.deliver(EventKind::Click, &token(&decision, 0));
    shop.view(user(1), 5);
    shop.wish(1, user(1), Wish::Erase);
    shop.pass(1_000);
    control.pass(1_000);
    for shop in [&shop, &control] {
        shop.view(user(2), 6);
        shop.order(user(1), "o1", &[9_007]);
    }
    let (erased, control) = (Folds::from_scratch(&shop), Folds::from_scratch(&control));
    assert_eq!(erased.viewers.snapshot(), control.viewers.snapshot());
    assert_eq!(erased.caps.snapshot(), control.caps.snapshot());
    assert_eq!(erased.signals.at(shop.now()).ads[0].1.purchases, 0, "no click of theirs is left to buy from");
    assert!(erased.choices.is_forgotten(user(1), decision.id) && !erased.choices.has_opted_out(user(1)));
    shop.wish(2, user(1), Wish::OptOut);
    assert!(Folds::from_scratch(&shop).choices.has_opted_out(user(1)));
    shop.wish(3, user(1), Wish::OptIn);
    assert!(!Folds::from_scratch(&shop).choices.has_opted_out(user(1)));
}

#[test]
fn a_viewer_is_known_by_what_happened_before_and_not_now() {
    let shop = Shop::open(&SimDisk::new());
    let decision = record(1, user(1), START, &[7]);
    shop.deliver(EventKind::Impression, &token(&decision, 0));
    shop.pass(1_000);
    shop.deliver(EventKind::Click, &token(&decision, 0));
    let folds = Folds::from_scratch(&shop);
    assert_eq!(folds.viewers.viewer(user(1), shop.now()).unwrap().interactions, 0);
    let viewer = folds.viewers.viewer(user(1), shop.now() + Duration(1)).unwrap();
    assert_eq!(viewer.recent.iter().map(|i| (i.kind, i.item)).collect::<Vec<_>>(), [(InteractionKind::Click, 9_007)]);
    assert_eq!(folds.viewers.viewer(user(2), shop.now()), None);
}

#[test]
fn more_viewers_than_allowed_are_forgotten_oldest_first() {
    let shop = Shop::open(&SimDisk::new());
    let viewer = |n: u8| litfass_types::UserHash { key_version: 1, hash: u128::from(n) << 8 };
    for n in 1..=5 {
        shop.view(viewer(n), 1);
        shop.pass(10);
    }
    let mut folds = Folds::new();
    folds.viewers = Arc::new(Viewers::new(2 * 64));
    folds.runner_in(&shop, "/nothing").catch_up().unwrap();
    let known = |n: u8| folds.viewers.viewer(viewer(n), shop.now()).is_some();
    assert_eq!((known(1), known(3), known(4), known(5)), (false, false, true, true));
}

#[test]
fn an_ads_counts_fade_by_half_in_a_month() {
    let shop = Shop::open(&SimDisk::new());
    for number in 0..1_000 {
        let decision = record(number, user(1), shop.now(), &[7]);
        shop.deliver(EventKind::Impression, &token(&decision, 0));
    }
    let folds = Folds::from_scratch(&shop);
    let impressions =
        |days| folds.signals.at(START + Duration::days(days)).ads.first().map_or(0, |(_, n)| n.impressions);
    assert_eq!((impressions(0), impressions(30), impressions(60)), (1_000, 500, 250));
    assert_eq!((impressions(1_000), impressions(3_000)), (0, 0));
}

#[test]
fn an_entry_that_cannot_be_decoded_is_counted_and_the_rest_goes_on() {
    let shop = Shop::open(&SimDisk::new());
    let nonsense = NewEntry { partition: 0, id: EventId(1), payload: Bytes::from_static(b"\xff\xff") };
    shop.log.append(vec![nonsense], Until::Committed).wait().remove(0).unwrap();
    shop.view(user(1), 1);
    let folds = Folds::new();
    let mut runner = folds.runner(&shop);
    runner.catch_up().unwrap();
    assert_eq!((runner.progress().undecodable(), folds.viewers.len()), (1, 1));
}

#[test]
fn a_running_thread_keeps_up_and_leaves_a_snapshot_when_it_is_stopped() {
    let shop = Shop::open(&SimDisk::new());
    let folds = Folds::new();
    let runner = folds.runner(&shop);
    let progress = runner.progress();
    let thread = runner.spawn().unwrap();
    for item in 0..50 {
        shop.view(user(1), item);
        while progress.entries() <= item {
            std::thread::yield_now();
        }
    }
    thread.stop();
    assert_eq!(progress.lag(), 0);
    let again = Folds::new();
    assert_eq!(again.runner(&shop).catch_up().unwrap(), 0);
    assert_eq!(again.bytes(), folds.bytes());
}

#[test]
fn what_was_on_its_way_when_somebody_opted_out_leaves_no_trace() {
    let shop = Shop::open(&SimDisk::new());
    let (folds, decision) = (Folds::new(), record(1, user(1), START, &[7]));
    let mut runner = folds.runner(&shop);
    shop.wish(1, user(1), Wish::OptOut);
    shop.decide(&decision);
    shop.deliver(EventKind::Click, &token(&decision, 0));
    shop.view(user(1), 5);
    shop.order(user(1), "o1", &[9_007]);
    shop.view(user(2), 5);
    runner.catch_up().unwrap();
    assert_eq!((folds.viewers.len(), folds.caps.len()), (1, 0), "only the other one is known");
    shop.wish(2, user(1), Wish::OptIn);
    shop.pass(1_000);
    shop.view(user(1), 5);
    runner.catch_up().unwrap();
    assert_eq!(folds.viewers.len(), 2);
}
