//! A small shop whose log folds are made from: entries that say something, and a naive way to fold them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration as Wait;

use litfass_decide::{AdRequest, Context, DecisionRecord, Inputs, Market, ShownRecord, WorldVersion};
use litfass_events::{
    Billable, Conversion, Delivery, EventKind, ItemView, PartitionKey, Privacy, Purchased, Token, Wish, conversion_id,
    delivery_id, named_id, view_id,
};
use litfass_features::{AdRows, ViewerBlock};
use litfass_market::{Entrants, PricedBy};
use litfass_store::fold::{CapCounters, Choices, Fold, FoldOptions, FoldRunner, SignalCounts, Viewers};
use litfass_store::log::{Clock, EventLog, LogOptions, SegmentLog, Until};
use litfass_store::storage::{SimDisk, Storage};
use litfass_store::wire::{Body, entry};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CatalogVersion, CreativeId, Day, DecisionId, EventId, LeaseId, LineItemId,
    PlacementId, Price, Probability, Row, Seed, TenantId, Timestamp, Unit, UserHash, Value,
};

pub(crate) const START: Timestamp = Timestamp(1_790_000_000_000);
const PARTITIONS: u16 = 2;

pub(crate) fn user(n: u8) -> UserHash {
    UserHash { key_version: 1, hash: u128::from(n) * 0x0101_0101_0101_0101_0101 }
}

/// A log whose clock is set by hand.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) disk: SimDisk,
    pub(crate) log: Arc<SegmentLog>,
    now: Arc<AtomicI64>,
}

impl Shop {
    pub(crate) fn open(disk: &SimDisk) -> Self {
        let now = Arc::new(AtomicI64::new(START.0));
        let clock = Arc::clone(&now);
        let options = LogOptions { heartbeat: None, ..LogOptions::new(&[("server", PARTITIONS)]) };
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let clock = Clock::new(move || Timestamp(clock.load(Ordering::Relaxed)));
        let opened = SegmentLog::open(storage, Path::new("/log"), &options, &clock).unwrap();
        Self { disk: disk.clone(), log: Arc::new(opened.log), now }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn append(&self, id: EventId, key: PartitionKey, body: &Body) -> bool {
        let partition = self.log.partition("server", key).unwrap();
        let entry = entry(partition, id, self.now(), key, body);
        self.log.append(vec![entry], Until::Committed).wait().remove(0).is_ok()
    }

    pub(crate) fn decide(&self, record: &DecisionRecord) {
        let key = PartitionKey::of_viewer(record.inputs.request.user, record.id);
        assert!(self.append(EventId(record.id.0), key, &Body::Decision(Box::new(record.clone()))));
    }

    pub(crate) fn deliver(&self, kind: EventKind, token: &Token) -> bool {
        let key = PartitionKey::of_viewer(token.user, token.decision);
        let body = Body::Delivery(Box::new(Delivery { kind, token: token.clone() }));
        self.append(delivery_id(token.decision, token.slot, kind), key, &body)
    }

    pub(crate) fn view(&self, viewer: UserHash, item: u64) -> bool {
        let view = ItemView { tenant: TenantId(1), user: viewer, item, category: Some(item % 3) };
        self.append(view_id(&view, self.now()), PartitionKey::of_user(viewer), &Body::ItemView(view))
    }

    pub(crate) fn order(&self, viewer: UserHash, order_id: &str, items: &[u64]) -> bool {
        let purchased = |item: &u64| Purchased { item: *item, category: Some(item % 3), quantity: 1 };
        let order = Conversion {
            tenant: TenantId(1),
            user: Some(viewer),
            click: None,
            order_id: order_id.to_owned(),
            value_micros: 1_000_000,
            items: items.iter().map(purchased).collect(),
        };
        self.append(conversion_id(&order), PartitionKey::of_user(viewer), &Body::Conversion(Box::new(order)))
    }
}

impl Shop {
    pub(crate) fn wish(&self, number: u64, viewer: UserHash, wish: Wish) -> bool {
        let privacy = Privacy { tenant: TenantId(1), user: viewer, wish };
        let id = named_id("privacy", &number.to_be_bytes());
        self.append(id, PartitionKey::of_user(viewer), &Body::Privacy(privacy))
    }
}

/// A decision for this viewer that showed these ads.
pub(crate) fn record(number: u64, viewer: UserHash, now: Timestamp, ads: &[u64]) -> DecisionRecord {
    let request = AdRequest {
        request_id: None,
        tenant: TenantId(1),
        user: Some(viewer),
        personalise: true,
        traffic: litfass_types::Traffic::Human,
        placements: Vec::new(),
        context: Context::default(),
    };
    let world = WorldVersion {
        catalog: CatalogVersion::default(),
        profile: [0; 32],
        rules: [0; 32],
        pacing: 0,
        signals: 0,
        time_zones: "2026a".to_owned(),
    };
    DecisionRecord {
        id: DecisionId::new(now, 0, number),
        inputs: Inputs {
            request,
            now,
            seed: Seed(number),
            world,
            degraded: Vec::new(),
            viewer_as_of: None,
            caps_as_of: None,
        },
        market: Market {
            exploration_ppm: 0,
            placements: Vec::new(),
            entrants: Entrants::default(),
            predictions: Vec::new(),
        },
        refused: Vec::new(),
        viewer: ViewerBlock { numbers: Vec::new(), ids: Vec::new(), items: Vec::new(), categories: Vec::new() },
        shown: (0..).zip(ads).map(|(slot, ad)| shown(slot, *ad)).collect(),
        rows: AdRows::default(),
        counts: Vec::new(),
        full: None,
        timings: Vec::new(),
    }
}

fn shown(slot: u8, ad: u64) -> ShownRecord {
    ShownRecord {
        row: Row(slot.into()),
        placement: 0,
        placement_id: PlacementId(7),
        slot,
        ad: AdId(ad),
        creative: CreativeId(ad),
        line_item: LineItemId(ad / 10),
        campaign: CampaignId(ad / 100),
        advertiser: AdvertiserId(1),
        value: Value(0),
        price: Price { micros: 1, per: Unit::Mille },
        priced_by: PricedBy::Floor,
        explored: false,
        propensity: Probability::from_bits(1),
        click_in_slot: Probability::from_bits(1),
        lease: LeaseId(1),
        hold_expires: now_and_a_bit(),
    }
}

const fn now_and_a_bit() -> Timestamp {
    Timestamp(START.0 + 300_000)
}

/// The token of one of a decision's slots.
pub(crate) fn token(record: &DecisionRecord, slot: usize) -> Token {
    let shown = &record.shown[slot];
    Token {
        decision: record.id,
        slot: shown.slot,
        traffic: litfass_types::Traffic::Human,
        rank: shown.slot,
        tenant: record.inputs.request.tenant,
        advertiser: shown.advertiser,
        campaign: shown.campaign,
        line_item: shown.line_item,
        ad: shown.ad,
        creative: shown.creative,
        placement: shown.placement_id,
        geo: String::new(),
        price: shown.price,
        billable: Billable::Impression,
        lease: shown.lease,
        budget_day: Day(20_000),
        hold_expires: shown.hold_expires,
        expires: Timestamp(START.0 + 86_400_000),
        user: record.inputs.request.user,
        item: Some(shown.ad.0 + 9_000),
        category: Some(shown.ad.0 % 3),
        click: shown.click_in_slot,
    }
}

/// All folds of a process.
#[derive(Clone, Debug)]
pub(crate) struct Folds {
    pub(crate) viewers: Arc<Viewers>,
    pub(crate) caps: Arc<CapCounters>,
    pub(crate) signals: Arc<SignalCounts>,
    pub(crate) choices: Arc<Choices>,
}

impl Folds {
    pub(crate) fn new() -> Self {
        let choices = Arc::default();
        Self {
            viewers: Arc::new(Viewers::new(1_000).heeding(&choices)),
            caps: Arc::new(CapCounters::new(1_000).heeding(&choices)),
            signals: Arc::new(SignalCounts::new()),
            choices,
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<dyn Fold>> {
        vec![
            Arc::clone(&self.viewers) as _,
            Arc::clone(&self.caps) as _,
            Arc::clone(&self.signals) as _,
            Arc::clone(&self.choices) as _,
        ]
    }

    /// Everything that they hold.
    pub(crate) fn bytes(&self) -> Vec<(String, Vec<u8>)> {
        self.all().iter().map(|fold| (fold.name().to_owned(), fold.snapshot())).collect()
    }

    pub(crate) fn runner(&self, shop: &Shop) -> FoldRunner {
        self.runner_in(shop, "/snapshots")
    }

    pub(crate) fn runner_in(&self, shop: &Shop, dir: &str) -> FoldRunner {
        let options = FoldOptions { snapshot_interval: Wait::from_secs(3_600), ..FoldOptions::default() };
        let storage: Arc<dyn Storage> = Arc::new(shop.disk.clone());
        let log = Arc::clone(&shop.log) as Arc<dyn EventLog>;
        FoldRunner::open(log, storage, Path::new(dir), &[], self.all(), options).unwrap()
    }

    /// From the log alone, without any snapshot.
    pub(crate) fn from_scratch(shop: &Shop) -> Self {
        let folds = Self::new();
        folds.runner_in(shop, "/nothing").catch_up().unwrap();
        folds
    }
}
