//! Writing the clicks and orders that attribution remembers. A row that changed is deleted and inserted anew.

use litfass_ledger::{Change, LastClick, OrderId, Rows as Plan, Viewer};
use litfass_types::Timestamp;

use super::error::Fault;
use super::read::Rows;
use super::values::{Column, Kind, Sent, Turned, sent};
use crate::ledger::rows::{order_columns, viewer_columns};

type Result<T> = std::result::Result<T, Fault>;

impl Rows<'_> {
    pub(super) fn write_clicks(&mut self, plan: &Plan) -> Result<()> {
        let changes: Vec<Change<'_, Viewer, LastClick>> = plan.clicks.changes().collect();
        let gone: Vec<&Viewer> = changes.iter().filter(|c| c.before.is_some()).map(|change| change.key).collect();
        let (tenants, users): (Vec<i64>, Vec<Vec<u8>>) = gone.into_iter().map(viewer_columns).unzip();
        let named = [Column::new("tenant", Kind::Number, &tenants), Column::new("\"user\"", Kind::Bytes, &users)];
        self.delete("report_click", &named, tenants.len())?;
        let kept: Vec<(&Viewer, &LastClick)> = changes.iter().filter_map(|c| Some((c.key, c.now?))).collect();
        if kept.is_empty() {
            return Ok(());
        }
        let users: Vec<Vec<u8>> = kept.iter().map(|(viewer, _)| viewer_columns(viewer).1).collect();
        let countries: Vec<&str> = kept.iter().map(|(_, click)| click.slice.facet.country.name()).collect();
        let turned = Turned::of(kept.iter().map(|(viewer, click)| click_row(viewer, click)));
        let mut columns =
            vec![Column::new("\"user\"", Kind::Bytes, &users), Column::new("country", Kind::Text, &countries)];
        columns.extend(turned.named(CLICK));
        self.insert("report_click", &columns)
    }

    pub(super) fn write_orders(&mut self, plan: &Plan) -> Result<()> {
        let changes: Vec<Change<'_, OrderId, Timestamp>> = plan.orders.changes().collect();
        let gone: Vec<&OrderId> = changes.iter().filter(|c| c.before.is_some()).map(|change| change.key).collect();
        let (buyers, orders): (Vec<Vec<u8>>, Vec<&str>) = gone.into_iter().map(order_columns).unzip();
        let named = [Column::new("buyer", Kind::Bytes, &buyers), Column::new("order_id", Kind::Text, &orders)];
        self.delete("report_order", &named, buyers.len())?;
        let kept: Vec<(&OrderId, i64)> = changes.iter().filter_map(|c| Some((c.key, c.now?.0))).collect();
        if kept.is_empty() {
            return Ok(());
        }
        let (buyers, orders): (Vec<Vec<u8>>, Vec<&str>) = kept.iter().map(|(order, _)| order_columns(order)).unzip();
        let appended: Vec<i64> = kept.iter().map(|(_, appended)| *appended).collect();
        let columns = [
            Column::new("buyer", Kind::Bytes, &buyers),
            Column::new("order_id", Kind::Text, &orders),
            Column::new("appended", Kind::Number, &appended),
        ];
        self.insert("report_order", &columns)
    }

    /// Deletes the rows that those columns name, each of which has to be there.
    pub(super) fn delete(&mut self, table: &'static str, named: &[Column<'_>], rows: usize) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        let Sent { from, values } = sent(named);
        let found: Vec<String> =
            named.iter().zip(values).map(|(column, value)| format!("t.{} = {value}", column.name)).collect();
        let sql = format!("DELETE FROM {table} t USING {from} WHERE {}", found.join(" AND "));
        self.expect(rows, &sql, named, table)
    }
}

const CLICK: &str = "tenant, appended, account, campaign, line_item, quarter, ad, creative, placement, traffic";

fn click_row(viewer: &Viewer, click: &LastClick) -> [i64; 10] {
    let (slice, facet) = (&click.slice, &click.slice.facet);
    [
        viewer.tenant.0.cast_signed(),
        click.appended.0,
        slice.account.0.cast_signed(),
        slice.campaign.0.cast_signed(),
        slice.line_item.0.cast_signed(),
        facet.quarter.0,
        facet.ad.0.cast_signed(),
        facet.creative.0.cast_signed(),
        facet.placement.0.cast_signed(),
        facet.traffic.number().into(),
    ]
}
