//! The ledger held against its log: everything that was to be billed is worked out again from the entries and compared.
//!
//! What a recount cannot know is why a claim had to wait, because grants and closes are not in the log; it checks that every
//! claim ended once, that what was billed adds up per account, and that every command in the log is the ledger's, and no other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use litfass_ledger::check::Violation;
use litfass_ledger::{ClaimId, CommandId, Entry, Outcome, PartitionKind};
use litfass_store::ledger::Accounted;
use litfass_store::log::{EventLog, ReadError};
use litfass_store::wire::{self, Body};
use litfass_types::{AdvertiserId, Position};

use crate::workers::reading::claim;

const READ_BYTES: usize = 4 << 20;

/// What was found.
#[derive(Debug, Default)]
pub struct Recount {
    pub entries: u64,
    pub claims: u64,
    pub billed: u64,
    pub commands: u64,
    /// Where partitions begin whose older entries are no longer kept: what the ledger has from before cannot be counted again.
    pub begins: BTreeMap<u16, u64>,
    pub violations: Vec<Violation>,
}

/// What is known of one billable event.
#[derive(Clone, Copy, Default)]
struct Ends {
    billed: u32,
    other: u32,
    repeated: u32,
}

#[derive(Default)]
struct Tellers {
    ends: BTreeMap<ClaimId, Ends>,
    billed: BTreeMap<AdvertiserId, i128>,
    explained: BTreeSet<Position>,
    commands: BTreeSet<CommandId>,
}

/// Reads the log as far as the ledger did.
///
/// # Errors
/// When the log cannot be read.
pub fn recount(log: &dyn EventLog, accounted: &Accounted) -> Result<Recount> {
    let (mut recount, mut tellers) = (Recount::default(), Tellers::default());
    for (partition, row) in &accounted.partitions {
        let mut from = first_kept(log, *partition)?;
        if from.offset > 0 {
            recount.begins.insert(*partition, from.offset);
        }
        while from.offset < row.next {
            let batch = log.read(from, READ_BYTES).with_context(|| format!("partition {partition} of the log"))?;
            if batch.entries.is_empty() {
                let detail =
                    format!("partition {partition} ends at {}, the ledger read up to {}", from.offset, row.next);
                recount.fail("the ledger read no further than the log", detail);
                break;
            }
            for entry in batch.entries.iter().filter(|entry| entry.position.offset < row.next) {
                recount.entries += 1;
                if row.kind == PartitionKind::Events {
                    if let Some(claim) = claim(&wire::outline(entry)?) {
                        recount.claim(&mut tellers, accounted, &claim);
                    }
                } else if let Body::Command(command) = wire::decode(entry)?.body {
                    recount.command(&mut tellers, accounted, &command);
                }
            }
            from = batch.next;
        }
    }
    recount.compare(&tellers, accounted);
    Ok(recount)
}

/// Where the partition begins.
fn first_kept(log: &dyn EventLog, partition: u16) -> Result<Position> {
    let from = Position { partition, offset: 0 };
    match log.read(from, 1) {
        Err(ReadError::Gone { first, .. }) => Ok(Position { partition, offset: first }),
        read => read.map(|_| from).with_context(|| format!("partition {partition} of the log")),
    }
}

impl Recount {
    /// Whether the log holds everything that the ledger was told.
    fn is_whole(&self) -> bool {
        self.begins.is_empty()
    }

    fn reaches(&self, at: Position) -> bool {
        self.begins.get(&at.partition).is_none_or(|first| at.offset >= *first)
    }

    fn fail(&mut self, invariant: &'static str, detail: String) {
        self.violations.push(Violation { invariant, detail });
    }

    fn claim(&mut self, tellers: &mut Tellers, accounted: &Accounted, entry: &Entry) {
        self.claims += 1;
        let ends = tellers.ends.entry(entry.claim.id.clone()).or_default();
        let outcome = accounted.outcomes.get(&entry.position).copied().unwrap_or(Outcome::Billed);
        tellers.explained.insert(entry.position);
        match outcome {
            Outcome::Billed => {
                self.billed += 1;
                ends.billed += 1;
                *tellers.billed.entry(entry.claim.chain.account).or_default() += entry.claim.amount().nanos();
            }
            Outcome::Repeated => ends.repeated += 1,
            Outcome::Pending(_) | Outcome::Unbilled(_) => ends.other += 1,
            Outcome::Expired => {}
        }
    }

    fn command(&mut self, tellers: &mut Tellers, accounted: &Accounted, command: &litfass_ledger::Command) {
        if !tellers.commands.insert(command.id) {
            return;
        }
        self.commands += 1;
        let kept = accounted.commands.get(&command.id);
        if kept.is_none_or(|record| record.entry.command != *command) {
            let detail = format!("command {} is {command:?} in the log, {kept:?} in the ledger", command.id);
            self.fail("the ledger's commands are the log's", detail);
        }
    }

    fn compare(&mut self, tellers: &Tellers, accounted: &Accounted) {
        for (id, ends) in &tellers.ends {
            // Of a copy the first may have been in what is no longer kept.
            let unseen = ends.billed + ends.other == 0 && (ends.repeated == 0 || !self.is_whole());
            let once = ends.billed + ends.other == 1 || unseen;
            if !once {
                let Ends { billed, other, repeated } = ends;
                let detail = format!("{id}: billed {billed}, waiting or unbilled {other}, copies {repeated}");
                self.fail("every billable event is accounted once", detail);
            }
        }
        for account in tellers.billed.keys().chain(accounted.billed.keys()).collect::<BTreeSet<_>>() {
            let logged = tellers.billed.get(account).copied().unwrap_or(0);
            let kept = accounted.billed.get(account).map_or(0, |amount| amount.nanos());
            if logged > kept || (logged < kept && self.is_whole()) {
                let detail = format!("account {account}: {kept} nanos in the ledger, {logged} by the log");
                self.fail("what was billed is what the log says", detail);
            }
        }
        if self.claims > accounted.claims || (self.claims < accounted.claims && self.is_whole()) {
            let detail = format!("{} in the ledger's batches, {} in the log", accounted.claims, self.claims);
            self.fail("every claim of the log is in a batch", detail);
        }
        if let Some(at) = accounted.outcomes.keys().find(|at| self.reaches(**at) && !tellers.explained.contains(at)) {
            self.fail("every outcome is of a claim", format!("{at:?} claims nothing"));
        }
        let unknown = |id: &&CommandId| !tellers.commands.contains(id);
        let reached = accounted.commands.iter().filter(|(_, record)| self.reaches(record.entry.position));
        if let Some(id) = reached.map(|(id, _)| id).find(unknown).copied() {
            self.fail("the ledger's commands are the log's", format!("command {id} is not in the log"));
        }
        self.ranges(accounted);
    }

    /// Batches follow each other without gap or overlap, from where the log begins to where the ledger stands.
    fn ranges(&mut self, accounted: &Accounted) {
        for (partition, row) in accounted.partitions.iter().filter(|(_, row)| row.kind == PartitionKind::Events) {
            let mut at = 0;
            for range in accounted.ranges.iter().filter(|range| range.partition == *partition) {
                if range.from != at {
                    let detail =
                        format!("partition {partition}: a batch begins at {}, the one before ends at {at}", range.from);
                    self.fail("batches follow each other", detail);
                }
                at = range.next;
            }
            if at != row.next {
                let detail = format!("partition {partition}: batches end at {at}, the ledger stands at {}", row.next);
                self.fail("batches follow each other", detail);
            }
        }
    }
}
