//! The viewer's profile against a naive twin that keeps everything.

use litfass_features::{
    BrokenProfile, CATEGORIES_MAX, ITEMS_MAX, Interaction, InteractionKind, RECENT_MAX, Viewer, ViewerProfile,
};
use litfass_types::Timestamp;
use proptest::prelude::*;

fn interaction(time: i64, kind: InteractionKind, item: u64, category: u64) -> Interaction {
    Interaction { time: Timestamp(time), kind, item, category }
}

fn kinds() -> impl Strategy<Value = InteractionKind> {
    prop_oneof![Just(InteractionKind::View), Just(InteractionKind::Click), Just(InteractionKind::Purchase)]
}

/// In time order, with several of one instant.
fn histories() -> impl Strategy<Value = Vec<Interaction>> {
    prop::collection::vec((0_i64..40, kinds(), 0_u64..9, 0_u64..5), 0..120).prop_map(|mut drawn| {
        drawn.sort_by_key(|(time, ..)| *time);
        drawn.into_iter().map(|(time, kind, item, category)| interaction(time, kind, item, category)).collect()
    })
}

fn folded(history: &[Interaction]) -> ViewerProfile {
    let mut profile = ViewerProfile::default();
    history.iter().for_each(|i| profile.apply(*i));
    profile
}

/// What the profile must say as of `t`, worked out from the whole history.
fn assert_says(viewer: &Viewer, history: &[Interaction], t: i64) {
    let before: Vec<&Interaction> = history.iter().filter(|i| i.time.0 < t).collect();
    let times = |item: u64, kind| before.iter().filter(|i| i.item == item && i.kind == kind).count();
    for item in 1..9 {
        let found = viewer.item(item).map_or((0, 0, 0), |t| (t.views, t.clicks, t.purchases));
        let expected =
            [InteractionKind::View, InteractionKind::Click, InteractionKind::Purchase].map(|k| times(item, k));
        assert_eq!([found.0, found.1, found.2].map(|n| n as usize), expected, "item {item}");
        let last = before.iter().filter(|i| i.item == item).map(|i| i.time).max();
        assert_eq!(viewer.item(item).map(|t| t.last), last);
    }
    for category in 1..5 {
        let expected = before.iter().filter(|i| i.category == category).count();
        assert_eq!(viewer.category(category).map_or(0, |t| t.interactions as usize), expected, "category {category}");
    }
    let mut orders: Vec<i64> =
        before.iter().filter(|i| i.kind == InteractionKind::Purchase).map(|i| i.time.0).collect();
    orders.dedup();
    assert_eq!((viewer.orders as usize, viewer.last_order), (orders.len(), orders.last().map(|t| Timestamp(*t))));
    for tally in viewer.items.iter().filter(|t| t.purchases > 0) {
        let of_item = |i: &&&Interaction| i.item == tally.item && i.kind == InteractionKind::Purchase;
        let ordinal = |i: &Interaction| (1..).zip(&orders).find(|(_, t)| **t == i.time.0).map(|(n, _)| n);
        assert_eq!(Some(tally.first_order), before.iter().find(of_item).and_then(|i| ordinal(i)));
        assert_eq!(Some(tally.last_order), before.iter().rev().find(of_item).and_then(|i| ordinal(i)));
    }
    let tail: Vec<Interaction> = before[before.len().saturating_sub(RECENT_MAX)..].iter().map(|i| **i).collect();
    assert_eq!(viewer.recent, tail);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn as_of_any_instant_it_says_what_the_whole_history_says(history in histories(), later in 0_i64..3) {
        for at in 0..history.len() {
            let known = &history[..=at];
            let t = history[at].time.0 + later;
            assert_says(&folded(known).as_of(Timestamp(t)), known, t);
        }
    }

    #[test]
    fn every_history_gives_a_profile_that_holds_together(history in histories()) {
        prop_assert_eq!(folded(&history).check(), Ok(()));
    }

    #[test]
    fn late_interactions_are_counted(mut history in histories(), late in 0_usize..120) {
        prop_assume!(!history.is_empty());
        let moved = history.remove(late % history.len());
        history.push(moved);
        let viewer = folded(&history).as_of(Timestamp(1_000));
        prop_assert_eq!(viewer.interactions as usize, history.len());
        prop_assert!(viewer.recent.is_sorted_by_key(|i| i.time));
        let of_item = history.iter().filter(|i| i.item == moved.item && moved.item != 0).count();
        let counted = viewer.item(moved.item).map_or(0, |t| t.views + t.clicks + t.purchases);
        prop_assert_eq!(counted as usize, of_item);
    }
}

#[test]
fn what_happens_at_an_instant_is_not_known_at_it() {
    let profile = folded(&[interaction(5, InteractionKind::Purchase, 1, 1)]);
    assert!(!profile.as_of(Timestamp(5)).is_known());
    assert!(profile.as_of(Timestamp(6)).is_known());
}

#[test]
fn a_new_item_drives_out_the_least_recent_of_the_least_bought() {
    let mut profile = folded(&[interaction(0, InteractionKind::Purchase, 1_000_000, 0)]);
    for n in 1..=ITEMS_MAX as u64 {
        profile.apply(interaction(n as i64, InteractionKind::View, n, n));
    }
    let viewer = profile.as_of(Timestamp(i64::MAX));
    assert_eq!((viewer.items.len(), viewer.categories.len()), (ITEMS_MAX, CATEGORIES_MAX));
    assert!(viewer.item(1_000_000).is_some(), "what was bought stays");
    assert!(viewer.item(1).is_none(), "the oldest view goes");
    assert!(viewer.item(ITEMS_MAX as u64).is_some(), "the newest is in");
}

#[test]
fn a_damaged_snapshot_is_named() {
    let mut profile =
        folded(&[interaction(1, InteractionKind::View, 2, 1), interaction(2, InteractionKind::View, 1, 1)]);
    profile.apply(interaction(3, InteractionKind::View, 1, 1));
    profile.settled.items.reverse();
    assert_eq!(profile.check(), Err(BrokenProfile::OutOfOrder("items")));
    profile.settled.items.clear();
    profile.settled.recent = vec![interaction(0, InteractionKind::View, 1, 1); RECENT_MAX + 1];
    assert_eq!(profile.check(), Err(BrokenProfile::TooLong("recent")));
}
