//! The state of a small world, and what it starts from.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use litfass_ledger::{
    Apply, Bill, Book, GrantAnswer, GrantRequest, HolderId, Holds, Membership, Monotonic, Operation, PartitionKind,
    Refused, Return, execute,
};
use litfass_types::{Duration, Timestamp};

use crate::bounds::{Bounds, START, TERMS};
use crate::breach::Breach;
use crate::database::{Database, refused};
use crate::fingerprint::{Print, Printed, print};
use crate::log::{ADMIN, Line, Log, Read, Tokens, offset};
use crate::setup;

/// A deciding process and what is on its way between it and the database.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Holder {
    pub(crate) holds: Holds,
    pub(crate) leases: u8,
    pub(crate) slots: u8,
    pub(crate) asked: Vec<GrantRequest>,
    pub(crate) answered: Vec<GrantAnswer>,
    pub(crate) returned: Vec<Return>,
}

impl Holder {
    pub(crate) fn new(number: usize) -> Self {
        let holds = Holds::new(HolderId(number as u64), TERMS);
        Self { holds, leases: 0, slots: 0, asked: Vec::new(), answered: Vec::new(), returned: Vec::new() }
    }
}

/// How often what is bounded has happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) asks: usize,
    pub(crate) unheard: usize,
    pub(crate) slots: usize,
    pub(crate) entries: usize,
    pub(crate) copies: usize,
    pub(crate) wishes: usize,
    pub(crate) repeats: usize,
    pub(crate) crashes: usize,
    pub(crate) late_commits: usize,
}

/// One state of a small world.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) bounds: &'static Bounds,
    pub(crate) breach: Option<Breach>,
    pub(crate) instant: usize,
    pub(crate) database: Database,
    pub(crate) log: Printed<Log>,
    pub(crate) tokens: Printed<Tokens>,
    pub(crate) holders: Vec<Printed<Holder>>,
    /// A batch that was read and not committed.
    pub(crate) late: Option<Read>,
    pub(crate) tally: Tally,
}

impl World {
    /// # Errors
    /// The first transactions have no plan: ours.
    pub fn new(bounds: &'static Bounds, breach: Option<Breach>) -> Result<Self, Refused> {
        let log = first_log(bounds);
        let tokens: Tokens = BTreeMap::from([(setup::PAST, setup::past(bounds))]);
        let mut database = Database::new(first_book(bounds, &log, &tokens)?, bounds.lost, breach);
        (0..log.admin.len()).for_each(|at| database.note_ceilings(offset(at)));
        Ok(Self {
            bounds,
            breach,
            instant: 0,
            database,
            log: Printed::new(log),
            tokens: Printed::new(tokens),
            holders: (0..bounds.holders).map(|number| Printed::new(Holder::new(number))).collect(),
            late: None,
            tally: Tally::default(),
        })
    }

    pub(crate) fn seconds(&self) -> i64 {
        self.bounds.instants.get(self.instant).map_or(0, |(seconds, _)| *seconds)
    }

    fn clock(&self, ahead: i64) -> Timestamp {
        START + Duration::seconds(self.seconds() + ahead)
    }

    pub(crate) fn partition_clock(&self, partition: u16) -> Timestamp {
        self.clock(self.bounds.skew.partitions.get(usize::from(partition)).copied().unwrap_or(0))
    }

    pub(crate) fn database_clock(&self) -> Timestamp {
        let skew = &self.bounds.skew;
        self.clock(if self.database.promoted { skew.promoted } else { skew.database })
    }

    pub(crate) fn decision_clock(&self, holder: usize) -> Timestamp {
        self.clock(self.bounds.skew.holders.get(holder).copied().unwrap_or(0))
    }

    pub(crate) fn monotonic(&self, holder: usize) -> Monotonic {
        let slow = if holder == 1 { self.bounds.skew.slow } else { 0 };
        self.seconds().unsigned_abs() * 10 * (100 - slow)
    }

    /// Whether that partition exists for its writers.
    pub(crate) fn is_open(&self, partition: u16) -> bool {
        self.database.book().partitions.contains_key(&partition)
            && !self.log.sealed.get(usize::from(partition)).is_some_and(|sealed| *sealed)
    }

    /// What is stored as read of a partition.
    pub(crate) fn position(&self, partition: u16) -> u64 {
        self.database.book().partitions.get(&partition).map_or(0, |row| row.next)
    }

    /// Everything that was appended to it since.
    pub(crate) fn unread(&self, partition: u16) -> Option<Read> {
        let read = Read { partition, from: self.position(partition), next: self.log.end(partition) };
        (self.database.book().partitions.contains_key(&partition) && read.from < read.next).then_some(read)
    }

    pub(crate) fn print(&self) -> Print {
        print(self)
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, to: &mut H) {
        let Database { now, before, promoted, first, .. } = &self.database;
        (now.print(), promoted, self.instant, self.late, self.tally).hash(to);
        before.iter().for_each(|version| version.print().hash(to));
        if self.bounds.fails_over() {
            first.print().hash(to);
        }
        (self.log.print(), self.tokens.print()).hash(to);
        self.holders.iter().for_each(|holder| holder.print().hash(to));
    }
}

fn first_log(bounds: &Bounds) -> Log {
    let second = if bounds.opens { Vec::new() } else { vec![Line::Heartbeat(START)] };
    let first = vec![Line::Event(START, setup::PAST)];
    let begins = [Some(START), (!bounds.opens).then_some(START)];
    Log { events: [first, second], begins, sealed: [false; 2], admin: setup::commands(bounds) }
}

fn first_book(bounds: &Bounds, log: &Log, tokens: &Tokens) -> Result<Book, Refused> {
    let mut book = Book::default();
    let mut opened = vec![Membership::Open { partition: ADMIN, kind: PartitionKind::Admin }];
    let partitions = if bounds.opens { 0..1 } else { 0..2 };
    let events = |partition| Membership::Open { partition, kind: PartitionKind::Events };
    opened.extend(partitions.clone().map(events));
    run(&mut book, &opened.as_slice())?;
    if let Some(commands) = log.commands(0, offset(log.admin.len())) {
        run(&mut book, &Apply { commands: &commands })?;
    }
    for partition in partitions {
        let read = Read { partition, from: 0, next: log.end(partition) };
        run(&mut book, &Bill { batch: &log.batch(&[read], tokens, None), terms: &TERMS })?;
    }
    Ok(book)
}

fn run<O: Operation>(book: &mut Book, operation: &O) -> Result<(), Refused> {
    execute(book, operation).map(drop).map_err(refused)
}
