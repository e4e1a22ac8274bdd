//! Training rows from the log: every product bought, every product of the customer's history, a sample of the rest.

use litfass_features::AdRows;
use litfass_types::{Seed, Timestamp};

use super::replay::{Basket, Log, State};
use crate::examples::{Examples, Label};

/// Of the products that were neither bought nor known to the customer, one in so many is kept and stands for as many.
pub(super) const KEPT_ONE_IN: u64 = 30;

/// Examples of all baskets before `cut`.
#[must_use]
pub(super) fn examples(log: &Log, cut: Timestamp, seed: Seed) -> Examples {
    let mut examples = Examples::default();
    State::replay(log, |state, basket| {
        if basket.time < cut && !state.pool().is_empty() {
            let request = examples.requests() as u64;
            push(&mut examples, state, basket, seed.derive(request));
        }
    });
    examples
}

fn push(examples: &mut Examples, state: &State<'_>, basket: &Basket, seed: Seed) {
    let moment = state.moment(basket);
    let kept = |product: usize| -> Option<(usize, bool, f32)> {
        let bought = basket.has(product);
        if bought || state.bought(basket).contains_key(&product) {
            return Some((product, bought, 1.0));
        }
        let drawn = seed.derive(product as u64).below(KEPT_ONE_IN) == 0;
        #[expect(clippy::cast_precision_loss, reason = "a small constant")]
        drawn.then_some((product, false, KEPT_ONE_IN as f32))
    };
    let rows: Vec<_> = state.pool().iter().filter_map(|p| kept(*p)).collect();
    let facts = rows.iter().map(|(product, ..)| state.facts(*product));
    let columns = AdRows::last_phase(state.feature_set(), basket.time, &moment.viewer, facts);
    examples.push_request(basket.time, moment.block);
    for (row, (_, bought, weight)) in rows.iter().enumerate() {
        let label = Label { slot: 0, click: *bought, conversion: *bought, weight: *weight };
        let pushed = examples.push_row(columns.numbers_of(row), columns.ids_of(row), label);
        debug_assert!(pushed.is_ok(), "rows made here have the columns of the set");
    }
}
