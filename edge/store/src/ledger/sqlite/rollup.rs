//! The rows of reports: figures are added to what is there, in the transaction that billed them.
//!
//! They are sums, never read to plan anything, so the addition is left to the database. Pairs (hi, lo) carry: lo stays in
//! 0 … 10¹⁸−1, hi of a conversion value may be negative.

use std::collections::BTreeMap;

use litfass_ledger::{
    Asked, Buyer, Country, Facet, Figures, OrderId, Overflow, Quarter, Rollup, Rows as Plan, Slice, Spot, Viewer,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, LineItemId, PlacementId, TenantId, Timestamp, Traffic, UserHash,
};
use rusqlite::types::Value;
use rusqlite::{Connection, Result, Row, params, params_from_iter};

use super::columns::{damaged, id};
use super::schema::ADD_FIGURES;

const LO: i128 = 1_000_000_000_000_000_000;

/// quarter, ad, creative, placement, country, traffic.
pub(super) fn facet(row: &Row<'_>, at: usize) -> Result<Facet> {
    Ok(Facet {
        quarter: Quarter(row.get(at)?),
        ad: AdId(id(row, at + 1)?),
        creative: CreativeId(id(row, at + 2)?),
        placement: PlacementId(id(row, at + 3)?),
        country: Country::of(row.get_ref(at + 4)?.as_str()?),
        traffic: traffic(row, at + 5)?,
    })
}

fn traffic(row: &Row<'_>, at: usize) -> Result<Traffic> {
    let number = row.get(at)?;
    Traffic::from_number(number).ok_or_else(|| damaged(at, format_args!("the class of traffic {number}")))
}

/// tenant, account, campaign, line item, facet.
pub(super) fn slice(row: &Row<'_>, at: usize) -> Result<Slice> {
    Ok(Slice {
        tenant: TenantId(id(row, at)?),
        account: AdvertiserId(id(row, at + 1)?),
        campaign: CampaignId(id(row, at + 2)?),
        line_item: LineItemId(id(row, at + 3)?),
        facet: facet(row, at + 4)?,
    })
}

pub(super) const SLICE: &str =
    "tenant, account, campaign, line_item, quarter, ad, creative, placement, country, traffic";

/// A sum that may be negative as (hi, lo).
fn pair(sum: i128) -> Result<(i64, i64)> {
    let fits = |n: i128| i64::try_from(n).map_err(|_| damaged(0, format_args!("the sum {sum}")));
    Ok((fits(sum.div_euclid(LO))?, fits(sum.rem_euclid(LO))?))
}

pub(super) fn write(tx: &Connection, plan: &Plan) -> Result<()> {
    sums(tx, &plan.rollup)?;
    journeys(tx, plan)
}

/// Every figure goes into three tables: by all that is known, by line item, and by place.
fn sums(tx: &Connection, rollup: &Rollup) -> Result<()> {
    let (mut line_items, mut places) = (Rollup::default(), BTreeMap::<Spot, (Asked, Figures)>::new());
    let beyond = |e: Overflow| damaged(0, e);
    for (slice, figures) in &rollup.delivered {
        line_items.deliver(Slice { facet: without_ad(slice.facet), ..*slice }, figures).map_err(beyond)?;
        let sums = &mut places.entry(spot_of(slice)).or_default().1;
        *sums = sums.plus(figures).map_err(beyond)?;
    }
    for (spot, asked) in &rollup.asked {
        places.entry(*spot).or_default().0 = *asked;
    }
    let keys = "quarter, tenant, account, campaign, line_item, ad, creative, placement, country, traffic";
    add(tx, "report_delivery", keys, rollup.delivered.iter().map(|(slice, figures)| (fine(slice), figures)))?;
    let keys = "quarter, tenant, account, campaign, line_item, traffic";
    add(tx, "report_line_item", keys, line_items.delivered.iter().map(|(slice, figures)| (coarse(slice), figures)))?;
    let keys = "quarter, tenant, placement, country, traffic, requests, eligible, slots, filled";
    add(tx, "report_place", keys, places.iter().map(|(spot, (asked, figures))| (place(spot, asked), figures)))
}

const fn without_ad(facet: Facet) -> Facet {
    let (ad, creative, placement) = (AdId(0), CreativeId(0), PlacementId(0));
    Facet { ad, creative, placement, country: Country::UNKNOWN, ..facet }
}

const fn spot_of(slice: &Slice) -> Spot {
    let Facet { quarter, placement, country, traffic, .. } = slice.facet;
    Spot { tenant: slice.tenant, quarter, placement, country, traffic }
}

fn fine(slice: &Slice) -> Vec<Value> {
    let Slice { tenant, account, campaign, line_item, facet } = slice;
    let ids = [tenant.0, account.0, campaign.0, line_item.0, facet.ad.0, facet.creative.0, facet.placement.0];
    let mut key = vec![Value::Integer(facet.quarter.0)];
    key.extend(ids.map(|id| Value::Integer(id.cast_signed())));
    key.extend([Value::Text(facet.country.name().to_owned()), Value::Integer(facet.traffic.number().into())]);
    key
}

fn coarse(slice: &Slice) -> Vec<Value> {
    let Slice { tenant, account, campaign, line_item, facet } = slice;
    let mut key = vec![Value::Integer(facet.quarter.0)];
    key.extend([tenant.0, account.0, campaign.0, line_item.0].map(|id| Value::Integer(id.cast_signed())));
    key.push(Value::Integer(facet.traffic.number().into()));
    key
}

fn place(spot: &Spot, asked: &Asked) -> Vec<Value> {
    let Asked { requests, eligible, slots, filled } = asked;
    let ids = [spot.tenant.0, spot.placement.0];
    let mut key = vec![Value::Integer(spot.quarter.0)];
    key.extend(ids.map(|id| Value::Integer(id.cast_signed())));
    key.extend([Value::Text(spot.country.name().to_owned()), Value::Integer(spot.traffic.number().into())]);
    key.extend([requests, eligible, slots, filled].map(|count| Value::Integer(count.cast_signed())));
    key
}

const FIGURES: &str =
    "impressions, viewables, clicks, conversions, value_hi, value_lo, spent_hi, spent_lo, refunded_hi, refunded_lo";

/// Adds figures under the values of `keys`, which for a place count requests too.
fn add<'a>(
    tx: &Connection,
    table: &str,
    keys: &str,
    rows: impl ExactSizeIterator<Item = (Vec<Value>, &'a Figures)>,
) -> Result<()> {
    if rows.len() == 0 {
        return Ok(());
    }
    let columns = format!("{keys}, {FIGURES}");
    let marks = (1..=columns.split(',').count()).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
    let counts = ["requests", "eligible", "slots", "filled"].into_iter().filter(|column| keys.contains(column));
    let counts: String = counts.map(|column| format!("{column} = {column} + excluded.{column}, ")).collect();
    let sql =
        format!("INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO UPDATE SET {counts}{ADD_FIGURES}");
    let mut statement = tx.prepare_cached(&sql)?;
    for (mut row, figures) in rows {
        row.extend(columns_of(figures)?);
        statement.execute(params_from_iter(row))?;
    }
    Ok(())
}

fn columns_of(figures: &Figures) -> Result<[Value; 10]> {
    let Figures { impressions, viewables, clicks, conversions, value_micros, spent, refunded } = figures;
    let (value, spent, refunded) = (pair(*value_micros)?, spent.to_pair(), refunded.to_pair());
    let [impressions, viewables, clicks, conversions] =
        [impressions, viewables, clicks, conversions].map(|count| count.cast_signed());
    let columns =
        [impressions, viewables, clicks, conversions, value.0, value.1, spent.0, spent.1, refunded.0, refunded.1];
    Ok(columns.map(Value::Integer))
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

/// tenant, user.
pub(super) fn viewer_columns(viewer: &Viewer) -> (i64, Vec<u8>) {
    (viewer.tenant.0.cast_signed(), user_column(viewer.user))
}

fn user_column(user: UserHash) -> Vec<u8> {
    [&[user.key_version][..], &user.hash.to_be_bytes()].concat()
}

/// buyer, order.
pub(super) fn order_columns(order: &OrderId) -> (Vec<u8>, &str) {
    let buyer = match order.buyer {
        Buyer::Viewer(Viewer { tenant, user }) => [&[0][..], &tenant.0.to_be_bytes(), &user_column(user)].concat(),
        Buyer::Slot(tenant, decision, slot) => {
            [&[1][..], &tenant.0.to_be_bytes(), &decision.0.to_be_bytes(), &[slot]].concat()
        }
    };
    (buyer, &order.order)
}
