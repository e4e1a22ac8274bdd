//! Which click an order belongs to: the one whose token it carries, else the buyer's last click within the window.
//!
//! A fold over one partition's entries in append order: clicks and orders of a viewer share a partition key, so no other
//! partition can know better. An order is attributed once; a copy of it gets the first answer for as long as the window
//! lasts, whether or not it brings a token.

use std::collections::{BTreeMap, VecDeque};

use litfass_types::{Duration, TenantId, Timestamp, UserHash};

use crate::event::Conversion;
use crate::token::Token;

/// A click that an order can still be attributed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Click {
    pub append_time: Timestamp,
    pub token: Token,
}

/// Whose an order is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attributed {
    /// It bills by this click's token.
    Click(Box<Token>),
    /// The same order was attributed before.
    Repeated(Option<Box<Token>>),
    /// Nothing led to it.
    Nobody,
}

type Viewer = (TenantId, UserHash);
type Order = (Viewer, String);

/// Last clicks and attributed orders of the window. Memory is bounded by what is appended within it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribution {
    window: Duration,
    clicks: BTreeMap<Viewer, Click>,
    orders: BTreeMap<Order, (Timestamp, Option<Box<Token>>)>,
    /// What to look at when time has passed, oldest first.
    click_queue: VecDeque<(Timestamp, Viewer)>,
    order_queue: VecDeque<(Timestamp, Order)>,
}

impl Attribution {
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self {
            window,
            clicks: BTreeMap::new(),
            orders: BTreeMap::new(),
            click_queue: VecDeque::new(),
            order_queue: VecDeque::new(),
        }
    }

    /// A click was appended. Clicks of nobody in particular can only be found by their token.
    pub fn click(&mut self, append_time: Timestamp, token: &Token) {
        self.forget(append_time);
        let Some(user) = token.user else { return };
        let viewer = (token.tenant, user);
        self.clicks.insert(viewer, Click { append_time, token: token.clone() });
        self.click_queue.push_back((append_time, viewer));
    }

    /// An order was appended.
    pub fn conversion(&mut self, append_time: Timestamp, conversion: &Conversion) -> Attributed {
        self.forget(append_time);
        let Some(user) = conversion.buyer() else {
            return conversion.click.clone().map_or(Attributed::Nobody, |token| Attributed::Click(Box::new(token)));
        };
        let viewer = (conversion.tenant, user);
        let order = (viewer, conversion.order_id.clone());
        if let Some((_, first)) = self.orders.get(&order) {
            return Attributed::Repeated(first.clone());
        }
        let token = conversion.click.clone().or_else(|| self.clicks.get(&viewer).map(|click| click.token.clone()));
        let token = token.map(Box::new);
        self.orders.insert(order.clone(), (append_time, token.clone()));
        self.order_queue.push_back((append_time, order));
        token.map_or(Attributed::Nobody, Attributed::Click)
    }

    /// Nothing of this viewer is left.
    pub fn erase(&mut self, tenant: TenantId, user: UserHash) {
        let viewer = (tenant, user);
        self.clicks.remove(&viewer);
        self.click_queue.retain(|(_, of)| *of != viewer);
        self.orders.retain(|(of, _), _| *of != viewer);
        self.order_queue.retain(|(_, (of, _))| *of != viewer);
    }

    /// Clicks held, for a snapshot.
    pub fn clicks(&self) -> impl Iterator<Item = &Click> {
        self.clicks.values()
    }

    /// Orders held, for a snapshot: whose, which, when appended, and the click they went to.
    pub fn orders(&self) -> impl Iterator<Item = (TenantId, UserHash, &str, Timestamp, Option<&Token>)> {
        let held = self.orders.iter();
        held.map(|(((tenant, user), id), (at, token))| (*tenant, *user, id.as_str(), *at, token.as_deref()))
    }

    /// From what `clicks` and `orders` gave, in any order.
    #[must_use]
    pub fn restored(
        window: Duration,
        clicks: Vec<Click>,
        orders: Vec<(TenantId, UserHash, String, Timestamp, Option<Token>)>,
    ) -> Self {
        let mut state = Self::new(window);
        for click in clicks {
            let Some(user) = click.token.user else { continue };
            let viewer = (click.token.tenant, user);
            state.click_queue.push_back((click.append_time, viewer));
            state.clicks.insert(viewer, click);
        }
        for (tenant, user, id, at, token) in orders {
            let order = ((tenant, user), id);
            state.order_queue.push_back((at, order.clone()));
            state.orders.insert(order, (at, token.map(Box::new)));
        }
        state.click_queue.make_contiguous().sort();
        state.order_queue.make_contiguous().sort();
        state
    }

    fn forget(&mut self, now: Timestamp) {
        let window = self.window;
        while let Some((at, viewer)) = self.click_queue.pop_front_if(|(at, _)| now - *at > window) {
            if self.clicks.get(&viewer).is_some_and(|click| click.append_time == at) {
                self.clicks.remove(&viewer);
            }
        }
        while let Some((_, order)) = self.order_queue.pop_front_if(|(at, _)| now - *at > window) {
            self.orders.remove(&order);
        }
    }
}
