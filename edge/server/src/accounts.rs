//! What can be done to an account: every wish becomes commands, and every answer says what the ledger made of them.
//!
//! An idempotency key names the commands, so that a wish sent twice is one wish; without a key every wish is its own, except a
//! refund of an event, which its event names. Blocks on the database and the log where it says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result};
use litfass_catalog::{Catalog, ObjectKind, ObjectRef};
use litfass_events::{EventKind, PartitionKey, delivery_id};
use litfass_ledger::{Account, Amount, Chain, Command, CommandId, CommandRecord, Days, Effect, Limit, Note, Outcome};
use litfass_store::catalog::{LimitField, View};
use litfass_store::keys::Scope;
use litfass_store::ledger::LedgerReader;
use litfass_store::wire::{self, Body};
use litfass_types::{AdvertiserId, Calendar, Day, DecisionId, EventId, Position, TenantId, Timestamp, Unit};
use serde_json::Value;

use crate::api::accounts::{Holder, Refunded};
use crate::desk::ADMIN;
use crate::desk::named;
use crate::node::Node;
use crate::problem::{Code, Problem};
use crate::secrets::random;

/// Read of the log at once when an event is looked for.
const READ_BYTES: usize = 1 << 20;

/// Whose money it is, and who wishes something of it.
#[derive(Clone, Debug)]
pub struct Wish {
    pub tenant: TenantId,
    pub account: AdvertiserId,
    pub note: Note,
    /// The caller's idempotency key.
    pub key: Option<String>,
}

impl Wish {
    /// One command with that effect.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn of(&self, effect: Effect) -> Result<Command> {
        let kind = match effect {
            Effect::Deposit { .. } => "deposit",
            Effect::Adjust { .. } => "adjustment",
            Effect::SetLimit(Limit::Credit { .. }) => "credit",
            Effect::SetLimit(_) => "limit",
            Effect::Refund { .. } => "refund",
        };
        let id = match &self.key {
            Some(key) => named(self.tenant, self.account, kind, key.as_bytes()),
            None => CommandId(u128::from_be_bytes(random()?)),
        };
        Ok(self.command(id, effect))
    }

    fn command(&self, id: CommandId, effect: Effect) -> Command {
        Command { id, tenant: self.tenant, effect, note: self.note.clone() }
    }
}

impl Node {
    /// Brings commands into the log that are not there yet, and says what became of each, in their order: nothing where the
    /// ledger takes longer than an answer waits.
    ///
    /// # Errors
    /// When the log or the ledger fails, or an id was used for another wish.
    pub async fn carry_out(self: &Arc<Self>, commands: Vec<Command>) -> Result<Vec<Option<CommandRecord>>, Problem> {
        let known = self.records(&commands).await?;
        let fresh = commands.iter().zip(&known).filter(|(_, record)| record.is_none());
        let fresh: Vec<Command> = fresh.map(|(command, _)| command.clone()).collect();
        let records = if fresh.is_empty() {
            known
        } else {
            self.desk.submit(&fresh).await?;
            self.records(&commands).await?
        };
        for (command, record) in commands.iter().zip(&records) {
            same_wish(command, record.as_ref())?;
        }
        Ok(records)
    }

    async fn records(self: &Arc<Self>, commands: &[Command]) -> Result<Vec<Option<CommandRecord>>, Problem> {
        let (node, ids) = (Arc::clone(self), commands.iter().map(|c| c.id).collect::<Vec<_>>());
        let look = move || ids.into_iter().map(|id| Ok(node.ledger.command(id)?)).collect::<Result<Vec<_>>>();
        crate::http::blocking(look).await
    }

    /// The commands that refund what is asked for. Blocks.
    ///
    /// # Errors
    /// When nothing of the kind was billed, or the log or the ledger fails.
    pub fn refunds(&self, wish: &Wish, what: Refunded) -> Result<Vec<Command>, Problem> {
        match what {
            Refunded::Event { decision, slot } => self.event_refund(wish, decision, slot).map(|command| vec![command]),
            Refunded::Period { campaign, line_item, days } => {
                let wanted = |chain: &Chain| {
                    days.contains(chain.day)
                        && campaign.is_none_or(|id| id == chain.campaign.0)
                        && line_item.is_none_or(|id| id == chain.line_item.0)
                };
                self.period_refunds(wish, &what_for(campaign, line_item, days), wanted)
            }
        }
    }

    /// Under a key that was used for the same period: what was wished then.
    fn period_refunds(
        &self,
        wish: &Wish,
        what_for: &[u8],
        wanted: impl Fn(&Chain) -> bool,
    ) -> Result<Vec<Command>, Problem> {
        let account = self.ledger.account(wish.account).map_err(Problem::internal)?;
        let round = PeriodIds::new(wish, what_for).map_err(Problem::internal)?;
        if wish.key.is_some() {
            let before = self.wished(&account, &round, &wanted).map_err(Problem::internal)?;
            if !before.is_empty() {
                return Ok(before);
            }
            if account.moves.iter().any(|record| round.is_of_the_key(record.entry.command.id)) {
                let detail = "this idempotency key was used for another period: take a new one for a new wish";
                return Err(Problem::new(Code::KeyReused, detail).at("Idempotency-Key"));
            }
        }
        let catalog = &self.world.load().catalog;
        let command = |(chain, amount)| wish.command(round.id(&chain), refund(catalog, chain, amount));
        Ok(account.refundable(wanted).into_iter().map(command).collect())
    }

    /// The commands that were made of this wish before.
    fn wished(&self, account: &Account, round: &PeriodIds, wanted: impl Fn(&Chain) -> bool) -> Result<Vec<Command>> {
        let chains = account.billed.iter().map(|(chain, _)| *chain).filter(|chain| wanted(chain));
        let found = chains.map(|chain| Ok(self.ledger.command(round.id(&chain))?.map(|record| record.entry.command)));
        found.filter_map(Result::transpose).collect()
    }

    fn event_refund(&self, wish: &Wish, decision: DecisionId, slot: u8) -> Result<Command, Problem> {
        let event = [&decision.0.to_be_bytes()[..], &[slot]].concat();
        let id = named(wish.tenant, wish.account, "refund of an event", &event);
        if let Some(before) = self.ledger.command(id).map_err(Problem::internal)? {
            return Ok(before.entry.command);
        }
        let (chain, amount) = self.charged(wish.account, decision, slot)?;
        let account = self.ledger.account(wish.account).map_err(Problem::internal)?;
        let left = account.refundable(|of| *of == chain);
        if !left.iter().any(|(_, left)| *left >= amount) {
            return Err(nothing("what was charged on that day is refunded already"));
        }
        Ok(wish.command(id, refund(&self.world.load().catalog, chain, amount)))
    }

    /// What the billed event of that slot cost, and on which day.
    fn charged(&self, account: AdvertiserId, decision: DecisionId, slot: u8) -> Result<(Chain, Amount), Problem> {
        let record = self.record_of(decision).map_err(Problem::internal)?;
        let record = record.ok_or_else(|| nothing("there is no record of that decision"))?;
        let shown = record.shown.get(usize::from(slot)).ok_or_else(|| nothing("the decision showed fewer ads"))?;
        if shown.advertiser != account {
            return Err(nothing("that ad belongs to another account"));
        }
        // Who opted out meanwhile is no viewer of the event any more.
        let keys = [PartitionKey::of_viewer(record.inputs.request.user, decision), PartitionKey::of_decision(decision)];
        let kinds: &[EventKind] = match shown.price.per {
            Unit::Mille => &[EventKind::Impression, EventKind::Viewable],
            Unit::Click => &[EventKind::Click],
            Unit::Action => &[EventKind::Conversion],
        };
        let day = self.delivered(decision, slot, kinds, keys).map_err(Problem::internal)?;
        let day = day.ok_or_else(|| nothing("nothing of that slot was charged"))?;
        let chain = Chain { account, campaign: shown.campaign, line_item: shown.line_item, day };
        Ok((chain, Amount::of(shown.price)))
    }

    /// The budget day of the slot's billed event.
    fn delivered(
        &self,
        decision: DecisionId,
        slot: u8,
        kinds: &[EventKind],
        keys: [PartitionKey; 2],
    ) -> Result<Option<Day>> {
        let ids: Vec<EventId> = kinds.iter().map(|kind| delivery_id(decision, slot, *kind)).collect();
        let mut partitions = BTreeSet::new();
        for key in keys {
            partitions.extend(self.partitions_of(key)?);
        }
        for partition in partitions {
            let from = self.log.since(partition, decision.time())?;
            if let Some(day) = self.delivered_in(from, &ids)? {
                return Ok(Some(day));
            }
        }
        Ok(None)
    }

    /// One of every process that may have taken the event.
    fn partitions_of(&self, key: PartitionKey) -> Result<Vec<u16>> {
        let mut by_writer: BTreeMap<String, Vec<u16>> = BTreeMap::new();
        for (partition, writer) in self.log.writers()?.into_iter().filter(|(_, writer)| writer != ADMIN) {
            by_writer.entry(writer).or_default().push(partition);
        }
        let one = |partitions: &Vec<u16>| {
            let count = u16::try_from(partitions.len()).ok()?;
            partitions.get(usize::from(key.index(count))).copied()
        };
        Ok(by_writer.values().filter_map(one).collect())
    }

    fn delivered_in(&self, mut from: Position, ids: &[EventId]) -> Result<Option<Day>> {
        loop {
            let batch = self.log.read(from, READ_BYTES)?;
            for entry in batch.entries.iter().filter(|entry| ids.contains(&entry.id)) {
                if let Body::Delivery(delivery) = wire::decode(entry)?.body
                    && delivery.token.bills(delivery.kind)
                    && self.ledger.outcome(entry.position)? == Some(Outcome::Billed)
                {
                    return Ok(Some(delivery.token.budget_day));
                }
            }
            if batch.entries.is_empty() {
                return Ok(None);
            }
            from = batch.next;
        }
    }

    /// Whose account it is; an advertiser that was made a moment ago has one before it is served. Blocks.
    ///
    /// # Errors
    /// When the catalog store cannot be read.
    pub fn holder(&self, id: AdvertiserId) -> Result<Option<Holder>> {
        let world = self.world.load();
        if let Some(ix) = world.catalog.advertiser_by_id(id) {
            let row = world.catalog.advertiser(ix);
            return Ok(Some(Holder { tenant: row.tenant, name: row.name.to_owned(), calendar: row.calendar.clone() }));
        }
        self.stored(id)?.map(|view| holder(&view)).transpose()
    }

    /// Whether the catalog states this account's credit limit: then it is changed there and nowhere else, so that what the catalog
    /// shows is what holds. Blocks.
    ///
    /// # Errors
    /// When the catalog's database cannot be read.
    pub fn states_credit(&self, id: AdvertiserId) -> Result<bool> {
        let name = LimitField::CreditLimit.name();
        Ok(self.stored(id)?.is_some_and(|view| view.members.get(name).is_some_and(|stated| !stated.is_null())))
    }

    fn stored(&self, id: AdvertiserId) -> Result<Option<View>> {
        let object = ObjectRef { kind: ObjectKind::Advertiser, id: id.0 };
        Ok(self.editor.reading().view(Scope::Platform, object)?)
    }
}

/// The account with everything that moved its money, and since when something may be missing. Blocks.
///
/// # Errors
/// When the ledger cannot be read.
pub fn account(ledger: &dyn LedgerReader, id: AdvertiserId) -> Result<(Account, Option<Timestamp>)> {
    // First how far, then what: what is reported is at least as new as it says.
    let positions = ledger.positions()?;
    let until = positions.iter().filter(|(_, p)| p.live()).map(|(_, p)| p.appended).min().flatten();
    Ok((ledger.account(id)?, until))
}

/// Names the commands of one refund of a period: the first half of each is the key's, the second the period's and the chain's.
struct PeriodIds {
    key: u128,
    wish: Vec<u8>,
    tenant: TenantId,
    account: AdvertiserId,
}

/// The half of an id that an idempotency key names.
const KEY_HALF: u128 = !0 << 64;

impl PeriodIds {
    fn new(wish: &Wish, what_for: &[u8]) -> Result<Self> {
        let key = match &wish.key {
            Some(key) => key.as_bytes().to_vec(),
            None => random::<16>()?.to_vec(),
        };
        let &Wish { tenant, account, .. } = wish;
        let half = named(tenant, account, "refund of a period", &key).0 & KEY_HALF;
        Ok(Self { key: half, wish: [key, what_for.to_vec()].concat(), tenant, account })
    }

    fn id(&self, chain: &Chain) -> CommandId {
        let name = [self.wish.clone(), format!("{chain:?}").into_bytes()].concat();
        let rest = named(self.tenant, self.account, "refund of a period's day", &name).0 & !KEY_HALF;
        CommandId(self.key | rest)
    }

    const fn is_of_the_key(&self, id: CommandId) -> bool {
        id.0 & KEY_HALF == self.key
    }
}

/// A refund's period in words of its own, for the ids of its commands.
fn what_for(campaign: Option<u64>, line_item: Option<u64>, days: Days) -> Vec<u8> {
    format!("{campaign:?} {line_item:?} {days:?}").into_bytes()
}

fn holder(stored: &View) -> Result<Holder> {
    let text = |member: &str| stored.members.get(member).and_then(Value::as_str).unwrap_or_default();
    let tenant = stored.members.get("tenant").and_then(Value::as_u64).context("an advertiser without a tenant")?;
    let calendar = Calendar::named(text("time_zone"))?;
    Ok(Holder { tenant: TenantId(tenant), name: text("name").to_owned(), calendar })
}

fn refund(catalog: &Catalog, chain: Chain, amount: Amount) -> Effect {
    let next = Day(chain.day.0.saturating_add(1));
    let advertiser = catalog.advertiser_by_id(chain.account).map(|ix| catalog.advertiser(ix));
    let day_ends = advertiser.map_or(Timestamp(i64::MIN), |row| row.calendar.start(next));
    Effect::Refund { chain, day_ends, amount }
}

/// A refund's amount is what was left when it was first wished, whatever is left now.
fn same_wish(command: &Command, record: Option<&CommandRecord>) -> Result<(), Problem> {
    let Some(record) = record else { return Ok(()) };
    let before = record.entry.command.effect;
    let is_refund = matches!((before, command.effect), (Effect::Refund { .. }, Effect::Refund { .. }));
    if is_refund || before == command.effect {
        return Ok(());
    }
    let detail = "this idempotency key was used for another amount: take a new one for a new wish";
    Err(Problem::new(Code::KeyReused, detail).at("Idempotency-Key"))
}

fn nothing(detail: &str) -> Problem {
    Problem::new(Code::NothingToRefund, detail).at("event")
}
