//! A machine that dies and starts again: the event log on a simulated disk, the ledger in a real SQLite file, and the shipped
//! readers between them.
//!
//! SQLite with synchronous=FULL keeps what it has committed, so the file itself goes through every cut. One thread drives
//! everything and waits for each answer: a seed determines at which operation of the disk which transaction was committed.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use litfass_events::PartitionKey;
use litfass_ledger::check::nothing_pending_fits;
use litfass_server::workers::admin::AdminWorker;
use litfass_server::workers::audited::CommandAudit;
use litfass_server::workers::billing::BillingWorker;
use litfass_store::audit::AuditLog;
use litfass_store::ledger::{BudgetAuthority, LedgerReader, SqliteLedger, SqliteLedgerReader, verify};
use litfass_store::log::{Alone, Clock, Entry, EventLog, LogOptions, NewEntry, SegmentLog, Until};
use litfass_store::storage::{SimDisk, SyncSite};
use litfass_types::{EventId, Position, Seed, Timestamp};
use tempfile::TempDir;

use super::hasty::Hasty;
use super::traffic;
use crate::books::{self, Logged, each_entry};

const ROOT: &str = "/log";
const PARTITIONS: u16 = 2;
/// Longer than leases and holds last, shorter than tokens live.
const UNTIL_ALL_LEASES_ARE_DUE: i64 = 5 * 60_000;
/// Far more than there are entries between two steps.
const BATCHES_MAX: u64 = 100;

pub(super) type Broken = String;

/// What is wrong with the machine on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    None,
    LeftOut(SyncSite),
    /// Readers see what is not on disk yet.
    Hasty,
}

/// How a life ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Power,
    Kill,
    Close,
}

/// What was seen on the way, so that a test can tell that it saw something.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Seen {
    pub(super) checks: u64,
    pub(super) lost: u64,
    pub(super) billed: u64,
    pub(super) unbilled: u64,
    pub(super) repeated: u64,
    /// Batches that were in the log and not in the ledger when a life began.
    pub(super) caught_up: u64,
}

impl Seen {
    pub(super) const fn add(&mut self, other: &Self) {
        self.checks += other.checks;
        self.lost += other.lost;
        self.billed += other.billed;
        self.unbilled += other.unbilled;
        self.repeated += other.repeated;
        self.caught_up += other.caught_up;
    }
}

struct Running {
    log: Arc<dyn EventLog>,
    hasty: Option<Arc<Hasty>>,
    ledger: Arc<SqliteLedger>,
    reader: SqliteLedgerReader,
    events: Vec<u16>,
    billing: BillingWorker,
    admin: AdminWorker,
}

/// One earlier state of the database, every commit as likely as any other.
#[derive(Default)]
struct Earlier {
    commits: u64,
    folder: Option<TempDir>,
}

pub(super) struct Machine {
    pub(super) disk: SimDisk,
    folder: TempDir,
    earlier: Earlier,
    running: Option<Running>,
    fault: Fault,
    now: Arc<AtomicI64>,
    /// Where an append said that it put an entry, and whether for good.
    placed: BTreeMap<Position, (EventId, Until)>,
    life: u64,
    pub(super) seen: Seen,
}

/// The power of SQLite's own file is not cut here, so it may as well lie in memory, where its syncs cost nothing.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

impl Machine {
    pub(super) fn new(fault: Fault) -> Self {
        let disk = SimDisk::new();
        if let Fault::LeftOut(site) = fault {
            disk.leave_out(site);
        }
        Self {
            disk,
            folder: scratch(),
            earlier: Earlier::default(),
            running: None,
            fault,
            now: Arc::new(AtomicI64::new(traffic::START.0)),
            placed: BTreeMap::new(),
            life: 0,
            seen: Seen::default(),
        }
    }

    /// The same machine with a database that lacks its last commits, as one that failed over does.
    pub(super) fn with_earlier_ledger(&mut self, seed: Seed) -> Option<Self> {
        let folder = self.earlier.folder.take()?;
        self.earlier = Earlier::default();
        Some(Self {
            disk: self.disk.after_power_loss(seed),
            folder,
            earlier: Earlier::default(),
            running: None,
            fault: self.fault,
            now: Arc::new(AtomicI64::new(self.now().0)),
            placed: self.placed.clone(),
            life: self.life,
            seen: Seen::default(),
        })
    }

    /// Opens log and ledger. `Ok(false)` where the process ended meanwhile.
    pub(super) fn start(&mut self) -> Result<bool, Broken> {
        self.life += 1;
        let opened = SegmentLog::open(Arc::new(self.disk.clone()), Path::new(ROOT), &options(), &self.clock());
        let Some(opened) = self.unless_ended(opened)? else { return Ok(false) };
        self.running = Some(self.run(opened.log).map_err(|e| self.broken(e))?);
        self.compare_positions()?;
        Ok(self.disk.is_alive())
    }

    fn run(&self, log: SegmentLog) -> anyhow::Result<Running> {
        let (log, hasty): (Arc<dyn EventLog>, _) = if self.fault == Fault::Hasty {
            let hasty = Arc::new(Hasty::new(log));
            (Arc::<Hasty>::clone(&hasty), Some(hasty))
        } else {
            (Arc::new(log), None)
        };
        let (database, clock) = (self.folder.path().join("litfass.db"), self.clock());
        let ledger = Arc::new(SqliteLedger::open(&database, traffic::terms(), Box::new(move || clock.now()))?);
        litfass_store::migrate::to_current(&database)?;
        let reader = || SqliteLedgerReader::open(&database);
        let events = (0..PARTITIONS).filter_map(|key| log.partition("server", PartitionKey(key.into()))).collect();
        let (share, metrics) = (Box::new(Alone), Arc::default());
        let billing = BillingWorker::new(
            Arc::clone(&log),
            Arc::<SqliteLedger>::clone(&ledger),
            Arc::new(reader()?),
            metrics,
            share,
        );
        let commands = log.partition("admin", PartitionKey(0)).context("the admin partition")?;
        let admin = AdminWorker {
            log: Arc::clone(&log),
            ledger: Arc::<SqliteLedger>::clone(&ledger),
            reader: Arc::new(reader()?),
            metrics: Arc::default(),
            partition: commands,
            position: None,
            applied: tokio::sync::watch::Sender::new(0),
            audit: CommandAudit::open(Arc::clone(&log), AuditLog::open(&database)?, commands)?,
        };
        Ok(Running { log, hasty, ledger, reader: reader()?, events, billing, admin })
    }

    /// One step of work. `Ok(false)` where the process ended in it.
    pub(super) fn step(&mut self, seed: Seed) -> Result<bool, Broken> {
        self.pass(seed.derive(1).below(4_000).cast_signed());
        match seed.derive(2).below(16) {
            0..=3 => self.deliver(seed, Until::Written)?,
            4..=7 => self.deliver(seed, Until::Committed)?,
            8 => self.administer(seed)?,
            9..=10 => self.grant(seed)?,
            11..=13 => drop(self.bill()?),
            14 => self.apply()?,
            _ => self.sweep()?,
        }
        self.keep_now_and_then(seed);
        Ok(self.disk.is_alive())
    }

    /// The readers go on from where the ledger stands until nothing is left to do and every lease is closed; then log and
    /// ledger are compared. `Ok(false)` where the process ended meanwhile.
    pub(super) fn settle(&mut self) -> Result<bool, Broken> {
        self.apply()?;
        self.seen.caught_up += self.bill()?;
        self.pass(UNTIL_ALL_LEASES_ARE_DUE);
        let now = self.now();
        self.append(self.event_partitions().into_iter().map(|p| traffic::tick(p, now)).collect(), Until::Committed)?;
        self.bill()?;
        if !self.disk.is_alive() {
            return Ok(false);
        }
        self.sweep()?;
        self.check()?;
        Ok(true)
    }

    /// A life's traffic begins.
    pub(super) fn begin(&mut self) {
        self.now.fetch_max(traffic::START.0 + traffic::LIFE.0 * self.life.cast_signed(), Ordering::Relaxed);
    }

    /// The next life begins with what the last one left.
    pub(super) fn end(&mut self, end: End, seed: Seed) {
        let running = self.running.take();
        match end {
            End::Power => self.disk = self.disk.after_power_loss(seed),
            End::Kill => self.disk = self.disk.after_kill(),
            End::Close => {}
        }
        drop(running);
    }

    fn deliver(&mut self, seed: Seed, until: Until) -> Result<(), Broken> {
        let (life, now, partitions) = (self.life, self.now(), self.event_partitions());
        let place = |key: PartitionKey| partitions[usize::from(key.index(PARTITIONS))];
        let count = 1 + seed.derive(3).below(4);
        let entries = (0..count).map(|n| traffic::delivery(life, now, seed.derive(100 + n), place));
        self.append(entries.collect(), until)
    }

    fn administer(&mut self, seed: Seed) -> Result<(), Broken> {
        let Some(running) = &self.running else { return Ok(()) };
        let entry = traffic::command(running.admin.partition, self.life, self.now(), seed.derive(3));
        let until = if seed.derive(4).below(4) == 0 { Until::Written } else { Until::Committed };
        self.append(vec![entry], until)
    }

    fn append(&mut self, entries: Vec<NewEntry>, until: Until) -> Result<(), Broken> {
        let Some(running) = &self.running else { return Ok(()) };
        let results = running.log.append(entries.clone(), until).wait();
        for (NewEntry { id, payload, .. }, result) in entries.into_iter().zip(results) {
            let Some(position) = self.unless_ended(result)? else { continue };
            if let Some(hasty) = &running.hasty {
                hasty.show(Entry { position, append_time: self.now(), id, payload });
            }
            self.placed.insert(position, (id, until));
        }
        Ok(())
    }

    fn grant(&self, seed: Seed) -> Result<(), Broken> {
        let Some(running) = &self.running else { return Ok(()) };
        let request = traffic::grant(self.life, seed.derive(3));
        running.ledger.grant(&[request]).map(drop).map_err(|e| self.broken(e))
    }

    /// How many batches there were.
    fn bill(&mut self) -> Result<u64, Broken> {
        let Some(mut running) = self.running.take() else { return Ok(0) };
        let mut batches = 0;
        let done = loop {
            match running.bill_a_batch() {
                Ok(true) if batches < BATCHES_MAX => batches += 1,
                Ok(true) => break Err(anyhow!("billing does not come to rest")),
                Ok(false) => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        self.running = Some(running);
        self.unless_ended(done)?;
        Ok(batches)
    }

    fn apply(&mut self) -> Result<(), Broken> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let applied = running.admin.catch_up();
        self.unless_ended(applied).map(drop)
    }

    fn sweep(&self) -> Result<(), Broken> {
        let Some(running) = &self.running else { return Ok(()) };
        running.ledger.sweep().map(drop).map_err(|e| self.broken(e))
    }

    /// No ledger stands where its log does not reach.
    fn compare_positions(&self) -> Result<(), Broken> {
        let Some(running) = &self.running else { return Ok(()) };
        let Some(heads) = self.unless_ended(running.log.wait(&[], Duration::ZERO))? else { return Ok(()) };
        let ends: BTreeMap<u16, u64> = heads.into_iter().map(|head| (head.next.partition, head.next.offset)).collect();
        for (partition, row) in running.reader.positions().map_err(|e| self.broken(e))? {
            let end = ends.get(&partition).copied().unwrap_or(0);
            if row.next > end {
                return Err(
                    self.broken(format!("the ledger stands at {} of {partition}, the log ends at {end}", row.next))
                );
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Broken> {
        let Some(running) = &self.running else { return Ok(()) };
        let (mut logged, mut there) = (Logged::default(), BTreeMap::new());
        let read = each_entry(&*running.log, |entry| {
            logged.take(entry);
            there.insert(entry.position, entry.id);
        });
        read.map_err(|e| self.broken(e))?;
        let lost = self.check_promises(&there)?;
        let audit = running.reader.audit().map_err(|e| self.broken(e))?;
        let violations = verify(&running.reader).map_err(|e| self.broken(e))?;
        let fits = nothing_pending_fits(&audit).err();
        if let Some(violation) = violations.into_iter().chain(fits).next() {
            return Err(self.broken(violation));
        }
        if books::is_leased(&running.reader) {
            return Err(self.broken("a lease is open at rest"));
        }
        self.check_outcomes(&logged)?;
        self.seen.checks += 1;
        self.seen.lost = lost;
        Ok(())
    }

    /// What was acknowledged for good is there; what was lost is counted.
    fn check_promises(&self, there: &BTreeMap<Position, EventId>) -> Result<u64, Broken> {
        let mut lost = 0;
        for (position, (id, until)) in &self.placed {
            match there.get(position) {
                Some(found) if found == id => {}
                None if *until == Until::Written => lost += 1,
                other => return Err(self.broken(format!("{id:?} was put at {position:?}, there is {other:?}"))),
            }
        }
        Ok(lost)
    }

    /// Each claim in the log has one outcome: by line item, what was billed and what was not are what the log says, to the nano.
    fn check_outcomes(&mut self, logged: &Logged) -> Result<(), Broken> {
        let (ended, repeated) = books::ended(self.folder.path());
        let claims = logged.claims();
        for line_item in claims.keys().chain(ended.keys()) {
            let (claimed, ended) = (claims.get(line_item).copied(), ended.get(line_item).copied());
            let (claimed, ended) = (claimed.unwrap_or_default(), ended.unwrap_or_default());
            let events = ended.billed.events + ended.unbilled.events;
            let nanos = ended.billed.nanos + ended.unbilled.nanos;
            if (events, nanos) != (claimed.events, claimed.nanos) {
                return Err(self.broken(format!("{line_item:?}: the log claims {claimed:?}, it ended as {ended:?}")));
            }
        }
        if repeated != logged.repeated {
            return Err(self.broken(format!("{repeated} copies were met, the log has {}", logged.repeated)));
        }
        self.seen.billed = ended.values().map(|ended| ended.billed.events).sum();
        self.seen.unbilled = ended.values().map(|ended| ended.unbilled.events).sum();
        self.seen.repeated = repeated;
        Ok(())
    }

    /// Copies the database as it stands after this commit, in the place of an earlier copy.
    fn keep_now_and_then(&mut self, seed: Seed) {
        self.earlier.commits += 1;
        if seed.derive(5).below(self.earlier.commits) == 0 {
            let folder = scratch();
            for file in fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap) {
                // The index of the write-ahead log is made anew.
                if !file.file_name().to_string_lossy().ends_with("-shm") {
                    fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
                }
            }
            self.earlier.folder = Some(folder);
        }
    }

    fn event_partitions(&self) -> Vec<u16> {
        self.running.as_ref().map_or_else(Vec::new, |running| running.events.clone())
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Clock::new(move || Timestamp(now.load(Ordering::Relaxed)))
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// A failure is none where the process has ended: then nothing works any more.
    fn unless_ended<T, E: Display>(&self, result: Result<T, E>) -> Result<Option<T>, Broken> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(_) if !self.disk.is_alive() => Ok(None),
            Err(e) => Err(self.broken(e)),
        }
    }

    fn broken(&self, what: impl Display) -> Broken {
        format!("life {}: {what}", self.life)
    }
}

impl Running {
    /// Whether there was one.
    fn bill_a_batch(&mut self) -> anyhow::Result<bool> {
        let behind = self.is_behind()?;
        if behind {
            self.billing.billed = None;
            self.billing.step()?;
        }
        Ok(behind)
    }

    fn is_behind(&self) -> anyhow::Result<bool> {
        let stands: BTreeMap<u16, u64> = self.reader.positions()?.into_iter().map(|(p, row)| (p, row.next)).collect();
        let heads = self.log.wait(&[], Duration::ZERO)?;
        let ours = heads.iter().filter(|head| self.events.contains(&head.next.partition));
        Ok(ours.map(|head| head.next).any(|next| next.offset > stands.get(&next.partition).copied().unwrap_or(0)))
    }
}

fn options() -> LogOptions {
    let mut options = LogOptions::new(&[("server", PARTITIONS), ("admin", 1)]);
    options.segment_bytes = 2_500;
    options.heartbeat = None;
    options.commit_interval = Duration::from_secs(86_400);
    options
}
