//! Limits that the catalog file states, sent to the ledger as commands through the admin partition.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use litfass_catalog::{AdvertiserRow, Catalog};
use litfass_events::PartitionKey;
use litfass_ledger::{Amount, Command, CommandId, Effect, Limit, Note};
use litfass_store::catalog::{Limit as StatedLimit, LimitField};
use litfass_store::ledger::LedgerReader;
use litfass_store::log::{Clock, EventLog};
use litfass_store::wire::{self, Body};
use litfass_types::{AdvertiserId, CampaignId, LineItemId, Position};

use crate::desk::{self, ADMIN};

/// Who wishes what the catalog states.
pub const BY: &str = "catalog";

/// Bytes read of the log at once.
const READ_BYTES: usize = 1 << 20;

/// Commands appended at once.
const CHUNK: usize = 1_000;

/// How limits come into force before the catalog that states them is served.
#[derive(Debug)]
pub enum Limiting {
    /// This process sends them.
    Here(LimitSender),
    /// The process with the role `admin` does.
    Elsewhere,
}

/// What the ledger has to have taken first.
#[derive(Debug)]
pub enum Limited {
    /// The commands up to there; none were needed.
    UpTo(Option<Position>),
    /// Each of these.
    Commands(Vec<CommandId>),
}

impl Limiting {
    /// # Errors
    /// When the log does not take the commands.
    pub fn begin(&mut self, limits: &[StatedLimit], catalog: &Catalog) -> Result<Limited> {
        match self {
            Self::Here(sender) => sender.send(limits, catalog).map(Limited::UpTo),
            Self::Elsewhere => {
                let commands = limits.iter().filter_map(|limit| command(limit, catalog));
                Ok(Limited::Commands(commands.map(|command| command.id).collect()))
            }
        }
    }
}

impl Limited {
    /// Whether the ledger has taken everything. What it has is not asked for again.
    ///
    /// # Errors
    /// The database's.
    pub fn is_in_force(&mut self, ledger: &dyn LedgerReader) -> Result<bool> {
        match self {
            Self::UpTo(None) => Ok(true),
            Self::UpTo(Some(last)) => {
                let positions = ledger.positions()?;
                Ok(positions.iter().any(|(partition, row)| *partition == last.partition && row.next > last.offset))
            }
            Self::Commands(ids) => {
                while let Some(id) = ids.last() {
                    if ledger.command(*id)?.is_none() {
                        return Ok(false);
                    }
                    ids.pop();
                }
                Ok(true)
            }
        }
    }
}

#[derive(Debug)]
pub struct LimitSender {
    log: Arc<dyn EventLog>,
    clock: Clock,
    /// Commands that are in the log already.
    sent: BTreeSet<CommandId>,
}

impl LimitSender {
    /// Reads from the admin partition what was sent before.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(log: Arc<dyn EventLog>, clock: Clock) -> Result<Self> {
        let mut sent = BTreeSet::new();
        if let Some(partition) = log.partition(ADMIN, PartitionKey(0)) {
            let mut from = Position { partition, offset: 0 };
            loop {
                let batch = log.read(from, READ_BYTES)?;
                if batch.entries.is_empty() {
                    break;
                }
                for entry in &batch.entries {
                    if let Body::Command(command) = wire::decode(entry)?.body {
                        sent.insert(command.id);
                    }
                }
                from = batch.next;
            }
        }
        Ok(Self { log, clock, sent })
    }

    /// Sends what was not sent before and returns when it is on disk: the position of the last one, if there was any. A
    /// command that comes twice takes effect once.
    ///
    /// # Errors
    /// When the log does not take them.
    pub fn send(&mut self, limits: &[StatedLimit], catalog: &Catalog) -> Result<Option<Position>> {
        let commands = limits.iter().filter_map(|limit| command(limit, catalog));
        let fresh: Vec<_> = commands.filter(|command| !self.sent.contains(&command.id)).collect();
        let mut last = None;
        for chunk in fresh.chunks(CHUNK) {
            last = desk::append(&*self.log, &self.clock, chunk)?.max(last);
            self.sent.extend(chunk.iter().map(|command| command.id));
        }
        Ok(last)
    }
}

/// `None` where the object has gone from the catalog.
fn command(limit: &StatedLimit, catalog: &Catalog) -> Option<Command> {
    let amount = Amount::new(i128::from(limit.micros) * 1_000).ok()?;
    let effect = match limit.field {
        LimitField::CreditLimit => Limit::Credit { account: AdvertiserId(limit.object.id), limit: amount },
        LimitField::LifetimeBudget => {
            let campaign = CampaignId(limit.object.id);
            let account = payer(campaign, catalog)?.id;
            Limit::CampaignLifetime { account, campaign, limit: Some(amount) }
        }
        LimitField::DailyBudget => {
            let campaign = CampaignId(limit.object.id);
            let advertiser = payer(campaign, catalog)?;
            // From the day on which it was loaded, as the advertiser counts days.
            let from = advertiser.calendar.day(limit.loaded);
            Limit::CampaignDaily { account: advertiser.id, campaign, from, limit: Some(amount) }
        }
        LimitField::Budget => {
            let line_item = LineItemId(limit.object.id);
            let account = catalog.line_item(catalog.line_item_by_id(line_item)?).advertiser;
            Limit::LineItem { account, line_item, limit: Some(amount) }
        }
    };
    let effect = Effect::SetLimit(effect);
    let tenant = catalog.advertiser(catalog.advertiser_by_id(effect.account())?).tenant;
    let note = Note { by: BY.to_owned(), reason: String::new() };
    Some(Command { id: CommandId(limit.command_id(catalog.version().timeline.into())), tenant, effect, note })
}

fn payer(campaign: CampaignId, catalog: &Catalog) -> Option<AdvertiserRow<'_>> {
    Some(catalog.advertiser(catalog.campaign(catalog.campaign_by_id(campaign)?).advertiser))
}
