//! Pacing tables.

use litfass_events::{Funds, MAX_PACED_LINE_ITEMS, PacingTable};
use litfass_types::{LineItemId, PPM};

use super::field::{WireError, Within, as_long, at_most};
use super::proto;

pub(super) fn to_proto(table: &PacingTable) -> proto::PacingTable {
    proto::PacingTable {
        number: table.number,
        full: table.full,
        line_items: table.multipliers_ppm.iter().map(|(line_item, _)| line_item.0).collect(),
        multipliers_ppm: table.multipliers_ppm.iter().map(|(_, multiplier)| *multiplier).collect(),
        funds: table.funds.as_ref().map(funds_to_proto),
        by_requests: table.by_requests.iter().map(|line_item| line_item.0).collect(),
    }
}

pub(super) fn from_proto(table: proto::PacingTable) -> Result<PacingTable, WireError> {
    at_most(&table.line_items, MAX_PACED_LINE_ITEMS, "line_items")?;
    as_long(&table.multipliers_ppm, table.line_items.len(), "multipliers_ppm")?;
    if let Some(multiplier) = table.multipliers_ppm.iter().find(|multiplier| **multiplier > PPM) {
        return Err(WireError::invalid(format!("goes up to {PPM}, not {multiplier}")).named("multipliers_ppm"));
    }
    let line_items = table.line_items.into_iter().map(LineItemId);
    let multipliers_ppm = line_items.zip(table.multipliers_ppm).collect();
    let funds = table.funds.map(funds).transpose().within("funds")?;
    at_most(&table.by_requests, MAX_PACED_LINE_ITEMS, "by_requests")?;
    let by_requests = table.by_requests.into_iter().map(LineItemId).collect();
    Ok(PacingTable { number: table.number, full: table.full, multipliers_ppm, by_requests, funds })
}

fn funds_to_proto(funds: &Funds) -> proto::Funds {
    let ids = |list: &[LineItemId]| list.iter().map(|id| id.0).collect();
    proto::Funds { gained: ids(&funds.gained), lost: ids(&funds.lost) }
}

fn funds(message: proto::Funds) -> Result<Funds, WireError> {
    at_most(&message.gained, MAX_PACED_LINE_ITEMS, "gained")?;
    at_most(&message.lost, MAX_PACED_LINE_ITEMS, "lost")?;
    let ids = |list: Vec<u64>| list.into_iter().map(LineItemId).collect();
    Ok(Funds { gained: ids(message.gained), lost: ids(message.lost) })
}
