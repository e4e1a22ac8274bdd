//! One seed's world from its first command to its rest.

use litfass_ledger::check::Violation;
use litfass_ledger::{Batch, Membership, Standing, Target};

use super::agenda::{Agenda, Due, Instant};
use super::database::Database;
use super::desk::Desk;
use super::log::{ADMIN, Log, Taken, off};
use super::market::Market;
use super::network::{Call, Letter, Network};
use super::pacing::Pacer;
use super::process::{Biller, Decider, commands_from, take};
use super::scratch::Scratch;
use super::seen::Seen;
use super::serve::no_plan;
use super::setting::{BILLERS, DECIDERS, Setting, Stream, draws};
use super::sql::{SAME, Sql};
use super::token::Token;
use super::watch::{Watch, broken};
use crate::draw::Draw;

const AUDIT_EVERY: Instant = 600_000;
/// After the flight there is less to do.
const QUIET_ROUND: Instant = 10_000;
const QUIET_HEARTBEAT: Instant = 15_000;

#[derive(Debug)]
pub(super) struct World {
    pub(super) setting: Setting,
    pub(super) now: Instant,
    pub(super) agenda: Agenda,
    pub(super) market: Market,
    pub(super) log: Log,
    pub(super) database: Database,
    pub(super) network: Network,
    pub(super) deciders: Vec<Decider>,
    pub(super) billers: Vec<Biller>,
    pub(super) desk: Desk,
    pub(super) tokens: Vec<Token>,
    pub(super) demand: Draw,
    pub(super) viewers: Draw,
    pub(super) clocks: Draw,
    pub(super) watch: Watch,
    pub(super) seen: Seen,
    pub(super) pacer: Pacer,
    pub(super) flying: bool,
}

impl World {
    pub(super) fn new(setting: Setting, scratch: &Scratch) -> Result<Self, Violation> {
        let market = Market::of(&setting);
        let (seed, now) = (setting.seed, market.starts);
        let mut clocks = draws(seed, Stream::Database);
        let deciders = (0..DECIDERS).map(|n| Decider::new(n, &setting, &mut clocks, now)).collect();
        let billers = (0..BILLERS).map(|_| Biller::new(&setting, &mut clocks, now)).collect();
        let sql = if setting.sql { Some(sql(&setting, scratch)?) } else { None };
        let database = Database::new(setting.terms, off(&mut clocks, setting.skew), sql);
        Ok(Self {
            now,
            agenda: Agenda::default(),
            log: Log::new(&mut clocks, setting.event_partitions, setting.skew),
            database,
            network: Network::new(&setting),
            deciders,
            billers,
            desk: Desk::new(draws(seed, Stream::Edits)),
            tokens: Vec::new(),
            demand: draws(seed, Stream::Demand),
            viewers: draws(seed, Stream::Viewers),
            clocks,
            watch: Watch::default(),
            seen: Seen::default(),
            pacer: Pacer::new(market.line_items.len(), draws(seed, Stream::Pacing)),
            flying: true,
            market,
            setting,
        })
    }

    pub(super) fn live(mut self) -> Result<Seen, Violation> {
        self.begin()?;
        let ends = self.market.starts + self.setting.flight;
        self.until(ends)?;
        self.land()?;
        let rest = ends + self.setting.token_ttl + 3 * self.setting.skew + 660_000;
        self.until(rest)?;
        self.settle()?;
        self.at_rest()?;
        Ok(self.seen)
    }

    /// Budgets are paid in and set before the first request.
    fn begin(&mut self) -> Result<(), Violation> {
        let known = self.known();
        self.database.run(0, self.now, &known.as_slice())?.map_err(|refused| no_plan(&refused))?;
        for (tenant, effect) in std::mem::take(&mut self.market.first_commands) {
            let command = self.desk.command(tenant, effect);
            self.log.command(command, self.now);
        }
        self.apply_rest()?;
        let starts = self.market.starts;
        self.agenda.note(starts, Due::Request);
        self.agenda.note(starts + AUDIT_EVERY, Due::Audit);
        if self.setting.paced {
            self.agenda.note(starts, Due::Pace);
        }
        for process in 0..DECIDERS + BILLERS {
            self.agenda.note(starts, Due::Round { process, life: 0 });
        }
        (0..self.setting.event_partitions).for_each(|partition| self.agenda.note(starts, Due::Heartbeat { partition }));
        let faults = self.setting.faults.iter().enumerate();
        faults.for_each(|(number, (at, _))| self.agenda.note(starts + at, Due::Fault { number }));
        self.setting.edits.iter().for_each(|at| self.agenda.note(starts + at, Due::Edit));
        Ok(())
    }

    fn until(&mut self, end: Instant) -> Result<(), Violation> {
        while let Some((at, due)) = self.agenda.next() {
            self.now = at;
            if at >= end {
                self.agenda.note(at, due);
                break;
            }
            self.step(due)?;
        }
        self.now = end;
        Ok(())
    }

    fn step(&mut self, due: Due) -> Result<(), Violation> {
        match due {
            Due::Request => self.request(),
            Due::Append { token, partition } => self.append(token, partition),
            Due::Heartbeat { partition } => self.heartbeat(partition),
            Due::Round { process, life } => self.round(process, life),
            Due::Restart { process, life } => self.restart(process, life),
            Due::Letter { slot } => return self.letter(slot),
            Due::Fault { number } => return self.fault(number),
            Due::Edit => self.edit(),
            Due::Lower => self.lower(),
            Due::Audit => return self.audit(),
            Due::Pace => return self.pace(),
        }
        Ok(())
    }

    fn append(&mut self, token: u32, partition: u16) {
        match self.log.append(partition, token, self.now) {
            Taken::Appended => self.seen.events += 1,
            Taken::Later(at) => self.agenda.note(at, Due::Append { token, partition }),
            Taken::Sealed => {
                let partition = self.log.partition_of(u64::from(token));
                self.agenda.note(self.now, Due::Append { token, partition });
            }
        }
    }

    fn heartbeat(&mut self, partition: u16) {
        let every = if self.flying { self.setting.heartbeat_every } else { QUIET_HEARTBEAT };
        if self.log.heartbeat(partition, self.now) != Taken::Sealed {
            self.agenda.note(self.now + every, Due::Heartbeat { partition });
        }
    }

    fn edit(&mut self) {
        self.desk.edit(&self.market, &self.database.book, &mut self.log, self.now);
        self.seen.edits += 1;
    }

    fn lower(&mut self) {
        self.desk.lower(&self.market, &self.database.book, &mut self.log, self.now);
        self.seen.edits += 1;
    }

    fn audit(&mut self) -> Result<(), Violation> {
        self.agenda.note(self.now + AUDIT_EVERY, Due::Audit);
        self.watch.audit(&self.database.book)?;
        self.database.compare()
    }

    pub(super) fn known(&self) -> Vec<Membership> {
        let open = self.log.kinds().map(|(partition, kind)| Membership::Open { partition, kind });
        let sealed = self.log.partitions.iter().filter(|p| p.sealed);
        open.chain(sealed.map(|p| Membership::Seal { partition: p.number, end: p.end() })).collect()
    }

    // -- processes

    fn round(&mut self, process: usize, life: u32) {
        let now = self.now;
        if process < DECIDERS {
            if self.deciders[process].body.life == life && self.deciders[process].body.up {
                self.look_after_leases(process, life);
                let every = if self.flying { self.setting.lease_every } else { QUIET_ROUND };
                self.agenda.note(now + every, Due::Round { process, life });
            }
        } else if self.billers[process - DECIDERS].body.life == life && self.billers[process - DECIDERS].body.up {
            self.look_after_the_log(process, life);
            let every = if self.flying { self.setting.bill_every } else { QUIET_ROUND };
            self.agenda.note(now + every, Due::Round { process, life });
        }
    }

    fn call(&mut self, from: usize, life: u32, call: Call) {
        self.network.send(&mut self.agenda, self.now, Letter::Call { from, life, call });
    }

    fn look_after_leases(&mut self, process: usize, life: u32) {
        let decider = &mut self.deciders[process];
        let wanted = decider.wanted(self.now);
        let (holds, monotonic) = decider.holds(self.now);
        let returns = holds.returns(monotonic);
        if !wanted.is_empty() {
            self.call(process, life, Call::Grant(wanted));
        }
        if !returns.is_empty() {
            self.call(process, life, Call::GiveBack(returns));
        }
    }

    fn look_after_the_log(&mut self, process: usize, life: u32) {
        let (now, most) = (self.now, self.setting.batch_entries);
        let other_up = self.billers.iter().enumerate().any(|(n, other)| n != process - DECIDERS && other.body.up);
        // Now and then two processes read the same partition.
        let greedy = self.clocks.chance(0.02);
        let biller = &mut self.billers[process - DECIDERS];
        biller.impatient(now);
        if let Some(timeline) = biller.unpromoted.take() {
            let targets = self.targets();
            return self.call(process, life, Call::Promote(timeline, targets));
        }
        if biller.lost() {
            return self.call(process, life, Call::Stands);
        }
        let mine = |partition| greedy || owns(process, partition, other_up);
        let batch = biller.batch(&self.log, &self.tokens, most, now, mine);
        let commands = if greedy || owns(process, 1, other_up) { biller.commands(&self.log, now) } else { None };
        let sweeps = now >= biller.swept + self.setting.sweep_every;
        if sweeps {
            biller.swept = now;
        }
        let calls = [batch.map(Call::Bill), commands.map(Call::Apply), sweeps.then_some(Call::Sweep)];
        calls.into_iter().flatten().for_each(|call| self.call(process, life, call));
    }

    /// What died again while it was down is started once, after its last death.
    fn restart(&mut self, process: usize, life: u32) {
        let ahead = off(&mut self.clocks, self.setting.skew);
        if life == self.life(process) {
            match process.checked_sub(DECIDERS) {
                None => self.deciders[process].start(ahead, self.now),
                Some(biller) => self.billers[biller].start(ahead, self.now),
            }
            self.agenda.note(self.now, Due::Round { process, life });
        }
    }

    pub(super) fn life(&self, process: usize) -> u32 {
        let biller = process.checked_sub(DECIDERS);
        biller.map_or_else(|| self.deciders[process].body.life, |n| self.billers[n].body.life)
    }

    /// An entry is appended to every partition that takes one: how far the log goes.
    fn targets(&mut self) -> Vec<Target> {
        self.log.mark_admin(self.now);
        let open: Vec<u16> = self.log.open_partitions().collect();
        for partition in open {
            self.log.heartbeat(partition, self.now);
        }
        let next = |(partition, kind)| Target { partition, kind, next: self.log.end(partition) };
        self.log.kinds().map(next).collect()
    }

    // -- the end

    /// No more requests and no more faults; what is on its way still comes.
    fn land(&mut self) -> Result<(), Violation> {
        self.flying = false;
        self.network.calm();
        self.database.down_until = 0;
        self.log.partitions.iter_mut().for_each(|p| p.stalled_until = 0);
        if self.database.lags() { self.fail_over() } else { Ok(()) }
    }

    /// Everything in the log is read, everything due is done.
    fn settle(&mut self) -> Result<(), Violation> {
        let open: Vec<u16> = self.log.open_partitions().collect();
        for partition in open {
            self.log.heartbeat(partition, self.now);
        }
        let Standing { timeline, .. } = self.database.standing()?;
        let targets = self.targets();
        self.promote(0, timeline, &targets)?;
        self.apply_rest()?;
        loop {
            let mut batch = Batch::default();
            for partition in self.log.partitions.iter().map(|p| p.number) {
                let next = self.database.next(partition);
                take(&mut batch, &self.log, &self.tokens, (partition, next), 1_000);
            }
            if batch.consumed.is_empty() {
                break;
            }
            batch.entries.sort_by_key(|entry| (entry.appended, entry.position));
            self.bill(0, &batch)?;
        }
        self.sweep(0)
    }

    fn apply_rest(&mut self) -> Result<(), Violation> {
        while let Some(commands) = commands_from(&self.log, self.database.next(ADMIN), usize::MAX) {
            self.apply(0, &commands)?;
        }
        Ok(())
    }
}

fn owns(process: usize, partition: u16, other_up: bool) -> bool {
    !other_up || usize::from(partition) % BILLERS == process - DECIDERS
}

fn sql(setting: &Setting, scratch: &Scratch) -> Result<Sql, Violation> {
    let folder = scratch.of(setting.seed).map_err(|error| broken(SAME, || error.to_string()))?;
    Sql::new(&folder, setting.terms, draws(setting.seed, Stream::Cuts))
}
