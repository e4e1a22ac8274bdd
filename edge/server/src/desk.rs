//! The way of a command into the ledger: into the admin partition of the log, applied by the worker that reads it, and its
//! outcome back to whoever wished it.
//!
//! Invariant: nothing here moves money. A command that is in the log takes effect once, also where nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use litfass_events::{PartitionKey, named_id};
use litfass_ledger::{Command, CommandId};
use litfass_store::log::{AppendError, Clock, EventLog, NewEntry, Until};
use litfass_store::wire::{self, Body};
use litfass_types::{AdvertiserId, Position, TenantId};
use tokio::sync::watch;

/// The writer of the admin partition.
pub const ADMIN: &str = "admin";

/// How long an answer waits for the ledger; what takes longer is told by its id.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Desk {
    pub log: Arc<dyn EventLog>,
    pub clock: Clock,
    /// The first offset of the admin partition that the ledger has not applied.
    pub applied: watch::Receiver<u64>,
}

impl Desk {
    /// Returns when the commands are on disk, and applied unless the ledger takes too long.
    ///
    /// # Errors
    /// When the log does not take them.
    pub async fn submit(&self, commands: &[Command]) -> Result<(), AppendError> {
        let appended = self.log.append(entries(&*self.log, &self.clock, commands)?, Until::Committed).await;
        let positions = appended.into_iter().collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = positions.iter().map(|position| position.offset).max() {
            let mut applied = self.applied.clone();
            // Too late or over: whoever wished it looks for the outcome and finds what there is.
            drop(tokio::time::timeout(PATIENCE, applied.wait_for(|next| *next > last)).await);
        }
        Ok(())
    }
}

/// Appends and waits until the commands are on disk: the position of the last one, if there was any.
///
/// # Errors
/// When the log does not take them.
pub fn append(log: &dyn EventLog, clock: &Clock, commands: &[Command]) -> Result<Option<Position>> {
    let entries = entries(log, clock, commands).context("this process does not write the admin partition")?;
    let appended = log.append(entries, Until::Committed).wait();
    let positions = appended.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(positions.into_iter().max())
}

fn entries(log: &dyn EventLog, clock: &Clock, commands: &[Command]) -> Result<Vec<NewEntry>, AppendError> {
    let (now, key) = (clock.now(), PartitionKey(0));
    let partition = log.partition(ADMIN, key).ok_or(AppendError::Closed)?;
    let entry = |command: &Command| {
        let id = named_id("command", &command.id.0.to_be_bytes());
        wire::entry(partition, id, now, key, &Body::Command(command.clone()))
    };
    Ok(commands.iter().map(entry).collect())
}

/// The id of what somebody wished under a key of their own: the same key for the same account and kind is the same wish.
#[must_use]
pub fn named(tenant: TenantId, account: AdvertiserId, kind: &str, key: &[u8]) -> CommandId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"litfass command v1");
    hasher.update(&tenant.0.to_be_bytes()).update(&account.0.to_be_bytes());
    hasher.update(kind.as_bytes()).update(&[0]).update(key);
    let hash = hasher.finalize();
    let (head, _) = hash.as_bytes().as_chunks::<16>();
    CommandId(head.first().map_or(0, |bytes| u128::from_be_bytes(*bytes)))
}
