//! A ledger in memory with short words for what scenarios do: one event partition unless they open more.

use litfass_ledger::check::{Audit, violations};
use litfass_ledger::{
    Amount, Batch, Billed, Claim, Command, CommandEntry, CommandId, CommandOutcome, Commands, Consumed, Control,
    ControlId, Effect, Entry, GrantAnswer, GrantRequest, HolderId, Limit, Membership, Note, Outcome, PartitionKind,
    Refused, Return,
};
use litfass_types::{AdvertiserId, Day, LeaseId, Position, Timestamp};

use super::driven::{Driven, InMemory};
use super::ids::{ADMIN_PARTITION, START, TENANT, chain, day_of, nanos, price, terms, window};

pub(crate) struct Desk {
    pub(crate) ledger: InMemory,
    pub(crate) now: Timestamp,
    read: [u64; 2],
    commands: u64,
}

impl Desk {
    /// Account 1 may spend that much.
    pub(crate) fn with_credit(credit: i64) -> Self {
        let mut ledger = InMemory::new(terms());
        ledger.partitions(&[
            Membership::Open { partition: 0, kind: PartitionKind::Events },
            Membership::Open { partition: ADMIN_PARTITION, kind: PartitionKind::Admin },
        ]);
        let mut desk = Self { ledger, now: START, read: [0; 2], commands: 0 };
        desk.limit(Limit::Credit { account: AdvertiserId(1), limit: nanos(credit) });
        desk
    }

    pub(crate) fn request(&self, lease: u128, line_item: u64, demand: i64) -> GrantRequest {
        let day = day_of(self.now);
        GrantRequest {
            lease: LeaseId(lease),
            holder: HolderId(1),
            chain: chain(line_item, day),
            window: window(day),
            bid: price(line_item, 1_000),
            demand: nanos(demand),
        }
    }

    pub(crate) fn ask(&mut self, request: GrantRequest) -> GrantAnswer {
        let now = self.now;
        self.ledger.grant(&[request], now)[0]
    }

    /// A lease of twice the demand where there is enough.
    pub(crate) fn grant(&mut self, lease: u128, line_item: u64, demand: i64) -> Amount {
        self.ask(self.request(lease, line_item, demand)).result.unwrap().amount
    }

    /// Bills entries of partition 0 that were appended now.
    pub(crate) fn bill(&mut self, claims: &[Claim]) -> Billed {
        self.bill_at(0, self.now, claims)
    }

    pub(crate) fn bill_at(&mut self, partition: u16, appended: Timestamp, claims: &[Claim]) -> Billed {
        let from = self.read[usize::from(partition)];
        let batch = batch(partition, from, appended, claims);
        self.read[usize::from(partition)] = batch.consumed[0].next;
        self.ledger.bill(&batch).unwrap()
    }

    pub(crate) fn outcome(&mut self, claim: &Claim) -> Outcome {
        self.bill(std::slice::from_ref(claim)).outcomes[0]
    }

    /// A heartbeat in partition 0: with no other open, the watermark moves to `at`.
    pub(crate) fn pass(&mut self, at: Timestamp) {
        self.now = at;
        self.heartbeat(0, at);
    }

    pub(crate) fn heartbeat(&mut self, partition: u16, at: Timestamp) {
        let read = &mut self.read[usize::from(partition)];
        let consumed = Consumed { partition, from: *read, next: *read + 1, appended: at };
        *read += 1;
        self.ledger.bill(&Batch { consumed: vec![consumed], ..Batch::default() }).unwrap();
    }

    pub(crate) fn give_back(&mut self, lease: u128, total: i64) {
        self.ledger.give_back(&[Return { lease: LeaseId(lease), total: nanos(total) }]);
    }

    pub(crate) fn command(&mut self, effect: Effect) -> CommandOutcome {
        let id = CommandId(u128::from(self.commands));
        self.named(id, effect).unwrap()
    }

    pub(crate) fn named(&mut self, id: CommandId, effect: Effect) -> Result<CommandOutcome, Refused> {
        let position = Position { partition: ADMIN_PARTITION, offset: self.commands };
        let entry = CommandEntry {
            position,
            appended: self.now,
            command: Command { id, tenant: TENANT, effect, note: Note::default() },
        };
        let (from, next) = (self.commands, self.commands + 1);
        let consumed = Consumed { partition: ADMIN_PARTITION, from, next, appended: self.now };
        let applied = self.ledger.apply(&Commands { consumed, entries: vec![entry] })?;
        self.commands += 1;
        Ok(applied.outcomes[0])
    }

    pub(crate) fn limit(&mut self, limit: Limit) {
        assert_eq!(self.command(Effect::SetLimit(limit)), CommandOutcome::Applied);
    }

    pub(crate) fn limit_line_item(&mut self, line_item: u64, limit: i64) {
        let chain = chain(line_item, Day(0));
        let (account, line_item) = (chain.account, chain.line_item);
        self.limit(Limit::LineItem { account, line_item, limit: Some(nanos(limit)) });
    }

    pub(crate) fn refund(&mut self, line_item: u64, day: Day, amount: i64) -> CommandOutcome {
        let chain = chain(line_item, day);
        self.command(Effect::Refund { chain, day_ends: window(day).ends, amount: nanos(amount) })
    }

    pub(crate) fn control(&self, id: ControlId) -> Control {
        self.ledger.book.controls[&id]
    }

    pub(crate) fn broken(&self) -> Vec<&'static str> {
        violations(&Audit::of(&self.ledger.book)).iter().map(|violation| violation.invariant).collect()
    }
}

pub(crate) fn batch(partition: u16, from: u64, appended: Timestamp, claims: &[Claim]) -> Batch {
    let entries = (from..).zip(claims).map(|(offset, claim)| Entry {
        position: Position { partition, offset },
        appended,
        claim: claim.clone(),
    });
    let next = from + claims.len() as u64;
    Batch {
        consumed: vec![Consumed { partition, from, next, appended }],
        entries: entries.collect(),
        ..Batch::default()
    }
}
