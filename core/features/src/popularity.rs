//! How often each item was bought lately, assembled from day tiles.
//!
//! A window of n days read at t covers [midnight UTC of the day n days before t, t): its head is exact, its tail moves by
//! whole days. Counts are integers, so any order of additions gives the same window.

use std::collections::{BTreeMap, VecDeque};

use litfass_types::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// One day's purchases.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Tile {
    day: i64,
    orders: u32,
    items: BTreeMap<u64, u32>,
}

/// A sliding window of whole days: orders, and orders with each item.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Popularity {
    days: u16,
    tiles: VecDeque<Tile>,
    orders: u32,
    items: BTreeMap<u64, u32>,
}

impl Popularity {
    /// An empty window of `days` days before the current one.
    #[must_use]
    pub const fn new(days: u16) -> Self {
        Self { days, tiles: VecDeque::new(), orders: 0, items: BTreeMap::new() }
    }

    /// Takes in one order with its distinct items. An order older than the window is not counted.
    pub fn add(&mut self, time: Timestamp, items: impl IntoIterator<Item = u64>) {
        self.advance(time);
        let Some(tile) = tile_of(&mut self.tiles, time.0.div_euclid(DAY_MS), i64::from(self.days)) else { return };
        tile.orders += 1;
        self.orders += 1;
        for item in items {
            *tile.items.entry(item).or_default() += 1;
            *self.items.entry(item).or_default() += 1;
        }
    }

    /// Forgets the tiles that lie before the window at `now`.
    pub fn advance(&mut self, now: Timestamp) {
        let first = now.0.div_euclid(DAY_MS) - i64::from(self.days);
        while let Some(tile) = self.tiles.pop_front_if(|tile| tile.day < first) {
            self.orders -= tile.orders;
            for (item, count) in tile.items {
                self.subtract(item, count);
            }
        }
    }

    /// Orders in the window.
    #[must_use]
    pub const fn orders(&self) -> u32 {
        self.orders
    }

    /// Orders with this item in the window.
    #[must_use]
    pub fn count(&self, item: u64) -> u32 {
        self.items.get(&item).copied().unwrap_or(0)
    }

    /// Every item of the window with its orders, by hash.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.items.iter().map(|(item, count)| (*item, *count))
    }

    /// The days of the window, oldest first, for a snapshot: days since 1970, orders, and orders with each item.
    pub fn tiles(&self) -> impl Iterator<Item = (i64, u32, &BTreeMap<u64, u32>)> + '_ {
        self.tiles.iter().map(|tile| (tile.day, tile.orders, &tile.items))
    }

    /// Takes in a day as `tiles` gave it. A day that lies before the window is not counted.
    pub fn add_tile(&mut self, day: i64, orders: u32, items: impl IntoIterator<Item = (u64, u32)>) {
        self.advance(Timestamp(day.saturating_mul(DAY_MS)));
        let Some(tile) = tile_of(&mut self.tiles, day, i64::from(self.days)) else { return };
        tile.orders = tile.orders.saturating_add(orders);
        self.orders = self.orders.saturating_add(orders);
        for (item, count) in items {
            let (of_day, of_window) = (tile.items.entry(item).or_default(), self.items.entry(item).or_default());
            *of_day = of_day.saturating_add(count);
            *of_window = of_window.saturating_add(count);
        }
    }

    fn subtract(&mut self, item: u64, count: u32) {
        if let Some(total) = self.items.get_mut(&item) {
            *total -= count;
            if *total == 0 {
                self.items.remove(&item);
            }
        }
    }
}

/// The tile of that day, made where there is none; `None` before the window that ends with the newest tile.
fn tile_of(tiles: &mut VecDeque<Tile>, day: i64, days: i64) -> Option<&mut Tile> {
    if tiles.back().is_some_and(|newest| day < newest.day - days) {
        return None;
    }
    let at = tiles.partition_point(|tile| tile.day < day);
    if tiles.get(at).is_none_or(|tile| tile.day != day) {
        tiles.insert(at, Tile { day, ..Tile::default() });
    }
    tiles.get_mut(at)
}
