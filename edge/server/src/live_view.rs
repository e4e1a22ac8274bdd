//! The live page's data: what passed by, beside what the ledger has.

use std::collections::BTreeMap;

use litfass_catalog::model::{PacingMode, Status};
use litfass_catalog::{CampaignIx, Catalog};
use litfass_ledger::{BudgetDay, Control, ControlId, UNLIMITED};
use litfass_market::pacing::{Curve, Plan, Shape};
use litfass_store::ledger::{Delivery, LedgerReader};
use litfass_types::{CampaignId, Fate, Ineligible, PPM, Timestamp};

use crate::console::numbers::micros;
use crate::console::view::{BudgetKind, CampaignState, CampaignView, Count, LiveView, Totals};
use crate::node::Node;
use crate::workers::pacing::within;
use crate::world::Pacing;

/// Campaigns on the page, the largest spenders first.
const CAMPAIGNS_MAX: usize = 100;

/// What was delivered of one campaign.
#[derive(Clone, Copy, Default)]
struct Billed {
    amount: i128,
    unbilled: i128,
}

impl Node {
    /// Everything the live page shows. What the ledger cannot say now is left out.
    #[must_use]
    pub fn live_view(&self, ledger: &dyn LedgerReader) -> LiveView {
        let now = self.clock.now();
        let world = self.world.load();
        let delivery = ledger.delivery().unwrap_or_default();
        let billed = by_campaign(&delivery);
        LiveView {
            now_ms: now.0,
            uptime_s: self.began.elapsed().as_secs(),
            audience: self.learning.audience(),
            totals: self.totals(&billed),
            seconds: self.live.seconds(now),
            campaigns: self.campaigns(ledger, &world.catalog, &billed, now),
            ctr: self.live.ctr(),
            training: self.learning.finished(),
            training_now: self.learning.progress(),
            fates: counts(Fate::ALL, |fate| (Count::of_fate(*fate, 0), self.metrics.candidates.get(*fate))),
            ineligible: counts(Ineligible::ALL, |why| {
                (Count::of_ineligible(*why, 0), self.metrics.ineligible.get(*why))
            }),
            decisions: self.live.decisions(),
        }
    }

    fn totals(&self, billed: &BTreeMap<CampaignId, Billed>) -> Totals {
        Totals {
            billed_micros: micros(billed.values().map(|b| b.amount).sum()),
            unbilled_micros: micros(billed.values().map(|b| b.unbilled).sum()),
            ..self.live.totals()
        }
    }

    fn campaigns(
        &self,
        ledger: &dyn LedgerReader,
        catalog: &Catalog,
        billed: &BTreeMap<CampaignId, Billed>,
        now: Timestamp,
    ) -> Vec<CampaignView> {
        let mut ixs: Vec<CampaignIx> = catalog.live_campaigns().collect();
        let spent = |ix: &CampaignIx| billed.get(&catalog.campaign(*ix).id).map_or(0, |b| b.amount);
        ixs.sort_by_key(|ix| (std::cmp::Reverse(spent(ix)), catalog.campaign(*ix).id));
        ixs.truncate(CAMPAIGNS_MAX);
        let pacing = self.pacing.current();
        ixs.into_iter().filter_map(|ix| self.campaign(ledger, catalog, ix, &pacing, now)).collect()
    }
}

impl Node {
    fn campaign(
        &self,
        ledger: &dyn LedgerReader,
        catalog: &Catalog,
        ix: CampaignIx,
        pacing: &Pacing,
        now: Timestamp,
    ) -> Option<CampaignView> {
        let campaign = catalog.campaign(ix);
        let advertiser = catalog.advertiser(campaign.advertiser);
        let day = advertiser.calendar.day(now);
        let ids = [ControlId::Campaign(campaign.id), ControlId::CampaignDay(campaign.id, day)];
        let controls = ledger.controls(&ids).ok()?;
        let [lifetime, today] = controls.try_into().ok()?;
        let budget = binding(&lifetime, &today);
        let line_items = LineItems::of(catalog, campaign.id, pacing);
        let (delivered, forecasts) = (self.live.campaign(campaign.id), self.pacing.forecasts());
        let shape = forecasts.of_campaign(catalog, campaign.id);
        let (start, end) = match budget.kind {
            BudgetKind::Day => {
                let (start, end) = within(&BudgetDay::of(advertiser.calendar, now), campaign.flight);
                (Some(start), Some(end))
            }
            BudgetKind::Lifetime | BudgetKind::None => (campaign.flight.start, campaign.flight.end),
        };
        let running = campaign.status == Status::Active && campaign.flight.contains(now);
        Some(CampaignView {
            id: campaign.id.0,
            name: campaign.name.to_owned(),
            advertiser: advertiser.name.to_owned(),
            pacing: line_items.mode().to_owned(),
            state: state(running, budget.left, line_items.multiplier_ppm),
            spent_micros: micros(budget.spent),
            budget_micros: budget.total.map(micros),
            budget_kind: budget.kind,
            planned_micros: line_items.even.then(|| planned(&budget, start.zip(end)?, shape, now)).flatten(),
            multiplier_ppm: line_items.multiplier_ppm,
            impressions: delivered.impressions,
            clicks: delivered.clicks,
        })
    }
}

/// The budget of a campaign that binds first.
struct Budget {
    kind: BudgetKind,
    spent: i128,
    total: Option<i128>,
    left: Option<i128>,
}

fn binding(lifetime: &Control, today: &Control) -> Budget {
    let of = |kind, control: &Control| Budget {
        kind,
        spent: control.spent.nanos(),
        total: Some(control.total().nanos()),
        left: Some(control.total().nanos() - control.spent.nanos()),
    };
    let limited = |control: &Control| control.limit != UNLIMITED;
    match (limited(lifetime), limited(today)) {
        (true, true) if today.available() < lifetime.available() => of(BudgetKind::Day, today),
        (true, _) => of(BudgetKind::Lifetime, lifetime),
        (false, true) => of(BudgetKind::Day, today),
        (false, false) => Budget { kind: BudgetKind::None, spent: lifetime.spent.nanos(), total: None, left: None },
    }
}

fn planned(budget: &Budget, (start, end): (Timestamp, Timestamp), shape: &Shape, now: Timestamp) -> Option<i64> {
    let plan = Plan { budget: budget.total?, spent: budget.spent, start, end, price: 0, curve: &Curve::Even, shape };
    Some(micros(plan.target(now)))
}

fn state(running: bool, left: Option<i128>, multiplier_ppm: u32) -> CampaignState {
    match (running, left) {
        (false, _) => CampaignState::Off,
        (true, Some(left)) if left <= 0 => CampaignState::Exhausted,
        (true, _) if multiplier_ppm == 0 => CampaignState::HeldBack,
        (true, _) => CampaignState::Serving,
    }
}

/// What a campaign's line items say together.
struct LineItems {
    even: bool,
    asap: bool,
    /// Mean.
    multiplier_ppm: u32,
}

impl LineItems {
    fn of(catalog: &Catalog, campaign: CampaignId, pacing: &Pacing) -> Self {
        let rows = catalog.live_line_items().map(|ix| catalog.line_item(ix)).filter(|row| row.campaign == campaign);
        let (mut even, mut asap, mut sum, mut n) = (false, false, 0_u64, 0_u64);
        for row in rows {
            even |= row.pacing != PacingMode::Asap;
            asap |= row.pacing == PacingMode::Asap;
            sum += u64::from(pacing.multipliers_ppm.get(&row.id).copied().unwrap_or(PPM));
            n += 1;
        }
        let mean = sum.checked_div(n).and_then(|mean| u32::try_from(mean).ok());
        Self { even, asap, multiplier_ppm: mean.unwrap_or(PPM) }
    }

    const fn mode(&self) -> &'static str {
        match (self.even, self.asap) {
            (true, true) => "mixed",
            (true, false) => "even",
            (false, _) => "asap",
        }
    }
}

fn by_campaign(delivery: &[Delivery]) -> BTreeMap<CampaignId, Billed> {
    let mut campaigns: BTreeMap<CampaignId, Billed> = BTreeMap::new();
    for row in delivery {
        let billed = campaigns.entry(row.chain.campaign).or_default();
        billed.amount += row.tally.billed.amount.nanos();
        billed.unbilled += row.pending.amount.nanos();
        billed.unbilled += row.unbilled.iter().map(|(_, count)| count.amount.nanos()).sum::<i128>();
    }
    campaigns
}

/// Those that occurred, in the table's order.
fn counts<T>(all: &[T], count: impl Fn(&T) -> (Count, u64)) -> Vec<Count> {
    let counted = all.iter().map(count).filter(|(_, n)| *n > 0);
    counted.map(|(row, n)| Count { count: n, ..row }).collect()
}
