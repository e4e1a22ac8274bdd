//! What can go wrong with a PostgreSQL server, and what to do about it.

use std::fmt;

use litfass_ledger::{Failure, Overflow};

use crate::database::pool::{self, Reported};
use crate::ledger::fields::Damaged;
use crate::ledger::{DatabaseError, LedgerError};

#[derive(Debug)]
pub(in crate::ledger) enum Fault {
    Server(Reported),
    /// A row was not what this transaction had read: another process's came first.
    Raced(&'static str),
    Damaged(Damaged),
}

impl Fault {
    /// The transaction was rolled back because another one came first: the same call may have another outcome at once.
    pub(super) fn came_second(&self) -> bool {
        match self {
            Self::Raced(_) => true,
            Self::Damaged(_) => false,
            Self::Server(Reported(error)) => pool::came_second(error),
        }
    }

    /// Whether it passes by itself.
    fn passes(&self) -> bool {
        match self {
            Self::Raced(_) => true,
            Self::Damaged(_) => false,
            Self::Server(Reported(error)) => pool::passes(error),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raced(table) => write!(f, "another transaction changed {table} first"),
            Self::Damaged(damaged) => damaged.fmt(f),
            Self::Server(reported) => reported.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<postgres::Error> for Fault {
    fn from(error: postgres::Error) -> Self {
        Self::Server(Reported(error))
    }
}

impl From<Overflow> for Fault {
    fn from(overflow: Overflow) -> Self {
        Self::Damaged(Damaged(overflow.to_string()))
    }
}

impl From<postgres::Error> for LedgerError {
    fn from(error: postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        let passes = fault.passes();
        Self::Database(DatabaseError::new(fault, passes))
    }
}

impl From<Failure<Fault>> for LedgerError {
    fn from(failure: Failure<Fault>) -> Self {
        match failure {
            Failure::Refused(refused) => Self::Refused(refused),
            Failure::Store(fault) => fault.into(),
        }
    }
}
