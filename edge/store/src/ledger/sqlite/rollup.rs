//! The rows of reports, and the clicks and orders that attribution remembers.

use litfass_ledger::{Rows as Plan, Slice};
use litfass_types::Timestamp;
use rusqlite::{Connection, Result, Row, params};

use crate::ledger::fields::Fields;
use crate::ledger::rows::{order_columns, user_column, viewer_columns};
use crate::ledger::sums::{Sums, sums};

pub(super) fn write(tx: &Connection, plan: &Plan) -> Result<()> {
    let sums = sums(&plan.rollup).map_err(|e| Row::damaged(0, e))?;
    sums.iter().try_for_each(|sums| add(tx, sums))?;
    journeys(tx, plan)
}

fn add(tx: &Connection, sums: &Sums) -> Result<()> {
    if sums.numbers.is_empty() {
        return Ok(());
    }
    let width = sums.width();
    let marks: Vec<String> = (1..=width + usize::from(sums.countries.is_some())).map(|n| format!("?{n}")).collect();
    let mut statement = tx.prepare_cached(&sums.upsert(&format!("VALUES ({})", marks.join(", "))))?;
    for (nth, numbers) in sums.numbers.chunks_exact(width).enumerate() {
        for (at, number) in (1..).zip(numbers) {
            statement.raw_bind_parameter(at, number)?;
        }
        if let Some(country) = sums.countries.as_ref().and_then(|countries| countries.get(nth)) {
            statement.raw_bind_parameter(width + 1, country.name())?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

fn journeys(tx: &Connection, plan: &Plan) -> Result<()> {
    let sql = "REPLACE INTO report_click VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let forget = "DELETE FROM report_click WHERE tenant = ?1 AND user = ?2";
    for change in plan.clicks.changes() {
        let Some(click) = change.now else {
            tx.prepare_cached(forget)?.execute(viewer_columns(change.key))?;
            continue;
        };
        let Slice { account, campaign, line_item, facet, .. } = click.slice;
        tx.prepare_cached(sql)?.execute(params![
            change.key.tenant.0.cast_signed(),
            user_column(change.key.user),
            click.appended.0,
            account.0.cast_signed(),
            campaign.0.cast_signed(),
            line_item.0.cast_signed(),
            facet.quarter.0,
            facet.ad.0.cast_signed(),
            facet.creative.0.cast_signed(),
            facet.placement.0.cast_signed(),
            facet.country.name(),
            facet.traffic.number(),
        ])?;
    }
    for change in plan.orders.changes() {
        let Some(appended) = change.now else { continue };
        let (buyer, order) = order_columns(change.key);
        tx.prepare_cached("REPLACE INTO report_order VALUES (?1, ?2, ?3)")?.execute((buyer, order, appended.0))?;
    }
    if let Some(Timestamp(before)) = plan.journeys_forgotten {
        tx.prepare_cached("DELETE FROM report_click WHERE appended < ?1")?.execute([before])?;
        tx.prepare_cached("DELETE FROM report_order WHERE appended < ?1")?.execute([before])?;
    }
    Ok(())
}
