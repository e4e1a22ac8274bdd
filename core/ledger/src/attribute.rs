//! Which slice an order counts in: the one of the click whose token it carries, else of the buyer's last click within the
//! window.
//!
//! A viewer's clicks and orders share a partition and are taken in append order, whatever the batches, so reading the log again
//! gives the same figures. An order counts once for as long as its name is remembered; copies change nothing.

use std::collections::BTreeMap;

use litfass_types::{Position, Timestamp};

use crate::rollup::{Buyer, Facet, Figures, Forgotten, LastClick, Order, Quarter, Slice, Viewer};
use crate::rows::{Refused, Rows};
use crate::terms::Terms;

/// A click that was counted, an order, or a wish to be forgotten: what attribution goes through in append order.
#[derive(Debug)]
enum Step<'a> {
    Click(Viewer, Slice),
    Order(&'a Order),
    Forget(Viewer),
}

/// One batch's clicks and orders.
#[derive(Debug, Default)]
pub(crate) struct Journey<'a> {
    steps: BTreeMap<(Timestamp, Position), Step<'a>>,
}

impl<'a> Journey<'a> {
    pub(crate) fn click(&mut self, appended: Timestamp, position: Position, viewer: Viewer, slice: Slice) {
        self.steps.insert((appended, position), Step::Click(viewer, slice));
    }

    pub(crate) fn orders(&mut self, orders: &'a [Order]) {
        self.steps.extend(orders.iter().map(|order| ((order.appended, order.position), Step::Order(order))));
    }

    pub(crate) fn forget(&mut self, viewers: &[Forgotten]) {
        self.steps.extend(viewers.iter().map(|f| ((f.appended, f.position), Step::Forget(f.viewer))));
    }

    pub(crate) fn count(self, rows: &mut Rows, terms: &Terms) -> Result<(), Refused> {
        for ((appended, _), step) in self.steps {
            match step {
                Step::Click(viewer, slice) => *rows.clicks.slot(&viewer)? = Some(LastClick { appended, slice }),
                Step::Order(order) => count(rows, terms, order)?,
                Step::Forget(viewer) => *rows.clicks.slot(&viewer)? = None,
            }
        }
        Ok(())
    }
}

fn count(rows: &mut Rows, terms: &Terms, order: &Order) -> Result<(), Refused> {
    let seen = rows.orders.get(&order.id)?.is_some_and(|first| order.appended - *first <= terms.order_life);
    if seen {
        return Ok(());
    }
    *rows.orders.slot(&order.id)? = Some(order.appended);
    let Some(slice) = credited(rows, terms, order)? else { return Ok(()) };
    // Not before what led to it, and not in the future.
    let at = order.at.max(slice.facet.quarter.starts()).min(order.appended);
    let slice = Slice { facet: Facet { quarter: Quarter::of(at), ..slice.facet }, ..slice };
    let figures = Figures { conversions: 1, value_micros: order.value_micros.into(), ..Figures::default() };
    Ok(rows.rollup.deliver(slice, &figures)?)
}

fn credited(rows: &Rows, terms: &Terms, order: &Order) -> Result<Option<Slice>, Refused> {
    if order.click.is_some() {
        return Ok(order.click);
    }
    let Buyer::Viewer(viewer) = order.id.buyer else { return Ok(None) };
    let last = rows.clicks.get(&viewer)?.filter(|click| order.appended - click.appended <= terms.conversion_window);
    Ok(last.map(|click| click.slice))
}
