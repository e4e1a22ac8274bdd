//! The shop as a whole: everything that follows from a seed and a size.

use std::collections::BTreeMap;

use litfass_types::Timestamp;
use serde_json::Value;

use crate::catalog;
use crate::demand::{self, Demand, Subject};
use crate::goods::{self, Item, Seller};
use crate::shoppers::{self, Shopper};

/// How much of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Sellers that advertise; at most 168, so many names there are.
    pub advertisers: u32,
    pub campaigns: u32,
    pub items: u32,
    /// Sponsored items; a few banners come on top.
    pub ads: u32,
    pub shoppers: u32,
}

impl Size {
    /// What `litfass demo` opens.
    pub const DEMO: Self = Self { advertisers: 12, campaigns: 30, items: 1_200, ads: 2_000, shoppers: 2_400 };
    /// Small enough for a test that loads and serves it in a second.
    pub const SMALL: Self = Self { advertisers: 4, campaigns: 8, items: 120, ads: 160, shoppers: 120 };
}

/// A seeded shop with its goods, its advertisers' campaigns and its shoppers.
#[derive(Debug)]
pub struct Shop {
    pub seed: u64,
    pub sellers: Vec<Seller>,
    pub items: Vec<Item>,
    pub shoppers: Vec<Shopper>,
    pub(crate) demand: Demand,
    subjects: BTreeMap<u64, Subject>,
}

impl Shop {
    /// The tenant that owns everything in the catalog file.
    pub const TENANT: u64 = 1;

    /// The same seed and size give the same shop.
    #[must_use]
    pub fn new(seed: u64, size: Size) -> Self {
        let advertisers = usize::try_from(size.advertisers.clamp(1, 168)).unwrap_or(1);
        let sellers = goods::sellers(seed, advertisers);
        let items = goods::stock(seed, &sellers, size.items.max(1));
        let shoppers = shoppers::population(seed, size.shoppers.max(1));
        let demand = demand::plan(seed, &sellers, &items, size);
        let subjects = demand.ads().collect();
        Self { seed, sellers, items, shoppers, demand, subjects }
    }

    /// The catalog file, with flights counted from `opens`.
    #[must_use]
    pub fn catalog(&self, opens: Timestamp) -> Value {
        catalog::catalog(self, opens)
    }

    /// What an ad of the catalog file shows.
    #[must_use]
    pub fn subject(&self, ad_id: u64) -> Option<Subject> {
        self.subjects.get(&ad_id).copied()
    }

    pub(crate) fn department_of(&self, subject: Subject) -> usize {
        match subject {
            Subject::Item(ix) => self.items[ix].department,
            Subject::Banner { department } => department,
        }
    }
}
