use litfass_events::{Billable, EventKind, Token};
use litfass_types::{Price, Timestamp, Unit};

use crate::{decision, token};

#[test]
fn exactly_one_kind_of_event_bills_whatever_the_price_is_paid_for() {
    let cases = [
        (Unit::Mille, Billable::Impression, EventKind::Impression),
        (Unit::Mille, Billable::Viewable, EventKind::Viewable),
        (Unit::Click, Billable::Impression, EventKind::Click),
        (Unit::Click, Billable::Viewable, EventKind::Click),
        (Unit::Action, Billable::Impression, EventKind::Conversion),
    ];
    for (per, billable, bills) in cases {
        let mut token = token(decision(1), 0, None);
        (token.price, token.billable) = (Price { micros: 1, per }, billable);
        let billing: Vec<_> = EventKind::ALL.into_iter().filter(|kind| token.bills(*kind)).collect();
        assert_eq!(billing, [bills]);
    }
}

#[test]
fn the_last_instant_of_a_hold_and_of_a_token_still_counts() {
    let token = token(decision(1), 0, None);
    let after = |at: Timestamp| Timestamp(at.0 + 1);
    assert!(token.is_held(token.hold_expires) && !token.is_held(after(token.hold_expires)));
    assert!(!token.is_expired(token.expires) && token.is_expired(after(token.expires)));
}

#[test]
fn every_kind_has_a_name_and_a_number_of_its_own() {
    for kind in EventKind::ALL {
        assert_eq!(EventKind::parse(kind.name()), Some(kind));
        assert_eq!(EventKind::from_number(kind.number()), Some(kind));
    }
    assert_eq!((EventKind::parse("hover"), EventKind::from_number(0)), (None, None));
}

#[test]
fn what_was_shown_to_anything_but_people_never_bills() {
    for traffic in litfass_types::Traffic::ALL.iter().filter(|class| !class.counts()) {
        let token = Token { traffic: *traffic, ..token(decision(1), 0, None) };
        assert!(EventKind::ALL.into_iter().all(|kind| !token.bills(kind)), "{traffic:?}");
    }
}
