//! Random worlds: steps drawn without knowing what they lead to, and a world that turns them into operations on a ledger.

use litfass_ledger::{
    Amount, Batch, Claim, Command, CommandEntry, CommandId, Commands, Consumed, Effect, Entry, GrantRequest, HolderId,
    Limit, Membership, Note, PartitionKind, Refused, Return, Target,
};
use litfass_types::{Duration, LeaseId, Position, Timestamp};
use proptest::prelude::*;

use super::driven::Driven;
use super::ids::{
    ADMIN_PARTITION, EVENT_PARTITIONS, FIRST_DAY, START, TENANT, chain, claim, day_of, nanos, price, window,
};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Ask for a lease of a line item for today (or tomorrow), under a new id or again under one of before.
    Grant {
        line_item: u64,
        tomorrow: bool,
        demand: i64,
        again: Option<usize>,
    },
    /// Decide: a token that costs `cost` of a lease (or of a lease nobody knows), for a slot.
    Show {
        line_item: u64,
        slot: u8,
        cost: i64,
        lease: Option<usize>,
    },
    /// An event of one of the tokens so far is appended to a partition; doing so again makes a copy.
    Event {
        token: usize,
        partition: usize,
    },
    /// The events role reads up to `entries` of a partition and bills them; sometimes from a stale position.
    Consume {
        partition: usize,
        entries: usize,
        stale: bool,
    },
    Return {
        lease: usize,
        share: i64,
    },
    Advance {
        seconds: i64,
    },
    Sweep,
    /// A command is appended to the admin partition, as new or as a copy of one of before.
    Command {
        effect: CommandKind,
        again: Option<usize>,
    },
    /// The applier reads that many commands.
    Apply {
        entries: usize,
    },
    /// The database is on another timeline, lacks nothing, and is completed from the log.
    FailOver,
}

#[derive(Clone, Debug)]
pub(crate) enum CommandKind {
    Deposit(u64, i64),
    Credit(u64, i64),
    Lifetime(u64, Option<i64>),
    Daily(u64, Option<i64>, bool),
    LineItem(u64, Option<i64>),
    Refund(u64, i64),
    Adjust(u64, i64),
}

fn commands() -> impl Strategy<Value = CommandKind> {
    let (line_item, account) = (1..=4_u64, 1..=2_u64);
    let limit = || prop::option::weighted(0.85, 0..16_000_i64);
    prop_oneof![
        1 => (account.clone(), 0..30_000_i64).prop_map(|(a, n)| CommandKind::Deposit(a, n)),
        1 => (account.clone(), 0..90_000_i64).prop_map(|(a, n)| CommandKind::Credit(a, n)),
        2 => (line_item.clone(), limit()).prop_map(|(l, n)| CommandKind::Lifetime(l, n)),
        2 => (line_item.clone(), limit(), any::<bool>()).prop_map(|(l, n, t)| CommandKind::Daily(l, n, t)),
        2 => (line_item.clone(), limit()).prop_map(|(l, n)| CommandKind::LineItem(l, n)),
        2 => (line_item, 0..8_000_i64).prop_map(|(l, n)| CommandKind::Refund(l, n)),
        1 => (account, -90_000..20_000_i64).prop_map(|(a, n)| CommandKind::Adjust(a, n)),
    ]
}

/// Some of them fail over.
pub(crate) fn steps_with_failovers(count: usize) -> impl Strategy<Value = Vec<Step>> {
    let failovers = prop::collection::btree_set(0..count, 1..4);
    (steps(count), failovers).prop_map(|(mut steps, failovers)| {
        let failing = steps.iter_mut().enumerate().filter(|(at, _)| failovers.contains(at));
        failing.for_each(|(_, step)| *step = Step::FailOver);
        steps
    })
}

pub(crate) fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
    let again = || prop::option::weighted(0.15, 0..64_usize);
    let step = prop_oneof![
        3 => (1..=4_u64, prop::bool::weighted(0.1), 0..6_000_i64, again())
            .prop_map(|(line_item, tomorrow, demand, again)| Step::Grant { line_item, tomorrow, demand, again }),
        6 => (1..=4_u64, 0..40_u8, 1..5_i64, prop::option::weighted(0.9, 0..64_usize))
            .prop_map(|(line_item, slot, cost, lease)| Step::Show { line_item, slot, cost: cost * 1_000, lease }),
        8 => (0..64_usize, 0..2_usize).prop_map(|(token, partition)| Step::Event { token, partition }),
        5 => (0..2_usize, 0..12_usize, prop::bool::weighted(0.05))
            .prop_map(|(partition, entries, stale)| Step::Consume { partition, entries, stale }),
        2 => (0..64_usize, 0..=100_i64).prop_map(|(lease, share)| Step::Return { lease, share }),
        4 => prop_oneof![30 => 0..20_i64, 3 => 60..2_000_i64, 1 => Just(100_000_i64)].prop_map(|seconds| Step::Advance { seconds }),
        2 => Just(Step::Sweep),
        4 => (commands(), again()).prop_map(|(effect, again)| Step::Command { effect, again }),
        3 => (1..6_usize).prop_map(|entries| Step::Apply { entries }),
    ];
    prop::collection::vec(step, count / 2..=count)
}

#[derive(Default)]
struct Partition {
    /// None: an entry that carries nothing to bill, such as a heartbeat.
    entries: Vec<(Timestamp, Option<Claim>)>,
    read: usize,
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    requests: Vec<GrantRequest>,
    granted: Vec<(LeaseId, Amount)>,
    tokens: Vec<Claim>,
    partitions: [Partition; 2],
    admin: Vec<(Timestamp, Command)>,
    applied: usize,
}

impl World {
    pub(crate) fn new(ledgers: &mut [&mut dyn Driven]) -> Self {
        let mut open = vec![Membership::Open { partition: ADMIN_PARTITION, kind: PartitionKind::Admin }];
        open.extend(EVENT_PARTITIONS.map(|partition| Membership::Open { partition, kind: PartitionKind::Events }));
        ledgers.iter_mut().for_each(|ledger| ledger.partitions(&open));
        let mut world = Self {
            now: START,
            requests: Vec::new(),
            granted: Vec::new(),
            tokens: Vec::new(),
            partitions: Default::default(),
            admin: Vec::new(),
            applied: 0,
        };
        for account in 1..=2 {
            world.command(&CommandKind::Credit(account, 60_000), None);
        }
        world.apply(2, ledgers);
        world
    }

    /// Takes one step on every ledger and expects the same answer of each.
    pub(crate) fn step(&mut self, step: &Step, ledgers: &mut [&mut dyn Driven]) {
        match step {
            Step::Grant { line_item, tomorrow, demand, again } => {
                self.grant(*line_item, *tomorrow, *demand, *again, ledgers);
            }
            Step::Show { line_item, slot, cost, lease } => self.show(*line_item, *slot, *cost, *lease),
            Step::Event { token, partition } => self.append(*partition, pick(&self.tokens, *token).cloned()),
            Step::Consume { partition, entries, stale } => self.consume(*partition, *entries, *stale, ledgers),
            Step::Return { lease, share } => self.give_back(*lease, *share, ledgers),
            Step::Advance { seconds } => self.now = self.now + Duration::seconds(*seconds),
            Step::Sweep => drop(same(ledgers, |ledger| ledger.sweep())),
            Step::Command { effect, again } => self.command(effect, *again),
            Step::Apply { entries } => self.apply(*entries, ledgers),
            Step::FailOver => self.fail_over(ledgers),
        }
    }

    fn fail_over(&mut self, ledgers: &mut [&mut dyn Driven]) {
        let events = EVENT_PARTITIONS.iter().zip(&self.partitions);
        let events = events.map(|(number, log)| (*number, PartitionKind::Events, log.entries.len()));
        let admin = (ADMIN_PARTITION, PartitionKind::Admin, self.admin.len());
        let target = |(partition, kind, next): (u16, _, usize)| Target { partition, kind, next: next as u64 };
        let targets: Vec<Target> = events.chain([admin]).map(target).collect();
        same(ledgers, |ledger| ledger.fail_over(&targets));
        self.apply(usize::MAX / 2, ledgers);
        (0..self.partitions.len()).for_each(|partition| self.consume(partition, usize::MAX / 2, false, ledgers));
    }

    fn grant(
        &mut self,
        line_item: u64,
        tomorrow: bool,
        demand: i64,
        again: Option<usize>,
        ledgers: &mut [&mut dyn Driven],
    ) {
        let mut day = day_of(self.now);
        day.0 += i32::from(tomorrow);
        let new = GrantRequest {
            lease: LeaseId(1 + self.requests.len() as u128),
            holder: HolderId(line_item % 2),
            chain: chain(line_item, day),
            window: window(day),
            bid: price(line_item, 5_000),
            demand: nanos(demand),
        };
        let request = again.and_then(|at| pick(&self.requests, at)).copied().unwrap_or(new);
        if request == new {
            self.requests.push(new);
        }
        let now = self.now;
        let answers = same(ledgers, |ledger| ledger.grant(&[request], now));
        if let Ok(granted) = answers[0].result {
            self.granted.push((request.lease, granted.amount));
        }
    }

    fn show(&mut self, line_item: u64, slot: u8, cost: i64, lease: Option<usize>) {
        let number = self.tokens.len() as u64 / 3; // several slots of one decision
        let mut claim = claim(line_item, self.now, number, slot, cost);
        claim.lease = lease.and_then(|at| pick(&self.granted, at)).map_or(LeaseId(0), |(lease, _)| *lease);
        self.tokens.push(claim);
    }

    fn append(&mut self, partition: usize, claim: Option<Claim>) {
        self.partitions[partition].entries.push((self.now, claim));
    }

    fn consume(&mut self, partition: usize, entries: usize, stale: bool, ledgers: &mut [&mut dyn Driven]) {
        let log = &self.partitions[partition];
        let from = if stale { log.read / 2 } else { log.read };
        let next = (from + entries).min(log.entries.len());
        let number = EVENT_PARTITIONS[partition];
        let consumed = consumed(number, from, next, log.entries[..next].iter().map(|e| e.0).max());
        let batch = Batch {
            consumed: vec![consumed],
            entries: billable(number, from, &log.entries[from..next]),
            ..Batch::default()
        };
        let expected_refusal = from != log.read;
        let billed = same(ledgers, |ledger| ledger.bill(&batch));
        assert_eq!(matches!(billed, Err(Refused::Position { .. })), expected_refusal);
        if billed.is_ok() {
            self.partitions[partition].read = next;
        }
    }

    fn give_back(&mut self, lease: usize, share: i64, ledgers: &mut [&mut dyn Driven]) {
        let Some((lease, granted)) = pick(&self.granted, lease).copied() else { return };
        let total = Amount::new(granted.nanos() * i128::from(share) / 100).unwrap();
        same(ledgers, |ledger| ledger.give_back(&[Return { lease, total }]));
    }

    fn command(&mut self, kind: &CommandKind, again: Option<usize>) {
        let new = Command {
            id: CommandId(1 + self.admin.len() as u128),
            tenant: TENANT,
            effect: self.effect(kind),
            note: Note::default(),
        };
        let command = again.and_then(|at| pick(&self.admin, at)).map_or(new, |(_, command)| command.clone());
        self.admin.push((self.now, command));
    }

    fn effect(&self, kind: &CommandKind) -> Effect {
        let (today, limit) = (day_of(self.now), |limit: &Option<i64>| limit.map(nanos));
        let of = |line_item: &u64| chain(*line_item, today);
        let account = |id: &u64| litfass_types::AdvertiserId(*id);
        match kind {
            CommandKind::Deposit(a, n) => Effect::Deposit { account: account(a), amount: nanos(*n) },
            CommandKind::Credit(a, n) => Effect::SetLimit(Limit::Credit { account: account(a), limit: nanos(*n) }),
            CommandKind::Lifetime(l, n) => {
                let chain = of(l);
                Effect::SetLimit(Limit::CampaignLifetime {
                    account: chain.account,
                    campaign: chain.campaign,
                    limit: limit(n),
                })
            }
            CommandKind::Daily(l, n, tomorrow) => {
                let chain = of(l);
                let from = litfass_types::Day(today.0 + i32::from(*tomorrow));
                let (account, campaign) = (chain.account, chain.campaign);
                Effect::SetLimit(Limit::CampaignDaily { account, campaign, from, limit: limit(n) })
            }
            CommandKind::LineItem(l, n) => {
                let chain = of(l);
                Effect::SetLimit(Limit::LineItem {
                    account: chain.account,
                    line_item: chain.line_item,
                    limit: limit(n),
                })
            }
            CommandKind::Refund(l, n) => {
                // Of the first day, so that a part of them come after its midnight.
                let chain = chain(*l, FIRST_DAY);
                Effect::Refund { chain, day_ends: window(FIRST_DAY).ends, amount: nanos(*n) }
            }
            CommandKind::Adjust(a, n) => Effect::Adjust { account: account(a), nanos: i128::from(*n) },
        }
    }

    fn apply(&mut self, entries: usize, ledgers: &mut [&mut dyn Driven]) {
        let (from, next) = (self.applied, (self.applied + entries).min(self.admin.len()));
        let entry = |at: usize| {
            let (appended, command) = self.admin[at].clone();
            CommandEntry { position: position(ADMIN_PARTITION, at), appended, command }
        };
        let consumed = consumed(ADMIN_PARTITION, from, next, self.admin[..next].iter().map(|e| e.0).max());
        let commands = Commands { consumed, entries: (from..next).map(entry).collect() };
        same(ledgers, |ledger| ledger.apply(&commands)).unwrap();
        self.applied = next;
    }

    /// Lets time pass until nothing can be outstanding: everything is read, every lease and token is over.
    pub(crate) fn drain(&mut self, ledgers: &mut [&mut dyn Driven]) {
        self.apply(usize::MAX / 2, ledgers);
        self.heartbeat(Duration(0), ledgers);
        same(ledgers, |ledger| ledger.sweep());
        self.heartbeat(Duration::minutes(1), ledgers);
        same(ledgers, |ledger| ledger.sweep());
        self.heartbeat(Duration::hours(30), ledgers);
        same(ledgers, |ledger| ledger.sweep());
    }

    fn heartbeat(&mut self, later: Duration, ledgers: &mut [&mut dyn Driven]) {
        self.now = self.now + later + Duration(1);
        for partition in 0..self.partitions.len() {
            self.append(partition, None);
            self.consume(partition, usize::MAX / 2, false, ledgers);
        }
    }
}

fn pick<T>(from: &[T], at: usize) -> Option<&T> {
    from.get(at % from.len().max(1))
}

fn position(partition: u16, offset: usize) -> Position {
    Position { partition, offset: offset as u64 }
}

fn consumed(partition: u16, from: usize, next: usize, appended: Option<Timestamp>) -> Consumed {
    Consumed { partition, from: from as u64, next: next as u64, appended: appended.unwrap_or(START) }
}

fn billable(partition: u16, from: usize, log: &[(Timestamp, Option<Claim>)]) -> Vec<Entry> {
    let entry = |(at, (appended, claim)): (usize, &(Timestamp, Option<Claim>))| {
        let claim = claim.clone()?;
        Some(Entry { position: position(partition, from + at), appended: *appended, claim })
    };
    log.iter().enumerate().filter_map(entry).collect()
}

/// The first ledger's answer, after all have given the same.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    ledgers: &mut [&mut dyn Driven],
    mut ask: impl FnMut(&mut dyn Driven) -> T,
) -> T {
    let mut answers = ledgers.iter_mut().map(|ledger| ask(*ledger));
    let first = answers.next().expect("a world drives at least one ledger");
    for other in answers {
        assert_eq!(first, other);
    }
    first
}
