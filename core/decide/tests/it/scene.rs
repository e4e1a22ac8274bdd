//! Random worlds over a random shop, and random requests to them. Everything follows from a number.

use std::sync::Arc;

use litfass_catalog::{AdOrder, Bitset, Catalog, Schedule, category_hash, item_hash};
use litfass_decide::{AdRequest, Context, Observed, PacingColumns, PlacementRequest, Rules, World, WorldVersion};
use litfass_features::{
    FeatureSet, Interaction, InteractionKind, Popularity, RequestNumber, RowNumber, Viewer, ViewerProfile,
};
use litfass_policy::{CapCounts, CapKey, caps_of};
use litfass_rank::{Calibration, Linear, Model, RankProfile};
use litfass_retrieval::{AdSignals, Delivered, Shop as Sold, SourceIndex, SourceLimits};
use litfass_types::{
    CatalogVersion, Device, Duration, LineItemIx, Nanos, Os, PPM, PlacementId, Port, Position, Reading, Seed, TenantId,
    UserHash,
};

use crate::dice::Dice;
use crate::shop::{CATEGORIES, COUNTRIES, NOW, PLACEMENTS, SEGMENTS, Shop, sku};

pub(crate) struct Scene {
    pub(crate) shop: Shop,
    pub(crate) world: World,
}

impl Scene {
    pub(crate) fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 3);
        let mut shop = Shop::random(seed);
        let built = Catalog::build(version(1), shop.objects()).unwrap_or_else(|p| panic!("{p:?}"));
        let base_signals = signals(&built, &mut Dice::new(seed, 4));
        let sources = SourceIndex::build(&built, &base_signals, NOW);
        let edits = dice.below(3);
        let edited = (0..edits).fold(built.clone(), |catalog, edit| {
            let changed = shop.edited(seed.wrapping_add(edit));
            catalog.with_changes(version(edit + 2), changed).unwrap_or_else(|p| panic!("{p:?}"))
        });
        let catalog = if dice.percent(20) { edited.merged(AdOrder::ByLineItem) } else { edited };
        let world = World {
            version: world_version(catalog.version(), seed),
            schedule: Arc::new(Schedule::at(&catalog, NOW + Duration(dice.signed(2)))),
            signals: Arc::new(base_signals.carried(&built, &catalog)),
            sources: Arc::new(sources),
            profile: Arc::new(profile(&mut dice)),
            pacing: Arc::new(pacing(&catalog, &mut dice)),
            rules: Arc::new(rules(&mut dice)),
            catalog: Arc::new(catalog),
        };
        Self { shop, world }
    }

    pub(crate) fn request(&self, seed: u64) -> Observed {
        let mut dice = Dice::new(seed, 5);
        let tenant = if dice.percent(85) { 1 } else { 2 };
        let personalise = dice.percent(75);
        let viewer = match dice.below(4) {
            0 => Reading::Absent,
            1 => Reading::Degraded { port: Port::Viewer, fallback: Viewer::default() },
            _ if personalise => Reading::Present { value: viewer(&mut dice), as_of: None },
            _ => Reading::Absent,
        };
        Observed {
            request: AdRequest {
                request_id: None,
                tenant: TenantId(tenant),
                user: dice.percent(80).then(|| UserHash { key_version: 1, hash: u128::from(seed) }),
                personalise,
                traffic: litfass_types::Traffic::Human,
                placements: placements(tenant, &mut dice),
                context: context(&mut dice),
            },
            now: NOW + Duration(dice.signed(1_000)),
            seed: Seed(seed).derive(6),
            viewer,
            caps: self.caps(&mut dice),
        }
    }

    /// Half of the viewers have seen some of the ads, some of them often enough.
    fn caps(&self, dice: &mut Dice) -> Reading<CapCounts> {
        let catalog = &self.world.catalog;
        let seen = |dice: &mut Dice| -> CapCounts {
            let ads: Vec<_> = catalog.live_ads().collect();
            let seen = dice.some_of(&ads, 20).into_iter().flat_map(|ad| caps_of(catalog, ad));
            let counts: Vec<(CapKey, u32)> = seen.map(|limit| (limit.key, dice.small(limit.max + 1))).collect();
            counts.into_iter().collect()
        };
        match dice.below(4) {
            0 => Reading::Absent,
            1 => {
                let fallback = if dice.percent(50) { CapCounts::unknown() } else { CapCounts::default() };
                Reading::Degraded { port: Port::Caps, fallback }
            }
            _ => Reading::Present { value: seen(dice), as_of: Some(Position { partition: 0, offset: dice.below(9) }) },
        }
    }
}

fn version(sequence: u64) -> CatalogVersion {
    CatalogVersion { timeline: 0, sequence }
}

fn world_version(catalog: CatalogVersion, seed: u64) -> WorldVersion {
    let (profile, rules, time_zones) = ([1; 32], [2; 32], litfass_types::time_zone_database().to_owned());
    WorldVersion { catalog, profile, rules, pacing: seed % 100, signals: seed % 7, time_zones }
}

fn signals(catalog: &Catalog, dice: &mut Dice) -> AdSignals {
    let (mut month, mut week) = (Popularity::new(30), Popularity::new(7));
    for order in 0..60 {
        let time = NOW - Duration::hours(60 - order);
        let items: Vec<u64> = (0..3).map(|_| item_hash(&sku(dice.below(30)))).collect();
        month.add(time, items.iter().copied());
        week.add(time, items);
    }
    let delivered = catalog.live_ads().filter_map(|ad| {
        let (impressions, clicks) = (dice.below(3_000), dice.below(60));
        let counts = Delivered { impressions, clicks: clicks.min(impressions), conversions: clicks / 8 };
        dice.percent(70).then(|| (catalog.ad(ad).id, counts))
    });
    let delivered: Vec<_> = delivered.collect();
    let sold = Sold { tenant: TenantId(1), popularity_30d: &month, popularity_7d: &week };
    AdSignals::new(catalog, delivered, [sold])
}

/// Half of the worlds have learned nothing yet.
fn profile(dice: &mut Dice) -> RankProfile {
    if dice.percent(50) {
        return RankProfile::prior();
    }
    let mut first = Linear::prior();
    first.bias = dice.weight();
    first.request = [(); RequestNumber::COUNT].map(|()| dice.weight());
    first.row = [(); RowNumber::COUNT].map(|()| dice.weight());
    let mut last = Model::zero(10);
    last.bias = [dice.weight() - 3.0, dice.weight() - 2.0];
    last.request.fill_with(|| [dice.weight(), dice.weight()]);
    last.row.fill_with(|| [dice.weight(), dice.weight()]);
    last.slots.iter_mut().skip(1).for_each(|slot| *slot = [dice.weight() - 1.0, 0.0]);
    last.hashed.fill_with(|| [dice.weight(), dice.weight()]);
    last.calibration = [-2.0, 2.0].map(|shift| {
        Calibration::from_knots(vec![[-4.0, -5.0 + shift / 4.0], [-1.0, -2.0], [3.0, 1.0]]).unwrap_or_default()
    });
    RankProfile { first, last }
}

fn pacing(catalog: &Catalog, dice: &mut Dice) -> PacingColumns {
    let line_items = catalog.line_items();
    // Some tables are shorter than the catalog: what was added since is not held back.
    let known = line_items - dice.small(3).min(line_items);
    let multipliers: Vec<u32> = (0..known).map(|_| dice.pick(&[PPM, PPM, PPM / 2, 10_000, 123_457, 0])).collect();
    let number = dice.below(1_000);
    let funded: Bitset = (0..line_items).filter(|_| dice.percent(92)).collect();
    let rare = catalog.live_line_items().filter(|_| dice.percent(10));
    let by_requests = rare.map(|ix| (ix, catalog.line_item(ix).id, 400_000)).collect();
    let paced_out = Bitset::default();
    let mut pacing = PacingColumns { number, multipliers_ppm: multipliers, funded, paced_out, by_requests };
    let stopped = (0..line_items).filter(|ix| pacing.multiplier(LineItemIx(*ix)) == 0);
    pacing.paced_out = stopped.collect();
    pacing
}

fn rules(dice: &mut Dice) -> Rules {
    let mut quota = || dice.pick(&[0, 3, 20, 150]);
    let sources = SourceLimits {
        viewer_items: quota(),
        viewer_categories: quota(),
        request_categories: quota(),
        popularity: quota(),
        bid_times_prior: quota(),
        newest: quota(),
        candidates_max: 500,
    };
    Rules {
        sources: SourceLimits { candidates_max: dice.pick(&[500, 500, 40, 12]), ..sources },
        entrants_max: dice.pick(&[50, 50, 10, 3]),
        exploration_ppm: dice.pick(&[0, 50_000, 500_000]),
        record_full_ppm: dice.pick(&[0, 500_000, PPM]),
        features: FeatureSet::v1(),
    }
}

/// What the viewer did over the last weeks, with things of this shop and of another.
fn viewer(dice: &mut Dice) -> Viewer {
    let mut profile = ViewerProfile::default();
    let mut time = NOW - Duration::days(60);
    for _ in 0..dice.below(80) {
        time = time + Duration::hours(dice.signed(18));
        let kind = dice.pick(&[InteractionKind::View, InteractionKind::Click, InteractionKind::Purchase]);
        let item = if dice.percent(90) { item_hash(&sku(dice.below(40))) } else { 0 };
        let category = if dice.percent(80) { category_hash(dice.pick(&CATEGORIES)) } else { 0 };
        profile.apply(Interaction { time: time.min(NOW - Duration(1)), kind, item, category });
    }
    profile.as_of(NOW)
}

/// Those of a tenant in any order, each once, sometimes one that the catalog does not have.
fn placements(tenant: u64, dice: &mut Dice) -> Vec<PlacementRequest> {
    let own: Vec<u64> = (1..=PLACEMENTS).filter(|id| (*id > 4) == (tenant == 2)).chain([99]).collect();
    let mut asked = dice.some_of(&own, 50);
    if asked.is_empty() {
        asked.push(own[0]);
    }
    let start = dice.count(asked.len());
    asked.rotate_left(start);
    let ask = |id| PlacementRequest {
        id: PlacementId(id),
        slots: 1 + u8::try_from(dice.below(8)).unwrap(),
        floor: Nanos(dice.pick(&[0, 0, 300_000])),
    };
    asked.into_iter().map(ask).collect()
}

fn context(dice: &mut Dice) -> Context {
    let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect::<Vec<_>>();
    Context {
        device: dice.percent(80).then(|| dice.pick(&[Device::Mobile, Device::Desktop, Device::Tv])),
        os: dice.percent(70).then(|| dice.pick(Os::ALL)),
        country: dice.percent(80).then(|| dice.pick(&COUNTRIES).to_owned()),
        region: dice.percent(30).then(|| "BY".to_owned()),
        city: None,
        url: None,
        categories: owned(dice.some_of(&CATEGORIES, 25)),
        keywords: Vec::new(),
        segments: owned(dice.some_of(&SEGMENTS, 40)),
        key_values: Vec::new(),
    }
}
