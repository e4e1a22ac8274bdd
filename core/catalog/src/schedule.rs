//! Which line items are in flight, worked out once for a stretch of time instead of once per request.

use litfass_types::{CatalogVersion, Timestamp};

use crate::bitset::Bitset;
use crate::catalog::{Catalog, Layout};

/// The line items of one catalog that are in flight from `from` until just before `until`: exact to the millisecond, because
/// no flight of the catalog begins or ends in between.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    pub(crate) of: (CatalogVersion, Layout),
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) running: Bitset,
}

impl Schedule {
    /// The schedule that is in force at `now`.
    #[must_use]
    pub fn at(catalog: &Catalog, now: Timestamp) -> Self {
        let mut schedule = Self {
            of: (catalog.version, catalog.layout),
            from: Timestamp(i64::MIN),
            until: Timestamp(i64::MAX),
            running: Bitset::new(catalog.line_items() as usize),
        };
        for (line_item, flight) in catalog.flights() {
            if flight.contains(now) {
                schedule.running.insert(line_item.0);
            }
            schedule.narrow(flight.start, now);
            schedule.narrow(flight.end, now);
        }
        schedule
    }

    /// Whether it says for this catalog what runs at `now`.
    #[must_use]
    pub fn covers(&self, catalog: &Catalog, now: Timestamp) -> bool {
        self.of == (catalog.version, catalog.layout) && self.from <= now && now < self.until
    }

    /// From when until just before when it holds.
    #[must_use]
    pub const fn validity(&self) -> (Timestamp, Timestamp) {
        (self.from, self.until)
    }

    fn narrow(&mut self, edge: Timestamp, now: Timestamp) {
        if edge <= now {
            self.from = self.from.max(edge);
        } else {
            self.until = self.until.min(edge);
        }
    }
}
