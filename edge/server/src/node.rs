//! One process: opens the data directory, catches up with the log, and starts the workers of its roles.
//!
//! Opening order is part of the safety: the log first (so that what was committed is known), then commands and bills that
//! the ledger has not seen, then folds, and only then decisions.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use litfass_catalog::Catalog;
use litfass_decide::{DecisionRecord, Rules};
use litfass_events::{PartitionKey, Token};
use litfass_features::FeatureSet;
use litfass_ledger::HolderId;
use litfass_retrieval::SourceLimits;
use litfass_store::audit::AuditLog;
use litfass_store::caps::CapStore;
use litfass_store::catalog::{CatalogStore, Follower};
use litfass_store::database::Place;
use litfass_store::fold::{
    CapCounters, Choices, Fold, FoldOptions, FoldRunner, FoldThread, Progress, SignalCounts, SignalsAt, TrafficCounts,
    Unconverted, Viewers,
};
use litfass_store::ledger::{Ledger, LedgerReader};
use litfass_store::log::{Clock, EventLog};
use litfass_store::storage::Disk;
use litfass_store::wire::{self, Body};
use litfass_types::{DecisionId, Timestamp};
use tokio::sync::watch;

use crate::access::Keys;
use crate::access::rate::Allowance;
use crate::cap_policy::CapPolicy;
use crate::cap_stores::{self, Shared};
use crate::config::{CapSettings, Config};
use crate::data_dir::DataDir;
use crate::decider::Decider;
use crate::desk::{ADMIN, Desk};
use crate::editor::Editor;
use crate::event_log::{self, EVENT_PARTITIONS};
use crate::gateway::Gateway;
use crate::gather::Gather;
use crate::ingest::Ingest;
use crate::lanes::Lanes;
use crate::learning::Learning;
use crate::limits::{LimitSender, Limited, Limiting};
use crate::live::{Live, Truth};
use crate::metrics::Metrics;
use crate::pacing_tables::PacingHistory;
use crate::promises::Promises;
use crate::readiness::Readiness;
use crate::roles::ProcessRole;
use crate::secrets::{UserKeys, random};
use crate::stores::{Stores, order_life};
use crate::tokens::{KeyRing, Tokens};
use crate::vault::Vault;
use crate::workers::admin::AdminWorker;
use crate::workers::audited::CommandAudit;
use crate::workers::billing::{BilledHere, BillingWorker};
use crate::workers::caps::{CapWorker, SharedCaps};
use crate::workers::catalog::CatalogWorker;
use crate::workers::leases::LeaseWorker;
use crate::workers::pacing::{Controllers, PacingBoard, PacingWorker};
use crate::workers::profile::ProfileWorker;
use crate::workers::retention::RetentionWorker;
use crate::workers::signals::SignalsWorker;
use crate::workers::{self, Urgency, Workers};
use crate::world::{SwappedWorld, first_world};

const PACING_INTERVAL: Duration = Duration::from_secs(1);
/// How long the folds may take to read of a render: holds last as much longer.
const READ_WITHIN: litfass_types::Duration = litfass_types::Duration::seconds(1);
const SIGNALS_INTERVAL: Duration = Duration::from_secs(2);

/// What requests reach.
#[derive(Debug)]
pub struct Node {
    pub config: Config,
    pub data: DataDir,
    pub keys: Arc<Keys>,
    pub audit: AuditLog,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub world: Arc<SwappedWorld>,
    pub users: Arc<UserKeys>,
    pub decider: Decider,
    pub gateway: Gateway,
    pub ingest: Ingest,
    pub editor: Arc<Editor>,
    pub live: Arc<Live>,
    pub log: Arc<dyn EventLog>,
    pub ledger: Arc<dyn LedgerReader>,
    pub vault: Arc<Vault>,
    pub lanes: Lanes,
    pub desk: Desk,
    pub folds: Arc<Progress>,
    /// The fold's own counts of what each viewer was shown.
    pub caps: Arc<CapCounters>,
    pub pacing: Arc<PacingBoard>,
    pub learning: Arc<Learning>,
    pub began: Instant,
    pub readiness: Readiness,
}

/// A node and what runs beside it.
#[derive(Debug)]
pub struct Running {
    pub node: Arc<Node>,
    workers: Workers,
    folds: FoldThread,
    leases: LeaseWorker,
}

/// The operating system's clock.
#[must_use]
pub fn system_clock() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

/// Commands that were in the log are in the ledger, and the catalog's limits are commands.
struct Money {
    /// Where this process applies commands.
    admin: Option<AdminWorker>,
    follower: Follower,
    limits: Limiting,
    catalog: Arc<Catalog>,
}

/// Folds that requests and workers read.
struct Folded {
    viewers: Arc<Viewers>,
    caps: Arc<CapCounters>,
    signals: Arc<SignalCounts>,
    live: Arc<Live>,
    choices: Arc<Choices>,
    /// Where several processes count caps together.
    shared_caps: Option<Shared>,
    traffic: Arc<TrafficCounts>,
    unconverted: Arc<Unconverted>,
}

impl Running {
    /// `truth` is what a simulation knows of click probabilities.
    ///
    /// # Errors
    /// Whatever keeps the data directory from being opened: another process, damage, a newer format, the disk.
    pub fn open(config: Config, truth: Option<Box<Truth>>) -> Result<Self> {
        let stores = Stores::open(&config)?;
        let money = Money::catch_up(&stores, &config)?;
        let folded = Folded::new(&config, &stores, truth)?;
        let mut runner = folded.runner(&stores, &config)?;
        runner.catch_up()?;
        let node = Arc::new(node(config, &stores, &folded, &runner, &money)?);
        let folds = runner.spawn()?;
        Self::start(node, &stores, money, folded, folds)
    }

    fn start(node: Arc<Node>, stores: &Stores, money: Money, folded: Folded, folds: FoldThread) -> Result<Self> {
        let leases = || LeaseWorker {
            ledger: Arc::<dyn Ledger>::clone(&stores.ledger),
            promises: Arc::clone(&node.decider.promises),
            metrics: Arc::clone(&node.metrics),
            sweep_interval: span(node.config.ledger.sweep_interval),
            swept: Instant::now(),
        };
        let mut billed_here = BilledHere::default();
        let does = |role| node.config.server.roles.include(role);
        let mut workers = Workers::watched(Arc::clone(&node.readiness.pulse));
        let mut signals = SignalsWorker {
            counts: folded.signals,
            world: Arc::clone(&node.world),
            clock: node.clock.clone(),
            interval: SIGNALS_INTERVAL,
            published: SignalsAt::default(),
        };
        if does(ProcessRole::Decide) {
            let mut pacing = pacing_worker(&node, stores, (folded.traffic, folded.unconverted))?;
            // Decisions before the first table would find nobody with funds.
            pacing.step()?;
            signals.step()?;
            workers.spawn("pacing", Urgency::Background, move || pacing.step())?;
            workers.spawn("signals", Urgency::Background, move || signals.step())?;
        }
        if does(ProcessRole::Events) {
            let (mut billing, log) = (billing_worker(&node, stores)?, stores.log());
            billed_here = billing.billed_here();
            workers.spawn("billing", Urgency::Prompt, move || billing.step())?;
            workers.spawn("stand-ins", Urgency::Prompt, move || workers::tend(&*log))?;
        }
        workers::catalog::tell(&node.metrics, &node.world.load().catalog);
        let mut catalog = catalog_worker(&node, stores, money.follower, money.limits)?;
        let mut profile = ProfileWorker {
            artifacts: node.data.artifacts(),
            world: Arc::clone(&node.world),
            learning: Arc::clone(&node.learning),
            metrics: Arc::clone(&node.metrics),
            clock: node.clock.clone(),
            served: None,
            refused: BTreeSet::new(),
        };
        profile.step()?;
        let (mut lease_worker, keys) = (leases(), Arc::clone(&node.keys));
        if let Some(mut admin) = money.admin {
            workers.spawn("admin", Urgency::Prompt, move || admin.step())?;
        }
        let promotion = stores.promotion_worker();
        workers.spawn("promotion", Urgency::Prompt, move || promotion.step())?;
        workers.spawn("leases", Urgency::Prompt, move || lease_worker.step())?;
        workers.spawn("profile", Urgency::Background, move || profile.step())?;
        let mut caps = cap_worker(&node, folded.shared_caps, billed_here);
        workers.spawn("caps", Urgency::Background, move || caps.step())?;
        workers.spawn("keys", Urgency::Prompt, move || workers::keys::step(&keys))?;
        workers.spawn("catalog", Urgency::Background, move || catalog.step())?;
        if let Some(mut retention) = retention_worker(&node, stores)? {
            workers.spawn("retention", Urgency::Background, move || retention.step())?;
        }
        let leases = leases();
        Ok(Self { node, workers, folds, leases })
    }

    /// Ends everything in order: nothing new is decided any more when this is called.
    pub fn close(self) {
        let Self { node, workers, folds, leases } = self;
        workers.stop.stop();
        node.editor.told.tell();
        workers.finish();
        if let Err(error) = leases.give_back_all() {
            tracing::warn!("leases were not given back and will close by themselves: {error:#}");
        }
        folds.stop();
        drop(node);
    }
}

impl Money {
    fn catch_up(stores: &Stores, config: &Config) -> Result<Self> {
        stores.promotion_worker().step().with_context(|| stores.vault.to_string())?;
        let mut admin = admin_worker(stores)?;
        let place = stores.vault.place();
        let named = || place.to_string();
        let store = CatalogStore::open(&place).with_context(named)?;
        let (follower, loaded) =
            Follower::open(store, size(config.catalog.overlay_objects_max.into())).with_context(named)?;
        let mut limits = match &admin {
            Some(_) => Limiting::Here(LimitSender::open(stores.log(), stores.clock.clone())?),
            None => Limiting::Elsewhere,
        };
        let limited = limits.begin(&loaded.limits, &loaded.catalog)?;
        match &mut admin {
            Some(admin) => {
                admin.catch_up().with_context(|| format!("{} could not take the commands in the log", stores.vault))?;
            }
            None => wait_until_limited(limited, &*stores.vault.reader()?)?,
        }
        Ok(Self { admin, follower, limits, catalog: loaded.catalog })
    }
}

impl Folded {
    fn new(config: &Config, stores: &Stores, truth: Option<Box<Truth>>) -> Result<Self> {
        let (viewers_max, choices) = (size(config.fold.viewers_max.into()), Arc::default());
        Ok(Self {
            viewers: Arc::new(Viewers::new(viewers_max).heeding(&choices)),
            caps: Arc::new(CapCounters::new(viewers_max).heeding(&choices).holding(config.caps.hold_ttl + READ_WITHIN)),
            signals: Arc::new(SignalCounts::new()),
            live: Arc::new(Live::new(truth, Arc::clone(&stores.metrics))),
            shared_caps: Shared::open(config, &choices, stores.clock.now())?,
            choices,
            traffic: Arc::default(),
            unconverted: Arc::default(),
        })
    }

    fn gather(&self, runner: &FoldRunner, caps: &Arc<dyn CapStore>, cap_policy: CapPolicy) -> Gather {
        let (viewers, caps) = (Arc::clone(&self.viewers), Arc::clone(caps));
        let caps_are_remote = self.shared_caps.is_some();
        Gather { viewers, caps, caps_are_remote, cap_policy, folds: runner.progress() }
    }

    fn runner(&self, stores: &Stores, config: &Config) -> Result<FoldRunner> {
        let mut folds: Vec<Arc<dyn Fold>> = vec![
            Arc::<Viewers>::clone(&self.viewers),
            Arc::<CapCounters>::clone(&self.caps),
            Arc::<SignalCounts>::clone(&self.signals),
            Arc::<Live>::clone(&self.live),
            Arc::<Choices>::clone(&self.choices),
            Arc::<TrafficCounts>::clone(&self.traffic),
            Arc::<Unconverted>::clone(&self.unconverted),
        ];
        folds.extend(self.shared_caps.iter().map(|shared| Arc::clone(&shared.renders) as Arc<dyn Fold>));
        let options = FoldOptions {
            attribution_window: config.ledger.conversion_window,
            // An order may bring the token of a click as old as the window.
            key_life: order_life(config),
            dedupe_keys_max: size(config.fold.dedupe_keys_max.into()),
            snapshot_interval: span(config.fold.snapshot_interval),
            lost_choices: config.fold.lost_choices,
            ..FoldOptions::default()
        };
        let own = stores.data.snapshots(&config.server.name);
        let others: Vec<_> = stores.data.all_snapshots()?.into_iter().filter(|folder| *folder != own).collect();
        Ok(FoldRunner::open(stores.log(), Arc::new(Disk), &own, &others, folds, options)?)
    }
}

fn node(config: Config, stores: &Stores, folded: &Folded, runner: &FoldRunner, money: &Money) -> Result<Node> {
    let (log, clock, metrics) = (stores.log(), stores.clock.clone(), Arc::clone(&stores.metrics));
    let rules_hash = stores.data.keep_rules(&config.params_text())?;
    let world =
        Arc::new(SwappedWorld::new(first_world(Arc::clone(&money.catalog), rules(&config), rules_hash, clock.now())));
    let tokens = Arc::new(Tokens::new(&KeyRing::open(&stores.secrets)?));
    let users = Arc::new(UserKeys::new(stores.secrets.clone()));
    let decider = decider(&config, stores, folded, runner, (&world, &tokens))?;
    let ingest = Ingest {
        log: Arc::clone(&log),
        writer: config.server.name.clone(),
        tokens,
        users: Arc::clone(&users),
        seen: runner.seen_events(),
        choices: Arc::clone(&folded.choices),
        world: Arc::clone(&world),
        clock: clock.clone(),
        metrics: Arc::clone(&metrics),
    };
    let place = stores.vault.place();
    let (ledger, editor) = (stores.vault.reader()?, Arc::new(Editor::open(&place)?));
    let applied = money.admin.as_ref().map_or_else(|| watch::channel(0).1, |admin| admin.applied.subscribe());
    let desk = Desk { log: Arc::clone(&log), clock: clock.clone(), applied };
    let (keys, audit, gateway) = entrance(&place, &config)?;
    let (live, data) = (Arc::clone(&folded.live), stores.data.clone());
    let (pacing, learning, folds, began) = (Arc::default(), Arc::default(), runner.progress(), Instant::now());
    let readiness = readiness(&config, stores, Arc::clone(&folds))?;
    Ok(Node {
        config,
        data,
        keys,
        audit,
        clock,
        metrics,
        world,
        users,
        decider,
        gateway,
        ingest,
        editor,
        live,
        log,
        ledger,
        vault: Arc::clone(&stores.vault),
        lanes: Lanes::default(),
        desk,
        folds,
        caps: Arc::clone(&folded.caps),
        pacing,
        learning,
        began,
        readiness,
    })
}

/// The request path, holding budget under a name of its own.
fn decider(
    config: &Config,
    stores: &Stores,
    folded: &Folded,
    runner: &FoldRunner,
    (world, tokens): (&Arc<SwappedWorld>, &Arc<Tokens>),
) -> Result<Decider> {
    let holder = HolderId(u64::from_le_bytes(random()?));
    let CapSettings { without_id, when_unavailable, .. } = config.caps;
    let caps = cap_stores::asked(folded.shared_caps.as_ref(), &folded.caps);
    let cap_policy = CapPolicy { without_id, when_unavailable };
    let promises = Promises::new(holder, stores.terms, (Arc::clone(&caps), cap_policy), Arc::clone(&stores.metrics));
    Ok(Decider {
        world: Arc::clone(world),
        gather: folded.gather(runner, &caps, cap_policy),
        promises: Arc::new(promises),
        tokens: Arc::clone(tokens),
        log: stores.log(),
        writer: config.server.name.clone(),
        clock: stores.clock.clone(),
        metrics: Arc::clone(&stores.metrics),
        live: Arc::clone(&folded.live),
        token_ttl: config.ledger.token_ttl,
        workspaces: Mutex::default(),
    })
}

fn cap_worker(node: &Node, shared: Option<Shared>, billed_here: BilledHere) -> CapWorker {
    let folds = Arc::clone(&node.folds);
    CapWorker {
        counts: Arc::clone(&node.caps),
        world: Arc::clone(&node.world),
        clock: node.clock.clone(),
        metrics: Arc::clone(&node.metrics),
        shared: shared.map(|shared| SharedCaps { shared, billed_here, folds, lost: None, doubted: false }),
    }
}

fn readiness(config: &Config, stores: &Stores, folds: Arc<Progress>) -> Result<Readiness> {
    Ok(Readiness {
        log: Arc::clone(&stores.log.health),
        ledger: stores.vault.reader()?,
        folds,
        pulse: Arc::default(),
        completion: Arc::clone(&stores.completion),
        metrics: Arc::clone(&stores.metrics),
        data_dir: stores.data.path().to_owned(),
        disk_free_min: config.server.disk_free_min,
        draining: AtomicBool::new(false),
    })
}

/// Who may come in, who came, and what becomes of a request before it is decided.
fn entrance(place: &Place, config: &Config) -> Result<(Arc<Keys>, AuditLog, Gateway)> {
    let named = || place.to_string();
    let allowance = Allowance { per_second: config.access.rate, burst: span(config.access.burst) };
    let keys = Keys::open(place, config.server.listen.ip().is_loopback(), allowance).with_context(named)?;
    Ok((Arc::new(keys), AuditLog::open(place).with_context(named)?, Gateway::open(&config.gateway)?))
}

fn catalog_worker(node: &Node, stores: &Stores, follower: Follower, limits: Limiting) -> Result<CatalogWorker> {
    Ok(CatalogWorker {
        follower,
        limits,
        ledger: stores.vault.reader()?,
        world: Arc::clone(&node.world),
        pacing: Arc::clone(&node.pacing),
        metrics: Arc::clone(&node.metrics),
        clock: node.clock.clone(),
        poll_interval: span(node.config.catalog.poll_interval),
        told: node.editor.told.clone(),
        waiting: None,
    })
}

fn pacing_worker(
    node: &Node,
    stores: &Stores,
    (traffic, unconverted): (Arc<TrafficCounts>, Arc<Unconverted>),
) -> Result<PacingWorker> {
    let writer = node.config.server.name.clone();
    let partition =
        node.log.partition(&writer, PartitionKey(0)).context("this process does not write the event log")?;
    Ok(PacingWorker {
        log: Arc::clone(&node.log),
        series: event_log::series(&stores.log, &writer, partition),
        partition,
        ledger: stores.vault.reader()?,
        world: Arc::clone(&node.world),
        board: Arc::clone(&node.pacing),
        promises: Arc::clone(&node.decider.promises),
        clock: node.clock.clone(),
        interval: PACING_INTERVAL,
        last_full: Timestamp(i64::MIN),
        traffic,
        unconverted,
        forecast: None,
        controllers: Controllers::inheriting(PacingHistory::last_before(&*node.log, node.clock.now())?),
    })
}

fn billing_worker(node: &Node, stores: &Stores) -> Result<BillingWorker> {
    let own =
        (0..EVENT_PARTITIONS).filter_map(|k| node.log.partition(&node.config.server.name, PartitionKey(k.into())));
    let share = event_log::share(&node.config, &node.data, own.collect())?;
    let reader = stores.vault.reader()?;
    let (log, ledger, metrics) = (Arc::clone(&node.log), Arc::clone(&stores.ledger), Arc::clone(&node.metrics));
    Ok(BillingWorker::new(log, ledger, reader, metrics, share))
}

/// None where everything is kept.
fn retention_worker(node: &Node, stores: &Stores) -> Result<Option<RetentionWorker>> {
    let kept = &node.config.log;
    let age = Some(kept.retention_age).filter(|age| age.0 > 0);
    let bytes_max = Some(kept.retention_bytes).filter(|bytes| *bytes > 0);
    if age.is_none() && bytes_max.is_none() {
        return Ok(None);
    }
    let Some(log) = stores.log.segments.clone() else { return Ok(None) };
    Ok(Some(RetentionWorker {
        log,
        ledger: stores.vault.reader()?,
        writer: node.config.server.name.clone(),
        data: node.data.clone(),
        clock: node.clock.clone(),
        metrics: Arc::clone(&node.metrics),
        age,
        bytes_max,
        interval: span(kept.retention_interval),
    }))
}

/// In the one process that has the partition of commands.
fn admin_worker(stores: &Stores) -> Result<Option<AdminWorker>> {
    let Some(partition) = stores.log.log.partition(ADMIN, PartitionKey(0)) else { return Ok(None) };
    Ok(Some(AdminWorker {
        log: stores.log(),
        ledger: Arc::<dyn Ledger>::clone(&stores.ledger),
        reader: stores.vault.reader()?,
        metrics: Arc::clone(&stores.metrics),
        partition,
        position: None,
        applied: watch::Sender::new(0),
        audit: CommandAudit::open(stores.log(), AuditLog::open(stores.vault.place())?, partition)?,
    }))
}

/// How often a process without the role `admin` looks whether the one with it has sent the limits.
const LIMITS_LOOK: Duration = Duration::from_millis(100);
const LIMITS_TOLD: Duration = Duration::from_secs(10);

/// Nothing is decided on budgets whose limits are not in force.
fn wait_until_limited(mut limited: Limited, ledger: &dyn LedgerReader) -> Result<()> {
    let mut told = Instant::now();
    while !limited.is_in_force(ledger)? {
        if told.elapsed() >= LIMITS_TOLD {
            tracing::warn!("waiting for the process with the role `admin` to bring the catalog's limits into force");
            told = Instant::now();
        }
        std::thread::sleep(LIMITS_LOOK);
    }
    Ok(())
}

pub(crate) fn rules(config: &Config) -> Rules {
    let params = &config.params;
    Rules {
        sources: SourceLimits { candidates_max: size(params.candidates_max.into()), ..SourceLimits::default() },
        entrants_max: size(params.entrants_max.into()),
        exploration_ppm: params.exploration_ppm,
        record_full_ppm: params.record_full_ppm,
        features: FeatureSet::v1(),
    }
}

fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

pub(crate) fn span(duration: litfass_types::Duration) -> Duration {
    Duration::from_millis(duration.0.max(0).unsigned_abs())
}

impl Node {
    /// How long a click waits for the log before it is redirected all the same.
    #[must_use]
    pub fn click_wait(&self) -> Duration {
        span(self.config.server.click_wait)
    }

    /// How long requests that were begun may go on once the process is asked to stop.
    #[must_use]
    pub fn drain_timeout(&self) -> Duration {
        span(self.config.server.drain_timeout)
    }

    /// The record of a decision that is on disk.
    ///
    /// # Errors
    /// When the log cannot be read or the record not be decoded.
    pub fn record_of(&self, id: DecisionId) -> Result<Option<DecisionRecord>> {
        let Some(entry) = self.log.find(id)? else { return Ok(None) };
        let body = wire::decode(&entry)?.body;
        Ok(if let Body::Decision(record) = body { Some(*record) } else { None })
    }

    /// Where a click on the token's ad leads: to its creative's landing URL, and nowhere else. The redirect works for as long
    /// as the creative is in the catalog, which forgets none.
    #[must_use]
    pub fn landing_url(&self, token: &Token) -> Option<String> {
        let catalog = &self.world.load().catalog;
        let creative = catalog.creative(catalog.creative_by_id(token.creative)?);
        Some(creative.landing_url.to_owned())
    }
}
