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
    NumberOrNull,
    Wide,
    WideOrNull,
    Text,
    Bytes,
}

impl Kind {
    const fn array(self) -> &'static str {
        match self {
            Self::Number | Self::NumberOrNull => "bigint[]",
            Self::Wide | Self::WideOrNull => "uuid[]",
            Self::Text => "text[]",
            Self::Bytes => "bytea[]",
        }
    }

    /// Whether the nth value of an array is found without reading those before it.
    const fn is_fixed(self) -> bool {
        matches!(self, Self::Number | Self::Wide)
    }
}

/// One column of rows: its name, and its value in each of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub name: &'a str,
    kind: Kind,
    values: &'a (dyn ToSql + Sync),
}

impl<'a> Column<'a> {
    pub(super) const fn new(name: &'a str, kind: Kind, values: &'a (dyn ToSql + Sync)) -> Self {
        Self { name, kind, values }
    }
}

/// Rows of numbers turned into columns.
#[derive(Debug)]
pub(super) struct Turned {
    columns: Vec<Numbers>,
    rows: usize,
}

#[derive(Debug)]
enum Numbers {
    All(Vec<i64>),
    SomeNull(Vec<Option<i64>>),
}

impl Turned {
    pub(super) fn of<const N: usize>(rows: impl IntoIterator<Item = [i64; N]>) -> Self {
        let mut columns: [Vec<i64>; N] = std::array::from_fn(|_| Vec::new());
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let rows = columns.first().map_or(0, Vec::len);
        Self { columns: columns.into_iter().map(Numbers::All).collect(), rows }
    }

    pub(super) fn of_nullable<const N: usize>(rows: impl IntoIterator<Item = [Option<i64>; N]>) -> Self {
        let mut columns: [Vec<Option<i64>>; N] = std::array::from_fn(|_| Vec::new());
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        let rows = columns.first().map_or(0, Vec::len);
        Self { columns: columns.into_iter().map(Numbers::new).collect(), rows }
    }

    /// Rows one after the other, `width` numbers each.
    pub(super) fn of_flat(numbers: &[i64], width: usize) -> Self {
        let column = |at: usize| numbers.iter().skip(at).step_by(width).copied().collect();
        Self { columns: (0..width).map(|at| Numbers::All(column(at))).collect(), rows: numbers.len() / width.max(1) }
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Under the names of a list with commas.
    pub(super) fn named<'a>(&'a self, names: &'a str) -> impl Iterator<Item = Column<'a>> {
        names.split(", ").zip(&self.columns).map(|(name, numbers)| numbers.named(name))
    }

    /// For a statement that names them itself.
    pub(super) fn unnamed(&self) -> impl Iterator<Item = Column<'_>> {
        self.columns.iter().map(|numbers| numbers.named(""))
    }
}

impl Numbers {
    fn new(values: Vec<Option<i64>>) -> Self {
        let all: Option<Vec<i64>> = values.iter().copied().collect();
        all.map_or(Self::SomeNull(values), Self::All)
    }

    fn named<'a>(&'a self, name: &'a str) -> Column<'a> {
        match self {
            Self::All(values) => Column::new(name, Kind::Number, values),
            Self::SomeNull(values) => Column::new(name, Kind::NumberOrNull, values),
        }
    }
}

/// Rows that are sent, as a statement reads them.
#[derive(Debug)]
pub(super) struct Sent {
    /// Stands behind FROM; has the row's number, from one, as `w.i`.
    pub from: String,
    /// What each column is of the row.
    pub values: Vec<String>,
}

/// Values of fixed width are read out of their arrays by the row's number, which costs a fraction of unfolding the arrays into
/// rows.
pub(super) fn sent(columns: &[Column<'_>]) -> Sent {
    let (mut arrays, mut names, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (parameter, column) in (1..).zip(columns) {
        let array = format!("${parameter}::{}", column.kind.array());
        if column.kind.is_fixed() {
            values.push(format!("({array})[w.i::integer]"));
        } else {
            values.push(format!("w.v{parameter}"));
            names.push(format!("v{parameter}"));
            arrays.push(array);
        }
    }
    let from = match columns.first() {
        Some(first) if arrays.is_empty() => {
            format!("generate_series(1, array_length($1::{}, 1)) AS w (i)", first.kind.array())
        }
        Some(_) | None => format!("unnest({}) WITH ORDINALITY AS w ({}, i)", arrays.join(", "), names.join(", ")),
    };
    Sent { from, values }
}

pub(super) fn binds<'a>(columns: &[Column<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    columns.iter().map(|column| column.values).collect()
}
