//! The answer to `GET /v1/line_items/{id}/why-not`, and what `litfass why-not --json` prints.

use litfass_types::{Fate, LineItemId, Reason, Stage};
use serde::Serialize;

use crate::why_not::{Obstacle, WhyNot};

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct WhyNotAnswer {
    pub line_item_id: u64,
    /// Requests of people to the line item's tenant.
    pub requests: u64,
    pub not_there_yet: u64,
    pub eligible: u64,
    pub shown: u64,
    /// Before there were candidates, in the table's order.
    pub predicates: Vec<ObstacleAnswer>,
    /// How it ended where it was eligible, in the table's order, without shown.
    pub fates: Vec<ObstacleAnswer>,
    pub not_retrieved: u64,
    pub unrecorded: u64,
    pub recorded_in_full: u64,
    pub funds_unknown: u64,
    pub contradicted: u64,
    /// Micros of a thousand impressions; absent where it was never outbid.
    pub median_gap_micros: Option<i64>,
    pub first_ms: Option<i64>,
    pub last_ms: Option<i64>,
    /// There were more decisions than are looked at in one answer: ask again from here.
    pub cut_off_at_ms: Option<i64>,
    /// What was worked out again, and what is from the record.
    pub recomputed: Vec<&'static str>,
    pub recorded: Vec<&'static str>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ObstacleAnswer {
    pub code: &'static str,
    pub stage: &'static str,
    pub text: &'static str,
    /// Requests in which it was the first obstacle of its stage, and their share of all requests.
    pub first: u64,
    pub first_share: f64,
    /// The same where it was the only one.
    pub only: u64,
    pub only_share: f64,
}

impl WhyNotAnswer {
    #[must_use]
    pub fn new(line_item: LineItemId, found: &WhyNot) -> Self {
        let row = |reason: Reason, obstacle: &Obstacle| ObstacleAnswer::new(reason, *obstacle, found.requests);
        let fates = found.fates.iter().filter(|(fate, _)| **fate != Fate::Shown);
        Self {
            line_item_id: line_item.0,
            requests: found.requests,
            not_there_yet: found.absent,
            eligible: found.eligible,
            shown: found.shown,
            predicates: found.ineligible.iter().map(|(why, obstacle)| row(why.reason(), obstacle)).collect(),
            fates: fates.map(|(fate, obstacle)| row(fate.reason(), obstacle)).collect(),
            not_retrieved: found.not_retrieved,
            unrecorded: found.unrecorded,
            recorded_in_full: found.full,
            funds_unknown: found.funds_unknown,
            contradicted: found.contradicted,
            median_gap_micros: found.median_gap_micros(),
            first_ms: found.span.map(|(first, _)| first.0),
            last_ms: found.span.map(|(_, last)| last.0),
            cut_off_at_ms: found.cut_off_at.map(|at| at.0),
            recomputed: vec!["predicates", "whether a rule was the only one broken", "median_gap_micros"],
            recorded: vec![
                "requests",
                "fates of full records",
                "auctions, which are settled again",
                "who had funds",
                "pacing",
            ],
        }
    }
}

impl ObstacleAnswer {
    fn new(reason: Reason, obstacle: Obstacle, requests: u64) -> Self {
        let stage = match reason.stage {
            Stage::Technical => "technical",
            Stage::Business => "business",
            Stage::Competition => "competition",
        };
        Self {
            code: reason.code,
            stage,
            text: reason.text,
            first: obstacle.first,
            first_share: share(obstacle.first, requests),
            only: obstacle.only,
            only_share: share(obstacle.only, requests),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}
