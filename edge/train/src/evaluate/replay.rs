//! The shop's log replayed in time order: what was known just before each basket.
//!
//! Invariant: everything read for a basket comes from baskets of a strictly earlier time.

use std::collections::BTreeMap;

use litfass_features::{
    AdCounts, AdFacts, AdSignal, FeatureSet, Interaction, InteractionKind, Popularity, RequestFacts, Viewer,
    ViewerBlock, ViewerProfile, item_hash,
};
use litfass_types::{AdId, AdvertiserId, Device, Os, PlacementId, Term, TermKind, Timestamp};

use crate::dataset::{Dataset, FileError};

/// One basket: who, when, from where, and which products.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Basket {
    pub(super) time: Timestamp,
    pub(super) customer: usize,
    pub(super) country: Option<String>,
    pub(super) device: Option<Device>,
    pub(super) os: Option<Os>,
    /// Product numbers, sorted, each once.
    pub(super) products: Vec<usize>,
}

impl Basket {
    #[must_use]
    pub(super) fn has(&self, product: usize) -> bool {
        self.products.binary_search(&product).is_ok()
    }
}

/// The log as numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Log {
    /// Hashes of item and first category per product.
    pub(super) products: Vec<(u64, u64)>,
    /// When each product was first in a basket.
    pub(super) first_sold: Vec<Option<Timestamp>>,
    pub(super) customers: usize,
    pub(super) baskets: Vec<Basket>,
}

impl Log {
    /// # Errors
    /// When an outcome names an item that no ad of the catalog has.
    pub(super) fn of(dataset: &Dataset) -> Result<Self, FileError> {
        let number: BTreeMap<&str, usize> = dataset.products.iter().map(|p| p.item.as_str()).zip(0..).collect();
        let mut customers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut baskets = Vec::with_capacity(dataset.requests.len());
        for (request, outcome) in dataset.requests.iter().zip(&dataset.outcomes) {
            let next = customers.len();
            let product = |item: &str| number.get(item).copied().ok_or_else(|| unknown_item(request.id, item));
            let mut products = outcome.items.iter().map(|b| product(&b.item)).collect::<Result<Vec<_>, _>>()?;
            products.sort_unstable();
            products.dedup();
            let surroundings = request.synthetic.as_ref();
            baskets.push(Basket {
                time: Timestamp(request.time_ms),
                customer: *customers.entry(&request.customer).or_insert(next),
                country: request.country.clone(),
                device: surroundings.and_then(|s| Device::parse(&s.device)),
                os: surroundings.and_then(|s| Os::parse(&s.os)),
                products,
            });
        }
        let hashes = |p: &crate::dataset::Product| {
            (item_hash(&p.item), p.categories.first().map_or(0, |c| Term::new(TermKind::Category, c).0))
        };
        let mut first_sold = vec![None; dataset.products.len()];
        for basket in &baskets {
            basket.products.iter().for_each(|p| {
                first_sold[*p].get_or_insert(basket.time);
            });
        }
        let products = dataset.products.iter().map(hashes).collect();
        Ok(Self { products, first_sold, customers: customers.len(), baskets })
    }
}

fn unknown_item(request: u64, item: &str) -> FileError {
    let problem = format!("items: no ad of the catalog has item {item:?}");
    FileError::line(std::path::Path::new(crate::dataset::OUTCOMES), request + 1, problem)
}

/// What is known at some point of the log.
#[derive(Clone, Debug)]
pub(super) struct State<'a> {
    log: &'a Log,
    set: FeatureSet,
    profiles: Vec<ViewerProfile>,
    /// Complete, for the repeat-purchase rule: baskets per customer and product.
    bought: Vec<BTreeMap<usize, u32>>,
    orders: Vec<u32>,
    month: Popularity,
    week: Popularity,
    products: Vec<ProductState>,
    /// Products sold so far, in the order of their first sale.
    pool: Vec<usize>,
    baskets: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct ProductState {
    first_sold: Timestamp,
    /// Baskets before the first sale.
    before: u64,
    sold_in: u64,
}

/// One basket's request with everything known just before it.
#[derive(Debug)]
pub(super) struct Moment<'a> {
    pub(super) basket: &'a Basket,
    pub(super) viewer: Viewer,
    pub(super) block: ViewerBlock,
}

impl<'a> State<'a> {
    #[must_use]
    pub(super) fn new(log: &'a Log) -> Self {
        Self {
            log,
            set: FeatureSet::v1(),
            profiles: vec![ViewerProfile::default(); log.customers],
            bought: vec![BTreeMap::new(); log.customers],
            orders: vec![0; log.customers],
            month: Popularity::new(30),
            week: Popularity::new(7),
            products: vec![ProductState::default(); log.products.len()],
            pool: Vec::new(),
            baskets: 0,
        }
    }

    /// Replays the whole log; `visit` sees every basket before anything of its instant is known.
    pub(super) fn replay(log: &'a Log, mut visit: impl FnMut(&Self, &'a Basket)) {
        let mut state = Self::new(log);
        for instant in log.baskets.chunk_by(|a, b| a.time == b.time) {
            if let Some(first) = instant.first() {
                state.month.advance(first.time);
                state.week.advance(first.time);
            }
            instant.iter().for_each(|basket| visit(&state, basket));
            instant.iter().for_each(|basket| state.take(basket));
        }
    }

    fn take(&mut self, basket: &Basket) {
        let before = self.baskets;
        for product in &basket.products {
            let state = &mut self.products[*product];
            if state.sold_in == 0 {
                *state = ProductState { first_sold: basket.time, before, sold_in: 0 };
                self.pool.push(*product);
            }
            state.sold_in += 1;
            let (item, category) = self.log.products[*product];
            let kind = InteractionKind::Purchase;
            self.profiles[basket.customer].apply(Interaction { time: basket.time, kind, item, category });
            *self.bought[basket.customer].entry(*product).or_default() += 1;
        }
        let items = || basket.products.iter().map(|p| self.log.products[*p].0);
        self.month.add(basket.time, items());
        self.week.add(basket.time, items());
        self.orders[basket.customer] += 1;
        self.baskets += 1;
    }

    #[must_use]
    pub(super) fn pool(&self) -> &[usize] {
        &self.pool
    }

    /// How many baskets the customer had.
    #[must_use]
    pub(super) fn orders(&self, basket: &Basket) -> u32 {
        self.orders[basket.customer]
    }

    /// In how many baskets the customer had each product.
    #[must_use]
    pub(super) fn bought(&self, basket: &Basket) -> &BTreeMap<usize, u32> {
        &self.bought[basket.customer]
    }

    /// Orders of the last 30 and 7 days.
    #[must_use]
    pub(super) const fn windows(&self) -> (&Popularity, &Popularity) {
        (&self.month, &self.week)
    }

    /// Share of the orders of 30 days with the product.
    #[must_use]
    pub(super) fn popularity(&self, product: usize) -> f64 {
        f64::from(self.month.count(self.log.products[product].0)) / f64::from(self.month.orders().max(1))
    }

    /// The product as an ad that every basket since its first sale was shown.
    #[must_use]
    pub(super) fn counts(&self, product: usize) -> AdCounts {
        let ProductState { before, sold_in, .. } = self.products[product];
        let item = self.log.products[product].0;
        AdCounts {
            impressions: self.baskets - before,
            clicks: sold_in,
            // Every click of this log is a purchase: a conversion rate would say nothing.
            conversions: 0,
            orders_30d: self.month.orders(),
            item_orders_30d: self.month.count(item),
            orders_7d: self.week.orders(),
            item_orders_7d: self.week.count(item),
        }
    }

    #[must_use]
    pub(super) fn facts(&self, product: usize) -> AdFacts {
        let (item, category) = self.log.products[product];
        AdFacts {
            ad: AdId(product as u64 + 1),
            advertiser: AdvertiserId(1),
            item,
            category,
            created: self.products[product].first_sold,
            signal: AdSignal::new(&self.counts(product)),
        }
    }

    #[must_use]
    pub(super) fn moment<'b>(&self, basket: &'b Basket) -> Moment<'b> {
        let viewer = self.profiles[basket.customer].as_of(basket.time);
        let request = RequestFacts {
            now: basket.time,
            device: basket.device,
            os: basket.os,
            country: basket.country.as_deref(),
            page_category: None,
            placement: PlacementId(1),
        };
        Moment { basket, block: ViewerBlock::new(&self.set, &request, &viewer), viewer }
    }

    #[must_use]
    pub(super) fn feature_set(&self) -> &FeatureSet {
        &self.set
    }
}
