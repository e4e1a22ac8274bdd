//! One request's candidates against the table.

use litfass_catalog::{Catalog, Query};
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

impl PolicyRequest<'_> {
    /// Marks every cell whose candidate breaks a rule. Row i of the board is `ads[i]`; ads past 2¹⁶ have no row.
    pub fn mark(&self, ads: &[AdIx], board: &mut FateBoard) {
        for (row, ad) in (0..=u16::MAX).map(Row).zip(ads) {
            self.mark_row(row, *ad, board);
        }
    }

    fn mark_row(&self, row: Row, ix: AdIx, board: &mut FateBoard) {
        let ad = self.catalog.ad(ix);
        let line_item = self.catalog.line_item(ad.line_item);
        let creative = self.catalog.creative(ad.creative);
        let cap_reached = !self.caps.is_empty() && self.caps.stop(self.catalog, ix, &ad, line_item);
        for (p, placement) in self.placements.iter().enumerate() {
            let case = Case {
                format: creative.format,
                review: creative.review,
                needs_consent: line_item.needs_consent,
                advertiser: line_item.advertiser,
                categories: ad.categories,
                off_target: line_item.targets_placements && !self.matches(ad.line_item, placement),
                cap_reached,
                personalise: self.personalise,
                placement,
            };
            if let Some(rule) = first_broken(&case) {
                board.mark(row, p, rule.fate);
            }
        }
    }

    fn matches(&self, line_item: LineItemIx, placement: &PlacementRules) -> bool {
        self.catalog.matches_at(line_item, self.query, Some(placement.term))
    }
}
