//! One campaign: its day against the plan, and its line items.

use std::collections::BTreeMap;

use anyhow::Result;
use litfass_catalog::model::Flight;
use litfass_catalog::{Catalog, ObjectKind, ObjectRef};
use litfass_market::pacing::{Curve, Plan, Shape};
use litfass_store::catalog::{Filter, Page, View};
use litfass_store::keys::Scope;
use litfass_store::ledger::LedgerReader;
use litfass_types::{CampaignId, LineItemId, Timestamp};
use serde::Deserialize;

use super::campaigns::{Budgets, advertiser, budgets_of, row};
use super::day::{Day, curve, sum};
use super::standing::{multiplier_ppm, of_line_item};
use super::{PAGE, by_id, text, today};
use crate::api::instant::instant;
use crate::api::reports::ReportParams;
use crate::console::operating::{Budget, CampaignPage, Figures, LineItemView, Stand};
use crate::console::view::Money;
use crate::node::Node;
use crate::workers::pacing::within;

impl Node {
    /// With line items after `after`; `None` where no such campaign is within reach.
    ///
    /// # Errors
    /// When the catalog store or the ledger cannot be read.
    pub fn campaign_page(
        &self,
        ledger: &dyn LedgerReader,
        scope: Scope,
        id: u64,
        after: u64,
    ) -> Result<Option<CampaignPage>> {
        let object = ObjectRef { kind: ObjectKind::Campaign, id };
        let Some(view) = self.editor.reading().view(scope, object)? else { return Ok(None) };
        let filter = Filter { parent: Some(id), ..Filter::default() };
        let below = self.editor.reading().list(scope, ObjectKind::LineItem, &filter, after, PAGE)?;
        let (world, now) = (self.world.load(), self.clock.now());
        let (calendar, window) = today(&world.catalog, advertiser(&view), now)?;
        let day = Day { calendar: &calendar, window, now };
        let hourly =
            self.report(ledger, &ReportParams { granularity: Some("hour".to_owned()), ..day.report(id) }, now)?;
        let each =
            self.report(ledger, &ReportParams { dimensions: Some("line_item".to_owned()), ..day.report(id) }, now)?;
        let Some(budgets) = budgets_of(ledger, std::slice::from_ref(&view), &world.catalog, now)?.pop() else {
            return Ok(None);
        };
        let hours = day.hours(&hourly);
        let row = row(&view, &world.catalog, &budgets, sum(&hours), now);
        let forecasts = self.pacing.forecasts();
        let shape = forecasts.of_campaign(&world.catalog, CampaignId(id));
        let plan = planned(&below, flight_of(&world.catalog, CampaignId(id)), &budgets, &row.budget, (&day, shape));
        Ok(Some(CampaignPage {
            line_items: self.line_items(&below, &world.catalog, row.stand, &by_id(&each), now),
            next_after: below.next_after,
            curve: curve(hours, &day, plan),
            time_zone: calendar.name().to_owned(),
            day: window.day.to_string(),
            changeable: false,
            csrf: None,
            outstanding_micros: self.outstanding_micros(ledger, object)?,
            complete_until: hourly.complete_until.map(instant),
            row,
        }))
    }

    fn line_items(
        &self,
        below: &Page,
        catalog: &Catalog,
        above: Stand,
        today: &BTreeMap<u64, Figures>,
        now: Timestamp,
    ) -> Vec<LineItemView> {
        let (pacing, standings) = (self.pacing.current(), self.pacing.standings());
        let row = |view: &View| LineItemView {
            id: view.object.id,
            name: text(view, "name").to_owned(),
            stand: of_line_item(view, catalog, above, &pacing, now),
            bid: bid(view),
            pacing: text(view, "pacing").to_owned(),
            multiplier_ppm: multiplier_ppm(&pacing, LineItemId(view.object.id)),
            by_requests: text(view, "paced_by") == "requests",
            standing: standings.get(&LineItemId(view.object.id)).copied(),
            today: today.get(&view.object.id).copied().unwrap_or_default(),
        };
        below.objects.iter().map(row).collect()
    }
}

fn bid(view: &View) -> Money {
    view.members.get("bid").and_then(|bid| Money::deserialize(bid).ok()).unwrap_or_default()
}

/// The plan of the budget that binds first, and what to say of it.
fn flight_of(catalog: &Catalog, campaign: CampaignId) -> Flight {
    catalog.campaign_by_id(campaign).map_or(Flight::default(), |ix| catalog.campaign(ix).flight)
}

fn planned<'a>(
    below: &Page,
    flight: Flight,
    budgets: &Budgets,
    binding: &Budget,
    (day, shape): (&Day<'_>, &'a Shape),
) -> (Option<Plan<'a>>, &'static str) {
    if !below.objects.iter().any(|view| text(view, "pacing") != "asap") {
        return (None, "Its line items spend as fast as they can: there is no plan to keep to.");
    }
    let of = |control: &litfass_ledger::Control, (start, end)| Plan {
        budget: control.total().nanos(),
        spent: control.spent.nanos(),
        start,
        end,
        price: 0,
        curve: &Curve::Even,
        shape,
    };
    match (binding, flight.start.zip(flight.end)) {
        (Budget::Day { .. }, _) => (
            Some(of(&budgets.today, within(&day.window, flight))),
            "Dashed: the day's budget, spread over the traffic that is forecast for the day.",
        ),
        (Budget::Lifetime { .. }, Some(lasts)) => (
            Some(of(&budgets.lifetime, lasts)),
            "Dashed: this day's part of the whole budget, spread over the traffic that is forecast for the flight.",
        ),
        (Budget::Lifetime { .. }, None) => (None, "The flight has no end, so the budget has no time to last for."),
        (Budget::None, _) => (None, "The campaign has no budget of its own, so there is no plan to keep to."),
    }
}
