//! What is kept of one viewer: a pure fold over the viewer's item interactions.
//!
//! Invariants: what is read **as of t uses interactions with a time strictly before t** (interactions of the newest instant
//! wait in `pending` until a later instant is read or arrives); everything is bounded; the same interactions in the same
//! order give the same profile; items and categories are sorted by hash.

use litfass_types::Timestamp;

/// How many of the last interactions are kept in order.
pub const RECENT_MAX: usize = 50;
/// How many items are counted; beyond it the least recent of the least bought is forgotten.
pub const ITEMS_MAX: usize = 512;
/// How many categories are counted.
pub const CATEGORIES_MAX: usize = 128;
/// How many interactions of one instant wait; beyond it the first are counted early.
pub const PENDING_MAX: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum InteractionKind {
    View = 1,
    Click = 2,
    Purchase = 3,
}

impl InteractionKind {
    /// The number that snapshots keep; never reused.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::View),
            2 => Some(Self::Click),
            3 => Some(Self::Purchase),
            _ => None,
        }
    }
}

/// One thing that the viewer did. Hashes of item and category; 0 where unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interaction {
    pub time: Timestamp,
    pub kind: InteractionKind,
    pub item: u64,
    pub category: u64,
}

/// What the viewer did with one item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ItemTally {
    pub item: u64,
    pub views: u32,
    pub clicks: u32,
    pub purchases: u32,
    pub last: Timestamp,
    pub last_purchase: Option<Timestamp>,
    /// The viewer's orders, counted from 1, in which the item was first and last bought; 0 if never.
    pub first_order: u32,
    pub last_order: u32,
}

impl ItemTally {
    const fn new(item: u64) -> Self {
        Self {
            item,
            views: 0,
            clicks: 0,
            purchases: 0,
            last: Timestamp(i64::MIN),
            last_purchase: None,
            first_order: 0,
            last_order: 0,
        }
    }
}

/// How often the viewer did anything in one category.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CategoryTally {
    pub category: u64,
    pub interactions: u32,
    pub last: Timestamp,
}

/// A viewer as of some instant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Viewer {
    /// Oldest first, by time; at most `RECENT_MAX`.
    pub recent: Vec<Interaction>,
    /// By hash; at most `ITEMS_MAX`.
    pub items: Vec<ItemTally>,
    /// By hash; at most `CATEGORIES_MAX`.
    pub categories: Vec<CategoryTally>,
    /// Everything ever counted, also what was forgotten since.
    pub interactions: u32,
    pub purchases: u32,
    /// Purchases of one instant are one order.
    pub orders: u32,
    pub last_order: Option<Timestamp>,
}

/// A viewer and what happened in the newest instant. Fields are public for snapshots; `check` says whether they hold together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ViewerProfile {
    pub settled: Viewer,
    /// All of one time, not before anything in `settled` unless it came late.
    pub pending: Vec<Interaction>,
}

/// What a snapshot's profile breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BrokenProfile {
    #[error("viewer profile: {0} is longer than its bound")]
    TooLong(&'static str),
    #[error("viewer profile: {0} is out of order")]
    OutOfOrder(&'static str),
}

impl ViewerProfile {
    /// Takes in one interaction. An interaction older than the newest instant is late: it is counted at once.
    pub fn apply(&mut self, interaction: Interaction) {
        let newest = self.pending.first().map(|i| i.time);
        if newest.is_some_and(|newest| interaction.time < newest) {
            self.settled.count(interaction);
            return;
        }
        if newest.is_some_and(|newest| interaction.time > newest) || self.pending.len() >= PENDING_MAX {
            for waiting in self.pending.drain(..) {
                self.settled.count(waiting);
            }
        }
        self.pending.push(interaction);
    }

    /// The viewer from everything before `t`, which must not lie before the newest instant taken in.
    #[must_use]
    pub fn as_of(&self, t: Timestamp) -> Viewer {
        let mut viewer = self.settled.clone();
        for waiting in self.pending.iter().filter(|i| i.time < t) {
            viewer.count(*waiting);
        }
        viewer
    }

    /// For profiles that come from a snapshot.
    ///
    /// # Errors
    /// Which bound or order does not hold.
    pub fn check(&self) -> Result<(), BrokenProfile> {
        let Viewer { recent, items, categories, .. } = &self.settled;
        let bounds = [
            ("recent", recent.len(), RECENT_MAX),
            ("items", items.len(), ITEMS_MAX),
            ("categories", categories.len(), CATEGORIES_MAX),
            ("pending", self.pending.len(), PENDING_MAX),
        ];
        if let Some((name, ..)) = bounds.iter().find(|(_, len, max)| len > max) {
            return Err(BrokenProfile::TooLong(name));
        }
        let orders = [
            ("recent", recent.is_sorted_by_key(|i| i.time)),
            ("items", items.is_sorted_by(|a, b| a.item < b.item)),
            ("categories", categories.is_sorted_by(|a, b| a.category < b.category)),
            ("pending", self.pending.iter().all(|i| Some(i.time) == self.pending.first().map(|f| f.time))),
        ];
        orders.iter().find(|(_, sorted)| !sorted).map_or(Ok(()), |(name, _)| Err(BrokenProfile::OutOfOrder(name)))
    }
}

impl Viewer {
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.interactions > 0
    }

    #[must_use]
    pub fn item(&self, item: u64) -> Option<&ItemTally> {
        let at = self.items.binary_search_by_key(&item, |t| t.item).ok()?;
        self.items.get(at)
    }

    #[must_use]
    pub fn category(&self, category: u64) -> Option<&CategoryTally> {
        let at = self.categories.binary_search_by_key(&category, |t| t.category).ok()?;
        self.categories.get(at)
    }

    fn count(&mut self, interaction: Interaction) {
        self.interactions = self.interactions.saturating_add(1);
        if interaction.kind == InteractionKind::Purchase {
            self.count_order(interaction.time);
        }
        if interaction.item != 0 {
            self.count_item(interaction);
        }
        if interaction.category != 0 {
            self.count_category(interaction);
        }
        self.remember(interaction);
    }

    /// A purchase belongs to the order of its instant. A late one opens an order of its own unless that instant is still
    /// among the recent interactions.
    fn count_order(&mut self, time: Timestamp) {
        self.purchases = self.purchases.saturating_add(1);
        let counted = self.last_order == Some(time)
            || self.recent.iter().any(|i| i.time == time && i.kind == InteractionKind::Purchase);
        if !counted {
            self.orders = self.orders.saturating_add(1);
        }
        self.last_order = self.last_order.max(Some(time));
    }

    fn count_item(&mut self, Interaction { time, kind, item, .. }: Interaction) {
        let at = match self.items.binary_search_by_key(&item, |t| t.item) {
            Ok(at) => at,
            Err(at) => {
                let tally = ItemTally { last: time, ..ItemTally::new(item) };
                self.items.insert(at, tally);
                at
            }
        };
        let tally = &mut self.items[at];
        tally.last = tally.last.max(time);
        let count = match kind {
            InteractionKind::View => &mut tally.views,
            InteractionKind::Click => &mut tally.clicks,
            InteractionKind::Purchase => {
                tally.last_purchase = tally.last_purchase.max(Some(time));
                tally.first_order = if tally.purchases == 0 { self.orders } else { tally.first_order };
                tally.last_order = self.orders;
                &mut tally.purchases
            }
        };
        *count = count.saturating_add(1);
        self.forget_item(item);
    }

    /// Never the item that was just counted, so that something new can come in.
    fn forget_item(&mut self, newest: u64) {
        if self.items.len() <= ITEMS_MAX {
            return;
        }
        let others = self.items.iter().enumerate().filter(|(_, t)| t.item != newest);
        if let Some((at, _)) = others.min_by_key(|(_, t)| (t.purchases, t.last, t.item)) {
            self.items.remove(at);
        }
    }

    fn count_category(&mut self, Interaction { time, category, .. }: Interaction) {
        match self.categories.binary_search_by_key(&category, |t| t.category) {
            Ok(at) => {
                let tally = &mut self.categories[at];
                tally.interactions = tally.interactions.saturating_add(1);
                tally.last = tally.last.max(time);
            }
            Err(at) => self.categories.insert(at, CategoryTally { category, interactions: 1, last: time }),
        }
        if self.categories.len() > CATEGORIES_MAX {
            let others = self.categories.iter().enumerate().filter(|(_, t)| t.category != category);
            if let Some((at, _)) = others.min_by_key(|(_, t)| (t.interactions, t.last, t.category)) {
                self.categories.remove(at);
            }
        }
    }

    /// A late interaction is put where its time belongs, after those of the same time.
    fn remember(&mut self, interaction: Interaction) {
        let at = self.recent.partition_point(|i| i.time <= interaction.time);
        self.recent.insert(at, interaction);
        if self.recent.len() > RECENT_MAX {
            self.recent.remove(0);
        }
    }
}
