//! Values on their way to and from the server, and rows sent as one array per column.

use std::error::Error;
use std::fmt::Display;

use bytes::BytesMut;
use postgres::Row;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::error::Fault;
use crate::ledger::fields::{Damaged, Fields};

/// A number of 128 bits as sixteen bytes, most significant first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wide(pub u128);

impl ToSql for Wide {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Wide {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(u128::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

/// An integer of any width.
struct Number(i64);

impl<'a> FromSql<'a> for Number {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *ty {
            Type::INT2 => i16::from_sql(ty, raw)?.into(),
            Type::INT4 => i32::from_sql(ty, raw)?.into(),
            _ => i64::from_sql(ty, raw)?,
        }))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT2 | Type::INT4 | Type::INT8)
    }
}

impl Fields for Row {
    type Error = Fault;

    fn number(&self, at: usize) -> Result<i64, Fault> {
        Ok(self.try_get::<_, Number>(at)?.0)
    }

    fn number_or_null(&self, at: usize) -> Result<Option<i64>, Fault> {
        Ok(self.try_get::<_, Option<Number>>(at)?.map(|number| number.0))
    }

    fn wide(&self, at: usize) -> Result<u128, Fault> {
        Ok(self.try_get::<_, Wide>(at)?.0)
    }

    fn wide_or_null(&self, at: usize) -> Result<Option<u128>, Fault> {
        Ok(self.try_get::<_, Option<Wide>>(at)?.map(|wide| wide.0))
    }

    fn text(&self, at: usize) -> Result<&str, Fault> {
        Ok(self.try_get(at)?)
    }

    fn text_or_null(&self, at: usize) -> Result<Option<&str>, Fault> {
        Ok(self.try_get(at)?)
    }

    fn damaged(_: usize, what: impl Display) -> Fault {
        Fault::Damaged(Damaged(what.to_string()))
    }
}

/// The type of a column, as an array of it is declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Number,
    Wide,
    Text,
    Bytes,
}

impl Kind {
    pub(super) const fn array(self) -> &'static str {
        match self {
            Self::Number => "bigint[]",
            Self::Wide => "uuid[]",
            Self::Text => "text[]",
            Self::Bytes => "bytea[]",
        }
    }
}

/// One column of rows: its name, and its value in each of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub values: &'a (dyn ToSql + Sync),
}

impl<'a> Column<'a> {
    pub(super) const fn new(name: &'a str, kind: Kind, values: &'a (dyn ToSql + Sync)) -> Self {
        Self { name, kind, values }
    }
}

/// Rows of numbers turned into columns.
#[derive(Debug)]
pub(super) struct Turned<T, const N: usize>([Vec<T>; N]);

impl<T: Copy + ToSql + Sync, const N: usize> Turned<T, N> {
    pub(super) fn of(rows: impl IntoIterator<Item = [T; N]>) -> Self {
        let mut columns = std::array::from_fn(|_| Vec::new());
        for row in rows {
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
        Self(columns)
    }

    pub(super) fn rows(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }

    /// Under the names of a list with commas.
    pub(super) fn named<'a>(&'a self, names: &'a str) -> impl Iterator<Item = Column<'a>> {
        let values = self.0.iter().map(|values| values as &(dyn ToSql + Sync));
        names.split(", ").zip(values).map(|(name, values)| Column::new(name, Kind::Number, values))
    }
}

/// `unnest($1::bigint[], …)`, parameters counted from `first`.
pub(super) fn unnest(columns: &[Column<'_>], first: usize) -> String {
    let arrays: Vec<String> =
        (first..).zip(columns).map(|(at, column)| format!("${at}::{}", column.kind.array())).collect();
    format!("unnest({})", arrays.join(", "))
}

pub(super) fn binds<'a>(columns: &[Column<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    columns.iter().map(|column| column.values).collect()
}
