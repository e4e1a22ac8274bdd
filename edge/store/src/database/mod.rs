//! Where the catalog, the API keys and the audit log are kept: in a file of SQLite, or on a PostgreSQL server.
//!
//! Each question is written once, in the SQL that both understand ([`sql`]); what differs is the types of the tables, how a
//! transaction begins, and how a parameter is marked. Invariants: a reading transaction sees one instant; writing ones come one
//! after the other, so what a writer has read stays true until it commits. The file has a lock for that; on a server every
//! writer takes the same advisory lock first.

mod error;
#[cfg(feature = "postgres")]
pub(crate) mod pool;
#[cfg(feature = "postgres")]
mod server;
pub(crate) mod sql;
#[cfg(feature = "postgres")]
mod tls;

use std::fmt;
use std::path::{Path, PathBuf};
#[cfg(feature = "postgres")]
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

use crate::migrate::connect;
pub use error::DatabaseError;
#[cfg(feature = "postgres")]
pub use server::Server;
use sql::Transaction;

/// Which database it is.
#[derive(Clone, Debug)]
pub enum Place {
    /// Used by any number of processes on this machine.
    File(PathBuf),
    /// Used by any number of processes that reach it.
    #[cfg(feature = "postgres")]
    Server(Arc<Server>),
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

impl From<&Self> for Place {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

/// As an operator knows it; without a password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.fmt(f),
        }
    }
}

/// A way into the database: a connection of its own to a file, connections that are shared to a server.
pub(crate) enum Database {
    File(Connection),
    #[cfg(feature = "postgres")]
    Server(Arc<Server>),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(connection) => write!(f, "{:?}", connection.path()),
            #[cfg(feature = "postgres")]
            Self::Server(server) => write!(f, "{server}"),
        }
    }
}

impl Database {
    pub(crate) fn open(place: &Place) -> Result<Self, DatabaseError> {
        match place {
            Place::File(path) => Ok(Self::File(connect(path)?)),
            #[cfg(feature = "postgres")]
            Place::Server(server) => Ok(Self::Server(Arc::clone(server))),
        }
    }

    /// The connection, where it is to a file.
    pub(crate) const fn file(&self) -> Option<&Connection> {
        match self {
            Self::File(connection) => Some(connection),
            #[cfg(feature = "postgres")]
            Self::Server(_) => None,
        }
    }

    /// Runs questions that all see the same instant.
    pub(crate) fn read<T: Send, E: From<DatabaseError> + Send>(
        &self,
        run: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        match self {
            Self::File(connection) => in_file(connection, TransactionBehavior::Deferred, run),
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.read(run),
        }
    }

    /// Runs questions and changes that happen together or, where `run` fails, not at all. No other writer comes in between.
    pub(crate) fn write<T: Send, E: From<DatabaseError> + Send>(
        &self,
        run: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        match self {
            Self::File(connection) => in_file(connection, TransactionBehavior::Immediate, run),
            #[cfg(feature = "postgres")]
            Self::Server(server) => server.write(run),
        }
    }
}

fn in_file<T, E: From<DatabaseError>>(
    connection: &Connection,
    behavior: TransactionBehavior,
    run: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    // Nothing that runs in a transaction has the connection to begin another one.
    let begun = rusqlite::Transaction::new_unchecked(connection, behavior).map_err(DatabaseError::from)?;
    let done = run(&Transaction::in_file(&begun))?;
    begun.commit().map_err(DatabaseError::from)?;
    Ok(done)
}
