//! Commands of money in the audit log: a row for each, written behind the ledger.
//!
//! The rows follow the admin partition from a position of their own, kept in the transaction that writes them, so that each
//! command has one row whatever ends in between. Limits that the catalog states have theirs with the change that stated them.

use std::sync::Arc;

use anyhow::Result;
use litfass_ledger::{Command, CommandOutcome, Effect, Limit};
use litfass_store::audit::{AuditLog, Entry};
use litfass_store::ledger::LedgerReader;
use litfass_store::log::EventLog;
use litfass_store::wire::{self, Body};
use litfass_types::{Position, Timestamp};
use serde_json::{Value, json};

use crate::limits;

const BATCH_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub struct CommandAudit {
    log: Arc<dyn EventLog>,
    audit: AuditLog,
    position: Position,
}

impl CommandAudit {
    /// # Errors
    /// When the database cannot be read.
    pub fn open(log: Arc<dyn EventLog>, audit: AuditLog, partition: u16) -> Result<Self> {
        let position = audit.followed(partition)?;
        Ok(Self { log, audit, position })
    }

    /// Writes the rows of commands that the ledger has taken, up to that offset.
    ///
    /// # Errors
    /// When the log, the ledger or the database fails; the next call goes on where this one stopped.
    pub fn follow(&mut self, ledger: &dyn LedgerReader, applied: u64) -> Result<()> {
        // Asked again each time: after a failover the database is behind where this one left it.
        self.position = self.audit.followed(self.position.partition)?;
        while self.position.offset < applied {
            let batch = self.log.read(self.position, BATCH_BYTES)?;
            let mut rows = Vec::new();
            for entry in batch.entries.iter().filter(|entry| entry.position.offset < applied) {
                if let Body::Command(command) = wire::decode(entry)?.body
                    && let Some(record) = ledger.command(command.id)?
                    // A copy has no row: the first one has.
                    && record.entry.position == entry.position
                {
                    rows.extend(row(&command, record.outcome, entry.append_time));
                }
            }
            let next = batch.next.offset.min(applied);
            if next == self.position.offset {
                break;
            }
            self.audit.follow(self.position, next, &rows)?;
            self.position.offset = next;
        }
        Ok(())
    }
}

/// `None` for what the catalog stated.
fn row(command: &Command, outcome: CommandOutcome, time: Timestamp) -> Option<Entry> {
    if command.note.by == limits::BY {
        return None;
    }
    let (action, asked) = wish(&command.effect);
    let mut after =
        json!({ "command": command.id.to_string(), "outcome": outcome_name(outcome), "reason": command.note.reason });
    if let (Value::Object(after), Value::Object(asked)) = (&mut after, asked) {
        after.extend(asked);
    }
    Some(Entry {
        time,
        who: command.note.by.clone(),
        action: action.to_owned(),
        tenant: Some(command.tenant),
        kind: "account".to_owned(),
        object: command.effect.account().to_string(),
        before: None,
        after: Some(after),
    })
}

/// The action, and what was asked for; amounts as decimal texts of nanos.
pub(crate) fn wish(effect: &Effect) -> (&'static str, Value) {
    let nanos = |nanos: i128| Value::String(nanos.to_string());
    match effect {
        Effect::Deposit { amount, .. } => ("deposit", json!({ "nanos": nanos(amount.nanos()) })),
        Effect::Adjust { nanos: by, .. } => ("adjust", json!({ "nanos": nanos(*by) })),
        Effect::Refund { chain, amount, .. } => {
            let of = json!({ "nanos": nanos(amount.nanos()), "campaign": chain.campaign.0, "line_item": chain.line_item.0, "day": chain.day.0 });
            ("refund", of)
        }
        Effect::SetLimit(limit) => {
            let (amount, of) = limited(limit);
            ("set_limit", json!({ "nanos": amount.map(nanos), "of": of }))
        }
    }
}

fn limited(limit: &Limit) -> (Option<i128>, String) {
    let some = |amount: &Option<litfass_ledger::Amount>| amount.map(|amount| amount.nanos());
    match limit {
        Limit::Credit { limit, .. } => (Some(limit.nanos()), "credit".to_owned()),
        Limit::CampaignLifetime { campaign, limit, .. } => (some(limit), format!("campaign {campaign}")),
        Limit::CampaignDaily { campaign, limit, .. } => (some(limit), format!("days of campaign {campaign}")),
        Limit::LineItem { line_item, limit, .. } => (some(limit), format!("line item {line_item}")),
    }
}

pub(crate) fn outcome_name(outcome: CommandOutcome) -> String {
    match outcome {
        CommandOutcome::Applied => "applied".to_owned(),
        CommandOutcome::Repeated => "repeated".to_owned(),
        CommandOutcome::Waiting => "waiting".to_owned(),
        CommandOutcome::Refused(objection) => format!("refused: {objection}"),
    }
}
