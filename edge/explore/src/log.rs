//! The log: two event partitions and the admin one. Append times never decrease within a partition.

use std::collections::BTreeMap;

use litfass_ledger::{Batch, Claim, ClaimId, CommandEntry, Commands, Consumed, Entry};
use litfass_types::{Position, Timestamp};

use crate::breach::Breach;

pub(crate) const ADMIN: u16 = 9;

/// Names a shown slot: sixteen times its holder's number, plus how many that holder showed before.
pub(crate) type TokenId = u8;
pub(crate) type Tokens = BTreeMap<TokenId, Claim>;

/// One entry of an event partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Line {
    Heartbeat(Timestamp),
    Event(Timestamp, TokenId),
}

impl Line {
    pub(crate) const fn appended(self) -> Timestamp {
        match self {
            Self::Heartbeat(at) | Self::Event(at, _) => at,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Log {
    pub(crate) events: [Vec<Line>; 2],
    /// When each begins: nothing is appended with a time before. None: there is no such partition yet.
    pub(crate) begins: [Option<Timestamp>; 2],
    /// No writer will append to it any more.
    pub(crate) sealed: [bool; 2],
    pub(crate) admin: Vec<CommandEntry>,
}

pub(crate) const fn offset(index: usize) -> u64 {
    index as u64
}

pub(crate) fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// A range of one event partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Read {
    pub(crate) partition: u16,
    pub(crate) from: u64,
    pub(crate) next: u64,
}

impl Log {
    pub(crate) fn is_there(&self, partition: u16) -> bool {
        self.begins.get(usize::from(partition)).is_some_and(Option::is_some)
    }

    /// At that time by its writer's clock, or later.
    pub(crate) fn append(&mut self, partition: u16, at: Timestamp, token: Option<TokenId>) {
        let nth = usize::from(partition);
        let begins = self.begins.get(nth).copied().flatten().unwrap_or(at);
        let at = at.max(begins);
        let line = token.map_or(Line::Heartbeat(at), |token| Line::Event(at, token));
        self.events.get_mut(nth).map(|lines| lines.push(line)).unwrap_or_default();
    }

    pub(crate) fn end(&self, partition: u16) -> u64 {
        self.events.get(usize::from(partition)).map_or(0, |lines| offset(lines.len()))
    }

    pub(crate) fn lines(&self, read: Read) -> impl Iterator<Item = (Position, Line)> {
        let Read { partition, from, next } = read;
        let lines = self.events.get(usize::from(partition)).map_or(&[][..], Vec::as_slice);
        let lines = lines.get(index(from)..index(next)).unwrap_or_default();
        (from..).zip(lines).map(move |(offset, line)| (Position { partition, offset }, *line))
    }

    /// The batch of those ranges, its claims in the order of the log.
    pub(crate) fn batch(&self, reads: &[Read], tokens: &Tokens, breach: Option<Breach>) -> Batch {
        let consumed = reads.iter().filter_map(|read| self.consumed(*read)).collect();
        let lines = reads.iter().flat_map(|read| self.lines(*read));
        let mut entries: Vec<Entry> = lines.filter_map(|(at, line)| entry(at, line, tokens, breach)).collect();
        entries.sort_by_key(|entry| (entry.appended, entry.position));
        Batch { consumed, entries, ..Batch::default() }
    }

    fn consumed(&self, read: Read) -> Option<Consumed> {
        let Read { partition, from, next } = read;
        let appended = self.lines(read).map(|(_, line)| line.appended()).max()?;
        Some(Consumed { partition, from, next, appended })
    }

    pub(crate) fn commands(&self, from: u64, next: u64) -> Option<Commands> {
        let entries = self.admin.get(index(from)..index(next))?.to_vec();
        let appended = entries.iter().map(|entry| entry.appended).max()?;
        Some(Commands { consumed: Consumed { partition: ADMIN, from, next, appended }, entries })
    }
}

fn entry(position: Position, line: Line, tokens: &Tokens, breach: Option<Breach>) -> Option<Entry> {
    let Line::Event(appended, token) = line else { return None };
    let mut claim = tokens.get(&token)?.clone();
    match breach {
        Some(Breach::KeyOfEvent) => claim.id = ClaimId { order: format!("{position:?}"), ..claim.id },
        Some(Breach::DayOfEvent) => claim.chain.day = crate::setup::day_of(appended),
        _ => {}
    }
    Some(Entry { position, appended, claim })
}
