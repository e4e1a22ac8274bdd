use std::collections::BTreeMap;

use litfass_events::{Conversion, EventKind, ItemView, conversion_id, delivery_id, heartbeat_id, named_id, view_id};
use litfass_types::{DecisionId, EventId, TenantId, Timestamp};
use proptest::prelude::*;

use crate::{decision, token, user};

fn order(order_id: &str) -> Conversion {
    Conversion {
        tenant: TenantId(1),
        user: Some(user(1)),
        click: None,
        order_id: order_id.to_owned(),
        value_micros: 5,
        items: Vec::new(),
    }
}

#[test]
fn ids_are_those_of_every_earlier_version() {
    let click = delivery_id(DecisionId(7), 2, EventKind::Click);
    assert_eq!(click.to_string(), "690773239a64555d571be8a190e8972a");
    assert_eq!(conversion_id(&order("A-1")).to_string(), "fbc21f6181c9192b72e08abc27443d96");
}

#[test]
fn what_differs_in_anything_that_names_it_has_another_id() {
    let view = ItemView { tenant: TenantId(1), user: user(1), item: 3, category: None };
    let with_click = Conversion { click: Some(token(decision(1), 0, None)), ..order("A-1") };
    let with_another = Conversion { click: Some(token(decision(1), 1, None)), ..order("A-1") };
    let ids = [
        delivery_id(decision(1), 0, EventKind::Impression),
        delivery_id(decision(1), 0, EventKind::Click),
        delivery_id(decision(1), 1, EventKind::Click),
        delivery_id(decision(2), 1, EventKind::Click),
        conversion_id(&order("A-1")),
        conversion_id(&order("A-2")),
        conversion_id(&Conversion { user: Some(user(2)), ..order("A-1") }),
        conversion_id(&Conversion { user: None, ..order("A-1") }),
        conversion_id(&Conversion { tenant: TenantId(2), ..order("A-1") }),
        conversion_id(&with_click),
        conversion_id(&with_another),
        view_id(&view, Timestamp(1)),
        view_id(&view, Timestamp(2)),
        view_id(&ItemView { item: 4, ..view.clone() }, Timestamp(1)),
        heartbeat_id(0, 1),
        heartbeat_id(1, 0),
        named_id("pacing", b"1"),
        named_id("pacing1", b""),
    ];
    let distinct: BTreeMap<EventId, usize> = ids.iter().enumerate().map(|(i, id)| (*id, i)).collect();
    assert_eq!(distinct.len(), ids.len());
}

proptest! {
    #[test]
    fn a_copy_has_the_same_id_whatever_else_it_says(value in any::<i64>(), quantity in any::<u32>()) {
        let mut copy = order("A-1");
        copy.value_micros = value;
        copy.items.push(litfass_events::Purchased { item: 1, category: None, quantity });
        prop_assert_eq!(conversion_id(&copy), conversion_id(&order("A-1")));
    }
}
