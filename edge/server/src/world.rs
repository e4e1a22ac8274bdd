//! The world that decisions are made in, swapped whole. Whoever changes a part makes a new world around it; decisions in
//! progress keep the one they began with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use litfass_catalog::{Bitset, Catalog, ObjectKind, ObjectRef, Schedule};
use litfass_decide::{PacingColumns, Rules, World, WorldVersion};
use litfass_rank::RankProfile;
use litfass_retrieval::{AdSignals, SourceIndex};
use litfass_types::{LineItemId, LineItemIx, Timestamp};

/// Who may bid how much of its bid, as the controller publishes it. A line item that is not named is not held back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pacing {
    pub number: u64,
    pub multipliers_ppm: BTreeMap<LineItemId, u32>,
    /// Those of them whose number is the share of requests in which they take part, with the whole bid.
    pub by_requests: std::collections::BTreeSet<LineItemId>,
    /// Line items for which budget can still be leased at every level.
    pub funded: std::collections::BTreeSet<LineItemId>,
}

#[derive(Debug)]
pub struct SwappedWorld {
    current: ArcSwap<World>,
    /// One change at a time, so that none is lost.
    changing: Mutex<()>,
    halted: Mutex<Vec<Halted>>,
}

/// What was killed, until the catalog that says so is served: nothing of it bids from the instant it was killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Halted {
    pub object: ObjectRef,
    /// The catalog's sequence with which its status is served.
    pub until: u64,
}

impl SwappedWorld {
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { current: ArcSwap::from_pointee(world), changing: Mutex::default(), halted: Mutex::default() }
    }

    #[must_use]
    pub fn load(&self) -> Arc<World> {
        self.current.load_full()
    }

    /// The world with a schedule that covers `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Arc<World> {
        let world = self.load();
        if world.schedule.covers(&world.catalog, now) {
            return world;
        }
        self.change(|world| {
            // Whoever waited behind another finds it done.
            if !world.schedule.covers(&world.catalog, now) {
                world.schedule = Arc::new(Schedule::at(&world.catalog, now));
            }
        });
        self.load()
    }

    pub fn change(&self, change: impl FnOnce(&mut World)) {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = World::clone(&self.current.load());
        change(&mut world);
        self.current.store(Arc::new(world));
    }

    /// Serves another catalog: what is laid out by its numbers is carried over or made anew.
    ///
    /// `pacing` is asked for while nobody else changes the world, so that a table published meanwhile is not undone.
    pub fn publish_catalog(&self, catalog: Arc<Catalog>, pacing: impl FnOnce() -> Arc<Pacing>, now: Timestamp) {
        self.change(|world| {
            let pacing = pacing();
            world.signals = Arc::new(world.signals.carried(&world.catalog, &catalog));
            if !world.sources.fits(&catalog) {
                world.sources = Arc::new(SourceIndex::build(&catalog, &world.signals, now));
            }
            world.pacing = Arc::new(self.halting(laid_out(&pacing, &catalog), &catalog));
            world.version.pacing = pacing.number;
            world.schedule = Arc::new(Schedule::at(&catalog, now));
            world.version.catalog = catalog.version();
            world.catalog = catalog;
        });
    }

    /// Stops everything of a campaign or an advertiser at once, before the catalog with its new status is made.
    pub fn halt(&self, halted: Halted) {
        self.halted.lock().unwrap_or_else(PoisonError::into_inner).push(halted);
        self.change(|world| world.pacing = Arc::new(self.halting(PacingColumns::clone(&world.pacing), &world.catalog)));
    }

    /// The columns without line items that were killed; forgets those whose status this catalog knows.
    fn halting(&self, mut columns: PacingColumns, catalog: &Catalog) -> PacingColumns {
        let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        halted.retain(|halted| halted.until > catalog.version().sequence);
        if halted.is_empty() {
            return columns;
        }
        for ix in catalog.live_line_items() {
            let row = catalog.line_item(ix);
            let above = [(ObjectKind::Campaign, row.campaign.0), (ObjectKind::Advertiser, row.advertiser.0)];
            if halted.iter().any(|halted| above.contains(&(halted.object.kind, halted.object.id))) {
                columns.multipliers_ppm[ix.0 as usize] = 0;
                columns.paced_out.insert(ix.0);
            }
        }
        columns
    }

    pub fn publish_pacing(&self, pacing: &Pacing) {
        self.change(|world| {
            world.pacing = Arc::new(self.halting(laid_out(pacing, &world.catalog), &world.catalog));
            world.version.pacing = pacing.number;
        });
    }

    /// Signals that were made for a catalog which was swapped meanwhile are dropped: the next ones come in seconds.
    pub fn publish_signals(&self, signals: AdSignals, sources: SourceIndex, now: Timestamp) {
        self.change(|world| {
            if signals.fits(&world.catalog) {
                world.signals = Arc::new(signals);
                world.sources = Arc::new(sources);
                // Numbers go on growing where the process before left off: they carry the time.
                world.version.signals = (world.version.signals + 1).max(now.0.unsigned_abs());
            }
        });
    }

    pub fn publish_profile(&self, profile: RankProfile, hash: [u8; 32]) {
        self.change(|world| {
            world.profile = Arc::new(profile);
            world.version.profile = hash;
        });
    }
}

/// The world at the start, before anything was learned.
#[must_use]
pub fn first_world(catalog: Arc<Catalog>, rules: Rules, rules_hash: [u8; 32], now: Timestamp) -> World {
    let signals = AdSignals::new(&catalog, [], []);
    World {
        version: WorldVersion {
            catalog: catalog.version(),
            profile: [0; 32],
            rules: rules_hash,
            pacing: 0,
            signals: 0,
            time_zones: litfass_types::time_zone_database().to_owned(),
        },
        schedule: Arc::new(Schedule::at(&catalog, now)),
        sources: Arc::new(SourceIndex::build(&catalog, &signals, now)),
        signals: Arc::new(signals),
        profile: Arc::new(RankProfile::prior()),
        pacing: Arc::new(laid_out(&Pacing::default(), &catalog)),
        rules: Arc::new(rules),
        catalog,
    }
}

fn laid_out(table: &Pacing, catalog: &Catalog) -> PacingColumns {
    let rows = catalog.line_items() as usize;
    let mut columns = PacingColumns {
        number: table.number,
        multipliers_ppm: vec![litfass_types::PPM; rows],
        funded: Bitset::new(rows),
        paced_out: Bitset::new(rows),
        by_requests: Vec::new(),
    };
    for line_item in catalog.live_line_items() {
        let id = catalog.line_item(line_item).id;
        if table.funded.contains(&id) {
            columns.funded.insert(line_item.0);
        }
        let multiplier = table.multipliers_ppm.get(&id).copied().unwrap_or(litfass_types::PPM);
        lay_out(&mut columns, (line_item, id), multiplier, table.by_requests.contains(&id));
    }
    columns
}

/// What a table says of one line item: a share of the bid, or of requests.
pub(crate) fn lay_out(
    columns: &mut PacingColumns,
    (ix, id): (LineItemIx, LineItemId),
    multiplier_ppm: u32,
    by_requests: bool,
) {
    if multiplier_ppm == 0 {
        columns.paced_out.insert(ix.0);
    }
    if by_requests && multiplier_ppm > 0 {
        columns.by_requests.push((ix, id, multiplier_ppm));
    } else {
        columns.multipliers_ppm[ix.0 as usize] = multiplier_ppm;
    }
}
