//! The event log: partitions of committed entries, which no crash loses. Append times of a partition never decrease.

use litfass_ledger::{Command, CommandEntry, PartitionKind};
use litfass_types::{Position, Timestamp};

use super::agenda::Instant;
use super::setting::span;
use crate::draw::Draw;

pub(super) const ADMIN: u16 = 999;
/// Of an entry that carries no billable event.
const HEARTBEAT: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
pub(super) struct LogEntry {
    pub(super) appended: Timestamp,
    token: u32,
}

impl LogEntry {
    pub(super) fn token(&self) -> Option<usize> {
        (self.token != HEARTBEAT).then_some(self.token as usize)
    }
}

#[derive(Debug)]
pub(super) struct EventPartition {
    pub(super) number: u16,
    pub(super) entries: Vec<LogEntry>,
    /// Its writer's clock.
    ahead: Instant,
    /// Nothing is appended before that.
    pub(super) stalled_until: Instant,
    pub(super) sealed: bool,
}

impl EventPartition {
    pub(super) fn end(&self) -> u64 {
        self.entries.len() as u64
    }

    fn append(&mut self, now: Instant, token: u32) {
        let last = self.entries.last().map(|entry| entry.appended);
        let appended = Timestamp(now + self.ahead).max(last.unwrap_or_default());
        self.entries.push(LogEntry { appended, token });
    }
}

#[derive(Debug)]
pub(super) struct Log {
    pub(super) partitions: Vec<EventPartition>,
    pub(super) admin: Vec<CommandEntry>,
    admin_ahead: Instant,
    /// Entries of the admin partition that carry no command, by offset.
    admin_end: u64,
    admin_appended: Timestamp,
    skew: Instant,
}

/// What a partition takes and what it refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    Appended,
    Later(Instant),
    /// The writer is gone: somewhere else.
    Sealed,
}

impl Log {
    pub(super) fn new(draw: &mut Draw, partitions: u16, skew: Instant) -> Self {
        let mut log = Self {
            partitions: Vec::new(),
            admin: Vec::new(),
            admin_ahead: off(draw, skew),
            admin_end: 0,
            admin_appended: Timestamp(0),
            skew,
        };
        for _ in 0..partitions {
            log.open(draw);
        }
        log
    }

    pub(super) fn open(&mut self, draw: &mut Draw) -> u16 {
        let number = u16::try_from(self.partitions.len()).unwrap_or(u16::MAX);
        let ahead = off(draw, self.skew);
        self.partitions.push(EventPartition { number, entries: Vec::new(), ahead, stalled_until: 0, sealed: false });
        number
    }

    pub(super) fn append(&mut self, partition: u16, token: u32, now: Instant) -> Taken {
        let Some(partition) = self.partitions.get_mut(usize::from(partition)) else { return Taken::Sealed };
        if partition.sealed {
            return Taken::Sealed;
        }
        if now < partition.stalled_until {
            return Taken::Later(partition.stalled_until);
        }
        partition.append(now, token);
        Taken::Appended
    }

    pub(super) fn heartbeat(&mut self, partition: u16, now: Instant) -> Taken {
        self.append(partition, HEARTBEAT, now)
    }

    pub(super) fn command(&mut self, command: Command, now: Instant) {
        self.mark_admin(now);
        let position = Position { partition: ADMIN, offset: self.admin_end - 1 };
        self.admin.push(CommandEntry { position, appended: self.admin_appended, command });
    }

    /// An entry of the admin partition that carries no command.
    pub(super) fn mark_admin(&mut self, now: Instant) {
        self.admin_appended = self.admin_appended.max(Timestamp(now + self.admin_ahead));
        self.admin_end += 1;
    }

    pub(super) fn admin_end(&self) -> (u64, Timestamp) {
        (self.admin_end, self.admin_appended)
    }

    /// The first offset that is not there yet.
    pub(super) fn end(&self, partition: u16) -> u64 {
        let events = self.partitions.get(usize::from(partition)).filter(|_| partition != ADMIN);
        events.map_or(self.admin_end, EventPartition::end)
    }

    /// Where an event of that decision goes: the same partition as long as none is sealed or opened.
    pub(super) fn partition_of(&self, key: u64) -> u16 {
        let open: u64 = self.partitions.iter().filter(|p| !p.sealed).count() as u64;
        let nth = usize::try_from(key % open.max(1)).unwrap_or(0);
        self.partitions.iter().filter(|p| !p.sealed).nth(nth).map_or(0, |p| p.number)
    }

    pub(super) fn open_partitions(&self) -> impl Iterator<Item = u16> + '_ {
        self.partitions.iter().filter(|p| !p.sealed).map(|p| p.number)
    }

    /// Every partition there is and what it carries.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (u16, PartitionKind)> + '_ {
        let events = self.partitions.iter().map(|p| (p.number, PartitionKind::Events));
        events.chain([(ADMIN, PartitionKind::Admin)])
    }
}

/// How far a clock is from true time.
pub(super) fn off(draw: &mut Draw, skew: Instant) -> Instant {
    #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
    let skew = skew as f64;
    span(draw, -skew, skew + 1.0)
}
