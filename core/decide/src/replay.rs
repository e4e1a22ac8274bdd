//! A record settled again and held against what it says happened.
//!
//! Invariants: nothing is compared that replay cannot know (candidates that did not enter the auction, leases, timings); what
//! is compared is compared exactly; two identical outcomes have no difference.

use std::fmt;

use litfass_market::{Decision, PricedBy, Shown};
use litfass_types::{AdId, Fate, Ineligible, Price, Probability, Value};

use crate::record::{DecisionRecord, Market, ShownRecord};

/// One value that came out otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub at: At,
    pub recorded: String,
    pub again: String,
}

/// Which value. Placements are indices into the request's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// One property of what a slot shows.
    Slot { placement: usize, slot: u8, what: &'static str },
    /// How a candidate ended.
    Fate { placement: usize, ad: AdId },
    /// How many entrants ended like this.
    Count { placement: usize, fate: Fate },
    /// Line items that a predicate removed.
    Removed(Ineligible),
    /// Whether an ad that the sources returned is eligible.
    Eligible(AdId),
}

/// What a slot shows: the property whose change is a flip.
pub(crate) const AD: &str = "ad";

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Slot { placement, slot, what } => write!(f, "placement {placement} slot {slot} {what}")?,
            At::Fate { placement, ad } => write!(f, "placement {placement} fate of ad {ad}")?,
            At::Count { placement, fate } => write!(f, "placement {placement} entrants {}", fate.reason().code)?,
            At::Removed(why) => write!(f, "line items removed as {}", why.reason().code)?,
            At::Eligible(ad) => write!(f, "ad {ad}")?,
        }
        write!(f, ": {} → {}", self.recorded, self.again)
    }
}

/// Fates that only the auction gives, so that counts of them are the entrants' own.
const OF_THE_AUCTION: [Fate; 8] = [
    Fate::Shown,
    Fate::BelowFloor,
    Fate::AlreadyShown,
    Fate::AdvertiserLimit,
    Fate::ExcludedByRival,
    Fate::Outbid,
    Fate::HoldRefused,
    Fate::PassedOver,
];

/// Everything in which `again`, a page of `market`, is not what was recorded, placement by placement. The market is the
/// record's own where it was only settled again.
#[must_use]
pub fn differences(record: &DecisionRecord, market: &Market, again: &Decision) -> Vec<Difference> {
    let mut found = Vec::new();
    for placement in 0..record.market.placements.len() {
        let comparison = Comparison { record, market, again, placement };
        comparison.page(&mut found);
        comparison.fates(&mut found);
    }
    found
}

/// What stands in a slot, without the numbers of rows: they depend on how a catalog lay in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Slot {
    ad: Option<AdId>,
    value: Value,
    price: Price,
    /// Whose value set the price; `None` where the floor did.
    priced_by: Option<AdId>,
    explored: bool,
    propensity: Probability,
}

impl Slot {
    fn kept(record: &DecisionRecord, shown: &ShownRecord) -> Self {
        let ShownRecord { ad, value, price, explored, propensity, .. } = *shown;
        let priced_by = rival(&record.market, shown.priced_by);
        Self { ad: Some(ad), value, price, priced_by, explored, propensity }
    }

    fn made(market: &Market, shown: &Shown) -> Self {
        let Shown { value, price, explored, propensity, .. } = *shown;
        let ad = market.entrants.ads().get(shown.entrant).copied();
        Self { ad, value, price, priced_by: rival(market, shown.priced_by), explored, propensity }
    }

    fn told(slot: Option<&Self>) -> [(&'static str, String); 6] {
        let text = |tell: &dyn Fn(&Self) -> String| slot.map_or_else(|| "-".to_owned(), tell);
        let id = |id: Option<AdId>| id.map_or_else(|| "-".to_owned(), |ad| ad.to_string());
        [
            (AD, text(&|s| id(s.ad))),
            ("value", text(&|s| s.value.0.to_string())),
            ("price", text(&|s| format!("{} per {}", s.price.micros, s.price.per.name()))),
            ("priced by", text(&|s| id(s.priced_by))),
            ("explored", text(&|s| s.explored.to_string())),
            ("propensity", text(&|s| s.propensity.bits().to_string())),
        ]
    }
}

fn rival(market: &Market, priced_by: PricedBy) -> Option<AdId> {
    let PricedBy::Rival(row) = priced_by else { return None };
    let at = market.entrants.rows().iter().position(|r| *r == row)?;
    market.entrants.ads().get(at).copied()
}

struct Comparison<'a> {
    record: &'a DecisionRecord,
    market: &'a Market,
    again: &'a Decision,
    placement: usize,
}

impl Comparison<'_> {
    fn page(&self, found: &mut Vec<Difference>) {
        for slot in 0..self.slots() {
            let kept = self.record.shown.iter().find(|s| usize::from(s.placement) == self.placement && s.slot == slot);
            let made = self.again.shown.iter().find(|s| usize::from(s.placement) == self.placement && s.slot == slot);
            let kept = kept.map(|shown| Slot::kept(self.record, shown));
            let made = made.map(|shown| Slot::made(self.market, shown));
            if kept != made {
                let told = Slot::told(kept.as_ref()).into_iter().zip(Slot::told(made.as_ref()));
                for ((what, recorded), (_, again)) in told.filter(|(kept, made)| kept != made) {
                    let at = At::Slot { placement: self.placement, slot, what };
                    found.push(Difference { at, recorded, again });
                }
            }
        }
    }

    /// Slots that either side fills.
    fn slots(&self) -> u8 {
        let here = |placement: u8| usize::from(placement) == self.placement;
        let kept = self.record.shown.iter().filter(|s| here(s.placement)).map(|s| s.slot.saturating_add(1)).max();
        let made = self.again.shown.iter().filter(|s| here(s.placement)).map(|s| s.slot.saturating_add(1)).max();
        kept.max(made).unwrap_or(0)
    }

    /// Of each recorded entrant where everything is recorded, else as counts.
    fn fates(&self, found: &mut Vec<Difference>) {
        let Some(full) = &self.record.full else { return self.counts(found) };
        for entrant in self.record.market.entrants.iter().filter(|e| e.admitted >> self.placement & 1 == 1) {
            let kept =
                full.candidates.get(usize::from(entrant.row.0)).and_then(|c| c.fates.get(self.placement).copied());
            let made = self.fate(entrant.ad);
            if kept != made {
                found.push(fate_differs(self.placement, entrant.ad, kept, made));
            }
        }
    }

    fn fate(&self, ad: AdId) -> Option<Fate> {
        let at = self.market.entrants.ads().iter().position(|other| *other == ad)?;
        self.again.fates.fate(self.market.entrants.rows()[at], self.placement)
    }

    fn counts(&self, found: &mut Vec<Difference>) {
        let made = self.again.fates.count_by_fate(self.placement);
        let recorded = self.record.counts.get(self.placement);
        for fate in OF_THE_AUCTION {
            let kept = recorded.into_iter().flatten().find(|(f, _)| *f == fate).map_or(0, |(_, n)| *n);
            if kept != made.of(fate) {
                let (recorded, again) = (kept.to_string(), made.of(fate).to_string());
                found.push(Difference { at: At::Count { placement: self.placement, fate }, recorded, again });
            }
        }
    }
}

pub(crate) fn fate_differs(placement: usize, ad: AdId, recorded: Option<Fate>, again: Option<Fate>) -> Difference {
    let code = |fate: Option<Fate>| fate.map_or("-", |fate| fate.reason().code).to_owned();
    Difference { at: At::Fate { placement, ad }, recorded: code(recorded), again: code(again) }
}
