//! What can happen next. An act that is not possible in a state, or changes nothing there, is no step.

use std::fmt;

use crate::log::TokenId;
use crate::world::World;

/// One step of a world. Partitions, holders, items and commands are numbered from zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Time goes on to the next instant; every live partition gets a heartbeat.
    Tick,
    /// A holder asks, the database grants, the holder hears of it, or not.
    Lease {
        holder: usize,
        item: usize,
        heard: bool,
    },
    /// The first of these three as messages.
    Ask {
        holder: usize,
        item: usize,
    },
    Grant {
        holder: usize,
    },
    Hear {
        holder: usize,
    },
    /// A slot is held and shown: a token exists.
    Show {
        holder: usize,
        item: usize,
    },
    /// The event of a token is appended, a copy where it was before.
    Send {
        token: TokenId,
        partition: u16,
    },
    /// A holder gives back what it did not hold.
    GiveBack {
        holder: usize,
    },
    /// As a message: it is sent, and arrives by [`Act::TakeBack`], late or never.
    SendBack {
        holder: usize,
    },
    TakeBack {
        holder: usize,
    },
    Crash {
        holder: usize,
    },
    /// The next admin command is appended.
    Wish,
    /// An admin command is appended once more.
    Repeat {
        command: usize,
    },
    /// The next command is applied, or all there are in one transaction.
    Apply {
        all: bool,
    },
    /// The next entry of a partition is billed, or all there are in one transaction.
    Bill {
        partition: u16,
        all: bool,
    },
    /// All that both partitions have, in one transaction.
    BillBoth,
    /// Another reader reads what a partition has …
    Read {
        partition: u16,
    },
    /// … and commits it now.
    CommitLate,
    Sweep,
    /// The second partition's writer is gone: fenced and sealed.
    Seal,
    /// The second partition is opened.
    Open,
    /// The database fails over to a replica that lacks its last transactions.
    FailOver {
        lost: usize,
    },
    /// The ledger is told how far the log goes.
    Promote,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tick => write!(f, "time goes on"),
            Self::Lease { holder, item, heard: true } => write!(f, "holder {holder} leases budget of item {item}"),
            Self::Lease { holder, item, heard: false } => {
                write!(f, "holder {holder} is granted budget of item {item} and does not hear of it")
            }
            Self::Ask { holder, item } => write!(f, "holder {holder} asks for budget of item {item}"),
            Self::Grant { holder } => write!(f, "the database grants what holder {holder} asked for"),
            Self::Hear { holder } => write!(f, "holder {holder} hears the answer"),
            Self::Show { holder, item } => write!(f, "holder {holder} shows item {item}"),
            Self::Send { token, partition } => {
                write!(f, "the event of holder {}'s slot {} is appended to {partition}", token / 16, token % 16)
            }
            Self::GiveBack { holder } => write!(f, "holder {holder} gives back what it did not hold"),
            Self::SendBack { holder } => write!(f, "holder {holder} sends back what it did not hold"),
            Self::TakeBack { holder } => write!(f, "the database takes back what holder {holder} sent"),
            Self::Crash { holder } => write!(f, "holder {holder} crashes"),
            Self::Wish => write!(f, "the next admin command is appended"),
            Self::Repeat { command } => write!(f, "admin command {command} is appended again"),
            Self::Apply { all: false } => write!(f, "the next admin command is applied"),
            Self::Apply { all: true } => write!(f, "all admin commands are applied at once"),
            Self::Bill { partition, all: false } => write!(f, "the next entry of partition {partition} is billed"),
            Self::Bill { partition, all: true } => write!(f, "all of partition {partition} is billed at once"),
            Self::BillBoth => write!(f, "all of both partitions is billed at once"),
            Self::Read { partition } => write!(f, "another reader reads partition {partition}"),
            Self::CommitLate => write!(f, "the other reader commits what it read"),
            Self::Sweep => write!(f, "the sweep runs"),
            Self::Seal => write!(f, "partition 1 is sealed"),
            Self::Open => write!(f, "partition 1 is opened"),
            Self::FailOver { lost } => write!(f, "the database fails over and loses {lost} transactions"),
            Self::Promote => write!(f, "the ledger is promoted"),
        }
    }
}

impl World {
    /// Every act that the bounds leave; some are no step.
    pub(crate) fn acts(&self) -> Vec<Act> {
        let mut acts = self.acts_on_the_database();
        acts.extend(self.acts_on_the_log());
        let active = self.holders.iter().take_while(|holder| holder.leases > 0).count();
        let known = if self.bounds.like_holders() { active + 1 } else { self.holders.len() };
        (0..known.min(self.holders.len())).for_each(|holder| self.acts_of(holder, &mut acts));
        if self.instant + 1 < self.bounds.instants.len() {
            acts.push(Act::Tick);
        }
        acts
    }

    fn acts_on_the_database(&self) -> Vec<Act> {
        let mut acts = vec![Act::Apply { all: false }, Act::Apply { all: true }];
        for partition in 0..2 {
            acts.extend([false, true].map(|all| Act::Bill { partition, all }));
            if self.late.is_none() && self.tally.late_commits < self.bounds.late_commits {
                acts.push(Act::Read { partition });
            }
        }
        if self.bounds.together {
            acts.push(Act::BillBoth);
        }
        if self.late.is_some() {
            acts.push(Act::CommitLate);
        }
        acts.push(Act::Sweep);
        if !self.database.promoted {
            acts.extend((1..=self.database.before.len()).map(|lost| Act::FailOver { lost }));
        } else if self.database.waits_for_promotion() {
            acts.push(Act::Promote);
        }
        acts
    }

    fn acts_on_the_log(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        let second = !self.bounds.like_partitions() || self.tally.entries > 0;
        for token in self.tokens.keys() {
            acts.push(Act::Send { token: *token, partition: 0 });
            if second {
                acts.push(Act::Send { token: *token, partition: 1 });
            }
        }
        if self.tally.wishes < self.bounds.wishes.len() {
            acts.push(Act::Wish);
        }
        if self.tally.repeats < self.bounds.repeats {
            acts.extend((0..self.tally.wishes).map(|command| Act::Repeat { command }));
        }
        if self.bounds.seals {
            acts.push(Act::Seal);
        }
        if self.bounds.opens {
            acts.push(Act::Open);
        }
        acts
    }

    fn acts_of(&self, holder: usize, acts: &mut Vec<Act>) {
        for item in 0..2 {
            if self.bounds.messages {
                acts.push(Act::Ask { holder, item });
            } else {
                acts.extend([true, false].map(|heard| Act::Lease { holder, item, heard }));
            }
            if self.tally.slots < self.bounds.slots {
                acts.push(Act::Show { holder, item });
            }
        }
        if self.bounds.messages {
            acts.extend([Act::Grant { holder }, Act::Hear { holder }]);
            acts.extend([Act::SendBack { holder }, Act::TakeBack { holder }]);
        } else {
            acts.push(Act::GiveBack { holder });
        }
        if self.tally.crashes < self.bounds.crashes {
            acts.push(Act::Crash { holder });
        }
    }
}
