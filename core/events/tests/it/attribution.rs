use litfass_events::{ATTRIBUTION_WINDOW, Attributed, Attribution, Conversion, Token};
use litfass_types::{TenantId, Timestamp, UserHash};
use proptest::prelude::*;

use crate::{HOUR, decision, token, user};

#[derive(Clone, Debug)]
enum Step {
    Click(Token),
    Order(Conversion),
}

fn order(user: Option<UserHash>, click: Option<Token>, order_id: &str) -> Conversion {
    let (tenant, order_id) = (TenantId(1), order_id.to_owned());
    Conversion { tenant, user, click, order_id, value_micros: 1, items: Vec::new() }
}

fn step() -> impl Strategy<Value = Step> {
    let viewer = || prop::option::weighted(0.8, (0_u128..3).prop_map(user));
    let clicked = || {
        (0_i64..6, viewer(), 1_u64..3)
            .prop_map(|(n, user, tenant)| Token { tenant: TenantId(tenant), ..token(decision(n), 0, user) })
    };
    let orders = (viewer(), prop::option::weighted(0.3, clicked()), 0_u8..6);
    prop_oneof![
        clicked().prop_map(Step::Click),
        orders.prop_map(|(user, click, n)| Step::Order(order(user, click, &n.to_string()))),
    ]
}

/// Looks through everything that ever happened.
#[derive(Default)]
struct Twin {
    clicks: Vec<(Timestamp, Token)>,
    orders: Vec<(Timestamp, UserHash, String, Option<Token>)>,
}

impl Twin {
    fn order(&mut self, at: Timestamp, order: &Conversion) -> Attributed {
        let counts = |then: Timestamp| at - then <= ATTRIBUTION_WINDOW;
        let Some(buyer) = order.buyer() else {
            return order.click.clone().map_or(Attributed::Nobody, |token| Attributed::Click(Box::new(token)));
        };
        let mut before = self.orders.iter();
        if let Some((.., token)) =
            before.find(|(then, who, id, _)| counts(*then) && *who == buyer && *id == order.order_id)
        {
            return Attributed::Repeated(token.clone().map(Box::new));
        }
        let theirs = |token: &Token| token.user == Some(buyer) && token.tenant == order.tenant;
        let last = self.clicks.iter().rev().find(|(_, token)| theirs(token)).filter(|(then, _)| counts(*then));
        let token = order.click.clone().or_else(|| last.map(|(_, token)| token.clone()));
        self.orders.push((at, buyer, order.order_id.clone(), token.clone()));
        token.map_or(Attributed::Nobody, |token| Attributed::Click(Box::new(token)))
    }
}

proptest! {
    #[test]
    fn it_finds_what_looking_through_everything_finds(steps in prop::collection::vec((step(), 0_i64..60), 0..60), cut in 0_usize..60) {
        let (mut attribution, mut twin) = (Attribution::new(ATTRIBUTION_WINDOW), Twin::default());
        let mut now = Timestamp(0);
        for (i, (step, hours)) in steps.into_iter().enumerate() {
            now = Timestamp(now.0 + hours * HOUR);
            if i == cut {
                attribution = copied(&attribution);
            }
            match step {
                Step::Click(token) => {
                    attribution.click(now, &token);
                    twin.clicks.push((now, token));
                }
                Step::Order(order) => prop_assert_eq!(attribution.conversion(now, &order), twin.order(now, &order)),
            }
        }
    }
}

/// By way of what a snapshot keeps.
fn copied(attribution: &Attribution) -> Attribution {
    let orders = attribution.orders();
    let orders = orders.map(|(tenant, user, id, at, token)| (tenant, user, id.to_owned(), at, token.cloned()));
    Attribution::restored(ATTRIBUTION_WINDOW, attribution.clicks().cloned().collect(), orders.collect())
}

#[test]
fn an_order_goes_to_the_last_click_and_its_copy_to_the_same_though_another_click_came_between() {
    let mut attribution = Attribution::new(ATTRIBUTION_WINDOW);
    let (first, second) = (token(decision(1), 0, Some(user(1))), token(decision(2), 0, Some(user(1))));
    attribution.click(Timestamp(1), &first);
    let bought = order(Some(user(1)), None, "A");
    assert_eq!(attribution.conversion(Timestamp(2), &bought), Attributed::Click(Box::new(first.clone())));
    attribution.click(Timestamp(3), &second);
    assert_eq!(attribution.conversion(Timestamp(4), &bought), Attributed::Repeated(Some(Box::new(first))));
    let with_token = order(None, Some(second.clone()), "A");
    assert!(matches!(attribution.conversion(Timestamp(5), &with_token), Attributed::Repeated(_)));
    let another = order(Some(user(1)), None, "B");
    assert_eq!(attribution.conversion(Timestamp(6), &another), Attributed::Click(Box::new(second)));
}

#[test]
fn a_click_counts_for_the_whole_window_and_not_a_moment_longer() {
    let clicked = token(decision(0), 0, Some(user(1)));
    let at = |ms: i64, id: &str| {
        let mut attribution = Attribution::new(ATTRIBUTION_WINDOW);
        attribution.click(Timestamp(0), &clicked);
        attribution.conversion(Timestamp(ms), &order(Some(user(1)), None, id))
    };
    assert_eq!(at(ATTRIBUTION_WINDOW.0, "A"), Attributed::Click(Box::new(clicked.clone())));
    assert_eq!(at(ATTRIBUTION_WINDOW.0 + 1, "B"), Attributed::Nobody);
}

#[test]
fn what_the_window_left_behind_is_forgotten() {
    let mut attribution = Attribution::new(ATTRIBUTION_WINDOW);
    for n in 0..100 {
        attribution.click(Timestamp(0), &token(decision(0), 0, Some(user(n))));
        attribution.conversion(Timestamp(0), &order(Some(user(n)), None, "A"));
    }
    attribution.click(Timestamp(ATTRIBUTION_WINDOW.0 + 1), &token(decision(1), 0, None));
    assert_eq!((attribution.clicks().count(), attribution.orders().count()), (0, 0));
}
