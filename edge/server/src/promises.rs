//! Budget and cap holds of this process: nothing is shown that is not reserved.
//!
//! A refused hold settles the page again without what was refused, twice at most: the second time everything that could not
//! hold its bid is left out, and every line item of a campaign that met a cap, or advertiser that met a cap, so the third page
//! stands. Budget is held before caps, and given back where a cap refuses: the store of caps may be a round trip away, and nobody
//! waits for budget meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use litfass_catalog::{CapScope, Catalog};
use litfass_decide::{DecisionRecord, Hold, Market, Settled, Shortlist, World, settle_market};
use litfass_ledger::{BudgetDay, Chain, Entrant, Held, HolderId, Holds, Monotonic, Terms};
use litfass_market::{Decision, Refusal, Shown};
use litfass_policy::caps_of;
use litfass_store::caps::{CapStore, Counted, NotHeld, Wanted};
use litfass_types::{AdIx, AdvertiserId, Day, DecisionId, Fate, LineItemId, Probability, Row, Timestamp};

use crate::cap_policy::{CapPolicy, WhenUnavailable};
use crate::gather::Seen;
use crate::metrics::{Metrics, label::HoldResult};

#[derive(Debug)]
pub struct Promises {
    holds: Mutex<Holds>,
    caps: Arc<dyn CapStore>,
    cap_policy: CapPolicy,
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
    seen: &'a Seen,
    shortlist: &'a Shortlist,
    market: &'a Market,
    days: BTreeMap<AdvertiserId, BudgetDay>,
}

impl Promises {
    #[must_use]
    pub fn new(
        holder: HolderId,
        terms: Terms,
        (caps, cap_policy): (Arc<dyn CapStore>, CapPolicy),
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { holds: Mutex::new(Holds::new(holder, terms)), caps, cap_policy, metrics, began: Instant::now() }
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
        seen: &Seen,
        shortlist: &Shortlist,
        market: &Market,
    ) -> Promised {
        let observed = &seen.observed;
        let page = Page { id, world, seen, shortlist, market, days: budget_days(world, market, observed.now) };
        let now = self.now();
        page.want(&mut self.holds(), now);
        let mut refused: Vec<Refusal> = Vec::new();
        loop {
            let decision = settle_market(market, observed.seed, &refused, shortlist.board.clone());
            match self.take(&page, &decision, now) {
                Ok(held) => return page.promised(decision, refused, &held),
                Err(more) => {
                    let again = !refused.is_empty();
                    refused.extend(more);
                    if again {
                        page.refuse_the_hopeless(&self.holds(), &mut refused, now);
                    }
                }
            }
        }
    }

    /// Holds for everything shown, or for nothing.
    fn take(&self, page: &Page<'_>, decision: &Decision, now: Monotonic) -> Result<Vec<Held>, Vec<Refusal>> {
        let held = self.hold_budget(page, decision, now)?;
        let refused = self.hold_caps(page, decision);
        if refused.is_empty() {
            self.metrics.holds.add(HoldResult::Granted, held.len() as u64);
            return Ok(held);
        }
        cancel(page, &mut self.holds(), decision.shown.iter().zip(&held));
        Err(refused)
    }

    fn hold_budget(&self, page: &Page<'_>, decision: &Decision, now: Monotonic) -> Result<Vec<Held>, Vec<Refusal>> {
        let mut holds = self.holds();
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
            return Ok(held.into_iter().map(|(_, hold)| hold).collect());
        }
        cancel(page, &mut holds, held.iter().map(|(shown, hold)| (*shown, hold)));
        Err(refused)
    }

    /// All caps of the page at once, or none.
    fn hold_caps(&self, page: &Page<'_>, decision: &Decision) -> Vec<Refusal> {
        let observed = &page.seen.observed;
        let Some(user) = observed.request.user.filter(|_| !decision.shown.is_empty()) else { return Vec::new() };
        let wanted: Vec<Wanted> = decision.shown.iter().map(|shown| page.wanted(shown)).collect();
        let held = match page.seen.looked.clone() {
            Some(looked) => self.caps.hold(user, looked, page.id, &wanted, observed.now),
            None => Err(NotHeld::Away),
        };
        match held {
            Ok(()) => Vec::new(),
            Err(NotHeld::Reached(reached)) => {
                self.metrics.holds.add(HoldResult::CapRefused, reached.refused.len() as u64);
                reached
                    .refused
                    .into_iter()
                    .map(|i| Refusal { row: decision.shown[i].row, fate: Fate::Capped })
                    .collect()
            }
            Err(NotHeld::Away) => self.without_caps(page, &wanted),
        }
    }

    /// Nobody knows how often the viewer has seen these.
    fn without_caps(&self, page: &Page<'_>, wanted: &[Wanted]) -> Vec<Refusal> {
        let capped = wanted.iter().filter(|ad| !ad.limits.is_empty()).count();
        match self.cap_policy.when_unavailable {
            WhenUnavailable::Closed if capped > 0 => page.refuse_the_capped(),
            WhenUnavailable::Closed => Vec::new(),
            WhenUnavailable::Open => {
                self.metrics.caps_uncertain.add((), capped as u64);
                Vec::new()
            }
        }
    }

    /// Nobody was told of this decision: what it reserved is free again.
    pub fn break_off(&self, record: &DecisionRecord, days: &[Day]) {
        if let Some(user) = record.inputs.request.user {
            self.caps.release(user, record.id, record.inputs.now);
        }
        let mut holds = self.holds();
        for (shown, day) in record.shown.iter().zip(days) {
            let amount = litfass_ledger::hold_amount(shown.price, predicted(record, shown.row));
            let held = Held { lease: shown.lease, amount, hold_expires: shown.hold_expires };
            holds.cancel(shown.line_item, *day, &held);
        }
    }
}

fn cancel<'a>(page: &Page<'_>, holds: &mut Holds, held: impl Iterator<Item = (&'a Shown, &'a Held)>) {
    for (shown, hold) in held {
        let (line_item, day) = page.charged(shown);
        holds.cancel(line_item, day, hold);
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

    fn ad_of(&self, row: Row) -> AdIx {
        self.shortlist.candidates.ad[usize::from(row.0)]
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
        let ix = self.ad_of(shown.row);
        let line_item = self.catalog().line_item(self.catalog().line_item_of(ix));
        let limits = caps_of(self.catalog(), ix).collect();
        let (line_item, campaign, advertiser) = (line_item.id, line_item.campaign, line_item.advertiser);
        Wanted { counted: Counted { ad: self.catalog().ad(ix).id, line_item, campaign, advertiser }, limits }
    }

    /// Every entrant's budget is asked for, off this path, whether it wins or not.
    fn want(&self, holds: &mut Holds, now: Monotonic) {
        for entrant in self.market.entrants.iter() {
            let line_item = self.catalog().line_item_of(self.ad_of(entrant.row));
            let campaign = self.catalog().line_item(line_item).campaign;
            if let Some(window) = self.days.get(&entrant.advertiser).copied() {
                let chain =
                    Chain { account: entrant.advertiser, campaign, line_item: entrant.line_item, day: window.day };
                holds.want(&Entrant { chain, window, bid: entrant.bid }, now);
            }
        }
    }

    fn refuse_the_hopeless(&self, holds: &Holds, refused: &mut Vec<Refusal>, now: Monotonic) {
        let capped = refused.iter().filter(|r| r.fate == Fate::Capped).map(|r| self.cap_group(r.row)).collect();
        let capped: BTreeSet<CapScope> = capped;
        let known: BTreeSet<Row> = refused.iter().map(|r| r.row).collect();
        for entrant in self.market.entrants.iter().filter(|entrant| !known.contains(&entrant.row)) {
            if capped.contains(&self.cap_group(entrant.row)) {
                refused.push(Refusal { row: entrant.row, fate: Fate::Capped });
            } else if !holds.can_hold(entrant.line_item, self.day(entrant.advertiser), entrant.bid, now) {
                refused.push(Refusal { row: entrant.row, fate: Fate::HoldRefused });
            }
        }
    }

    /// Everything that has a cap, whether it won or not.
    fn refuse_the_capped(&self) -> Vec<Refusal> {
        let entrants = self.market.entrants.iter();
        let capped = entrants.filter(|entrant| caps_of(self.catalog(), self.ad_of(entrant.row)).next().is_some());
        capped.map(|entrant| Refusal { row: entrant.row, fate: Fate::CapsUnknown }).collect()
    }

    /// The widest object whose cap an ad may have met.
    fn cap_group(&self, row: Row) -> CapScope {
        let line_item = self.catalog().line_item(self.catalog().line_item_of(self.ad_of(row)));
        let advertiser_has_caps = self.catalog().advertiser_caps(line_item.advertiser_ix).next().is_some();
        if advertiser_has_caps {
            CapScope::Advertiser(line_item.advertiser)
        } else {
            CapScope::Campaign(line_item.campaign)
        }
    }

    fn promised(&self, decision: Decision, refused: Vec<Refusal>, held: &[Held]) -> Promised {
        let days = decision.shown.iter().map(|shown| self.charged(shown).1).collect();
        let holds = held.iter().map(|h| Hold { lease: h.lease, expires: h.hold_expires }).collect();
        Promised { settled: Settled { decision, refused }, holds, days }
    }
}
