//! Budget and cap holds of this process: nothing is shown that is not reserved.
//!
//! A refused hold settles the page again without what was refused, twice at most: the second time everything that could not
//! hold its bid is left out, and every line item of a campaign that met a cap, so the third page stands. Holds of a page that was not shown are taken back before anybody else
//! can see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use litfass_catalog::Catalog;
use litfass_decide::{DecisionRecord, Hold, Market, Observed, Settled, Shortlist, World, settle_market};
use litfass_ledger::{BudgetDay, Chain, Entrant, Held, HolderId, Holds, Monotonic, Terms};
use litfass_market::{Decision, Refusal, Shown};
use litfass_policy::caps_of;
use litfass_store::fold::{CapCounters, Wanted};
use litfass_types::{AdIx, AdvertiserId, CampaignId, Day, DecisionId, Fate, LineItemId, Probability, Row, Timestamp};

use crate::metrics::{Metrics, label::HoldResult};

#[derive(Debug)]
pub struct Promises {
    holds: Mutex<Holds>,
    caps: Arc<CapCounters>,
    metrics: Arc<Metrics>,
    began: Instant,
}

/// A page whose every slot is reserved.
#[derive(Debug)]
pub struct Promised {
    pub settled: Settled,
    /// One per shown ad.
    pub holds: Vec<Hold>,
    /// One per shown ad: the budget day it is charged to.
    pub days: Vec<Day>,
}

/// What one request's holds are taken against.
struct Page<'a> {
    id: DecisionId,
    world: &'a World,
    observed: &'a Observed,
    shortlist: &'a Shortlist,
    market: &'a Market,
    days: BTreeMap<AdvertiserId, BudgetDay>,
}

impl Promises {
    #[must_use]
    pub fn new(holder: HolderId, terms: Terms, caps: Arc<CapCounters>, metrics: Arc<Metrics>) -> Self {
        Self { holds: Mutex::new(Holds::new(holder, terms)), caps, metrics, began: Instant::now() }
    }

    /// Milliseconds of this process's monotonic clock.
    #[must_use]
    pub fn now(&self) -> Monotonic {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn settle_and_hold(
        &self,
        id: DecisionId,
        world: &World,
        observed: &Observed,
        shortlist: &Shortlist,
        market: &Market,
    ) -> Promised {
        let page = Page { id, world, observed, shortlist, market, days: budget_days(world, market, observed.now) };
        let mut holds = self.holds();
        let now = self.now();
        page.want(&mut holds, now);
        let mut refused: Vec<Refusal> = Vec::new();
        loop {
            let decision = settle_market(market, observed.seed, &refused, shortlist.board.clone());
            match self.take(&page, &mut holds, &decision, now) {
                Ok(held) => return page.promised(decision, refused, &held),
                Err(more) => {
                    let again = !refused.is_empty();
                    refused.extend(more);
                    if again {
                        page.refuse_the_hopeless(&holds, &mut refused, now);
                    }
                }
            }
        }
    }

    /// Holds for everything shown, or for nothing.
    fn take(
        &self,
        page: &Page<'_>,
        holds: &mut Holds,
        decision: &Decision,
        now: Monotonic,
    ) -> Result<Vec<Held>, Vec<Refusal>> {
        let mut held = Vec::with_capacity(decision.shown.len());
        let mut refused = Vec::new();
        for shown in &decision.shown {
            let (line_item, day) = page.charged(shown);
            match holds.try_hold(line_item, day, shown.price, page.click(shown), now) {
                Ok(hold) => held.push((shown, hold)),
                Err(_) => refused.push(Refusal { row: shown.row, fate: Fate::HoldRefused }),
            }
        }
        self.metrics.holds.add(HoldResult::BudgetRefused, refused.len() as u64);
        if refused.is_empty() {
            refused = self.hold_caps(page, decision);
        }
        if refused.is_empty() {
            self.metrics.holds.add(HoldResult::Granted, held.len() as u64);
            return Ok(held.into_iter().map(|(_, hold)| hold).collect());
        }
        for (shown, hold) in held {
            let (line_item, day) = page.charged(shown);
            holds.cancel(line_item, day, &hold);
        }
        Err(refused)
    }

    /// All caps of the page at once, or none.
    fn hold_caps(&self, page: &Page<'_>, decision: &Decision) -> Vec<Refusal> {
        let Some(user) = page.observed.request.user.filter(|_| !decision.shown.is_empty()) else { return Vec::new() };
        let wanted: Vec<Wanted> = decision.shown.iter().map(|shown| page.wanted(shown)).collect();
        let Err(reached) = self.caps.hold(user, page.id, &wanted, page.observed.now) else { return Vec::new() };
        self.metrics.holds.add(HoldResult::CapRefused, reached.refused.len() as u64);
        reached.refused.into_iter().map(|i| Refusal { row: decision.shown[i].row, fate: Fate::Capped }).collect()
    }

    /// Nobody was told of this decision: what it reserved is free again.
    pub fn break_off(&self, record: &DecisionRecord, days: &[Day]) {
        let mut holds = self.holds();
        if let Some(user) = record.inputs.request.user {
            self.caps.release(user, record.id, record.inputs.now);
        }
        for (shown, day) in record.shown.iter().zip(days) {
            let amount = litfass_ledger::hold_amount(shown.price, predicted(record, shown.row));
            let held = Held { lease: shown.lease, amount, hold_expires: shown.hold_expires };
            holds.cancel(shown.line_item, *day, &held);
        }
    }
}

fn predicted(record: &DecisionRecord, row: Row) -> Probability {
    let entrant = record.market.entrants.rows().iter().position(|r| *r == row);
    let prediction = entrant.and_then(|e| record.market.predictions.get(e));
    prediction.map_or(Probability::from_bits(1), |p| p.click)
}

/// The budget day of every advertiser that bids: few zones, many line items.
fn budget_days(world: &World, market: &Market, now: Timestamp) -> BTreeMap<AdvertiserId, BudgetDay> {
    let mut by_zone: BTreeMap<&str, BudgetDay> = BTreeMap::new();
    let mut days = BTreeMap::new();
    for id in market.entrants.advertisers() {
        if days.contains_key(id) {
            continue;
        }
        let Some(ix) = world.catalog.advertiser_by_id(*id) else { continue };
        let calendar = world.catalog.advertiser(ix).calendar;
        days.insert(*id, *by_zone.entry(calendar.name()).or_insert_with(|| BudgetDay::of(calendar, now)));
    }
    days
}

impl Page<'_> {
    fn catalog(&self) -> &Catalog {
        &self.world.catalog
    }

    fn ad(&self, shown: &Shown) -> AdIx {
        self.shortlist.candidates.ad[usize::from(shown.row.0)]
    }

    fn day(&self, advertiser: AdvertiserId) -> Day {
        self.days.get(&advertiser).map_or(Day(0), |window| window.day)
    }

    fn charged(&self, shown: &Shown) -> (LineItemId, Day) {
        let entrant = self.market.entrants.get(shown.entrant);
        (entrant.line_item, self.day(entrant.advertiser))
    }

    fn click(&self, shown: &Shown) -> Probability {
        self.market.predictions.get(shown.entrant).map_or(Probability::from_bits(1), |p| p.click)
    }

    fn wanted(&self, shown: &Shown) -> Wanted {
        let ix = self.ad(shown);
        let line_item = self.catalog().line_item(self.catalog().line_item_of(ix));
        let limits = caps_of(self.catalog(), ix).collect();
        Wanted { ad: self.catalog().ad(ix).id, line_item: line_item.id, campaign: line_item.campaign, limits }
    }

    /// Every entrant's budget is asked for, off this path, whether it wins or not.
    fn want(&self, holds: &mut Holds, now: Monotonic) {
        for entrant in self.market.entrants.iter() {
            let line_item = self.catalog().line_item_of(self.shortlist.candidates.ad[usize::from(entrant.row.0)]);
            let campaign = self.catalog().line_item(line_item).campaign;
            if let Some(window) = self.days.get(&entrant.advertiser).copied() {
                let chain =
                    Chain { account: entrant.advertiser, campaign, line_item: entrant.line_item, day: window.day };
                holds.want(&Entrant { chain, window, bid: entrant.bid }, now);
            }
        }
    }

    fn refuse_the_hopeless(&self, holds: &Holds, refused: &mut Vec<Refusal>, now: Monotonic) {
        let capped: BTreeSet<CampaignId> =
            refused.iter().filter(|r| r.fate == Fate::Capped).map(|r| self.campaign(r.row)).collect();
        let known: BTreeSet<Row> = refused.iter().map(|r| r.row).collect();
        for entrant in self.market.entrants.iter().filter(|entrant| !known.contains(&entrant.row)) {
            if capped.contains(&self.campaign(entrant.row)) {
                refused.push(Refusal { row: entrant.row, fate: Fate::Capped });
            } else if !holds.can_hold(entrant.line_item, self.day(entrant.advertiser), entrant.bid, now) {
                refused.push(Refusal { row: entrant.row, fate: Fate::HoldRefused });
            }
        }
    }

    fn campaign(&self, row: Row) -> CampaignId {
        let line_item = self.catalog().line_item_of(self.shortlist.candidates.ad[usize::from(row.0)]);
        self.catalog().line_item(line_item).campaign
    }

    fn promised(&self, decision: Decision, refused: Vec<Refusal>, held: &[Held]) -> Promised {
        let days = decision.shown.iter().map(|shown| self.charged(shown).1).collect();
        let holds = held.iter().map(|h| Hold { lease: h.lease, expires: h.hold_expires }).collect();
        Promised { settled: Settled { decision, refused }, holds, days }
    }
}
