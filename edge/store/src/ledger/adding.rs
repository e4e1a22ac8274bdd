//! Adding up figures for a report: one query per stretch of constant offset, grouped by the database.

use std::collections::BTreeSet;

use litfass_ledger::{Amount, Asked, Figures};
use litfass_types::Timestamp;

use super::fields::{Fields, id};
use super::reading::{Bind, Tables};
use super::report::{Bucket, Cell, Dimension, Report, ReportAsk, RowKey, Stretch};

const QUARTERS_PER_HOUR: i64 = 4;
const QUARTERS_PER_DAY: i64 = 96;
/// The halves of a pair's lower part are added up apart: their sums fit whatever the number of rows.
const HALF: i128 = 1_000_000_000;

const COUNTS: [&str; 4] = ["impressions", "viewables", "clicks", "conversions"];
const PAIRS: [&str; 3] = ["value", "spent", "refunded"];
const ASKED: [&str; 4] = ["requests", "eligible", "slots", "filled"];

/// `None` where there are more rows than may be.
pub(super) fn report<T: Tables>(tables: &mut T, ask: &ReportAsk) -> Result<Option<Report>, T::Error> {
    let mut report = Report { complete_until: watermark(tables)?, ..Report::default() };
    for stretch in &ask.stretches {
        add(tables, ask, stretch, &mut report)?;
        if report.rows.len() > ask.rows_max {
            return Ok(None);
        }
    }
    Ok(Some(report))
}

/// The smallest table that tells apart what is asked for.
fn table(ask: &ReportAsk) -> &'static str {
    let mut named = ask.dimensions.iter().chain(ask.filters.keys());
    let of_line_item = |dimension: &Dimension| {
        matches!(dimension, Dimension::Tenant | Dimension::Advertiser | Dimension::Campaign | Dimension::LineItem)
    };
    if named.clone().all(|dimension| dimension.of_requests()) {
        "report_place"
    } else if named.all(of_line_item) {
        "report_line_item"
    } else {
        "report_delivery"
    }
}

fn watermark<T: Tables>(tables: &mut T) -> Result<Option<Timestamp>, T::Error> {
    let positions = tables.partitions(&BTreeSet::new())?;
    Ok(positions.iter().filter(|(_, p)| p.live()).map(|(_, p)| p.appended).min().flatten())
}

fn add<T: Tables>(tables: &mut T, ask: &ReportAsk, stretch: &Stretch, report: &mut Report) -> Result<(), T::Error> {
    let (sql, bind) = query(ask, stretch, T::MARK);
    tables.scan(&sql, &bind, |row| {
        if report.rows.len() > ask.rows_max {
            return Ok(());
        }
        let (key, at) = key(row, ask, stretch)?;
        let (figures, asked) = (figures(row, at)?, ask.tells_requests().then(|| asked(row, at + 13)).transpose()?);
        let sum = report.rows.entry(key).or_default();
        let added = sum.deliver(&figures).and_then(|()| asked.map_or(Ok(()), |asked| sum.ask(&asked)));
        added.map_err(|e| <T::Row<'_> as Fields>::damaged(at, e))
    })
}

fn asked<R: Fields>(row: &R, at: usize) -> Result<Asked, R::Error> {
    let (requests, eligible) = (id(row, at)?, id(row, at + 1)?);
    Ok(Asked { requests, eligible, slots: id(row, at + 2)?, filled: id(row, at + 3)? })
}

/// The sums of all figures. The sum of 64-bit columns may be a wider type, and what was counted fits.
fn figure_columns(requests: bool) -> String {
    let halves = |pair: &&str| [format!("{pair}_hi"), format!("{pair}_lo / {HALF}"), format!("{pair}_lo % {HALF}")];
    let asked = ASKED.iter().filter(|_| requests);
    let counts = COUNTS.iter().map(ToString::to_string);
    let columns = counts.chain(PAIRS.iter().flat_map(halves)).chain(asked.map(ToString::to_string));
    columns.map(|column| format!("CAST(sum({column}) AS BIGINT)")).collect::<Vec<_>>().join(", ")
}

/// `SELECT bucket, dimensions, sums … GROUP BY`, and what its parameters are. Names come from the closed table of dimensions.
fn query(ask: &ReportAsk, stretch: &Stretch, mark: char) -> (String, Vec<Bind>) {
    let (table, figures) = (table(ask), figure_columns(ask.tells_requests()));
    let bucket = match quarters(ask.bucket) {
        Some(quarters) => format!("(quarter + {}) / {quarters}", stretch.ahead),
        None => "CAST(0 AS BIGINT)".to_owned(),
    };
    let columns = ask.dimensions.iter().map(|dimension| dimension.column());
    let columns = std::iter::once(bucket.as_str()).chain(columns).collect::<Vec<_>>().join(", ");
    let mut bind = vec![Bind::Number(stretch.from.0), Bind::Number(stretch.to.0)];
    let mut wanted = format!("quarter >= {mark}1 AND quarter < {mark}2");
    if ask.net {
        wanted.push_str(" AND traffic = 0");
    }
    for (dimension, cells) in &ask.filters {
        let marks: Vec<String> = (1..=cells.len()).map(|n| format!("{mark}{}", bind.len() + n)).collect();
        wanted.push_str(&format!(" AND {} IN ({})", dimension.column(), marks.join(", ")));
        bind.extend(cells.iter().map(value));
    }
    let groups = (1..=ask.dimensions.len() + 1).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    (format!("SELECT {columns}, {figures} FROM {table} WHERE {wanted} GROUP BY {groups}"), bind)
}

const fn quarters(bucket: Bucket) -> Option<i64> {
    match bucket {
        Bucket::Hour => Some(QUARTERS_PER_HOUR),
        Bucket::Day => Some(QUARTERS_PER_DAY),
        Bucket::All => None,
    }
}

fn value(cell: &Cell) -> Bind {
    match cell {
        Cell::Id(id) => Bind::Number(id.cast_signed()),
        Cell::Text(text) => Bind::Text(text.clone()),
    }
}

/// The row's key, and at which column its sums begin.
fn key<R: Fields>(row: &R, ask: &ReportAsk, stretch: &Stretch) -> Result<(RowKey, usize), R::Error> {
    let cell = |(at, dimension): (usize, &Dimension)| {
        if *dimension == Dimension::Country {
            row.text(at).map(|text| Cell::Text(text.to_owned()))
        } else {
            id(row, at).map(Cell::Id)
        }
    };
    let cells = (1..).zip(&ask.dimensions).map(cell).collect::<Result<Vec<_>, _>>()?;
    let behind = if ask.bucket == Bucket::Hour { -stretch.ahead } else { 0 };
    Ok((RowKey { bucket: row.number(0)?, behind, cells }, ask.dimensions.len() + 1))
}

fn figures<R: Fields>(row: &R, at: usize) -> Result<Figures, R::Error> {
    let amount = |at: usize| {
        let sum = sum(row, at)?;
        Amount::new(sum).map_err(|e| R::damaged(at, e))
    };
    Ok(Figures {
        impressions: id(row, at)?,
        viewables: id(row, at + 1)?,
        clicks: id(row, at + 2)?,
        conversions: id(row, at + 3)?,
        value_micros: sum(row, at + 4)?,
        spent: amount(at + 7)?,
        refunded: amount(at + 10)?,
    })
}

/// From the sums of hi and of both halves of lo.
fn sum<R: Fields>(row: &R, at: usize) -> Result<i128, R::Error> {
    let part = |at: usize| row.number(at).map(i128::from);
    Ok((part(at)? * HALF + part(at + 1)?) * HALF + part(at + 2)?)
}
