//! The table of campaigns.

use std::collections::BTreeMap;

use anyhow::Result;
use litfass_catalog::{Catalog, ObjectKind};
use litfass_ledger::{Control, ControlId, UNLIMITED};
use litfass_store::catalog::{Filter, View};
use litfass_store::keys::Scope;
use litfass_store::ledger::LedgerReader;
use litfass_types::{AdvertiserId, CampaignId, Timestamp};

use super::standing::of_campaign;
use super::{PAGE, by_id, number, text, today};
use crate::api::instant::instant;
use crate::api::reports::ReportParams;
use crate::console::numbers::micros;
use crate::console::operating::{Budget, CampaignRow, CampaignsView, Figures};
use crate::node::Node;

/// The two budgets of a campaign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budgets {
    pub(super) lifetime: Control,
    pub(super) today: Control,
}

impl Node {
    /// # Errors
    /// When the catalog store or the ledger cannot be read.
    pub fn campaigns_view(
        &self,
        ledger: &dyn LedgerReader,
        scope: Scope,
        filter: &Filter,
        after: u64,
    ) -> Result<CampaignsView> {
        let page = self.editor.reading().list(scope, ObjectKind::Campaign, filter, after, PAGE)?;
        let (world, now) = (self.world.load(), self.clock.now());
        let budgets = budgets_of(ledger, &page.objects, &world.catalog, now)?;
        let (today, complete_until) = self.todays(ledger, &page.objects, &world.catalog, now)?;
        let rows = page.objects.iter().zip(&budgets).map(|(view, budgets)| {
            let figures = today.get(&view.object.id).copied().unwrap_or_default();
            row(view, &world.catalog, budgets, figures, now)
        });
        let (rows, next_after, continued) = (rows.collect(), page.next_after, after > 0);
        let complete_until = complete_until.map(instant);
        Ok(CampaignsView { rows, next_after, continued, complete_until, ..CampaignsView::default() })
    }

    /// What each campaign delivered on its advertiser's day: one report for each time zone.
    fn todays(
        &self,
        ledger: &dyn LedgerReader,
        campaigns: &[View],
        catalog: &Catalog,
        now: Timestamp,
    ) -> Result<(BTreeMap<u64, Figures>, Option<Timestamp>)> {
        let mut zones: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for view in campaigns {
            let (calendar, window) = today(catalog, advertiser(view), now)?;
            let zone = (calendar.name().to_owned(), window.day.to_string());
            zones.entry(zone).or_default().push(view.object.id.to_string());
        }
        let (mut figures, mut complete_until) = (BTreeMap::new(), None);
        for ((zone, day), ids) in zones {
            let params = ReportParams {
                dimensions: Some("campaign".to_owned()),
                from: day,
                time_zone: Some(zone),
                campaign: Some(ids.join(",")),
                ..ReportParams::default()
            };
            let report = self.report(ledger, &params, now)?;
            figures.extend(by_id(&report));
            complete_until = report.complete_until;
        }
        Ok((figures, complete_until))
    }
}

/// Of each campaign.
pub(super) fn budgets_of(
    ledger: &dyn LedgerReader,
    campaigns: &[View],
    catalog: &Catalog,
    now: Timestamp,
) -> Result<Vec<Budgets>> {
    let mut ids = Vec::new();
    for view in campaigns {
        let (campaign, (_, window)) = (CampaignId(view.object.id), today(catalog, advertiser(view), now)?);
        ids.extend([ControlId::Campaign(campaign), ControlId::CampaignDay(campaign, window.day)]);
    }
    let controls = ledger.controls(&ids)?;
    let (pairs, _) = controls.as_chunks::<2>();
    Ok(pairs.iter().map(|[lifetime, today]| Budgets { lifetime: *lifetime, today: *today }).collect())
}

pub(super) fn advertiser(view: &View) -> AdvertiserId {
    AdvertiserId(number(view, "advertiser"))
}

pub(super) fn row(view: &View, catalog: &Catalog, budgets: &Budgets, today: Figures, now: Timestamp) -> CampaignRow {
    let advertiser = advertiser(view);
    let named = catalog.advertiser_by_id(advertiser).map(|ix| catalog.advertiser(ix).name.to_owned());
    CampaignRow {
        id: view.object.id,
        name: text(view, "name").to_owned(),
        advertiser_id: advertiser.0,
        advertiser: named.unwrap_or_else(|| advertiser.0.to_string()),
        stand: of_campaign(view, catalog, budgets.left_nanos(), now),
        spent_today_micros: micros(budgets.today.spent.nanos()),
        budget: budgets.binding(),
        today,
    }
}

impl Budgets {
    /// The one that has less left.
    fn binding(&self) -> Budget {
        let (lifetime, today) = (&self.lifetime, &self.today);
        let day = Budget::Day { micros: micros(today.total().nanos()) };
        let whole =
            Budget::Lifetime { micros: micros(lifetime.total().nanos()), spent_micros: micros(lifetime.spent.nanos()) };
        match (lifetime.limit != UNLIMITED, today.limit != UNLIMITED) {
            (true, true) if today.available() < lifetime.available() => day,
            (true, _) => whole,
            (false, true) => day,
            (false, false) => Budget::None,
        }
    }

    /// Not spent of the budget that binds first; none without a budget.
    fn left_nanos(&self) -> Option<i128> {
        let limited = [&self.lifetime, &self.today].into_iter().filter(|control| control.limit != UNLIMITED);
        limited.map(|control| control.total().nanos() - control.spent.nanos()).min()
    }
}
