//! The whole log between two instants, as one stream in the order of append times.
//!
//! Invariants: every entry that was committed when the timeline was begun and whose append time lies in the window comes once;
//! append times never decrease; entries of one partition keep their order. Entries that are not kept any more are passed over.

use std::collections::VecDeque;
use std::time::Duration;

use litfass_types::{Position, Timestamp};

use super::{Entry, EventLog, Head, ReadError};

/// Payload read from one partition at a time.
const BATCH_BYTES: usize = 1 << 20;

/// An iterator over entries; after an error it ends.
#[derive(Debug)]
pub struct Timeline<'a> {
    log: &'a dyn EventLog,
    partitions: Vec<Partition>,
    until: Timestamp,
}

#[derive(Debug)]
struct Partition {
    next: Position,
    /// What was committed when reading began.
    end: Position,
    read: VecDeque<Entry>,
}

impl<'a> Timeline<'a> {
    /// Append times from `from` on and before `until`.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn between(log: &'a dyn EventLog, from: Timestamp, until: Timestamp) -> Result<Self, ReadError> {
        let mut partitions = Vec::new();
        for head in log.wait(&[], Duration::ZERO)? {
            let next = first_at(log, &head, from)?;
            partitions.push(Partition { next, end: head.next, read: VecDeque::new() });
        }
        Ok(Self { log, partitions, until })
    }

    fn step(&mut self) -> Result<Option<Entry>, ReadError> {
        for partition in self.partitions.iter_mut().filter(|partition| partition.read.is_empty()) {
            partition.fill(self.log)?;
        }
        let first = |partition: &&mut Partition| partition.read.front().map(|e| (e.append_time, e.position));
        let filled = self.partitions.iter_mut().filter(|partition| !partition.read.is_empty());
        let Some(earliest) = filled.min_by_key(first) else { return Ok(None) };
        Ok(earliest.read.pop_front().filter(|entry| entry.append_time < self.until))
    }
}

impl Iterator for Timeline<'_> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step().transpose();
        if !matches!(step, Some(Ok(_))) {
            self.partitions.clear();
        }
        step
    }
}

impl Partition {
    fn fill(&mut self, log: &dyn EventLog) -> Result<(), ReadError> {
        while self.read.is_empty() && self.next < self.end {
            let batch = match log.read(self.next, BATCH_BYTES) {
                Err(ReadError::Gone { first, .. }) => {
                    self.next.offset = first;
                    continue;
                }
                read => read?,
            };
            if batch.next == self.next {
                break;
            }
            self.next = batch.next;
            self.read = batch.entries.into_iter().filter(|entry| entry.position < self.end).collect();
        }
        Ok(())
    }
}

/// The first position whose entry was appended at or after `from`: append times never decrease, so it is searched by halves.
fn first_at(log: &dyn EventLog, head: &Head, from: Timestamp) -> Result<Position, ReadError> {
    let (mut low, mut high) = (0, head.next.offset);
    while low < high {
        let middle = Position { offset: low + (high - low) / 2, ..head.next };
        let found = match log.read(middle, 1) {
            Err(ReadError::Gone { first, .. }) => {
                low = first;
                continue;
            }
            read => read?.entries.into_iter().next(),
        };
        match found {
            Some(entry) if entry.append_time < from => low = entry.position.offset + 1,
            Some(_) | None => high = middle.offset,
        }
    }
    Ok(Position { offset: low, ..head.next })
}
