//! Catalog, keys and audit log on a PostgreSQL server: the same names and columns as in a file, which a test compares.

use std::cell::{RefCell, RefMut};
use std::fmt;

use bytes::BytesMut;
use postgres::Error;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::DatabaseError;
use super::pool::{Address, Migrations, Newer, Pool, Session, Use};
use super::sql::{Bind, Transaction};

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
    identity: String,
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
        let address = Address::parse(address)?;
        let writing = Pool::new(address.clone(), Use::Writing);
        let migrations = Migrations { table: "catalog_migration", lock: MIGRATING, scripts: &SCRIPTS };
        writing.migrate(&migrations)?.map_err(|newer| DatabaseError::new(TooNew(newer), false))?;
        let reading = Pool::new(address, Use::Reading);
        let identity = reading.transact(|session| {
            let rows = session.query("SELECT id FROM catalog_identity", &[])?;
            rows.first().map_or_else(|| Ok(String::new()), |row| row.try_get(0))
        })?;
        Ok(Self { reading, writing, name, identity })
    }

    /// Which database it is: the same after it was dumped and restored elsewhere, and no other's.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
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

/// A server keeps no text with the character 0 in it: another one stands for it.
impl ToSql for Bind<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Number(number) => number.to_sql(ty, out),
            Self::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

pub(super) fn free<'s, 'a>(
    session: &'s RefCell<&'a mut Session>,
) -> Result<RefMut<'s, &'a mut Session>, DatabaseError> {
    session.try_borrow_mut().map_err(|_| DatabaseError::new(Nested, false))
}

/// Ours.
#[derive(Debug, thiserror::Error)]
#[error("a question was asked while another one was being answered")]
struct Nested;

/// Parameters marked as a server has them.
pub(super) fn marked(sql: &str) -> String {
    sql.replace('?', "$")
}

pub(super) fn values<'a>(bind: &'a [Bind<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    bind.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
