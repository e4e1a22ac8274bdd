//! What happens next: events by time, in the order they were noted where the time is the same.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// True time in milliseconds. Nobody in the world can read it.
pub(super) type Instant = i64;

/// Which log partition, decide process, message …: an index into what the world keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// An ad request comes in.
    Request,
    /// A viewer's event reaches the writer of a partition.
    Append {
        token: u32,
        partition: u16,
    },
    Heartbeat {
        partition: u16,
    },
    /// A process looks around. What was noted for a life that ended is nobody's.
    Round {
        process: usize,
        life: u32,
    },
    Restart {
        process: usize,
        life: u32,
    },
    Letter {
        slot: usize,
    },
    Fault {
        number: usize,
    },
    Edit,
    /// An edit that lowers a limit.
    Lower,
    Audit,
    /// The controllers look at what was spent.
    Pace,
}

#[derive(Clone, Copy, Debug)]
struct Noted {
    at: Instant,
    number: u64,
    due: Due,
}

impl PartialEq for Noted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Noted {}

impl PartialOrd for Noted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Noted {
    /// The earliest is the greatest: that is what the heap gives first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Noted>,
    noted: u64,
}

impl Agenda {
    pub(super) fn note(&mut self, at: Instant, due: Due) {
        self.noted += 1;
        self.heap.push(Noted { at, number: self.noted, due });
    }

    pub(super) fn next(&mut self) -> Option<(Instant, Due)> {
        self.heap.pop().map(|noted| (noted.at, noted.due))
    }
}
