//! The pacing controller: every few seconds it compares what was spent with the plan and publishes a numbered table of bid
//! multipliers; and it says which line items have funds at all. Decisions only read it.
//!
//! The table is in the log before it is in force, because decisions name it, and because a process that starts goes on from the
//! last one: each line item's controller is had back from the multiplier that it published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use litfass_catalog::model::{Flight, PacedBy, PacingMode, Status};
use litfass_catalog::{Catalog, LineItemRow};
use litfass_events::{PartitionKey, named_id};
use litfass_ledger::{Amount, BudgetDay, Chain, Control, ControlId, UNLIMITED};
use litfass_market::pacing::{Actuator, Curve, Pace, Plan, Points, Shape, State, Why};
use litfass_store::fold::{TrafficCounts, Unconverted};
use litfass_store::ledger::LedgerReader;
use litfass_store::log::{Clock, EventLog, Until};
use litfass_store::wire::{self, Body};
use litfass_types::{CatalogVersion, LineItemId, LineItemIx, PPM, Timestamp, Unit};

use super::forecast::Forecasts;
use crate::pacing_tables::{self, FULL_EVERY};
use crate::promises::Promises;
use crate::world::{Pacing, SwappedWorld};

/// The table in force, for whoever lays it out by another catalog's numbers, and the forecasts that plans are shaped by.
#[derive(Debug, Default)]
pub struct PacingBoard {
    table: Mutex<Arc<Pacing>>,
    standings: Mutex<Arc<BTreeMap<LineItemId, Standing>>>,
    forecasts: Mutex<Arc<Forecasts>>,
}

/// How a line item that has a plan stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub why: Why,
    /// Against the plan that decides, in parts per million of its budget; negative is ahead.
    pub behind_ppm: i64,
}

impl PacingBoard {
    #[must_use]
    pub fn current(&self) -> Arc<Pacing> {
        Arc::clone(&self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[must_use]
    pub fn forecasts(&self) -> Arc<Forecasts> {
        Arc::clone(&self.forecasts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As of the last look, by line item.
    #[must_use]
    pub fn standings(&self) -> Arc<BTreeMap<LineItemId, Standing>> {
        Arc::clone(&self.standings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, pacing: Pacing) -> Arc<Pacing> {
        let pacing = Arc::new(pacing);
        *self.table.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&pacing);
        pacing
    }

    fn tell(&self, standings: BTreeMap<LineItemId, Standing>) {
        *self.standings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(standings);
    }

    fn forecast(&self, forecasts: Forecasts) {
        *self.forecasts.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(forecasts);
    }
}

/// How often forecasts are made anew, and how soon after the last ones where the catalog has changed.
const FORECAST_EVERY: litfass_types::Duration = litfass_types::Duration::minutes(10);
const FORECAST_AFTER_CHANGE: litfass_types::Duration = litfass_types::Duration::minutes(1);

#[derive(Debug)]
pub struct PacingWorker {
    pub log: Arc<dyn EventLog>,
    /// Where this process's tables are logged.
    pub partition: u16,
    /// Whose tables they are.
    pub series: u16,
    pub ledger: Arc<dyn LedgerReader>,
    pub world: Arc<SwappedWorld>,
    pub board: Arc<PacingBoard>,
    pub promises: Arc<Promises>,
    pub clock: Clock,
    pub interval: Duration,
    /// When a table last said everything.
    pub last_full: Timestamp,
    pub controllers: Controllers,
    pub traffic: Arc<TrafficCounts>,
    pub unconverted: Arc<Unconverted>,
    /// When the forecasts were made, and for which catalog.
    pub forecast: Option<(Timestamp, CatalogVersion)>,
}

/// One controller per line item that has a plan.
#[derive(Debug, Default)]
pub struct Controllers {
    states: BTreeMap<LineItemId, State>,
    /// What the process before published, for whose line items there is no controller yet.
    inherited: BTreeMap<LineItemId, u32>,
}

impl Controllers {
    #[must_use]
    pub const fn inheriting(multipliers_ppm: BTreeMap<LineItemId, u32>) -> Self {
        Self { states: BTreeMap::new(), inherited: multipliers_ppm }
    }

    /// The next number of one line item.
    fn step(&mut self, (id, actuator): (LineItemId, Actuator), plans: &[Plan<'_>], now: Timestamp) -> Pace {
        if self.states.get(&id).is_some_and(|state| state.actuator() != actuator) {
            self.states.remove(&id);
        }
        let inherited = &mut self.inherited;
        let state = self.states.entry(id).or_insert_with(|| match inherited.remove(&id) {
            Some(ppm) => State::resumed(actuator, ppm, plans, now),
            None => State::new(actuator, now),
        });
        state.step(plans, now)
    }

    /// Forgets who no longer runs, and what nobody took up.
    fn retain(&mut self, running: &BTreeSet<LineItemId>) {
        self.states.retain(|id, _| running.contains(id));
        self.inherited.clear();
    }
}

/// A line item and the four levels that pay for it.
struct Payer {
    id: LineItemId,
    ix: LineItemIx,
    /// None where it spends as fast as it can.
    curve: Option<Curve>,
    actuator: Actuator,
    bid: Amount,
    /// Holds nothing when it is shown.
    per_action: bool,
    window: BudgetDay,
    levels: [Control; 4],
    /// At each level, what conversions that have not come yet will cost: it counts as spent.
    owed: [i128; 4],
}

impl PacingWorker {
    /// # Errors
    /// When the ledger cannot be read or the table not be logged; the table before stays in force.
    pub fn step(&mut self) -> Result<Duration> {
        let (began, now) = (Instant::now(), self.clock.now());
        let world = self.world.load();
        self.look_ahead(&world.catalog, now);
        let payers = self.payers(&world.catalog, now)?;
        let before = self.board.current();
        let multipliers_ppm = self.multipliers(&payers, &world.catalog, now);
        let throttled = payers.iter().filter(|payer| payer.actuator == Actuator::Participation).map(|payer| payer.id);
        let by_requests = throttled.filter(|id| multipliers_ppm.contains_key(id)).collect();
        let funded = self.funded(&payers);
        let after = Pacing { number: before.number, multipliers_ppm, by_requests, funded };
        let changed = after != *before;
        if changed || (before.number > 0 && now - self.last_full >= FULL_EVERY) {
            self.publish(&before, after, now)?;
        }
        // A large catalog takes a while: at most a tenth of the time goes into it.
        Ok(self.interval.max(began.elapsed() * 9))
    }

    fn look_ahead(&mut self, catalog: &Catalog, now: Timestamp) {
        let fresh = |(made, version): (Timestamp, CatalogVersion)| {
            let lasts = if version == catalog.version() { FORECAST_EVERY } else { FORECAST_AFTER_CHANGE };
            now - made < lasts
        };
        if !self.forecast.is_some_and(fresh) {
            self.board.forecast(Forecasts::new(catalog, &self.traffic.at(now), now));
            self.forecast = Some((now, catalog.version()));
        }
    }

    /// Of those who are held back; who is not in it has its whole bid.
    fn multipliers(&mut self, payers: &[Payer], catalog: &Catalog, now: Timestamp) -> BTreeMap<LineItemId, u32> {
        let forecasts = self.board.forecasts();
        let paced: Vec<&Payer> = payers.iter().filter(|payer| payer.curve.is_some()).collect();
        let (mut multipliers, mut standings) = (BTreeMap::new(), BTreeMap::new());
        for payer in &paced {
            let plans = payer.plans(catalog, forecasts.of(payer.id));
            let pace = self.controllers.step((payer.id, payer.actuator), &plans, now);
            let behind_ppm = plans.iter().map(|plan| plan.behind_ppm(now)).min().unwrap_or(0);
            standings.insert(payer.id, Standing { why: pace.why, behind_ppm });
            if pace.ppm != PPM {
                multipliers.insert(payer.id, pace.ppm);
            }
        }
        self.board.tell(standings);
        self.controllers.retain(&paced.iter().map(|payer| payer.id).collect());
        multipliers
    }

    fn publish(&mut self, before: &Pacing, after: Pacing, now: Timestamp) -> Result<()> {
        let number = pacing_tables::number_after(before.number, now, self.series);
        let pacing = Pacing { number, ..after };
        self.record(before, &pacing, now)?;
        let pacing = self.board.replace(pacing);
        self.world.publish_pacing(&pacing);
        Ok(())
    }

    fn record(&mut self, before: &Pacing, pacing: &Pacing, now: Timestamp) -> Result<()> {
        let full = before.number == 0 || now - self.last_full >= FULL_EVERY;
        let entries = pacing_tables::entries(before, pacing, full).into_iter().zip(0_u64..).map(|(table, part)| {
            let name = [table.number.to_be_bytes(), part.to_be_bytes()].concat();
            wire::entry(self.partition, named_id("pacing", &name), now, PartitionKey(0), &Body::Pacing(table))
        });
        // Where an append fails nobody knows what came through: then the next table says everything.
        let last_full = std::mem::replace(&mut self.last_full, Timestamp(i64::MIN));
        let appended = self.log.append(entries.collect(), Until::Written).wait();
        appended.into_iter().try_for_each(|result| result.map(|_| ()))?;
        self.last_full = if full { now } else { last_full };
        Ok(())
    }

    /// A unit's bid can still be leased, or this process holds as much.
    fn funded(&self, payers: &[Payer]) -> BTreeSet<LineItemId> {
        let can_lease = |payer: &&Payer| {
            let left = |(level, owed): (&Control, i128)| level.available().nanos() + payer.unused().nanos() - owed;
            payer.levels.iter().zip(payer.owed).all(|both| left(both) >= payer.bid.nanos())
        };
        let (rich, poor): (Vec<&Payer>, Vec<&Payer>) = payers.iter().partition(can_lease);
        // Decisions wait for this lock: only the few that have to be looked up are.
        let (holds, now) = (self.promises.holds(), self.promises.now());
        // Nobody holds anything for an action.
        let holding = poor
            .into_iter()
            .filter(|payer| !payer.per_action && holds.free(payer.id, payer.window.day, now) >= payer.bid);
        let holding: Vec<&Payer> = holding.collect();
        drop(holds);
        rich.into_iter().chain(holding).map(|payer| payer.id).collect()
    }

    fn payers(&self, catalog: &Catalog, now: Timestamp) -> Result<Vec<Payer>> {
        let active =
            |ix: &LineItemIx| catalog.line_item(*ix).status == Status::Active && catalog.flight(*ix).contains(now);
        let line_items: Vec<_> = catalog.live_line_items().filter(active).collect();
        let windows: Vec<_> = line_items.iter().map(|ix| window(catalog, catalog.line_item(*ix), now)).collect();
        let chains = line_items.iter().zip(&windows).map(|(ix, window)| chain(catalog.line_item(*ix), window));
        let ids: Vec<_> = chains.flat_map(Chain::controls).collect();
        let controls = self.ledger.controls(&ids)?;
        let (levels, _) = controls.as_chunks::<4>();
        let payers = line_items.iter().zip(windows).zip(levels).map(|((ix, window), levels)| {
            let row = catalog.line_item(*ix);
            let (bid, per_action, owed) = (Amount::of(row.bid), row.bid.per == Unit::Action, [0; 4]);
            let (curve, actuator) = (curve(catalog, *ix), actuator(row.paced_by));
            Payer { id: row.id, ix: *ix, curve, actuator, bid, per_action, window, levels: *levels, owed }
        });
        let mut payers: Vec<Payer> = payers.collect();
        self.add_owed(&mut payers, catalog, now);
        Ok(payers)
    }

    /// What is owed to conversions counts at every level, with what its neighbours there owe.
    fn add_owed(&self, payers: &mut [Payer], catalog: &Catalog, now: Timestamp) {
        let mut owed: BTreeMap<ControlId, i128> = BTreeMap::new();
        let controls = |payer: &Payer| chain(catalog.line_item(payer.ix), &payer.window).controls();
        for payer in payers.iter() {
            let own = self.unconverted.nanos(payer.id, catalog.line_item(payer.ix).bid, now);
            if own > 0 {
                controls(payer).into_iter().for_each(|id| *owed.entry(id).or_default() += own);
            }
        }
        if owed.is_empty() {
            return;
        }
        for payer in payers {
            payer.owed = controls(payer).map(|id| owed.get(&id).copied().unwrap_or(0));
        }
    }
}

fn window(catalog: &Catalog, row: &LineItemRow, now: Timestamp) -> BudgetDay {
    BudgetDay::of(catalog.advertiser(row.advertiser_ix).calendar, now)
}

const fn chain(row: &LineItemRow, window: &BudgetDay) -> Chain {
    Chain { account: row.advertiser, campaign: row.campaign, line_item: row.id, day: window.day }
}

/// None of who spends as fast as it can.
#[must_use]
pub fn curve(catalog: &Catalog, ix: LineItemIx) -> Option<Curve> {
    match catalog.line_item(ix).pacing {
        PacingMode::Even => Some(Curve::Even),
        PacingMode::Asap => None,
        PacingMode::FrontLoaded => Some(Curve::FrontLoaded),
        PacingMode::Custom => {
            let points = catalog.curve(ix).iter().map(|point| (point.traffic_ppm, point.budget_ppm));
            // The catalog takes no other curves; one that it took all the same is even.
            Some(Points::new(points.collect()).map_or(Curve::Even, Curve::Custom))
        }
    }
}

const fn actuator(paced_by: PacedBy) -> Actuator {
    match paced_by {
        PacedBy::Bid => Actuator::Bid,
        PacedBy::Requests => Actuator::Participation,
    }
}

/// The part of a budget day that a flight covers: what a day's budget has to last for.
#[must_use]
pub fn within(day: &BudgetDay, flight: Flight) -> (Timestamp, Timestamp) {
    let starts = flight.start.map_or(day.starts, |start| start.max(day.starts));
    let ends = flight.end.map_or(day.ends, |end| end.min(day.ends));
    (starts, ends)
}

impl Payer {
    /// What its own leases have: nobody holds anything of them for an action.
    const fn unused(&self) -> Amount {
        if self.per_action { self.levels[3].leased } else { Amount::ZERO }
    }

    /// Every budget that has a limit and a time to last. A flight without an end has no plan: its budget is spent as it comes.
    fn plans<'a>(&'a self, catalog: &Catalog, shape: &'a Shape) -> Vec<Plan<'a>> {
        let Some(curve) = &self.curve else { return Vec::new() };
        let flight = catalog.flight(self.ix);
        let lifetime = flight.start.zip(flight.end);
        let day = Some(within(&self.window, flight));
        let [_, campaign, campaign_day, line_item] =
            std::array::from_fn(|level| (&self.levels[level], self.owed[level]));
        let budgets = [(campaign, lifetime), (campaign_day, day), (line_item, lifetime)];
        let limited = budgets.into_iter().filter(|((control, _), _)| control.limit != UNLIMITED);
        let plan = |(control, owed): (&Control, i128), (start, end)| Plan {
            budget: control.total().nanos(),
            spent: control.spent.nanos() + owed,
            start,
            end,
            price: self.bid.nanos(),
            curve,
            shape,
        };
        limited.filter_map(|(budget, lasts)| Some(plan(budget, lasts?))).collect()
    }
}
