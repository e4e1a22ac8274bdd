//! Events as they were recorded, one after the other, for whoever works with them elsewhere.
//!
//! Copies that a sender repeated are in it as often as they came, each with the same event id. Partitions follow one another;
//! within one, entries come in the order in which they were recorded.

use anyhow::Result;
use litfass_events::{Conversion, Delivery, Envelope, EventKind, ItemView, Token};
use litfass_store::log::EventLog;
use litfass_store::wire::{self, Body};
use litfass_types::{AdvertiserId, Position, TenantId, Timestamp, Unit};
use serde::Serialize;

use crate::api::csv::Csv;
use crate::api::instant::instant;

const READ_BYTES: usize = 1 << 20;

/// Whose events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    Everybodys,
    Tenant(TenantId),
    /// Of its own ads only: views of items and orders that nobody clicked for belong to the tenant.
    Advertiser(TenantId, AdvertiserId),
}

/// Which events: recorded in [from, to).
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub from: Timestamp,
    pub to: Timestamp,
    pub whose: Whose,
}

/// One event, with what is known of the ad.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct EventRow {
    pub r#type: &'static str,
    pub event_id: String,
    /// When it happened, as its sender says.
    pub time: String,
    pub recorded: String,
    pub tenant_id: u64,
    pub user_id: Option<String>,
    pub traffic: &'static str,
    pub decision_id: Option<String>,
    pub slot: Option<u8>,
    pub advertiser_id: Option<u64>,
    pub campaign_id: Option<u64>,
    pub line_item_id: Option<u64>,
    pub ad_id: Option<u64>,
    pub creative_id: Option<u64>,
    pub placement_id: Option<u64>,
    pub geo: Option<String>,
    /// Whether an event of this kind costs the advertiser the price.
    pub bills: bool,
    pub price_micros: Option<i64>,
    pub price_per: Option<&'static str>,
    pub order_id: Option<String>,
    pub value_micros: Option<i64>,
}

/// Reads in chunks: each call gives the next rows, none at the end.
#[derive(Debug)]
pub struct Export<'a> {
    log: &'a dyn EventLog,
    wanted: Wanted,
    /// Partitions to be read, the current one last.
    partitions: Vec<Position>,
}

impl<'a> Export<'a> {
    /// # Errors
    /// When the log cannot be read.
    pub fn new(log: &'a dyn EventLog, wanted: Wanted) -> Result<Self> {
        let heads = log.wait(&[], std::time::Duration::ZERO)?;
        let mut partitions = Vec::new();
        for head in heads.iter().rev() {
            partitions.push(log.since(head.next.partition, wanted.from)?);
        }
        Ok(Self { log, wanted, partitions })
    }

    /// # Errors
    /// When the log cannot be read.
    pub fn next_rows(&mut self) -> Result<Option<Vec<EventRow>>> {
        let Some(from) = self.partitions.pop() else { return Ok(None) };
        let batch = self.log.read(from, READ_BYTES)?;
        let past = batch.entries.last().is_none_or(|entry| entry.append_time >= self.wanted.to);
        if !past {
            self.partitions.push(batch.next);
        }
        let mut rows = Vec::new();
        let inside = |at: Timestamp| self.wanted.from <= at && at < self.wanted.to;
        for entry in batch.entries.iter().filter(|entry| inside(entry.append_time)) {
            let logged = wire::outline(entry)?;
            let row = row(&logged.envelope, &logged.body).filter(|row| self.is_wanted(row));
            rows.extend(row.map(|row| self.told(row)));
        }
        Ok(Some(rows))
    }

    /// Who the viewers are is the site's to know.
    fn told(&self, row: EventRow) -> EventRow {
        let tells_viewers = !matches!(self.wanted.whose, Whose::Advertiser(..));
        EventRow { user_id: row.user_id.filter(|_| tells_viewers), ..row }
    }

    fn is_wanted(&self, row: &EventRow) -> bool {
        match self.wanted.whose {
            Whose::Everybodys => true,
            Whose::Tenant(tenant) => row.tenant_id == tenant.0,
            Whose::Advertiser(tenant, own) => row.tenant_id == tenant.0 && row.advertiser_id == Some(own.0),
        }
    }
}

fn row(envelope: &Envelope, body: &Body) -> Option<EventRow> {
    let blank = |kind: EventKind, tenant: TenantId| EventRow {
        r#type: kind.name(),
        event_id: envelope.event_id.to_string(),
        time: instant(envelope.event_time),
        recorded: instant(envelope.append_time),
        tenant_id: tenant.0,
        user_id: None,
        traffic: body.traffic().name(),
        decision_id: None,
        slot: None,
        advertiser_id: None,
        campaign_id: None,
        line_item_id: None,
        ad_id: None,
        creative_id: None,
        placement_id: None,
        geo: None,
        bills: false,
        price_micros: None,
        price_per: None,
        order_id: None,
        value_micros: None,
    };
    match body {
        Body::Delivery(delivery) => Some(of_delivery(blank(delivery.kind, delivery.token.tenant), delivery)),
        Body::Conversion(order) => Some(of_order(blank(EventKind::Conversion, order.tenant), order)),
        Body::ItemView(view) => Some(of_view(blank(EventKind::View, view.tenant), view)),
        Body::Decision(_)
        | Body::Outline(_)
        | Body::Command(_)
        | Body::Pacing(_)
        | Body::Privacy(_)
        | Body::Heartbeat
        | Body::Unknown => None,
    }
}

fn of_delivery(blank: EventRow, delivery: &Delivery) -> EventRow {
    let row = of_token(blank, &delivery.token);
    EventRow { bills: delivery.token.bills(delivery.kind), ..row }
}

fn of_token(blank: EventRow, token: &Token) -> EventRow {
    EventRow {
        user_id: token.user.map(|user| user.to_string()),
        decision_id: Some(token.decision.to_string()),
        slot: Some(token.slot),
        advertiser_id: Some(token.advertiser.0),
        campaign_id: Some(token.campaign.0),
        line_item_id: Some(token.line_item.0),
        ad_id: Some(token.ad.0),
        creative_id: Some(token.creative.0),
        placement_id: Some(token.placement.0),
        geo: Some(token.geo.clone()).filter(|geo| !geo.is_empty()),
        price_micros: Some(token.price.micros),
        price_per: Some(match token.price.per {
            Unit::Mille => "mille",
            Unit::Click => "click",
            Unit::Action => "action",
        }),
        ..blank
    }
}

/// With the click's ad where its token came along; an attributed one without a token is in the reports, not here.
fn of_order(blank: EventRow, order: &Conversion) -> EventRow {
    let row = match &order.click {
        Some(token) => of_token(blank, token),
        None => blank,
    };
    let user_id = order.buyer().map(|user| user.to_string());
    EventRow { user_id, order_id: Some(order.order_id.clone()), value_micros: Some(order.value_micros), ..row }
}

fn of_view(blank: EventRow, view: &ItemView) -> EventRow {
    EventRow { user_id: Some(view.user.to_string()), ..blank }
}

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    Csv,
}

impl Format {
    pub const NAMES: [&'static str; 2] = ["ndjson", "csv"];

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ndjson" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// What stands before the first row.
    #[must_use]
    pub fn head(self) -> String {
        match self {
            Self::Ndjson => String::new(),
            Self::Csv => Csv::new(&COLUMNS).finish(),
        }
    }

    /// # Errors
    /// Never for rows as they are; the serialiser could refuse others.
    pub fn write(self, rows: &[EventRow]) -> serde_json::Result<String> {
        match self {
            Self::Ndjson => rows.iter().map(|row| Ok(serde_json::to_string(row)? + "\n")).collect(),
            Self::Csv => csv(rows),
        }
    }
}

const COLUMNS: [&str; 21] = [
    "type",
    "event_id",
    "time",
    "recorded",
    "tenant_id",
    "user_id",
    "traffic",
    "decision_id",
    "slot",
    "advertiser_id",
    "campaign_id",
    "line_item_id",
    "ad_id",
    "creative_id",
    "placement_id",
    "geo",
    "bills",
    "price_micros",
    "price_per",
    "order_id",
    "value_micros",
];

fn csv(rows: &[EventRow]) -> serde_json::Result<String> {
    let mut csv = Csv::empty();
    for row in rows {
        let row = serde_json::to_value(row)?;
        csv.fields(COLUMNS.iter().map(|name| row.get(name).map_or_else(String::new, crate::api::csv::plain)));
    }
    Ok(csv.finish())
}
