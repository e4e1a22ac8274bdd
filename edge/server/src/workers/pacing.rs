//! The pacing controller: every few seconds it compares what was spent with the plan and publishes a numbered table of bid
//! multipliers; and it says which line items have funds at all. Decisions only read it.
//!
//! The table is in the log before it is in force, because decisions name it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use litfass_catalog::model::{Flight, PacingMode, Status};
use litfass_catalog::{Catalog, LineItemRow};
use litfass_events::{PartitionKey, named_id};
use litfass_ledger::{Amount, BudgetDay, Chain, Control, UNLIMITED};
use litfass_market::pacing::{Plan, even};
use litfass_store::ledger::LedgerReader;
use litfass_store::log::{Clock, EventLog, Until};
use litfass_store::wire::{self, Body};
use litfass_types::{LineItemId, LineItemIx, PPM, Timestamp};

use crate::pacing_tables::{self, FULL_EVERY};
use crate::promises::Promises;
use crate::world::{Pacing, SwappedWorld};

/// The table in force, for whoever lays it out by another catalog's numbers.
#[derive(Debug, Default)]
pub struct PacingBoard(Mutex<Arc<Pacing>>);

impl PacingBoard {
    #[must_use]
    pub fn current(&self) -> Arc<Pacing> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, pacing: Pacing) -> Arc<Pacing> {
        let pacing = Arc::new(pacing);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&pacing);
        pacing
    }
}

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
}

/// A line item and the four levels that pay for it.
struct Payer {
    id: LineItemId,
    ix: LineItemIx,
    mode: PacingMode,
    bid: Amount,
    window: BudgetDay,
    levels: [Control; 4],
}

impl PacingWorker {
    /// # Errors
    /// When the ledger cannot be read or the table not be logged; the table before stays in force.
    pub fn step(&mut self) -> Result<Duration> {
        let (began, now) = (Instant::now(), self.clock.now());
        let world = self.world.load();
        let payers = self.payers(&world.catalog, now)?;
        let before = self.board.current();
        let mut multipliers_ppm = BTreeMap::new();
        for payer in payers.iter().filter(|payer| payer.mode == PacingMode::Even) {
            let previous = before.multipliers_ppm.get(&payer.id).copied().unwrap_or(PPM);
            let multiplier = even(previous, &payer.plans(&world.catalog), now);
            if multiplier != PPM {
                multipliers_ppm.insert(payer.id, multiplier);
            }
        }
        let funded = self.funded(&payers);
        let changed = multipliers_ppm != before.multipliers_ppm || funded != before.funded;
        if changed || (before.number > 0 && now - self.last_full >= FULL_EVERY) {
            self.publish(&before, multipliers_ppm, funded, now)?;
        }
        // A large catalog takes a while: at most a tenth of the time goes into it.
        Ok(self.interval.max(began.elapsed() * 9))
    }

    fn publish(
        &mut self,
        before: &Pacing,
        multipliers_ppm: BTreeMap<LineItemId, u32>,
        funded: BTreeSet<LineItemId>,
        now: Timestamp,
    ) -> Result<()> {
        let number = pacing_tables::number_after(before.number, now, self.series);
        let pacing = Pacing { number, multipliers_ppm, funded };
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
        let can_lease = |payer: &&Payer| payer.levels.iter().all(|level| level.available() >= payer.bid);
        let (rich, poor): (Vec<&Payer>, Vec<&Payer>) = payers.iter().partition(can_lease);
        // Decisions wait for this lock: only the few that have to be looked up are.
        let (holds, now) = (self.promises.holds(), self.promises.now());
        let holding = poor.into_iter().filter(|payer| holds.free(payer.id, payer.window.day, now) >= payer.bid);
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
            Payer { id: row.id, ix: *ix, mode: row.pacing, bid: Amount::of(row.bid), window, levels: *levels }
        });
        Ok(payers.collect())
    }
}

fn window(catalog: &Catalog, row: &LineItemRow, now: Timestamp) -> BudgetDay {
    BudgetDay::of(catalog.advertiser(row.advertiser_ix).calendar, now)
}

const fn chain(row: &LineItemRow, window: &BudgetDay) -> Chain {
    Chain { account: row.advertiser, campaign: row.campaign, line_item: row.id, day: window.day }
}

/// The part of a budget day that a flight covers: what a day's budget has to last for.
#[must_use]
pub fn within(day: &BudgetDay, flight: Flight) -> (Timestamp, Timestamp) {
    let starts = flight.start.map_or(day.starts, |start| start.max(day.starts));
    let ends = flight.end.map_or(day.ends, |end| end.min(day.ends));
    (starts, ends)
}

impl Payer {
    /// Every budget that has a limit and a time to last. A flight without an end has no plan: its budget is spent as it comes.
    fn plans(&self, catalog: &Catalog) -> Vec<Plan> {
        let flight = catalog.flight(self.ix);
        let lifetime = flight.start.zip(flight.end);
        let day = Some(within(&self.window, flight));
        let [_, campaign, campaign_day, line_item] = &self.levels;
        let budgets = [(campaign, lifetime), (campaign_day, day), (line_item, lifetime)];
        let limited = budgets.into_iter().filter(|(control, _)| control.limit != UNLIMITED);
        let plan = |control: &Control, (start, end)| Plan {
            budget: control.total().nanos(),
            spent: control.spent.nanos(),
            start,
            end,
        };
        limited.filter_map(|(control, lasts)| Some(plan(control, lasts?))).collect()
    }
}
