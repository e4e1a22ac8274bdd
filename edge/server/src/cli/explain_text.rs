//! An explanation as text for a terminal.

use std::fmt::Write;

use crate::console::numbers::{moment, percent, price};
use crate::console::view::{CandidateView, Count, Ending, ExplanationView, Fact, PlacementView, ShownView};

pub(super) fn text(view: &ExplanationView) -> String {
    let mut page = Page(String::new());
    page.line(0, &format!("decision {} at {}", view.id, moment(view.time_ms)));
    page.line(1, &format!("asked: {}", joined(&view.request)));
    page.line(1, &format!("decided with: {}", joined(&view.world)));
    if !view.degraded.is_empty() {
        page.line(1, &format!("decided without: {}", view.degraded.join(", ")));
    }
    view.placements.iter().for_each(|placement| page.placement(placement));
    page.ineligible(view);
    page.candidates(view);
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a text does not fail.
        writeln!(self.0, "{:1$}{text}", "", depth * 2).unwrap_or(());
    }

    fn placement(&mut self, placement: &PlacementView) {
        let PlacementView { id, name, slots, floor_micros, shown, fates } = placement;
        self.line(0, "");
        self.line(0, &format!("placement {id} ({name}): {slots} slots, floor {} per mille", units(*floor_micros)));
        shown.iter().for_each(|shown| self.shown(shown));
        fates.iter().for_each(|count| self.count(count));
    }

    fn shown(&mut self, shown: &ShownView) {
        let how = if shown.explored { "drawn for exploration" } else { "auctioned" };
        let ad = format!("slot {}: ad {} “{}” of {}", shown.slot, shown.ad_id, shown.title, shown.advertiser);
        self.line(1, &ad);
        let worth = format!("worth {:.2} per mille, pCTR {}", shown.value_micros / 1e6, percent(shown.pctr));
        self.line(2, &format!("{how}, pays {} of a bid of {}, {worth}", price(&shown.price), price(&shown.bid)));
        if let Some(rival) = &shown.runner_up {
            let worth = rival.value_micros / 1e6;
            let named = format!("ad {} “{}” of {}", rival.ad_id, rival.title, rival.advertiser);
            self.line(2, &format!("runner-up, whose worth set the price: {named}, worth {worth:.2} per mille"));
        }
    }

    fn count(&mut self, count: &Count) {
        self.line(1, &format!("{:>6} {:<18} {}", count.count, count.code, count.text));
    }

    fn ineligible(&mut self, view: &ExplanationView) {
        if !view.ineligible.is_empty() {
            self.line(0, "");
            self.line(0, "line items that were no candidates, by the first predicate they failed");
            view.ineligible.iter().for_each(|count| self.count(count));
        }
    }

    fn candidates(&mut self, view: &ExplanationView) {
        let recorded =
            if view.full { "every candidate" } else { "the entrants; only a full record keeps every candidate" };
        self.line(0, "");
        self.line(0, &format!("candidates: {recorded}"));
        if !view.recomputed.is_empty() {
            self.line(1, &format!("worked out again, not recorded: {}", view.recomputed.join(", ")));
        }
        view.candidates.iter().for_each(|candidate| self.candidate(candidate));
    }

    fn candidate(&mut self, c: &CandidateView) {
        let owner = format!("line item {} of {}, {}", c.line_item_id, c.campaign, c.advertiser);
        self.line(1, &format!("ad {} “{}” ({owner})", c.ad_id, c.title));
        let known = [
            (!c.sources.is_empty()).then(|| format!("found by {}", c.sources.join(", "))),
            c.score.map(|score| format!("first score {score:.5}")),
            c.bid.as_ref().map(|bid| format!("bid {}", price(bid))),
            c.pctr.map(|p| format!("pCTR {}", percent(p))),
            c.pcvr.map(|p| format!("pCVR {}", percent(p))),
            c.pacing_ppm.filter(|ppm| *ppm < 1_000_000).map(|ppm| format!("paced to {ppm} ppm")),
            c.value_micros.map(|micros| format!("worth {:.2} per mille", micros / 1e6)),
        ];
        self.line(2, &known.into_iter().flatten().collect::<Vec<_>>().join("; "));
        for (ending, placement) in c.fates.iter().zip(0..) {
            self.ending(placement, ending);
        }
        if !c.features.is_empty() {
            self.line(2, &format!("features: {}", joined(&c.features)));
        }
    }

    fn ending(&mut self, placement: usize, ending: &Ending) {
        let slot = ending.slot.map_or_else(String::new, |slot| format!(" in slot {slot}"));
        let paid = ending.price.as_ref().map_or_else(String::new, |paid| format!(" at {}", price(paid)));
        self.line(2, &format!("placement {placement}: {}{slot}{paid}: {}", ending.code, ending.text));
    }
}

fn joined(facts: &[Fact]) -> String {
    facts.iter().map(|fact| format!("{} {}", fact.name, fact.value)).collect::<Vec<_>>().join("; ")
}

fn units(micros: i64) -> String {
    crate::console::numbers::amount(micros)
}
