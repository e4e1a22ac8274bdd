//! The auction once more, from its definition: nothing is carried from slot to slot but who stands where.

use crate::world::{World, world};
use litfass_market::{Entrant, Factors, Shown};
use litfass_types::{Fate, Prediction, Row, Value};
use proptest::prelude::*;

struct Twin<'a> {
    world: &'a World,
    /// (placement, entrant, price, explored)
    page: Vec<(usize, Entrant, i64, bool)>,
}

impl Twin<'_> {
    fn rank(&self, (e, p): &(Entrant, Prediction), micros: i64) -> (Value, u64, u64) {
        (e.factors(*p).value(micros), self.world.seed.derive(1).derive(e.ad.0).0, e.ad.0)
    }

    fn clears_floor(&self, (e, p): &(Entrant, Prediction), micros: i64, placement: usize) -> bool {
        let floor = Value::from_nanos(self.world.placements[placement].floor);
        e.factors(*p).value(micros) > Value(0) && Factors::revenue(e.bid.per, *p).value(micros) >= floor
    }

    /// The first obstacle that came up, in the order in which the page was filled.
    fn obstacle(&self, row: &(Entrant, Prediction), placement: usize) -> Option<Fate> {
        (0..=self.page.len()).find_map(|n| self.obstacle_after(n, row, placement))
    }

    fn obstacle_after(&self, n: usize, row: &(Entrant, Prediction), placement: usize) -> Option<Fate> {
        let (e, page) = (&row.0, &self.page[..n]);
        let here = page.iter().filter(|(p, s, ..)| *p == placement && s.advertiser == e.advertiser).count();
        let refusal = self.world.refused.iter().find(|r| r.row == e.row).map(|r| r.fate);
        let shown = page.iter().any(|(_, s, ..)| s.ad == e.ad || s.line_item == e.line_item);
        let rival = page.iter().any(|(_, s, ..)| s.advertiser != e.advertiser && s.exclusions & e.exclusions != 0);
        let limited = here >= usize::from(self.world.placements[placement].max_per_advertiser);
        if e.admitted >> placement & 1 == 0 {
            Some(Fate::BelowCut)
        } else if refusal.is_some() {
            refusal
        } else if !self.clears_floor(row, e.bid.micros, placement) {
            Some(Fate::BelowFloor)
        } else {
            [(shown, Fate::AlreadyShown), (rival, Fate::ExcludedByRival), (limited, Fate::AdvertiserLimit)]
                .into_iter()
                .find_map(|(holds, fate)| holds.then_some(fate))
        }
    }

    fn admissible(&self, placement: usize) -> Vec<(Entrant, Prediction)> {
        let mut rows: Vec<_> =
            self.world.rows.iter().copied().filter(|r| self.obstacle(r, placement).is_none()).collect();
        rows.sort_by_key(|r| std::cmp::Reverse(self.rank(r, r.0.bid.micros)));
        rows
    }

    /// The smallest bid that clears the floor and ranks above the best of another advertiser, by bisection.
    fn price(&self, winner: &(Entrant, Prediction), field: &[(Entrant, Prediction)], placement: usize) -> i64 {
        let rival = field.iter().find(|r| r.0.advertiser != winner.0.advertiser);
        // What pacing leaves of a bid is a bid.
        let (entrant, prediction) = *winner;
        let winner = &(Entrant { pacing_ppm: entrant.pacing_ppm.max(1_000_000), ..entrant }, prediction);
        let keeps = |micros: i64| {
            self.clears_floor(winner, micros, placement)
                && rival.is_none_or(|r| self.rank(winner, micros) > self.rank(r, r.0.bid.micros))
        };
        let (mut loses, mut wins) = (0, winner.0.bid.micros);
        while wins - loses > 1 {
            let middle = i64::midpoint(loses, wins);
            if keeps(middle) { wins = middle } else { loses = middle }
        }
        wins
    }

    fn settle(&mut self) -> Vec<Vec<(Row, Option<Fate>)>> {
        let explores = |p: usize| {
            let draw = self.world.seed.derive(2).derive(p as u64).below(1_000_000);
            draw < u64::from(self.world.rules.exploration_ppm)
        };
        let explores: Vec<bool> = (0..self.world.placements.len()).map(explores).collect();
        let mut fates = Vec::new();
        for (p, offer) in self.world.placements.iter().enumerate() {
            let start = self.page.len();
            let mut passed = None;
            let obstacles =
                |twin: &Self| twin.world.rows.iter().map(|r| (r.0.row, twin.obstacle(r, p))).collect::<Vec<_>>();
            let mut before_last = obstacles(self);
            for slot in 0..offer.slots {
                let field = self.admissible(p);
                before_last = obstacles(self);
                let Some(best) = field.first() else { break };
                let reserved = explores[p] && slot + 1 == offer.slots;
                let draw = |r: &&(Entrant, Prediction)| self.world.seed.derive(3).derive(p as u64).derive(r.0.ad.0).0;
                let winner = if reserved { field.iter().max_by_key(draw).unwrap_or(best) } else { best };
                let price = self.price(winner, if reserved { &[] } else { &field }, p);
                passed = (winner.0.row != best.0.row).then_some(best.0.row);
                self.page.push((p, winner.0, price, reserved));
            }
            let shown: Vec<Row> = self.page[start..].iter().map(|(_, e, ..)| e.row).collect();
            let lost = |row| if passed == Some(row) { Fate::PassedOver } else { Fate::Outbid };
            let fate = |(row, obstacle): (Row, Option<Fate>)| {
                (row, Some(if shown.contains(&row) { Fate::Shown } else { obstacle.unwrap_or(lost(row)) }))
            };
            fates.push(before_last.into_iter().map(fate).collect());
        }
        fates
    }
}

fn as_drawn(shown: &Shown) -> (usize, Row, i64, bool) {
    (usize::from(shown.placement), shown.row, shown.price.micros, shown.explored)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_auction_gives_what_its_definition_gives(world in world()) {
        let mut twin = Twin { world: &world, page: Vec::new() };
        let fates = twin.settle();
        let decision = world.settle();
        let page: Vec<_> = twin.page.iter().map(|(p, e, price, explored)| (*p, e.row, *price, *explored)).collect();
        prop_assert_eq!(decision.shown.iter().map(as_drawn).collect::<Vec<_>>(), page);
        for (p, column) in fates.into_iter().enumerate() {
            for (row, fate) in column {
                prop_assert_eq!(decision.fates.fate(row, p), fate, "row {:?} at placement {}", row, p);
            }
        }
    }
}
