//! Asking either database. A parameter is marked `?1`, counted from one; numbers, times and ids are 64-bit integers in both.

#[cfg(feature = "postgres")]
use std::cell::RefCell;

use litfass_types::Timestamp;
use rusqlite::params_from_iter;

use super::DatabaseError;
#[cfg(feature = "postgres")]
use super::{pool::Session, server};

/// A parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bind<'a> {
    Null,
    Number(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Parameters in a row, each turned into one.
macro_rules! bind {
    ($($value:expr),* $(,)?) => { &[$($crate::database::sql::Bind::from($value)),*][..] };
}
pub(crate) use bind;

/// Those of the conditions that have a value, joined, each `{}` in them the mark of its parameter; and the values. Only what is
/// stated is asked, so that the database can choose an index for it.
pub(crate) fn all_of<'a, const N: usize>(conditions: [(&str, Option<Bind<'a>>); N]) -> (String, Vec<Bind<'a>>) {
    let stated = conditions.into_iter().filter_map(|(condition, value)| Some((condition, value?)));
    let (conditions, values): (Vec<_>, Vec<_>) = stated.unzip();
    let marked = (1..).zip(conditions).map(|(nth, condition)| condition.replace("{}", &format!("?{nth}")));
    let marked: Vec<String> = marked.collect();
    (if marked.is_empty() { "1 = 1".to_owned() } else { marked.join(" AND ") }, values)
}

macro_rules! numbers {
    ($($number:ty),*) => { $(impl From<$number> for Bind<'_> {
        fn from(number: $number) -> Self {
            Self::Number(number.into())
        }
    })* };
}
numbers!(u8, u16, u32, i64);

/// The bits of unsigned values fill a signed column.
impl From<u64> for Bind<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number.cast_signed())
    }
}

impl From<Timestamp> for Bind<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Number(time.0)
    }
}

impl<'a, T: Into<Self>> From<Option<T>> for Bind<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, T::into)
    }
}

impl<'a> From<&'a str> for Bind<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Bind<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Bind<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl rusqlite::ToSql for Bind<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Null => Ok(rusqlite::types::Null.into()),
            Self::Number(number) => number.to_sql(),
            Self::Text(text) => text.to_sql(),
            Self::Bytes(bytes) => bytes.to_sql(),
        }
    }
}

/// A row of an answer, its columns counted from zero.
pub(crate) enum Row<'a> {
    File(&'a rusqlite::Row<'a>),
    #[cfg(feature = "postgres")]
    Server(&'a postgres::Row),
}

/// Reads a column, whichever database it is from.
macro_rules! column {
    ($row:expr, $at:expr) => {
        match $row {
            Row::File(row) => Ok(row.get($at)?),
            #[cfg(feature = "postgres")]
            Row::Server(row) => Ok(row.try_get($at)?),
        }
    };
}

impl Row<'_> {
    pub(crate) fn number(&self, at: usize) -> Result<i64, DatabaseError> {
        column!(self, at)
    }

    pub(crate) fn number_or_null(&self, at: usize) -> Result<Option<i64>, DatabaseError> {
        column!(self, at)
    }

    pub(crate) fn text(&self, at: usize) -> Result<String, DatabaseError> {
        column!(self, at)
    }

    pub(crate) fn text_or_null(&self, at: usize) -> Result<Option<String>, DatabaseError> {
        column!(self, at)
    }

    pub(crate) fn bytes(&self, at: usize) -> Result<Vec<u8>, DatabaseError> {
        column!(self, at)
    }

    pub(crate) fn bytes_or_null(&self, at: usize) -> Result<Option<Vec<u8>>, DatabaseError> {
        column!(self, at)
    }

    /// Ids and counts.
    pub(crate) fn unsigned(&self, at: usize) -> Result<u64, DatabaseError> {
        self.number(at).map(i64::cast_unsigned)
    }

    pub(crate) fn unsigned_or_null(&self, at: usize) -> Result<Option<u64>, DatabaseError> {
        Ok(self.number_or_null(at)?.map(i64::cast_unsigned))
    }

    /// A narrower number.
    pub(crate) fn narrow<T: TryFrom<i64>>(&self, at: usize) -> Result<T, DatabaseError> {
        let number = self.number(at)?;
        T::try_from(number).map_err(|_| DatabaseError::damaged(format!("the number {number}")))
    }

    pub(crate) fn narrow_or_null<T: TryFrom<i64>>(&self, at: usize) -> Result<Option<T>, DatabaseError> {
        self.number_or_null(at)?.map(|_| self.narrow(at)).transpose()
    }

    pub(crate) fn time(&self, at: usize) -> Result<Timestamp, DatabaseError> {
        self.number(at).map(Timestamp)
    }

    /// Thirty-two bytes.
    pub(crate) fn hash(&self, at: usize) -> Result<[u8; 32], DatabaseError> {
        <[u8; 32]>::try_from(self.bytes(at)?)
            .map_err(|bytes| DatabaseError::damaged(format!("a hash of {} bytes", bytes.len())))
    }
}

/// What questions are asked of: everything that one transaction sees.
pub(crate) struct Transaction<'a>(Asked<'a>);

enum Asked<'a> {
    File(&'a rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Server(RefCell<&'a mut Session>),
}

impl<'a> Transaction<'a> {
    pub(super) const fn in_file(connection: &'a rusqlite::Connection) -> Self {
        Self(Asked::File(connection))
    }

    #[cfg(feature = "postgres")]
    pub(super) const fn on_server(session: &'a mut Session) -> Self {
        Self(Asked::Server(RefCell::new(session)))
    }

    /// Row by row, without keeping them. `take` asks nothing itself: a server answers one question after the other.
    pub(crate) fn each<E: From<DatabaseError>>(
        &self,
        sql: &str,
        bind: &[Bind<'_>],
        mut take: impl FnMut(&Row<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match &self.0 {
            Asked::File(connection) => {
                let mut select = connection.prepare_cached(sql).map_err(DatabaseError::from)?;
                let mut rows = select.query(params_from_iter(bind)).map_err(DatabaseError::from)?;
                while let Some(row) = rows.next().map_err(DatabaseError::from)? {
                    take(&Row::File(row))?;
                }
                Ok(())
            }
            #[cfg(feature = "postgres")]
            Asked::Server(session) => {
                let taken = |row: &postgres::Row| take(&Row::Server(row)).map_err(server::Stopped::Inside);
                server::free(session)?
                    .each(&server::marked(sql), &server::values(bind), taken)
                    .map_err(server::Stopped::why)
            }
        }
    }

    pub(crate) fn list<T, E: From<DatabaseError>>(
        &self,
        sql: &str,
        bind: &[Bind<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, E>,
    ) -> Result<Vec<T>, E> {
        let mut list = Vec::new();
        self.each(sql, bind, |row| {
            list.push(read(row)?);
            Ok::<_, E>(())
        })?;
        Ok(list)
    }

    /// The last row, where there is one: of questions that have one answer or none.
    pub(crate) fn one<T, E: From<DatabaseError>>(
        &self,
        sql: &str,
        bind: &[Bind<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        Ok(self.list(sql, bind, read)?.pop())
    }

    /// A number that is always there.
    pub(crate) fn number(&self, sql: &str, bind: &[Bind<'_>]) -> Result<i64, DatabaseError> {
        let found = self.one(sql, bind, |row| row.number(0))?;
        found.ok_or_else(|| DatabaseError::damaged("no number"))
    }

    /// Which of its histories a server is in: another one each time that a standby is promoted. A file has one.
    pub(crate) fn timeline(&self) -> Result<Option<u32>, DatabaseError> {
        #[cfg(feature = "postgres")]
        if let Asked::Server(_) = &self.0 {
            // The first eight hexadecimal digits of a segment's name.
            let segment = "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint";
            let timeline = self.number(&format!("SELECT {segment}"), &[])?;
            return Ok(u32::try_from(timeline).ok());
        }
        Ok(None)
    }

    /// How many rows that changed.
    pub(crate) fn execute(&self, sql: &str, bind: &[Bind<'_>]) -> Result<u64, DatabaseError> {
        match &self.0 {
            Asked::File(connection) => Ok(connection.prepare_cached(sql)?.execute(params_from_iter(bind))? as u64),
            #[cfg(feature = "postgres")]
            Asked::Server(session) => Ok(server::free(session)?.execute(&server::marked(sql), &server::values(bind))?),
        }
    }
}
