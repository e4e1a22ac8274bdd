//! Adding up figures for a report: one query per stretch of constant offset, grouped by the database.

use litfass_ledger::{Amount, Asked, Figures, Source};
use litfass_types::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, params_from_iter};

use super::columns::{damaged, id};
use super::read::Rows;
use crate::ledger::report::{Bucket, Cell, Dimension, Report, ReportAsk, RowKey, Stretch};

const QUARTERS_PER_HOUR: i64 = 4;
const QUARTERS_PER_DAY: i64 = 96;
/// The halves of a pair's lower part are added up apart: their sums fit whatever the number of rows.
const HALF: i128 = 1_000_000_000;

const DELIVERED: &str = "sum(impressions), sum(viewables), sum(clicks), sum(conversions), \
    sum(value_hi), sum(value_lo / 1000000000), sum(value_lo % 1000000000), \
    sum(spent_hi), sum(spent_lo / 1000000000), sum(spent_lo % 1000000000), \
    sum(refunded_hi), sum(refunded_lo / 1000000000), sum(refunded_lo % 1000000000)";
const ASKED: &str = ", sum(requests), sum(eligible), sum(slots), sum(filled)";

/// `None` where there are more rows than may be.
pub(super) fn report(tx: &Connection, ask: &ReportAsk) -> Result<Option<Report>> {
    let mut report = Report { complete_until: watermark(tx)?, ..Report::default() };
    for stretch in &ask.stretches {
        add(tx, ask, stretch, &mut report)?;
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

fn watermark(tx: &Connection) -> Result<Option<Timestamp>> {
    let positions = Rows(tx).partitions()?;
    Ok(positions.iter().filter(|(_, p)| p.live()).map(|(_, p)| p.appended).min().flatten())
}

fn add(tx: &Connection, ask: &ReportAsk, stretch: &Stretch, report: &mut Report) -> Result<()> {
    let (sql, bind) = query(ask, stretch);
    let mut statement = tx.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(bind))?;
    while let Some(row) = rows.next()? {
        let (key, at) = key(row, ask, stretch)?;
        let (figures, asked) = (figures(row, at)?, ask.tells_requests().then(|| asked(row, at + 13)).transpose()?);
        let sum = report.rows.entry(key).or_default();
        sum.deliver(&figures).map_err(|e| damaged(at, e))?;
        asked.map_or(Ok(()), |asked| sum.ask(&asked)).map_err(|e| damaged(at, e))?;
        if report.rows.len() > ask.rows_max {
            break;
        }
    }
    Ok(())
}

fn asked(row: &Row<'_>, at: usize) -> Result<Asked> {
    let (requests, eligible) = (id(row, at)?, id(row, at + 1)?);
    Ok(Asked { requests, eligible, slots: id(row, at + 2)?, filled: id(row, at + 3)? })
}

/// `SELECT bucket, dimensions, sums … GROUP BY`, and what its parameters are. Names come from the closed table of dimensions.
fn query(ask: &ReportAsk, stretch: &Stretch) -> (String, Vec<Value>) {
    let (table, requests) = (table(ask), if ask.tells_requests() { ASKED } else { "" });
    let bucket = match quarters(ask.bucket) {
        Some(quarters) => format!("(quarter + {}) / {quarters}", stretch.ahead),
        None => "0".to_owned(),
    };
    let columns = ask.dimensions.iter().map(|dimension| dimension.column());
    let columns = std::iter::once(bucket.as_str()).chain(columns).collect::<Vec<_>>().join(", ");
    let mut bind = vec![Value::Integer(stretch.from.0), Value::Integer(stretch.to.0)];
    let mut wanted = "quarter >= ?1 AND quarter < ?2".to_owned();
    if ask.net {
        wanted.push_str(" AND traffic = 0");
    }
    for (dimension, cells) in &ask.filters {
        let marks: Vec<String> = (1..=cells.len()).map(|n| format!("?{}", bind.len() + n)).collect();
        wanted.push_str(&format!(" AND {} IN ({})", dimension.column(), marks.join(", ")));
        bind.extend(cells.iter().map(value));
    }
    let groups = (1..=ask.dimensions.len() + 1).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    (format!("SELECT {columns}, {DELIVERED}{requests} FROM {table} WHERE {wanted} GROUP BY {groups}"), bind)
}

const fn quarters(bucket: Bucket) -> Option<i64> {
    match bucket {
        Bucket::Hour => Some(QUARTERS_PER_HOUR),
        Bucket::Day => Some(QUARTERS_PER_DAY),
        Bucket::All => None,
    }
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Id(id) => Value::Integer(id.cast_signed()),
        Cell::Text(text) => Value::Text(text.clone()),
    }
}

/// The row's key, and at which column its sums begin.
fn key(row: &Row<'_>, ask: &ReportAsk, stretch: &Stretch) -> Result<(RowKey, usize)> {
    let cell = |(at, dimension): (usize, &Dimension)| {
        if *dimension == Dimension::Country { row.get(at).map(Cell::Text) } else { id(row, at).map(Cell::Id) }
    };
    let cells = (1..).zip(&ask.dimensions).map(cell).collect::<Result<Vec<_>>>()?;
    let behind = if ask.bucket == Bucket::Hour { -stretch.ahead } else { 0 };
    Ok((RowKey { bucket: row.get(0)?, behind, cells }, ask.dimensions.len() + 1))
}

fn figures(row: &Row<'_>, at: usize) -> Result<Figures> {
    let amount = |at: usize| {
        let sum = sum(row, at)?;
        Amount::new(sum).map_err(|e| damaged(at, e))
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
fn sum(row: &Row<'_>, at: usize) -> Result<i128> {
    let part = |at: usize| row.get::<_, i64>(at).map(i128::from);
    Ok((part(at)? * HALF + part(at + 1)?) * HALF + part(at + 2)?)
}
