//! In which order a viewer's items and categories are worth offering again.

use std::cmp::Reverse;

use litfass_features::{CategoryTally, ItemTally, Viewer};

/// Items by turns: what was bought (then clicked) most often, what was dealt with last. Each once, at most `max`.
pub(crate) fn items(viewer: &Viewer, max: usize) -> Vec<u64> {
    let most = order(&viewer.items, |t: &ItemTally| {
        (Reverse(t.purchases), Reverse(t.clicks), Reverse(t.last), Reverse(t.views), t.item)
    });
    let last = order(&viewer.items, |t: &ItemTally| (Reverse(t.last), Reverse(t.purchases), t.item));
    let mut offered = vec![false; viewer.items.len()];
    let by_turns = most.into_iter().zip(last).flat_map(|(a, b)| [a, b]);
    let fresh = by_turns.filter(|i| !std::mem::replace(&mut offered[*i], true));
    fresh.take(max).map(|i| viewer.items[i].item).collect()
}

/// Categories with the most interactions first, at most `max`.
pub(crate) fn categories(viewer: &Viewer, max: usize) -> Vec<u64> {
    let by_count =
        order(&viewer.categories, |t: &CategoryTally| (Reverse(t.interactions), Reverse(t.last), t.category));
    by_count.into_iter().take(max).map(|i| viewer.categories[i].category).collect()
}

/// Positions by key.
fn order<T, K: Ord>(tallies: &[T], key: impl Fn(&T) -> K) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..tallies.len()).collect();
    positions.sort_unstable_by_key(|i| key(&tallies[*i]));
    positions
}
