//! One request's candidates against the table.

use litfass_catalog::{Catalog, Query};
use litfass_market::FateBoard;
use litfass_types::{AdIx, LineItemIx, Row};

use crate::caps::CapCounts;
use crate::columns::CandidateColumns;
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

impl PolicyRequest<'_> {
    /// Marks every cell whose candidate breaks a rule. Row i of the board is `ads[i]`, as row i of `columns`; ads past 2¹⁶
    /// have no row.
    pub fn mark(&self, ads: &[AdIx], columns: &CandidateColumns<'_>, board: &mut FateBoard) {
        for (i, (row, ad)) in (0..=u16::MAX).map(Row).zip(ads).enumerate() {
            let cap_reached = self.is_capped(*ad, columns, i);
            for (p, placement) in self.placements.iter().enumerate() {
                if let Some(rule) = first_broken(&self.case(columns, i, cap_reached, placement)) {
                    board.mark(row, p, rule.fate);
                }
            }
        }
    }

    fn is_capped(&self, ad: AdIx, columns: &CandidateColumns<'_>, i: usize) -> bool {
        !self.caps.is_empty() && self.caps.stop(self.catalog, ad, &columns.ads[i], &columns.line_items[i])
    }

    fn case<'c>(
        &self,
        columns: &'c CandidateColumns<'_>,
        i: usize,
        cap_reached: bool,
        placement: &'c PlacementRules,
    ) -> Case<'c> {
        let (ad, line_item, (format, review)) = (&columns.ads[i], &columns.line_items[i], columns.formats[i]);
        Case {
            format,
            review,
            needs_consent: line_item.needs_consent,
            advertiser: line_item.advertiser,
            categories: ad.categories,
            off_target: line_item.targets_placements && !self.matches(ad.line_item, placement),
            cap_reached,
            personalise: self.personalise,
            placement,
        }
    }

    fn matches(&self, line_item: LineItemIx, placement: &PlacementRules) -> bool {
        self.catalog.matches_at(line_item, self.query, Some(placement.term))
    }
}
