//! What can go wrong with a PostgreSQL server, and what to do about it.

use std::fmt;

use litfass_ledger::{Failure, Overflow};
use postgres::error::SqlState;

use crate::ledger::fields::Damaged;
use crate::ledger::{DatabaseError, LedgerError};

#[derive(Debug)]
pub(in crate::ledger) enum Fault {
    Server(postgres::Error),
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
            Self::Server(error) => error.code().is_some_and(|code| {
                [
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    SqlState::T_R_DEADLOCK_DETECTED,
                    // A row that was not there when it was read.
                    SqlState::UNIQUE_VIOLATION,
                    // A key table that was dropped when it was written to.
                    SqlState::UNDEFINED_TABLE,
                ]
                .contains(code)
            }),
        }
    }

    /// The connection is of no use any more.
    pub(super) fn disconnected(&self) -> bool {
        match self {
            Self::Raced(_) | Self::Damaged(_) => false,
            Self::Server(error) => error.code().is_none_or(|code| passing_classes(code, &["08", "57"])),
        }
    }

    /// Whether it passes by itself.
    fn passes(&self) -> bool {
        let waited = |code: &SqlState| *code == SqlState::LOCK_NOT_AVAILABLE || passing_classes(code, &["53"]);
        let by_code = match self {
            Self::Server(error) => error.code().is_some_and(waited),
            Self::Raced(_) | Self::Damaged(_) => false,
        };
        by_code || self.came_second() || self.disconnected()
    }
}

/// 08 connection, 53 resources, 57 an operator's intervention such as a restart.
fn passing_classes(code: &SqlState, classes: &[&str]) -> bool {
    classes.iter().any(|class| code.code().starts_with(class))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raced(table) => write!(f, "another transaction changed {table} first"),
            Self::Damaged(damaged) => damaged.fmt(f),
            Self::Server(error) => match error.as_db_error() {
                Some(reported) => write!(f, "{reported}"),
                None => match std::error::Error::source(error) {
                    Some(cause) => write!(f, "{error}: {cause}"),
                    None => error.fmt(f),
                },
            },
        }
    }
}

impl std::error::Error for Fault {}

impl From<postgres::Error> for Fault {
    fn from(error: postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<Overflow> for Fault {
    fn from(overflow: Overflow) -> Self {
        Self::Damaged(Damaged(overflow.to_string()))
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
