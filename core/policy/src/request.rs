//! One request's candidates against the table.

use litfass_catalog::model::{Format, Review};
use litfass_catalog::{AdRow, Catalog, LineItemRow, Query};
use litfass_market::FateBoard;
use litfass_types::{AdIx, LineItemIx, Row};

use crate::caps::CapCounts;
use crate::placement::PlacementRules;
use crate::rules::{Case, first_broken};

/// What the rules need to know of a request.
#[derive(Clone, Copy, Debug)]
pub struct PolicyRequest<'a> {
    pub catalog: &'a Catalog,
    /// The query that found the candidates.
    pub query: &'a Query<'a>,
    /// In the request's order.
    pub placements: &'a [PlacementRules],
    pub personalise: bool,
    /// The viewer's; empty where nothing is known.
    pub caps: &'a CapCounts,
}

/// What the rules read of one candidate, wherever it would be placed.
struct Facts<'a> {
    ad: AdRow<'a>,
    line_item: &'a LineItemRow,
    format: Format,
    review: Review,
    cap_reached: bool,
}

impl PolicyRequest<'_> {
    /// Marks every cell whose candidate breaks a rule. Row i of the board is `ads[i]`; ads past 2¹⁶ have no row.
    pub fn mark(&self, ads: &[AdIx], board: &mut FateBoard) {
        for (row, facts) in (0..=u16::MAX).map(Row).zip(&self.facts(ads)) {
            for (p, placement) in self.placements.iter().enumerate() {
                if let Some(rule) = first_broken(&self.case(facts, placement)) {
                    board.mark(row, p, rule.fate);
                }
            }
        }
    }

    /// Table by table: rows of one table can be fetched at the same time, where a row's line item has to wait for the row.
    fn facts(&self, ads: &[AdIx]) -> Vec<Facts<'_>> {
        let catalog = self.catalog;
        let rows: Vec<AdRow<'_>> = ads.iter().map(|ad| catalog.ad(*ad)).collect();
        let line_items: Vec<&LineItemRow> = rows.iter().map(|ad| catalog.line_item(ad.line_item)).collect();
        let creatives: Vec<(Format, Review)> = rows.iter().map(|ad| catalog.creative_format(ad.creative)).collect();
        let columns = ads.iter().zip(rows).zip(line_items).zip(creatives);
        let facts = columns.map(|(((ix, ad), line_item), (format, review))| {
            let cap_reached = !self.caps.is_empty() && self.caps.stop(catalog, *ix, &ad, line_item);
            Facts { ad, line_item, format, review, cap_reached }
        });
        facts.collect()
    }

    fn case<'c>(&self, facts: &'c Facts<'_>, placement: &'c PlacementRules) -> Case<'c> {
        let Facts { ad, line_item, format, review, cap_reached } = facts;
        Case {
            format: *format,
            review: *review,
            needs_consent: line_item.needs_consent,
            advertiser: line_item.advertiser,
            categories: ad.categories,
            off_target: line_item.targets_placements && !self.matches(ad.line_item, placement),
            cap_reached: *cap_reached,
            personalise: self.personalise,
            placement,
        }
    }

    fn matches(&self, line_item: LineItemIx, placement: &PlacementRules) -> bool {
        self.catalog.matches_at(line_item, self.query, Some(placement.term))
    }
}
