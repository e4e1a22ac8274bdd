//! One decision three times beside each other: as recorded, settled again, and decided again from what was gathered.

use litfass_decide::{CandidateRecord, DecisionRecord, Market, Recomputed};
use litfass_market::Decision;
use litfass_types::{AdId, Probability, Row};

/// One value, as each of the three has it; `-` where it has none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiffRow {
    pub what: String,
    pub recorded: String,
    pub settled: String,
    /// `None` where the record does not hold enough to decide again.
    pub recomputed: Option<String>,
}

impl DiffRow {
    #[must_use]
    pub fn differs(&self) -> bool {
        self.recorded != self.settled || self.recomputed.as_ref().is_some_and(|again| *again != self.recorded)
    }
}

/// Every slot and every entrant, and of the other candidates those that did not come out the same.
#[must_use]
pub fn diff(record: &DecisionRecord, recomputed: Option<&Recomputed>) -> Vec<DiffRow> {
    let settled = record.replay();
    let sides = Sides { record, settled: &settled, recomputed };
    let mut rows = Vec::new();
    for placement in 0..record.market.placements.len() {
        (0..record.market.placements[placement].slots).for_each(|slot| rows.extend(sides.slot(placement, slot)));
    }
    record.market.entrants.ads().iter().for_each(|ad| rows.extend(sides.entrant(*ad)));
    let candidates = record.full.iter().flat_map(|full| &full.candidates);
    let others = candidates.filter(|c| !record.market.entrants.ads().contains(&c.ad));
    rows.extend(others.flat_map(|candidate| sides.candidate(candidate)).filter(DiffRow::differs));
    rows
}

struct Sides<'a> {
    record: &'a DecisionRecord,
    settled: &'a Decision,
    recomputed: Option<&'a Recomputed>,
}

impl Sides<'_> {
    fn slot(&self, placement: usize, slot: u8) -> Option<DiffRow> {
        let here = |p: u8, s: u8| usize::from(p) == placement && s == slot;
        let recorded = self.record.shown.iter().find(|s| here(s.placement, s.slot));
        let recorded = recorded.map(|s| won(s.ad, s.price.micros, s.price.per.name()));
        let of = |market: &Market, decision: &Decision| {
            let shown = decision.shown.iter().find(|s| here(s.placement, s.slot))?;
            let ad = *market.entrants.ads().get(shown.entrant)?;
            Some(won(ad, shown.price.micros, shown.price.per.name()))
        };
        let settled = of(&self.record.market, self.settled);
        let again = self.recomputed.map(|again| of(&again.market, &again.decision));
        let filled = recorded.is_some() || settled.is_some() || again.as_ref().is_some_and(Option::is_some);
        filled.then(|| row(format!("placement {placement} slot {slot}"), recorded, settled, again))
    }

    fn entrant(&self, ad: AdId) -> Vec<DiffRow> {
        let mut rows = vec![self.prediction(ad, "pCTR", |p| p.click), self.prediction(ad, "pCVR", |p| p.conversion)];
        rows.extend((0..self.record.market.placements.len()).map(|placement| self.fate(ad, placement)));
        rows
    }

    fn prediction(&self, ad: AdId, what: &str, of: impl Fn(&litfass_types::Prediction) -> Probability) -> DiffRow {
        let in_market = |market: &Market| {
            let at = market.entrants.ads().iter().position(|other| *other == ad)?;
            market.predictions.get(at).map(|p| number(of(p)))
        };
        let recorded = in_market(&self.record.market);
        row(
            format!("ad {ad} {what}"),
            recorded.clone(),
            recorded,
            self.recomputed.map(|again| in_market(&again.market)),
        )
    }

    fn fate(&self, ad: AdId, placement: usize) -> DiffRow {
        let recorded = self.record.full.as_ref().and_then(|full| {
            let candidate = full.candidates.iter().find(|c| c.ad == ad)?;
            candidate.fates.get(placement).map(|fate| fate.reason().code.to_owned())
        });
        let at = self.record.market.entrants.ads().iter().position(|other| *other == ad);
        let settled = at.and_then(|at| {
            let entrant = self.record.market.entrants.get(at);
            let admitted = entrant.admitted >> placement & 1 == 1;
            let fate = self.settled.fates.fate(entrant.row, placement).filter(|_| admitted)?;
            Some(fate.reason().code.to_owned())
        });
        // Settling again knows nothing of where it was not admitted, a bare record nothing of who lost.
        let (recorded, settled) = (recorded.clone().or_else(|| settled.clone()), settled.or(recorded));
        let again = self.recomputed.map(|again| self.fate_again(again, ad, placement));
        row(format!("ad {ad} at placement {placement}"), recorded, settled, again)
    }

    fn fate_again(&self, again: &Recomputed, ad: AdId, placement: usize) -> Option<String> {
        let fate = again.decision.fates.fate(again.row_of(ad)?, placement)?;
        Some(fate.reason().code.to_owned())
    }

    fn candidate(&self, candidate: &CandidateRecord) -> Vec<DiffRow> {
        let ad = candidate.ad;
        let score = Some(number(candidate.click));
        let again = self.recomputed.map(|again| {
            let Row(at) = again.row_of(ad)?;
            again.shortlist.clicks.get(usize::from(at)).map(|click| number(*click))
        });
        let mut rows = vec![row(format!("ad {ad} first score"), score.clone(), score, again)];
        rows.extend((0..candidate.fates.len()).map(|placement| self.fate(ad, placement)));
        rows
    }
}

fn won(ad: AdId, micros: i64, per: &str) -> String {
    format!("ad {ad} at {micros} per {per}")
}

fn number(probability: Probability) -> String {
    format!("{:.9}", probability.to_f64())
}

fn row(what: String, recorded: Option<String>, settled: Option<String>, again: Option<Option<String>>) -> DiffRow {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    DiffRow { what, recorded: text(recorded), settled: text(settled), recomputed: again.map(text) }
}
