//! What every fold needs to know of an entry besides what it says: whether it was there before, and whose order it is.
//!
//! An event that its sender repeats after a crash is in the log twice; it counts once. Both are kept per partition, in append order,
//! so that it does not matter which partition is read first: copies of an event share their partition key.

use std::collections::BTreeMap;

use litfass_events::{Attributed, Attribution, Click, Dedupe, DedupeKey, Delivery, EventKind, Seen};
use litfass_types::{Duration, TenantId, Timestamp, Traffic, UserHash};

use super::codec::{BadState, Reader, Writer};
use super::packed::{pack, unpack};
use crate::wire::{Body, Logged};

/// Dedupe and attribution as far as the log was read.
#[derive(Debug)]
pub(super) struct Gate {
    window: Duration,
    key_life: Duration,
    /// Keys held over all partitions; the oldest of the partition that grows go first.
    keys_max: usize,
    partitions: BTreeMap<u16, Partition>,
    /// Of traffic that does not count, by its class: only so that its copies do not fill the log. In no snapshot.
    aside: BTreeMap<Traffic, Dedupe>,
}

/// Keys held of each class of traffic that does not count.
const ASIDE_MAX: usize = 100_000;

#[derive(Debug)]
struct Partition {
    dedupe: Dedupe,
    attribution: Attribution,
}

/// An entry and what the gate knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    pub logged: &'a Logged,
    pub seen: Seen,
    /// Of an order that was not there before.
    pub attributed: Option<&'a Attributed>,
}

impl Fact<'_> {
    /// Whether it may be counted: neither a copy nor so old that nobody can tell.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.seen == Seen::First
    }
}

impl Gate {
    pub(super) const fn new(window: Duration, key_life: Duration, keys_max: usize) -> Self {
        Self { window, key_life, keys_max, partitions: BTreeMap::new(), aside: BTreeMap::new() }
    }

    /// Takes what does not count: it stands in nothing's way but its own copies'.
    pub(super) fn pass_aside(&mut self, logged: &Logged) {
        let Some(key) = key(logged) else { return };
        let class = self.aside.entry(logged.body.traffic()).or_default();
        class.drop_before(logged.envelope.append_time - self.key_life);
        class.take(key);
        class.keep(ASIDE_MAX);
    }

    pub(super) fn look_aside(&self, traffic: Traffic, key: DedupeKey) -> Seen {
        self.aside.get(&traffic).map_or(Seen::First, |class| class.look(key))
    }

    pub(super) fn pass(&mut self, logged: &Logged) -> (Seen, Option<Attributed>) {
        let (window, now) = (self.window, logged.envelope.append_time);
        let held: usize = self.partitions.values().map(|partition| partition.dedupe.len()).sum();
        let spare = self.keys_max.saturating_sub(held);
        let fresh = || Partition { dedupe: Dedupe::default(), attribution: Attribution::new(window) };
        let partition = self.partitions.entry(logged.position.partition).or_insert_with(fresh);
        partition.dedupe.drop_before(now - self.key_life);
        let Some(key) = key(logged) else { return (Seen::First, partition.attribute(logged, now)) };
        let room = partition.dedupe.len() + spare;
        let seen = partition.dedupe.take(key);
        partition.dedupe.keep(room.max(1));
        if seen != Seen::First {
            return (seen, None);
        }
        (seen, partition.attribute(logged, now))
    }

    /// Looks without taking: repeated if it is in any partition, expired if some partition could not tell.
    pub(super) fn look(&self, key: DedupeKey) -> Seen {
        let seen: Vec<_> = self.partitions.values().map(|partition| partition.dedupe.look(key)).collect();
        let is_any = |wanted| seen.contains(&wanted);
        if is_any(Seen::Repeated) {
            Seen::Repeated
        } else if is_any(Seen::Expired) {
            Seen::Expired
        } else {
            Seen::First
        }
    }

    pub(super) fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.length(self.partitions.len());
        for (number, partition) in &self.partitions {
            out.number((*number).into());
            partition.write(&mut out);
        }
        out.finish()
    }

    pub(super) fn restore(&mut self, bytes: &[u8]) -> Result<(), BadState> {
        let (mut rest, window) = (Reader::new(bytes), self.window);
        let partitions = rest.list(|rest| Ok((rest.narrow("a partition")?, Partition::read(window, rest)?)))?;
        rest.finish()?;
        self.partitions = partitions.into_iter().collect();
        Ok(())
    }
}

impl Partition {
    fn attribute(&mut self, logged: &Logged, now: Timestamp) -> Option<Attributed> {
        match &logged.body {
            Body::Delivery(delivery) if delivery.kind == EventKind::Click => {
                self.attribution.click(now, &delivery.token);
                None
            }
            Body::Conversion(order) => Some(self.attribution.conversion(now, order)),
            Body::Privacy(privacy) => {
                if privacy.wish.forgets() {
                    self.attribution.erase(privacy.tenant, privacy.user);
                }
                None
            }
            Body::Delivery(_)
            | Body::Decision(_)
            | Body::Outline(_)
            | Body::ItemView(_)
            | Body::Command(_)
            | Body::Pacing(_)
            | Body::Heartbeat
            | Body::Unknown => None,
        }
    }

    fn write(&self, out: &mut Writer) {
        out.time(self.dedupe.horizon());
        out.length(self.dedupe.keys().count());
        self.dedupe.keys().for_each(|key| write_key(key, out));
        write_attribution(&self.attribution, out);
    }

    fn read(window: Duration, rest: &mut Reader<'_>) -> Result<Self, BadState> {
        let mut dedupe = Dedupe::default();
        dedupe.drop_before(rest.time()?);
        for key in rest.list(read_key)? {
            dedupe.take(key);
        }
        Ok(Self { dedupe, attribution: read_attribution(window, rest)? })
    }
}

/// By what the entry is recognised; `None` for what only this process writes, once.
fn key(logged: &Logged) -> Option<DedupeKey> {
    let (id, at) = (logged.envelope.event_id, logged.envelope.event_time);
    match &logged.body {
        Body::Delivery(delivery) => {
            let token = &delivery.token;
            Some(DedupeKey::Slot { decision: token.decision, slot: token.slot, kind: delivery.kind })
        }
        Body::Conversion(order) => Some(match &order.click {
            Some(token) => DedupeKey::Order { decision: token.decision, id },
            None => DedupeKey::Loose { at, id },
        }),
        Body::ItemView(_) => Some(DedupeKey::Loose { at, id }),
        Body::Decision(_)
        | Body::Outline(_)
        | Body::Command(_)
        | Body::Pacing(_)
        | Body::Privacy(_)
        | Body::Heartbeat
        | Body::Unknown => None,
    }
}

fn write_key(key: DedupeKey, out: &mut Writer) {
    match key {
        DedupeKey::Slot { decision, slot, kind } => {
            out.number(1);
            out.wide(decision.0);
            out.number(slot.into());
            out.number(kind.number().into());
        }
        DedupeKey::Order { decision, id } => {
            out.number(2);
            out.wide(decision.0);
            out.wide(id.0);
        }
        DedupeKey::Loose { at, id } => {
            out.number(3);
            out.time(at);
            out.wide(id.0);
        }
    }
}

fn read_key(rest: &mut Reader<'_>) -> Result<DedupeKey, BadState> {
    let decision = |rest: &mut Reader<'_>| rest.wide().map(litfass_types::DecisionId);
    match rest.number()? {
        1 => {
            let (decision, slot, kind) = (decision(rest)?, rest.narrow("a slot")?, rest.narrow("a kind of event")?);
            let kind = EventKind::from_number(kind).ok_or(BadState::OutOfRange("a kind of event"))?;
            Ok(DedupeKey::Slot { decision, slot, kind })
        }
        2 => Ok(DedupeKey::Order { decision: decision(rest)?, id: rest.event_id()? }),
        3 => Ok(DedupeKey::Loose { at: rest.time()?, id: rest.event_id()? }),
        _ => Err(BadState::OutOfRange("a key's kind")),
    }
}

fn write_attribution(attribution: &Attribution, out: &mut Writer) {
    let click = |token: &litfass_events::Token| {
        pack(&Body::Delivery(Box::new(Delivery { kind: EventKind::Click, token: token.clone() })))
    };
    out.length(attribution.clicks().count());
    for held in attribution.clicks() {
        out.time(held.append_time);
        out.bytes(&click(&held.token));
    }
    out.length(attribution.orders().count());
    for (tenant, user, order, at, token) in attribution.orders() {
        out.number(tenant.0);
        out.user(user);
        out.bytes(order.as_bytes());
        out.time(at);
        out.bytes(&token.map(click).unwrap_or_default());
    }
}

type Order = (TenantId, UserHash, String, Timestamp, Option<litfass_events::Token>);

fn read_attribution(window: Duration, rest: &mut Reader<'_>) -> Result<Attribution, BadState> {
    let clicks = rest.list(|rest| {
        let append_time = rest.time()?;
        let token = read_token(rest)?.ok_or(BadState::OutOfRange("a click"))?;
        Ok(Click { append_time, token })
    })?;
    let orders = rest.list(|rest| -> Result<Order, BadState> {
        let (tenant, user) = (TenantId(rest.number()?), rest.user()?);
        let order = String::from_utf8(rest.bytes()?.to_vec()).map_err(|_| BadState::OutOfRange("an order's id"))?;
        Ok((tenant, user, order, rest.time()?, read_token(rest)?))
    })?;
    Ok(Attribution::restored(window, clicks, orders))
}

fn read_token(rest: &mut Reader<'_>) -> Result<Option<litfass_events::Token>, BadState> {
    let bytes = rest.bytes()?;
    if bytes.is_empty() {
        return Ok(None);
    }
    match unpack(bytes)? {
        Body::Delivery(delivery) => Ok(Some(delivery.token)),
        Body::Decision(_)
        | Body::Outline(_)
        | Body::Conversion(_)
        | Body::ItemView(_)
        | Body::Command(_)
        | Body::Pacing(_)
        | Body::Privacy(_)
        | Body::Heartbeat
        | Body::Unknown => Err(BadState::OutOfRange("a token")),
    }
}
