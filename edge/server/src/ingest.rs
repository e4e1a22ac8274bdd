//! What happened after a decision, on its way into the log: tokens are opened, users hashed, copies recognised.
//!
//! Invariants: an accepted event is on disk before it is acknowledged; a copy changes nothing; an expired one is counted and
//! not kept. What is recognised here only spares the log: the ledger and the folds tell copies apart by themselves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use litfass_catalog::category_hash;
use litfass_events::{
    Conversion, DedupeKey, Delivery, EventKind, ItemView, PartitionKey, Purchased, Seen, Token, conversion_id,
    delivery_id, view_id,
};
use litfass_features::item_hash;
use litfass_store::fold::{Choices, SeenEvents};
use litfass_store::log::{AppendError, Appended, Clock, EventLog, NewEntry, Until};
use litfass_store::wire::{self, Body};
use litfass_types::{EventId, TenantId, Timestamp, Traffic};
use serde_json::Value;
use tracing::Instrument;

use crate::access::Caller;
use crate::api::events::{ConversionAsk, EventAsk, EventResult, ItemAsk, TokenAsk, ViewAsk};
use crate::api::invalid::Invalid;
use crate::metrics::{Metrics, label};
use crate::problem::{Code, Problem};
use crate::roles::ProcessName;
use crate::secrets::UserKeys;
use crate::telemetry::spans;
use crate::tokens::{Opened, Tokens, UnknownToken};
use crate::world::SwappedWorld;

/// How far ahead of the server's clock an event's own time may lie.
const CLOCK_SKEW_MS: i64 = 60_000;

#[derive(Debug)]
pub struct Ingest {
    pub log: Arc<dyn EventLog>,
    /// The log's writer that this process is.
    pub writer: ProcessName,
    pub tokens: Arc<Tokens>,
    pub users: Arc<UserKeys>,
    pub seen: SeenEvents,
    pub choices: Arc<Choices>,
    pub world: Arc<SwappedWorld>,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
}

/// An event that is worth keeping, and by what it is recognised.
struct Taken {
    id: EventId,
    dedupe: DedupeKey,
    at: Timestamp,
    key: PartitionKey,
    body: Body,
    kind: EventKind,
    /// Its token can bill no more.
    expired: bool,
}

/// What became of one event before the log was asked.
enum Sorted {
    New(Box<NewEntry>, EventId, EventKind),
    Done(EventResult),
}

/// A click's way into the log, which its redirect does not have to wait for.
#[derive(Debug)]
pub struct Recorded {
    pending: Option<Appended>,
    metrics: Arc<Metrics>,
}

impl Recorded {
    /// Waits at most that long; what is not on disk by then is counted, and still on its way.
    pub async fn within(self, wait: Duration) {
        let Some(appended) = self.pending else { return };
        let recorded = tokio::time::timeout(wait, appended).instrument(spans::append(1)).await;
        let on_disk = recorded.is_ok_and(|results| results.iter().all(Result::is_ok));
        if !on_disk {
            self.metrics.clicks_unrecorded.add((), 1);
        }
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        // Why it failed is in the process's log: it names files.
        let failed = matches!(error, AppendError::Failed { .. });
        let detail = if failed { "the event log takes nothing just now".to_owned() } else { error.to_string() };
        Self::new(Code::RecordNotAppended, detail)
    }
}

impl Ingest {
    /// An impression, viewable or click reported by its URL; returns once it is on disk.
    ///
    /// # Errors
    /// When the token is not ours or has expired, or the log does not take the event.
    pub async fn delivered(&self, kind: EventKind, token: &str, caller: Traffic) -> Result<(), Problem> {
        let taken = self.delivery(kind, token, caller)?;
        match self.sort(&taken) {
            Sorted::New(entry, _, kind) => {
                self.append(vec![*entry]).await.into_iter().try_for_each(|result| result.map(|_| ()))?;
                self.count(kind, label::EventResult::Accepted);
                Ok(())
            }
            Sorted::Done(EventResult::Expired { .. }) => Err(Problem::new(Code::Expired, "this token has expired")),
            Sorted::Done(_) => Ok(()),
        }
    }

    /// A click, and its way into the log: nothing when it was taken before or has expired.
    ///
    /// # Errors
    /// When the token is not ours.
    pub fn clicked(&self, token: &str, caller: Traffic) -> Result<(Token, Recorded), Problem> {
        let clicked = self.open(EventKind::Click, token)?.token;
        let taken = self.delivery(EventKind::Click, token, caller)?;
        let pending = match self.sort(&taken) {
            Sorted::New(entry, _, kind) => {
                self.count(kind, label::EventResult::Accepted);
                Some(self.log.append(vec![*entry], Until::Committed))
            }
            Sorted::Done(_) => None,
        };
        Ok((clicked, Recorded { pending, metrics: Arc::clone(&self.metrics) }))
    }

    /// A result per event, in order; returns once everything accepted is on disk. A tenant or token beyond the caller's scope is
    /// unknown.
    ///
    /// # Errors
    /// When the log takes nothing: then none of them was acknowledged.
    pub async fn batch(&self, events: Vec<Value>, caller: &Caller) -> Result<Vec<EventResult>, Problem> {
        let mut results = Vec::with_capacity(events.len());
        let mut entries = Vec::new();
        let mut places = Vec::new();
        let mut in_batch = BTreeSet::new();
        for event in events {
            let sorted = match self.read(event, caller) {
                Err(problem) => Sorted::Done(EventResult::Rejected { problem }),
                Ok(taken) if !in_batch.insert(taken.dedupe) => {
                    Sorted::Done(EventResult::Repeated { event_id: taken.id.to_string() })
                }
                Ok(taken) => self.sort(&taken),
            };
            match sorted {
                Sorted::Done(result) => results.push(result),
                Sorted::New(entry, id, kind) => {
                    places.push((results.len(), kind));
                    entries.push(*entry);
                    results.push(EventResult::Accepted { event_id: id.to_string() });
                }
            }
        }
        let appended = self.append(entries).await;
        if let Some(Err(error)) = appended.first()
            && appended.iter().all(Result::is_err)
        {
            return Err(error.clone().into());
        }
        for (result, (place, kind)) in appended.into_iter().zip(places) {
            match result {
                Ok(_) => self.count(kind, label::EventResult::Accepted),
                Err(error) => results[place] = EventResult::Rejected { problem: error.into() },
            }
        }
        Ok(results)
    }

    async fn append(&self, entries: Vec<NewEntry>) -> Vec<Result<litfass_types::Position, AppendError>> {
        if entries.is_empty() {
            return Vec::new();
        }
        let span = spans::append(entries.len());
        self.log.append(entries, Until::Committed).instrument(span).await
    }

    fn count(&self, kind: EventKind, result: label::EventResult) {
        let kind = match kind {
            EventKind::Impression => label::EventKind::Impression,
            EventKind::Viewable => label::EventKind::Viewable,
            EventKind::Click => label::EventKind::Click,
            EventKind::Conversion => label::EventKind::Conversion,
            EventKind::View => label::EventKind::View,
        };
        self.metrics.events.add((kind, result), 1);
    }

    // ── what it is ──

    fn read(&self, event: Value, caller: &Caller) -> Result<Taken, Problem> {
        match EventAsk::read(event)? {
            EventAsk::Impression(ask) => self.read_delivery(EventKind::Impression, &ask, caller),
            EventAsk::Viewable(ask) => self.read_delivery(EventKind::Viewable, &ask, caller),
            EventAsk::Click(ask) => self.read_delivery(EventKind::Click, &ask, caller),
            EventAsk::Conversion(ask) => self.conversion(ask, caller),
            EventAsk::View(ask) => self.view(&ask, caller),
        }
    }

    fn read_delivery(&self, kind: EventKind, ask: &TokenAsk, caller: &Caller) -> Result<Taken, Problem> {
        ask.check()?;
        self.taken(self.open_within(kind, &ask.token, caller)?, ask.time)
    }

    fn open_within(&self, kind: EventKind, token: &str, caller: &Caller) -> Result<Opened, Problem> {
        let opened = self.open(kind, token)?;
        if caller.reaches(opened.token.tenant) { Ok(opened) } else { Err(unknown_token()) }
    }

    fn open(&self, kind: EventKind, token: &str) -> Result<Opened, Problem> {
        self.tokens.open(token, kind).map_err(|UnknownToken| unknown_token())
    }

    /// What was shown to people and is called by something else is that one's doing.
    fn delivery(&self, kind: EventKind, token: &str, caller: Traffic) -> Result<Taken, Problem> {
        let mut opened = self.open(kind, token)?;
        if opened.token.traffic.counts() {
            opened.token.traffic = caller;
        }
        self.taken(opened, None)
    }

    fn taken(&self, opened: Opened, time: Option<i64>) -> Result<Taken, Problem> {
        let expired = !opened.may_bill(self.clock.now());
        let (token, kind) = (self.without_the_forgotten(opened.token), opened.kind);
        let (decision, slot) = (token.decision, token.slot);
        Ok(Taken {
            expired,
            id: delivery_id(decision, slot, kind),
            dedupe: DedupeKey::Slot { decision, slot, kind },
            at: self.time(time)?,
            key: PartitionKey::of_viewer(token.user, decision),
            body: Body::Delivery(Box::new(Delivery { kind, token })),
            kind,
        })
    }

    fn conversion(&self, ask: ConversionAsk, caller: &Caller) -> Result<Taken, Problem> {
        ask.check()?;
        let opened = ask.token.as_deref().map(|token| self.open_within(EventKind::Click, token, caller)).transpose()?;
        let click = opened.map(|opened| self.without_the_forgotten(opened.token));
        let said = ask.tenant.map(TenantId);
        let tenant = click.as_ref().map(|token| token.tenant).or(said);
        if said.is_some_and(|said| Some(said) != tenant) {
            return Err(Invalid::new("tenant", "is not the token's tenant").into());
        }
        let tenant = tenant.ok_or_else(|| Invalid::new("tenant", "is needed where there is no token"))?;
        self.known(tenant, caller)?;
        let user = ask.user_id.as_deref().map(|user| self.user(tenant, user)).transpose()?;
        let user = user.filter(|user| !self.choices.has_opted_out(*user));
        let items = ask.items.iter().map(purchased).collect();
        let conversion =
            Conversion { tenant, user, click, order_id: ask.order_id, value_micros: ask.value_micros, items };
        let (id, at) = (conversion_id(&conversion), self.time(ask.time)?);
        let dedupe = match &conversion.click {
            Some(token) => DedupeKey::Order { decision: token.decision, id },
            None => DedupeKey::Loose { at, id },
        };
        let key = match (conversion.buyer(), &conversion.click) {
            (Some(user), _) => PartitionKey::of_user(user),
            (None, Some(token)) => PartitionKey::of_decision(token.decision),
            (None, None) => PartitionKey::of_order(tenant, &conversion.order_id),
        };
        Ok(Taken {
            id,
            dedupe,
            at,
            key,
            body: Body::Conversion(Box::new(conversion)),
            kind: EventKind::Conversion,
            expired: false,
        })
    }

    fn view(&self, ask: &ViewAsk, caller: &Caller) -> Result<Taken, Problem> {
        ask.check()?;
        let tenant = TenantId(ask.tenant);
        self.known(tenant, caller)?;
        let user = self.user(tenant, &ask.user_id)?;
        if self.choices.has_opted_out(user) {
            return Err(Problem::new(Code::OptedOut, "this user has opted out: nothing is kept").at("user_id"));
        }
        let (item, category) = (item_hash(&ask.item), ask.category.as_deref().map(category_hash));
        let (view, at) = (ItemView { tenant, user, item, category }, self.time(ask.time)?);
        let id = view_id(&view, at);
        let dedupe = DedupeKey::Loose { at, id };
        Ok(Taken {
            id,
            dedupe,
            at,
            key: PartitionKey::of_user(user),
            body: Body::ItemView(view),
            kind: EventKind::View,
            expired: false,
        })
    }

    /// Nothing is kept under a user who has opted out, or who was erased since the ad was shown.
    fn without_the_forgotten(&self, token: Token) -> Token {
        let user = token.user.filter(|user| !self.choices.is_forgotten(*user, token.decision));
        Token { user, ..token }
    }

    fn known(&self, tenant: TenantId, caller: &Caller) -> Result<(), Problem> {
        if self.world.load().catalog.tenant(tenant).is_some() && caller.reaches(tenant) {
            return Ok(());
        }
        Err(Problem::new(Code::UnknownTenant, format!("there is no tenant {tenant}")).at("tenant"))
    }

    fn user(&self, tenant: TenantId, user: &str) -> Result<litfass_types::UserHash, Problem> {
        self.users.hash(tenant, user).map_err(Problem::internal)
    }

    /// When it happened, as its sender says.
    fn time(&self, said: Option<i64>) -> Result<Timestamp, Problem> {
        let now = self.clock.now();
        match said {
            None => Ok(now),
            Some(at) if (0..=now.0 + CLOCK_SKEW_MS).contains(&at) => Ok(Timestamp(at)),
            Some(_) => Err(Invalid::new("time", "is UTC milliseconds, at most a minute ahead").into()),
        }
    }

    // ── is it new ──

    fn sort(&self, taken: &Taken) -> Sorted {
        let event_id = taken.id.to_string();
        match self.seen(taken) {
            Seen::Repeated => {
                self.count(taken.kind, label::EventResult::Repeated);
                Sorted::Done(EventResult::Repeated { event_id })
            }
            Seen::Expired => {
                self.count(taken.kind, label::EventResult::Expired);
                Sorted::Done(EventResult::Expired { event_id })
            }
            Seen::First => match self.log.partition(&self.writer, taken.key) {
                Some(partition) => {
                    let entry = wire::entry(partition, taken.id, taken.at, taken.key, &taken.body);
                    Sorted::New(Box::new(entry), taken.id, taken.kind)
                }
                None => Sorted::Done(EventResult::Rejected { problem: AppendError::Closed.into() }),
            },
        }
    }

    fn seen(&self, taken: &Taken) -> Seen {
        match taken.expired {
            true => Seen::Expired,
            false => match taken.body.traffic() {
                people if people.counts() => self.seen.look(taken.dedupe),
                // It takes nothing from what people do later.
                others => self.seen.look_aside(others, taken.dedupe),
            },
        }
    }
}

fn unknown_token() -> Problem {
    Problem::new(Code::UnknownToken, UnknownToken.to_string()).at("token")
}

fn purchased(ask: &ItemAsk) -> Purchased {
    Purchased {
        item: item_hash(&ask.item),
        category: ask.category.as_deref().map(category_hash),
        quantity: ask.quantity,
    }
}
