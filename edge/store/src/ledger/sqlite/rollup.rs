//! The rows of reports: figures are added to what is there, in the transaction that billed them.
//!
//! They are sums, never read to plan anything, so the addition is left to the database. Pairs (hi, lo) carry: lo stays in
//! 0 … 10¹⁸−1, hi of a conversion value may be negative.

use litfass_ledger::{
    Asked, Buyer, Country, Facet, Figures, OrderId, Quarter, Rollup, Rows as Plan, Slice, Spot, Viewer,
};
use litfass_types::{
    AdId, AdvertiserId, CampaignId, CreativeId, LineItemId, PlacementId, TenantId, Timestamp, Traffic, UserHash,
};
use rusqlite::{Connection, Result, Row, params};

use super::columns::{damaged, id};

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
    delivered(tx, &plan.rollup)?;
    asked(tx, &plan.rollup)?;
    journeys(tx, plan)
}

fn delivered(tx: &Connection, rollup: &Rollup) -> Result<()> {
    if rollup.delivered.is_empty() {
        return Ok(());
    }
    let mut statement = tx.prepare_cached(
        "INSERT INTO report_delivery VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
         ?19, ?20)
         ON CONFLICT DO UPDATE SET impressions = impressions + ?11, viewables = viewables + ?12, clicks = clicks + ?13,
         conversions = conversions + ?14,
         value_hi = value_hi + ?15 + (value_lo + ?16) / 1000000000000000000,
         value_lo = (value_lo + ?16) % 1000000000000000000,
         spent_hi = spent_hi + ?17 + (spent_lo + ?18) / 1000000000000000000,
         spent_lo = (spent_lo + ?18) % 1000000000000000000,
         refunded_hi = refunded_hi + ?19 + (refunded_lo + ?20) / 1000000000000000000,
         refunded_lo = (refunded_lo + ?20) % 1000000000000000000",
    )?;
    for (slice, figures) in &rollup.delivered {
        let Slice { tenant, account, campaign, line_item, facet } = slice;
        let Figures { impressions, viewables, clicks, conversions, value_micros, spent, refunded } = figures;
        let (value, spent, refunded) = (pair(*value_micros)?, spent.to_pair(), refunded.to_pair());
        statement.execute(params![
            facet.quarter.0,
            tenant.0.cast_signed(),
            account.0.cast_signed(),
            campaign.0.cast_signed(),
            line_item.0.cast_signed(),
            facet.ad.0.cast_signed(),
            facet.creative.0.cast_signed(),
            facet.placement.0.cast_signed(),
            facet.country.name(),
            facet.traffic.number(),
            impressions.cast_signed(),
            viewables.cast_signed(),
            clicks.cast_signed(),
            conversions.cast_signed(),
            value.0,
            value.1,
            spent.0,
            spent.1,
            refunded.0,
            refunded.1,
        ])?;
    }
    Ok(())
}

fn asked(tx: &Connection, rollup: &Rollup) -> Result<()> {
    if rollup.asked.is_empty() {
        return Ok(());
    }
    let mut statement = tx.prepare_cached(
        "INSERT INTO report_request VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT DO UPDATE SET requests = requests + ?6, eligible = eligible + ?7, slots = slots + ?8,
         filled = filled + ?9",
    )?;
    for (spot, asked) in &rollup.asked {
        let Spot { tenant, quarter, placement, country, traffic } = spot;
        let Asked { requests, eligible, slots, filled } = asked;
        statement.execute(params![
            quarter.0,
            tenant.0.cast_signed(),
            placement.0.cast_signed(),
            country.name(),
            traffic.number(),
            requests.cast_signed(),
            eligible.cast_signed(),
            slots.cast_signed(),
            filled.cast_signed(),
        ])?;
    }
    Ok(())
}

fn journeys(tx: &Connection, plan: &Plan) -> Result<()> {
    let sql = "REPLACE INTO report_click VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    for change in plan.clicks.changes() {
        let Some(click) = change.now else { continue };
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
