//! Why a line item was not shown: it is evaluated against the requests in the log, and every obstacle is counted.
//!
//! Invariants: only people's requests to the line item's own tenant are looked at, each once, and each falls under exactly one
//! heading: it was not there yet, a predicate removed it, no source returned it, it came into no auction and the record does
//! not say why, or its best ad ended in one fate. Predicates are worked out again from the record, the catalog of that version
//! and the logged pacing tables; fates are what was recorded, or follow from settling the recorded auction again.

use std::collections::BTreeMap;

use anyhow::Result;
use litfass_catalog::Catalog;
use litfass_decide::{DecisionRecord, Ending, Standing, Verdict, takes_part, why_not};
use litfass_store::catalog::{CatalogStore, PartHistory, Wanted};
use litfass_store::log::EventLog;
use litfass_types::{Fate, Ineligible, LineItemId, TenantId, Timestamp};

use crate::pacing_tables::PacingHistory;
use crate::replay::{Window, each_decision};

/// In how many requests something stood in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Obstacle {
    /// As the first of its stage.
    pub first: u64,
    /// As the only one of its stage.
    pub only: u64,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WhyNot {
    /// Requests looked at; everything below is a part of them.
    pub requests: u64,
    /// It was not in the catalog yet.
    pub absent: u64,
    /// Every predicate let it through.
    pub eligible: u64,
    pub shown: u64,
    pub ineligible: BTreeMap<Ineligible, Obstacle>,
    /// How it ended where it was eligible and an ad of it is on record; shown is among them.
    pub fates: BTreeMap<Fate, Obstacle>,
    /// Eligible, and no source returned an ad of it.
    pub not_retrieved: u64,
    /// Eligible, in no auction, and the record does not hold the candidates that lost before it.
    pub unrecorded: u64,
    /// Recorded with every candidate.
    pub full: u64,
    /// Of pacing tables that do not say who had funds: counted as if it had.
    pub funds_unknown: u64,
    /// The record holds an ad of it although it is worked out to be ineligible: a fault of ours.
    pub contradicted: u64,
    /// In micros of a thousand impressions, one for each request in which it was outbid; ascending once it is finished.
    gaps: Vec<i64>,
    /// Times of the first and the last request.
    pub span: Option<(Timestamp, Timestamp)>,
    /// There were more decisions than may be looked at: the others begin at this time.
    pub cut_off_at: Option<Timestamp>,
}

/// A line item and where to look.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub log: &'a dyn EventLog,
    /// As it is now: for the line item's tenant and ads.
    pub catalog: &'a Catalog,
    pub line_item: LineItemId,
    pub window: Window,
    /// Decisions, whoever's they are, that are looked at, at most.
    pub decisions_max: u64,
}

/// The answer; `None` where the catalog has no such line item.
///
/// # Errors
/// When log or catalog cannot be read.
pub fn answer(
    question: &Question<'_>,
    store: CatalogStore,
    mut tell: impl FnMut(u64, Timestamp),
) -> Result<Option<WhyNot>> {
    let Some((tenant, wanted)) = subject(question) else { return Ok(None) };
    let Window { from, until } = question.window;
    let mut looked = Looking {
        line_item: question.line_item,
        pacing: PacingHistory::read(question.log, from, until)?,
        parts: PartHistory::new(store, wanted)?,
        found: WhyNot::default(),
    };
    let mut decisions = 0;
    each_decision(question.log, question.window, |record| {
        let (request, now) = (&record.inputs.request, record.inputs.now);
        if decisions == question.decisions_max {
            looked.found.cut_off_at = Some(now);
            return Ok(false);
        }
        decisions += 1;
        tell(decisions, now);
        if request.tenant == tenant && request.traffic.counts() {
            looked.take(record)?;
        }
        Ok(true)
    })?;
    looked.found.gaps.sort_unstable();
    Ok(Some(looked.found))
}

/// Whose it is, and what of the catalog its evaluation reads.
fn subject(question: &Question<'_>) -> Option<(TenantId, Wanted)> {
    let catalog = question.catalog;
    let ix = catalog.line_item_by_id(question.line_item)?;
    let tenant = catalog.line_item(ix).tenant;
    let placements = catalog.placements().filter(|placement| placement.tenant == tenant);
    let wanted = Wanted {
        line_items: vec![question.line_item],
        ads: catalog.ads_of(ix).map(|ad| catalog.ad(ad).id).collect(),
        placements: placements.map(|placement| placement.id).collect(),
    };
    Some((tenant, wanted))
}

struct Looking {
    line_item: LineItemId,
    pacing: PacingHistory,
    parts: PartHistory,
    found: WhyNot,
}

impl Looking {
    fn take(&mut self, record: &DecisionRecord) -> Result<()> {
        let catalog = self.parts.at(record.inputs.world.catalog)?;
        let paced = self.pacing.of(self.line_item, record.inputs.world.pacing);
        let funded = paced.and_then(|paced| paced.funded);
        let standing = Standing {
            catalog: &catalog,
            line_item: self.line_item,
            funded: funded.unwrap_or(true),
            paced_out: paced.is_some_and(|paced| {
                let share_ppm = paced.multiplier_ppm;
                share_ppm == 0 || (paced.by_requests && !takes_part(record.inputs.seed, self.line_item, share_ppm))
            }),
        };
        let at = record.inputs.now;
        let found = &mut self.found;
        found.requests += 1;
        found.full += u64::from(record.full.is_some());
        found.funds_unknown += u64::from(funded.is_none());
        found.span = Some(found.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        found.count(why_not(record, standing));
        Ok(())
    }
}

impl WhyNot {
    fn count(&mut self, verdict: Verdict) {
        let eligible = matches!(verdict, Verdict::NotRetrieved | Verdict::Unrecorded | Verdict::Ended(_));
        self.eligible += u64::from(eligible);
        match verdict {
            Verdict::Absent => self.absent += 1,
            Verdict::NotRetrieved => self.not_retrieved += 1,
            Verdict::Unrecorded => self.unrecorded += 1,
            Verdict::Contradicted => self.contradicted += 1,
            Verdict::Ineligible(failures) => {
                if let Some(first) = failures.first() {
                    self.ineligible.entry(first).or_default().first += 1;
                }
                if let Some(only) = failures.only() {
                    self.ineligible.entry(only).or_default().only += 1;
                }
            }
            Verdict::Ended(ending) => self.ended(&ending),
        }
    }

    fn ended(&mut self, ending: &Ending) {
        let obstacle = self.fates.entry(ending.fate).or_default();
        obstacle.first += 1;
        obstacle.only += u64::from(ending.only);
        self.shown += u64::from(ending.fate == Fate::Shown);
        // Nanos of an impression are micros of a thousand.
        let micros = ending.gap.map(|gap| i64::try_from(gap.0 >> 32).unwrap_or(i64::MAX));
        self.gaps.extend(micros);
    }

    /// By how much it was outbid in the middle of all cases, the lower of two; in micros of a thousand impressions.
    #[must_use]
    pub fn median_gap_micros(&self) -> Option<i64> {
        self.gaps.get(self.gaps.len().checked_sub(1)? / 2).copied()
    }
}
