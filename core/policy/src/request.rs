//! One request's candidates against the table.

use litfass_catalog::{Catalog, Query};
use litfass_market::FateBoard;
use litfass_types::{AdIx, LineItemIx, Row};

use crate::caps::CapCounts;
use crate::columns::CandidateColumns;
use crate::placement::PlacementRules;
use crate::rules::{Case, Rule, all_broken, first_broken};

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
    pub fn mark(&self, ads: &[AdIx], columns: &CandidateColumns, board: &mut FateBoard) {
        let capped = self.capped(ads, columns);
        for (p, placement) in self.placements.iter().enumerate() {
            let blocked = placement.blocked_rows(self.catalog, ads);
            for (i, row) in (0..ads.len()).zip((0..=u16::MAX).map(Row)) {
                let told = |column: &[bool]| column.get(i).copied().unwrap_or(false);
                let case = self.case(columns, i, placement, [told(&blocked), told(&capped)]);
                if let Some(rule) = first_broken(&case) {
                    board.mark(row, p, rule.fate);
                }
            }
        }
    }

    /// Whether a cap stops each ad; empty where nothing was counted of the viewer.
    fn capped(&self, ads: &[AdIx], columns: &CandidateColumns) -> Vec<bool> {
        if self.caps.is_empty() {
            return Vec::new();
        }
        let rows = ads.iter().zip(&columns.ads).zip(&columns.bidders);
        rows.map(|((ix, ad), bidder)| self.caps.stop(self.catalog, *ix, ad.id, bidder)).collect()
    }

    /// Every rule that one ad breaks at one of the placements, in the table's order.
    #[must_use]
    pub fn broken(&self, ad: AdIx, placement: usize) -> Vec<&'static Rule> {
        let columns = CandidateColumns::new(self.catalog, &[ad]);
        let Some(rules) = self.placements.get(placement) else { return Vec::new() };
        let told = [rules.blocked_rows(self.catalog, &[ad]), self.capped(&[ad], &columns)];
        let told = told.map(|column| column.first().copied().unwrap_or(false));
        all_broken(&self.case(&columns, 0, rules, told)).collect()
    }

    fn case<'c>(
        &self,
        columns: &CandidateColumns,
        i: usize,
        placement: &'c PlacementRules,
        [category_blocked, capped]: [bool; 2],
    ) -> Case<'c> {
        let (row, bidder, (format, review)) = (&columns.ads[i], &columns.bidders[i], columns.formats[i]);
        Case {
            format,
            review,
            needs_consent: bidder.needs_consent,
            advertiser: bidder.advertiser,
            category_blocked,
            off_target: bidder.targets_placements && !self.matches(row.line_item, placement),
            cap_reached: capped && !self.caps.are_unknown(),
            cap_unknown: capped && self.caps.are_unknown(),
            personalise: self.personalise,
            placement,
        }
    }

    fn matches(&self, line_item: LineItemIx, placement: &PlacementRules) -> bool {
        self.catalog.matches_at(line_item, self.query, Some(placement.term))
    }
}
