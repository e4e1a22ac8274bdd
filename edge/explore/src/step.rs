//! From one state to the next by one act: which acts are steps, and what the shipped transitions make of them.

use litfass_ledger::{
    Apply, Bill, GiveBack, Grant, GrantRequest, Membership, Monotonic, Operation, PartitionKind, Promote, Refused,
    Return, Target,
};
use litfass_types::{LeaseId, Probability, Timestamp};

use crate::act::Act;
use crate::bounds::{START, TERMS};
use crate::breach::Breach;
use crate::check::{AGAIN, PLAN, Violation};
use crate::log::{ADMIN, Line, Read, TokenId, offset};
use crate::outcomes;
use crate::setup;
use crate::world::{Holder, World};

/// A state, nothing where the act is no step, or what went wrong on the way.
pub(crate) type Stepped = Result<Option<World>, Violation>;

/// What a step does to a copy of the state; false where it is no step.
type Done = Result<bool, Violation>;

/// What a CPC slot expects; with it a click's hold is three eighths of its price.
const P_CLICK: Probability = Probability::from_bits(1 << 30);

impl World {
    pub(crate) fn step(&self, act: Act) -> Stepped {
        let mut next = self.clone();
        Ok(next.take(act)?.then_some(next))
    }

    fn take(&mut self, act: Act) -> Done {
        match act {
            Act::Tick => Ok(self.tick()),
            Act::Lease { holder, item, heard } => self.lease(holder, item, heard),
            Act::Ask { holder, item } => Ok(self.ask(holder, item)),
            Act::Grant { holder } => self.grant(holder),
            Act::Hear { holder } => Ok(self.hear(holder)),
            Act::Show { holder, item } => Ok(self.show(holder, item)),
            Act::Send { token, partition } => Ok(self.send(token, partition)),
            Act::GiveBack { holder } => Ok(self.send_back(holder) && self.take_back(holder)?),
            Act::SendBack { holder } => Ok(self.send_back(holder)),
            Act::TakeBack { holder } => self.take_back(holder),
            Act::Crash { holder } => Ok(self.crash(holder)),
            Act::Wish => Ok(self.wish(self.tally.wishes, false)),
            Act::Repeat { command } => Ok(self.wish(command, true)),
            Act::Apply { all } => self.apply(all),
            Act::Bill { partition, all } => self.bill(partition, all),
            Act::BillBoth => self.bill_both(),
            Act::Read { partition } => Ok(self.read(partition)),
            Act::CommitLate => self.commit_late(),
            Act::Sweep => self.sweep(),
            Act::Seal => self.seal(),
            Act::Open => self.open(),
            Act::FailOver { lost } => Ok(self.fail_over(lost)),
            Act::Promote => self.promote(),
        }
    }

    fn tick(&mut self) -> bool {
        if self.instant + 1 >= self.bounds.instants.len() {
            return false;
        }
        self.instant += 1;
        if self.bounds.instants.get(self.instant).is_some_and(|(_, beats)| *beats) {
            self.beat(Self::partition_clock);
        }
        true
    }

    /// A heartbeat in every partition that has a writer.
    pub(crate) fn beat(&mut self, clock: impl Fn(&Self, u16) -> Timestamp) {
        for partition in 0..2 {
            if self.is_open(partition) {
                let at = clock(self, partition);
                self.append(partition, at, None);
            }
        }
    }

    fn append(&mut self, partition: u16, at: Timestamp, token: Option<TokenId>) {
        self.log.edit(|log| log.append(partition, at, token));
    }

    fn of<R>(&mut self, holder: usize, does: impl FnOnce(&mut Holder) -> R) -> Option<R> {
        self.holders.get_mut(holder).map(|holder| holder.edit(does))
    }

    fn lease(&mut self, holder: usize, item: usize, heard: bool) -> Done {
        if !heard && self.tally.unheard >= self.bounds.unheard {
            return Ok(false);
        }
        self.tally.unheard += usize::from(!heard);
        let stepped = self.ask(holder, item) && self.grant(holder)? && (!heard || self.hear(holder));
        self.of(holder, |of| {
            of.asked.clear();
            of.answered.clear();
        });
        Ok(stepped)
    }

    fn ask(&mut self, holder: usize, item: usize) -> bool {
        let (now, decided) = (self.monotonic(holder), self.decision_clock(holder));
        let entrant = setup::entrant(item, &self.bounds.items[item], decided);
        if self.tally.asks >= self.bounds.asks {
            return false;
        }
        self.tally.asks += 1;
        let asks = |of: &mut Holder| {
            of.holds.want(&entrant, now);
            of.asked = wanted(of, holder, now);
            !of.asked.is_empty()
        };
        self.of(holder, asks).unwrap_or(false)
    }

    fn grant(&mut self, holder: usize) -> Done {
        let Some(requests) = self.holders.get(holder).map(|of| of.asked.clone()) else { return Ok(false) };
        let operation = Grant { requests: &requests, now: self.database_clock(), terms: &TERMS };
        let Some((answers, _)) = self.run(&operation)? else { return Ok(false) };
        let (again, changed) = self.database.clone().run(&operation).map_err(no_plan)?;
        if changed || again != answers {
            return Err(Violation::new(AGAIN, format!("{requests:?} were granted twice")));
        }
        let news = answers.iter().any(|answer| answer.result.is_ok());
        let hears = |of: &mut Holder| std::mem::replace(&mut of.answered, answers.clone()) != answers;
        // A refusal is no step: nothing is waiting for it.
        Ok(news && self.of(holder, hears).unwrap_or(false))
    }

    fn hear(&mut self, holder: usize) -> bool {
        let now = self.monotonic(holder);
        let hears = |of: &mut Holder| {
            let answers = std::mem::take(&mut of.answered);
            of.asked.clear();
            of.holds.granted(&answers, now);
            !answers.is_empty()
        };
        self.of(holder, hears).unwrap_or(false)
    }

    fn show(&mut self, holder: usize, item: usize) -> bool {
        if self.tally.slots >= self.bounds.slots {
            return false;
        }
        let (now, decided, of) = (self.monotonic(holder), self.decision_clock(holder), self.bounds.items[item]);
        let price = setup::price(of.per, of.price);
        let (line_item, day) = (setup::line_item(item), setup::day_of(decided));
        let holds = |of: &mut Holder| {
            let held = of.holds.try_hold(line_item, day, price, P_CLICK, now).ok()?;
            let token = TokenId::try_from(holder * 16 + usize::from(of.slots)).ok()?;
            of.slots += 1;
            Some((held, token))
        };
        let Some((held, token)) = self.of(holder, holds).flatten() else { return false };
        let mut claim = setup::claim(item, price, decided, token);
        (claim.lease, claim.hold_expires) = (held.lease, held.hold_expires);
        self.tokens.edit(|tokens| tokens.insert(token, claim));
        self.tally.slots += 1;
        true
    }

    fn send(&mut self, token: TokenId, partition: u16) -> bool {
        if token == setup::PAST || self.tally.entries >= self.bounds.entries || !self.is_open(partition) {
            return false;
        }
        let sent = |line: &Line| matches!(line, Line::Event(_, of) if *of == token);
        let copy = self.log.events.iter().flatten().any(sent);
        if copy && self.tally.copies >= self.bounds.copies {
            return false;
        }
        self.append(partition, self.partition_clock(partition), Some(token));
        self.tally.entries += 1;
        self.tally.copies += usize::from(copy);
        true
    }

    fn send_back(&mut self, holder: usize) -> bool {
        let now = self.monotonic(holder);
        let returns = |of: &mut Holder| {
            of.returned = of.holds.returns(now);
            !of.returned.is_empty()
        };
        self.of(holder, returns).unwrap_or(false)
    }

    fn take_back(&mut self, holder: usize) -> Done {
        let taken = |of: &mut Holder| std::mem::take(&mut of.returned);
        let returns: Vec<Return> = self.of(holder, taken).unwrap_or_default();
        let operation = GiveBack { returns: &returns };
        if self.run(&operation)?.is_none() {
            return Ok(false);
        }
        if self.changes_again(&operation)? {
            return Err(Violation::new(AGAIN, format!("{returns:?} were given back twice")));
        }
        Ok(!returns.is_empty())
    }

    fn crash(&mut self, holder: usize) -> bool {
        let crashes = |of: &mut Holder| {
            // What it had sent may still arrive.
            let (asked, returned) = (std::mem::take(&mut of.asked), std::mem::take(&mut of.returned));
            *of = Holder { leases: of.leases, slots: of.slots, asked, returned, ..Holder::new(holder) };
            of.leases > 0
        };
        self.tally.crashes += 1;
        self.of(holder, crashes).unwrap_or(false)
    }

    fn wish(&mut self, wish: usize, again: bool) -> bool {
        let Some(effect) = self.bounds.wishes.get(wish) else { return false };
        let number = setup::commands(self.bounds).len() + wish;
        let (at, now) = (self.log.admin.len(), self.partition_clock(ADMIN));
        let entry = setup::command(self.bounds, *effect, number, at, now);
        self.log.edit(|log| log.admin.push(entry));
        let counter = if again { &mut self.tally.repeats } else { &mut self.tally.wishes };
        *counter += 1;
        true
    }

    /// One transaction that every state of the protocol has a plan for; nothing where the ledger has to be completed first.
    fn run<O: Operation>(&mut self, operation: &O) -> Result<Option<(O::Receipt, bool)>, Violation> {
        match self.database.run(operation) {
            Ok(done) => Ok(Some(done)),
            Err(Refused::CatchingUp(_)) => Ok(None),
            Err(refused) => Err(no_plan(refused)),
        }
    }

    /// Whether the same once more would have an effect.
    fn changes_again<O: Operation>(&self, operation: &O) -> Result<bool, Violation> {
        let (_, changed) = self.database.clone().run(operation).map_err(no_plan)?;
        Ok(changed)
    }

    pub(crate) fn apply(&mut self, all: bool) -> Done {
        let (from, end) = (self.position(ADMIN), offset(self.log.admin.len()));
        let next = if all { end } else { from + 1 };
        if next > end || all && end < from + 2 {
            return Ok(false);
        }
        let log = self.log.clone();
        let Some(commands) = log.commands(from, next) else { return Ok(false) };
        if self.run(&Apply { commands: &commands })?.is_none() {
            return Ok(false);
        }
        (from..next).for_each(|offset| self.database.note_ceilings(offset));
        Ok(true)
    }

    fn bill(&mut self, partition: u16, all: bool) -> Done {
        let Some(unread) = self.unread(partition) else { return Ok(false) };
        let read = if all { unread } else { Read { next: unread.from + 1, ..unread } };
        if all && unread.from + 1 == unread.next {
            return Ok(false);
        }
        self.bill_now(&[read])
    }

    fn bill_both(&mut self) -> Done {
        let (Some(first), Some(second)) = (self.unread(0), self.unread(1)) else { return Ok(false) };
        self.bill_now(&[first, second])
    }

    pub(crate) fn bill_now(&mut self, reads: &[Read]) -> Done {
        match self.try_bill(reads) {
            Ok(found) => found.map(|()| true),
            Err(Refused::CatchingUp(_)) => Ok(false),
            Err(refused) => Err(no_plan(refused)),
        }
    }

    fn try_bill(&mut self, reads: &[Read]) -> Result<Result<(), Violation>, Refused> {
        let batch = self.log.batch(reads, &self.tokens, self.breach);
        let before = self.database.now.clone();
        let (billed, _) = self.database.run(&Bill { batch: &batch, terms: &TERMS })?;
        if !batch.entries.is_empty() {
            self.database.die_while_billing(&before.0);
        }
        Ok(if self.database.promoted { Ok(()) } else { outcomes::at_once(&batch, &billed) })
    }

    fn read(&mut self, partition: u16) -> bool {
        self.late = self.unread(partition);
        self.tally.late_commits += 1;
        self.late.is_some()
    }

    fn commit_late(&mut self) -> Done {
        let Some(read) = self.late.take() else { return Ok(false) };
        match self.try_bill(&[read]) {
            Ok(found) => found.map(|()| true),
            Err(Refused::Position { .. } | Refused::CatchingUp(_)) => Ok(true),
            Err(refused) => Err(no_plan(refused)),
        }
    }

    pub(crate) fn sweep(&mut self) -> Done {
        if self.breach == Some(Breach::CloseByClock) {
            self.database.pretend_read(self.database_clock());
        }
        match self.database.sweep() {
            Ok((_, changed)) => Ok(changed),
            Err(Refused::CatchingUp(_)) => Ok(false),
            Err(refused) => Err(no_plan(refused)),
        }
    }

    fn seal(&mut self) -> Done {
        if !self.bounds.seals || !self.is_open(1) {
            return Ok(false);
        }
        self.log.edit(|log| log.sealed[1] = true);
        let seal = [Membership::Seal { partition: 1, end: self.log.end(1) }];
        self.run(&seal.as_slice()).map(|done| done.is_some())
    }

    fn open(&mut self) -> Done {
        if !self.bounds.opens || self.database.book().partitions.contains_key(&1) {
            return Ok(false);
        }
        let open = [Membership::Open { partition: 1, kind: PartitionKind::Events }];
        let opened = self.run(&open.as_slice())?.is_some();
        // Nothing is appended before the watermark that leases were closed by, unless the log cannot promise that.
        let live = self.database.book().partitions.values().filter(|row| row.live());
        let watermark = live.filter_map(|row| row.appended).min();
        let by_clock = self.bounds.behind || self.breach == Some(Breach::BeginByClock);
        let begins = if by_clock { Timestamp(0) } else { watermark.unwrap_or(START) };
        self.log.edit(|log| log.begins[1] = Some(begins));
        Ok(opened)
    }

    fn fail_over(&mut self, lost: usize) -> bool {
        // What another reader has read it may commit now as before.
        self.database.fail_over(lost)
    }

    /// What was appended until now is applied again first; once more changes nothing, and what is named for the timeline before
    /// is refused.
    pub(crate) fn promote(&mut self) -> Done {
        let timeline = self.database.book().state.runs;
        let target = |(partition, kind, next)| Target { partition, kind, next };
        let opened = (0..2).filter(|partition| self.log.is_there(*partition));
        let events = opened.map(|partition| (partition, PartitionKind::Events, self.log.end(partition)));
        let admin = (ADMIN, PartitionKind::Admin, offset(self.log.admin.len()));
        let targets: Vec<Target> = events.chain([admin]).map(target).collect();
        let promote = Promote { timeline, targets: &targets };
        let Some((_, changed)) = self.run(&promote)? else { return Ok(false) };
        if self.changes_again(&promote)? {
            return Err(Violation::new(AGAIN, "the ledger was promoted twice"));
        }
        Ok(changed)
    }
}

/// The grants that a holder asks for now, under ids that only it makes.
fn wanted(of: &mut Holder, number: usize, now: Monotonic) -> Vec<GrantRequest> {
    let leases = &mut of.leases;
    of.holds.wanted(now, || {
        *leases += 1;
        LeaseId(number as u128 * 1_000 + u128::from(*leases))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands on")]
fn no_plan(refused: Refused) -> Violation {
    Violation::new(PLAN, refused.to_string())
}
