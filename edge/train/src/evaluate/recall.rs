//! How much of what was bought each source had returned, and how much was left after the cut.

use litfass_retrieval::Source;

use super::judge::Segment;
use super::market::Page;
use super::replay::{Basket, State};
use super::report::RecallLine;

/// Bought products found, by segment, and how many candidates it took.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    hits: [u64; 3],
    returned: u64,
}

impl Found {
    fn add(&mut self, segments: [bool; 3], basket: &Basket, product: usize) {
        self.returned += 1;
        if basket.has(product) {
            count(&mut self.hits, segments, 1);
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Recall {
    baskets: u64,
    /// Bought products that had been sold before, by segment.
    wanted: [u64; 3],
    sources: [Found; Source::ALL.len()],
    candidates: Found,
    entrants: Found,
    shown: Found,
}

impl Recall {
    pub(super) fn take(&mut self, state: &State<'_>, basket: &Basket, page: &Page) {
        let returning = state.orders(basket) > 0;
        let segments = Segment::ALL.map(|segment| match segment {
            Segment::All => true,
            Segment::Returning => returning,
            Segment::FirstTime => !returning,
        });
        self.baskets += 1;
        let wanted = basket.products.iter().filter(|product| state.counts(**product).clicks > 0).count();
        count(&mut self.wanted, segments, wanted as u64);
        for (product, sources) in &page.candidates {
            self.candidates.add(segments, basket, *product);
            for source in sources.iter() {
                self.sources[source as usize].add(segments, basket, *product);
            }
        }
        page.entrants.iter().for_each(|product| self.entrants.add(segments, basket, *product));
        page.shown.iter().for_each(|product| self.shown.add(segments, basket, *product));
    }

    pub(super) fn lines(&self) -> Vec<RecallLine> {
        let sources = Source::ALL.iter().map(|source| (source.name(), self.sources[*source as usize]));
        let stages = [("candidates", self.candidates), ("entrants", self.entrants), ("shown", self.shown)];
        sources.chain(stages).map(|(name, found)| self.line(name, &found)).collect()
    }

    fn line(&self, name: &'static str, found: &Found) -> RecallLine {
        let share = |i: usize| found.hits[i] as f64 / self.wanted[i].max(1) as f64;
        let returned = found.returned as f64 / self.baskets.max(1) as f64;
        RecallLine { name, recall: [share(0), share(1), share(2)], returned }
    }
}

fn count(sums: &mut [u64; 3], segments: [bool; 3], n: u64) {
    for (sum, _) in sums.iter_mut().zip(segments).filter(|(_, in_it)| *in_it) {
        *sum += n;
    }
}
