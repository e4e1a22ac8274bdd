//! Catalog, keys and audit log on a PostgreSQL server: the same names and columns as in a file, which a test compares.

use std::fmt;

use postgres::Error;

use super::DatabaseError;
use super::pool::{Migrations, Newer, Pool, Use, config};
use super::sql::Transaction;

/// One script per version, in order; a script that was released never changes.
const SCRIPTS: [&str; 1] = [include_str!("v1.sql")];

/// Only one process at a time changes tables: whoever holds this.
const MIGRATING: i64 = 0x6c69_7466_6173_7303;
/// Held by whoever writes.
const WRITING: i64 = 0x6c69_7466_6173_7304;

/// A server's database, its tables brought to this version.
#[derive(Debug)]
pub struct Server {
    reading: Pool,
    writing: Pool,
    /// For people, without its password.
    name: String,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Server {
    /// `name` is what people are told of the address.
    ///
    /// # Errors
    /// When it cannot be connected to or was written by a later version.
    pub fn open(address: &str, name: String) -> Result<Self, DatabaseError> {
        let config = config(address)?;
        let writing = Pool::new(config.clone(), Use::Writing);
        let migrations = Migrations { table: "catalog_migration", lock: MIGRATING, scripts: &SCRIPTS };
        writing.migrate(&migrations)?.map_err(|newer| DatabaseError::new(TooNew(newer), false))?;
        Ok(Self { reading: Pool::new(config, Use::Reading), writing, name })
    }

    pub(super) fn read<T: Send, E: From<DatabaseError> + Send>(
        &self,
        run: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        let done = self.reading.transact(|session| run(&Transaction::on_server(session)).map_err(Stopped::Inside));
        done.map_err(Stopped::why)
    }

    pub(super) fn write<T: Send, E: From<DatabaseError> + Send>(
        &self,
        run: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
    ) -> Result<T, E> {
        let done = self.writing.transact(|session| {
            session.execute("SELECT pg_advisory_xact_lock($1)", &[&WRITING])?;
            run(&Transaction::on_server(session)).map_err(Stopped::Inside)
        });
        done.map_err(Stopped::why)
    }
}

/// The operator's.
#[derive(Debug, thiserror::Error)]
#[error("the catalog has schema version {}; this program knows versions up to {}", .0.found, .0.known)]
struct TooNew(Newer);

/// Why a transaction did not happen.
pub(super) enum Stopped<E> {
    Inside(E),
    Server(Error),
}

impl<E: From<DatabaseError>> Stopped<E> {
    pub(super) fn why(self) -> E {
        match self {
            Self::Inside(error) => error,
            Self::Server(error) => DatabaseError::from(error).into(),
        }
    }
}

impl<E> From<Error> for Stopped<E> {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}
