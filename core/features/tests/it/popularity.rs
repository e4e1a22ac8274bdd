//! The sliding window against a count over the whole history.

use litfass_features::Popularity;
use litfass_types::Timestamp;
use proptest::prelude::*;

const DAY: i64 = 86_400_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_window_is_what_lies_in_its_days(
        mut orders in prop::collection::vec((0_i64..60 * DAY, prop::collection::btree_set(0_u64..6, 0..4)), 0..60),
        days in 1_u16..12,
        wait in 0_i64..20 * DAY,
    ) {
        orders.sort();
        let mut window = Popularity::new(days);
        for (time, items) in &orders {
            window.add(Timestamp(*time), items.iter().copied());
        }
        let now = orders.last().map_or(0, |(time, _)| *time) + wait;
        window.advance(Timestamp(now));
        let first = (now / DAY - i64::from(days)) * DAY;
        let inside: Vec<_> = orders.iter().filter(|(time, _)| *time >= first).collect();
        prop_assert_eq!(window.orders() as usize, inside.len());
        for item in 0..6 {
            let expected = inside.iter().filter(|(_, items)| items.contains(&item)).count();
            prop_assert_eq!(window.count(item) as usize, expected, "item {}", item);
        }
        prop_assert!(window.counts().all(|(_, n)| n > 0));
    }
}

#[test]
fn a_late_order_counts_where_its_day_is_still_in_the_window() {
    let mut window = Popularity::new(7);
    window.add(Timestamp(20 * DAY), [1]);
    window.add(Timestamp(14 * DAY), [2]);
    window.add(Timestamp(12 * DAY), [3]);
    assert_eq!((window.count(1), window.count(2), window.count(3), window.orders()), (1, 1, 0, 2));
}
