//! One campaign: its day hour by hour against the plan, and its line items.

use std::collections::BTreeMap;

use anyhow::Result;
use litfass_catalog::model::Flight;
use litfass_catalog::{Catalog, ObjectKind, ObjectRef};
use litfass_ledger::BudgetDay;
use litfass_market::pacing::Plan;
use litfass_store::catalog::{Filter, Page, View};
use litfass_store::keys::Scope;
use litfass_store::ledger::report::Report;
use litfass_types::{Calendar, CampaignId, Duration, LineItemId, Timestamp};
use serde::Deserialize;

use super::campaigns::{Budgets, advertiser, row};
use super::standing::{multiplier_ppm, of_line_item};
use super::{PAGE, by_id, figures, micros, text, today};
use crate::api::instant::instant;
use crate::api::reports::ReportParams;
use crate::console::operating::{Budget, CampaignPage, Curve, Figures, HourView, LineItemView, Stand};
use crate::console::view::Money;
use crate::node::Node;
use crate::workers::pacing::within;

const HOUR_MS: i64 = 3_600_000;
const QUARTER_MS: i64 = 900_000;

/// A campaign's day so far.
struct Day<'a> {
    calendar: &'a Calendar,
    window: BudgetDay,
    now: Timestamp,
}

impl Node {
    /// With line items after `after`; `None` where no such campaign is within reach.
    ///
    /// # Errors
    /// When the catalog store or the ledger cannot be read.
    pub fn campaign_page(&self, scope: Scope, id: u64, after: u64) -> Result<Option<CampaignPage>> {
        let object = ObjectRef { kind: ObjectKind::Campaign, id };
        let Some(view) = self.editor.reading().view(scope, object)? else { return Ok(None) };
        let filter = Filter { parent: Some(id), ..Filter::default() };
        let below = self.editor.reading().list(scope, ObjectKind::LineItem, &filter, after, PAGE)?;
        let (world, now) = (self.world.load(), self.clock.now());
        let (calendar, window) = today(&world.catalog, advertiser(&view), now)?;
        let day = Day { calendar: &calendar, window, now };
        let hourly = self.report(&ReportParams { granularity: Some("hour".to_owned()), ..day.report(id) }, now)?;
        let each = self.report(&ReportParams { dimensions: Some("line_item".to_owned()), ..day.report(id) }, now)?;
        let Some(budgets) = self.budgets(std::slice::from_ref(&view), &world.catalog, now)?.pop() else {
            return Ok(None);
        };
        let hours = day.hours(&hourly);
        let row = row(&view, &world.catalog, &budgets, sum(&hours), now);
        let plan = planned(&below, &world.catalog, &budgets, &row.budget, &day, CampaignId(id));
        Ok(Some(CampaignPage {
            line_items: self.line_items(&below, &world.catalog, row.stand, &by_id(&each), now),
            next_after: below.next_after,
            curve: curve(hours, &day, plan),
            time_zone: calendar.name().to_owned(),
            day: window.day.to_string(),
            changeable: false,
            csrf: None,
            outstanding_micros: self.outstanding_micros(object)?,
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
        let pacing = self.pacing.current();
        let row = |view: &View| LineItemView {
            id: view.object.id,
            name: text(view, "name").to_owned(),
            stand: of_line_item(view, catalog, above, &pacing, now),
            bid: bid(view),
            even: text(view, "pacing") == "even",
            multiplier_ppm: multiplier_ppm(&pacing, LineItemId(view.object.id)),
            today: today.get(&view.object.id).copied().unwrap_or_default(),
        };
        below.objects.iter().map(row).collect()
    }
}

fn bid(view: &View) -> Money {
    view.members.get("bid").and_then(|bid| Money::deserialize(bid).ok()).unwrap_or_default()
}

fn sum(hours: &[(Timestamp, Figures)]) -> Figures {
    let add = |sum: Figures, (_, more): &(Timestamp, Figures)| Figures {
        impressions: sum.impressions + more.impressions,
        clicks: sum.clicks + more.clicks,
        spent_nanos: sum.spent_nanos + more.spent_nanos,
    };
    hours.iter().fold(Figures::default(), add)
}

impl Day<'_> {
    fn report(&self, campaign: u64) -> ReportParams {
        ReportParams {
            from: self.window.day.to_string(),
            time_zone: Some(self.calendar.name().to_owned()),
            campaign: Some(campaign.to_string()),
            ..ReportParams::default()
        }
    }

    fn ends(&self, hour: Timestamp) -> Timestamp {
        (hour + Duration(HOUR_MS)).min(self.window.ends)
    }

    /// The hours that have begun, with what each delivered.
    fn hours(&self, report: &Report) -> Vec<(Timestamp, Figures)> {
        let begun = |key: &litfass_store::ledger::report::RowKey| key.bucket * HOUR_MS + key.behind * QUARTER_MS;
        let delivered: BTreeMap<i64, Figures> =
            report.rows.iter().map(|(key, row)| (begun(key), figures(row))).collect();
        let starts = (0..).map(|n| self.window.starts + Duration(n * HOUR_MS));
        let begun = starts.take_while(|at| *at < self.window.ends && *at <= self.now);
        begun.map(|at| (at, delivered.get(&at.0).copied().unwrap_or_default())).collect()
    }

    fn name(&self, hour: Timestamp) -> String {
        let local = hour.0 + i64::from(self.calendar.ahead_seconds(hour)) * 1_000;
        format!("{:02}:00", local.rem_euclid(24 * HOUR_MS) / HOUR_MS)
    }
}

fn curve(hours: Vec<(Timestamp, Figures)>, day: &Day<'_>, (plan, words): (Option<Plan>, &'static str)) -> Curve {
    let so_far = |at: Timestamp| plan.map(|plan| micros(plan.target(at) - plan.target(day.window.starts)));
    let mut spent = 0;
    let view = |(at, figures): (Timestamp, Figures)| {
        spent += figures.spent_nanos;
        let until = day.ends(at).min(day.now);
        HourView {
            name: day.name(at),
            figures,
            spent_so_far_micros: micros(spent),
            planned_so_far_micros: so_far(until),
            passed: part(until - at),
        }
    };
    let length = day.window.ends - day.window.starts;
    let ticks = (0..=length.0 / HOUR_MS).map(|n| day.window.starts + Duration(n * HOUR_MS));
    Curve {
        hours: hours.into_iter().map(view).collect(),
        hours_in_day: u32::try_from(length.0 / HOUR_MS).unwrap_or(24),
        plan_micros: plan.map(|_| ticks.filter_map(so_far).collect()),
        plan: words,
    }
}

#[expect(clippy::cast_precision_loss, reason = "for a drawing")]
fn part(passed: Duration) -> f64 {
    (passed.0 as f64 / HOUR_MS as f64).clamp(0.0, 1.0)
}

/// The plan of the budget that binds first, and what to say of it.
fn planned(
    below: &Page,
    catalog: &Catalog,
    budgets: &Budgets,
    binding: &Budget,
    day: &Day<'_>,
    campaign: CampaignId,
) -> (Option<Plan>, &'static str) {
    let flight = catalog.campaign_by_id(campaign).map_or(Flight::default(), |ix| catalog.campaign(ix).flight);
    if !below.objects.iter().any(|view| text(view, "pacing") == "even") {
        return (None, "Its line items spend as fast as they can: there is no plan to keep to.");
    }
    let of = |control: &litfass_ledger::Control, (start, end)| Plan {
        budget: control.total().nanos(),
        spent: control.spent.nanos(),
        start,
        end,
    };
    match (binding, flight.start.zip(flight.end)) {
        (Budget::Day { .. }, _) => (
            Some(of(&budgets.today, within(&day.window, flight))),
            "Dashed: the day's budget, spread evenly over the day.",
        ),
        (Budget::Lifetime { .. }, Some(lasts)) => (
            Some(of(&budgets.lifetime, lasts)),
            "Dashed: this day's part of the whole budget, spread evenly over the flight.",
        ),
        (Budget::Lifetime { .. }, None) => (None, "The flight has no end, so the budget has no time to last for."),
        (Budget::None, _) => (None, "The campaign has no budget of its own, so there is no plan to keep to."),
    }
}
