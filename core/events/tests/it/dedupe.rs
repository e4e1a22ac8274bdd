use std::collections::BTreeSet;

use litfass_events::{Dedupe, DedupeKey, EventKind, Seen};
use litfass_types::{DecisionId, EventId, Timestamp};
use proptest::prelude::*;

use crate::{HOUR, decision};

const DAY: i64 = 24 * HOUR;

#[derive(Clone, Debug)]
enum Step {
    Take(DedupeKey),
    Drop(Timestamp),
}

fn key() -> impl Strategy<Value = DedupeKey> {
    let kind = prop::sample::select(vec![EventKind::Impression, EventKind::Viewable, EventKind::Click]);
    prop_oneof![
        3 => (0_i64..120, 0_u8..3, kind).prop_map(|(n, slot, kind)| DedupeKey::Slot { decision: decision(n), slot, kind }),
        1 => (0_i64..120, 0_u128..4).prop_map(|(n, id)| DedupeKey::Order { decision: decision(n), id: EventId(id) }),
        1 => (0_i64..120, 0_u128..4).prop_map(|(n, id)| DedupeKey::Loose { at: Timestamp(n * HOUR), id: EventId(id + 9) }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => key().prop_map(Step::Take),
        1 => (0_i64..120).prop_map(|n| Step::Drop(Timestamp(n * HOUR))),
    ]
}

/// Remembers everything in one set, forgets nothing, and says `Expired` by comparing days.
#[derive(Default)]
struct Twin {
    seen: BTreeSet<(i64, String)>,
    first_day: i64,
}

impl Twin {
    fn take(&mut self, key: DedupeKey) -> Seen {
        let day = key.time().0 / DAY;
        let name = match key {
            DedupeKey::Slot { decision, slot, kind } => format!("{decision} {slot} {}", kind.name()),
            DedupeKey::Order { id, .. } | DedupeKey::Loose { id, .. } => id.to_string(),
        };
        if day < self.first_day {
            Seen::Expired
        } else if self.seen.insert((day, name)) {
            Seen::First
        } else {
            Seen::Repeated
        }
    }
}

proptest! {
    #[test]
    fn it_says_what_a_set_that_forgets_nothing_would_say(steps in prop::collection::vec(step(), 0..200)) {
        let (mut dedupe, mut twin) = (Dedupe::default(), Twin::default());
        for step in steps {
            match step {
                Step::Take(key) => {
                    let looked = dedupe.look(key);
                    prop_assert_eq!(looked, dedupe.take(key));
                    prop_assert_eq!(looked, twin.take(key));
                }
                Step::Drop(horizon) => {
                    dedupe.drop_before(horizon);
                    twin.first_day = twin.first_day.max(horizon.0 / DAY);
                }
            }
        }
    }

    #[test]
    fn its_keys_make_it_again(keys in prop::collection::vec(key(), 0..100), horizon in 0_i64..120) {
        let mut dedupe = Dedupe::default();
        keys.iter().for_each(|key| { dedupe.take(*key); });
        dedupe.drop_before(Timestamp(horizon * HOUR));
        let mut again = Dedupe::default();
        again.drop_before(dedupe.horizon());
        dedupe.keys().for_each(|key| { again.take(key); });
        prop_assert_eq!(&again, &dedupe);
        prop_assert_eq!(dedupe.keys().count() == 0, dedupe.is_empty());
    }
}

#[test]
fn a_dropped_day_takes_its_memory_with_it_and_never_comes_back() {
    let mut dedupe = Dedupe::default();
    let old = DedupeKey::Loose { at: Timestamp(DAY - 1), id: EventId(1) };
    let new = DedupeKey::Loose { at: Timestamp(DAY), id: EventId(2) };
    assert_eq!((dedupe.take(old), dedupe.take(new), dedupe.len()), (Seen::First, Seen::First, 2));
    dedupe.drop_before(Timestamp(DAY));
    dedupe.drop_before(Timestamp(0));
    assert_eq!((dedupe.take(old), dedupe.take(new), dedupe.len()), (Seen::Expired, Seen::Repeated, 1));
}

#[test]
fn beyond_its_maximum_the_oldest_keys_go_first_and_no_day_is_refused_for_it() {
    let (mut dedupe, kind) = (Dedupe::default(), EventKind::Impression);
    let slot = |hour: i64| DedupeKey::Slot { decision: DecisionId::new(Timestamp(hour * HOUR), 0, 7), slot: 0, kind };
    for hour in [50, 3, 30, 4] {
        assert_eq!(dedupe.take(slot(hour)), Seen::First);
    }
    dedupe.keep(2);
    assert_eq!(dedupe.len(), 2);
    let seen = [3, 4, 30, 50].map(|hour| dedupe.look(slot(hour)));
    assert_eq!(seen, [Seen::First, Seen::First, Seen::Repeated, Seen::Repeated]);
    assert_eq!(dedupe.take(slot(3)), Seen::First, "taken for new rather than refused");
    dedupe.keep(0);
    assert!(dedupe.is_empty());
}
