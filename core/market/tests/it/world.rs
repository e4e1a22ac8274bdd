//! Small random markets with many ties, shared line items and rivalries.

use litfass_market::{Auction, AuctionPlacement, Decision, Entrant, Entrants, FateBoard, Refusal, Rules, settle};
use litfass_types::{AdId, AdvertiserId, Fate, LineItemId, Nanos, Prediction, Price, Probability, Row, Seed, Unit};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub rules: Rules,
    pub placements: Vec<AuctionPlacement>,
    pub rows: Vec<(Entrant, Prediction)>,
    pub refused: Vec<Refusal>,
    pub seed: Seed,
    /// Candidates on the board; the rows above `rows.len()` never entered.
    pub candidates: usize,
}

impl World {
    pub(crate) fn settle(&self) -> Decision {
        let (entrants, predictions): (Entrants, Vec<Prediction>) = self.rows.iter().copied().unzip();
        let auction = Auction {
            rules: &self.rules,
            placements: &self.placements,
            entrants: &entrants,
            predictions: &predictions,
            seed: self.seed,
        };
        settle(&auction, &self.refused, FateBoard::new(self.candidates, self.placements.len()))
    }

    pub(crate) fn entrant(&self, row: Row) -> &Entrant {
        &self.rows.iter().find(|(e, _)| e.row == row).expect("an entrant").0
    }

    /// With that bid and all of it: what pacing leaves of a bid is a bid.
    pub(crate) fn with_bid(&self, row: Row, micros: i64) -> Self {
        let mut world = self.clone();
        let entrant = &mut world.rows.iter_mut().find(|(e, _)| e.row == row).expect("an entrant").0;
        entrant.bid.micros = micros;
        entrant.pacing_ppm = entrant.pacing_ppm.max(1_000_000);
        world
    }

    pub(crate) fn without(&self, gone: impl Fn(&Entrant) -> bool) -> Self {
        Self { rows: self.rows.iter().copied().filter(|(e, _)| !gone(e)).collect(), ..self.clone() }
    }
}

pub(crate) fn entrant(n: u64, bid: Price) -> Entrant {
    Entrant {
        row: Row(u16::try_from(n).expect("few rows")),
        ad: AdId(1000 + n),
        line_item: LineItemId(100 + n),
        advertiser: AdvertiserId(10 + n),
        bid,
        pacing_ppm: 1_000_000,
        quality_ppm: 1_000_000,
        exclusions: 0,
        admitted: u64::MAX,
    }
}

pub(crate) fn clicks(p: f64) -> Prediction {
    Prediction { click: Probability::from_f64(p), conversion: Probability::from_f64(0.1) }
}

/// One market per list of (bid in micros, click probability): CPC, everybody for themselves.
pub(crate) fn simple(slots: u8, bids: &[(i64, f64)]) -> World {
    let row = |(n, (micros, p)): (usize, &(i64, f64))| {
        (entrant(n as u64, Price { micros: *micros, per: Unit::Click }), clicks(*p))
    };
    World {
        rules: Rules::default(),
        placements: vec![AuctionPlacement { slots, floor: Nanos(0), max_per_advertiser: slots }],
        rows: bids.iter().enumerate().map(row).collect(),
        refused: Vec::new(),
        seed: Seed(7),
        candidates: bids.len(),
    }
}

fn unit() -> impl Strategy<Value = Unit> {
    prop_oneof![Just(Unit::Mille), Just(Unit::Click), Just(Unit::Action)]
}

fn multiplier() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(1_000_000_u32), 2 => 1_u32..3_000_000, 1 => Just(0_u32)]
}

prop_compose! {
    fn row()(
        (line_item, advertiser) in (0_u64..8, 0_u64..4),
        // Coarse, so that values tie; a CPC bid is of the order of a CPM one over a thousand clicks.
        (micros, per) in (prop_oneof![3 => (0_i64..8).prop_map(|n| n * 500), 1 => 0_i64..2_000_000], unit()),
        click in prop_oneof![Just(0.5), Just(0.25), 0.0..1.0_f64],
        (pacing_ppm, quality_ppm) in (multiplier(), multiplier()),
        (exclusions, admitted) in (prop_oneof![2 => Just(0_u64), 1 => 0_u64..8], prop_oneof![3 => Just(7_u64), 1 => 0_u64..8]),
    ) -> (Entrant, Prediction) {
        let base = entrant(0, Price { micros, per });
        let line_item = LineItemId(advertiser * 100 + line_item);
        (Entrant { line_item, advertiser: AdvertiserId(advertiser), pacing_ppm, quality_ppm, exclusions, admitted, ..base }, clicks(click))
    }
}

prop_compose! {
    fn placement()(slots in 0_u8..5, floor in prop_oneof![Just(0_i64), 0_i64..400_000], max_per_advertiser in 0_u8..4) -> AuctionPlacement {
        AuctionPlacement { slots, floor: Nanos(floor), max_per_advertiser }
    }
}

prop_compose! {
    pub(crate) fn world()(
        rows in vec(row(), 0..14),
        placements in vec(placement(), 1..4),
        refused in vec((0_u16..14, prop_oneof![Just(Fate::HoldRefused), Just(Fate::Capped)]), 0..3),
        exploration_ppm in prop_oneof![Just(0_u32), 0_u32..=1_000_000],
        seed in any::<u64>(),
        others in 0_usize..4,
    ) -> World {
        let candidates = rows.len() + others;
        // Ad ids fall as rows rise, so that no order of rows is the order of ids.
        let place = |(n, (e, p)): (usize, (Entrant, Prediction))| {
            let n = u16::try_from(n).expect("few rows");
            (Entrant { row: Row(n), ad: AdId(5_000 - u64::from(n)), ..e }, p)
        };
        let rows = rows.into_iter().enumerate().map(place).collect();
        let refused = refused.into_iter().map(|(row, fate)| Refusal { row: Row(row), fate }).collect();
        World { rules: Rules { exploration_ppm }, placements, rows, refused, seed: Seed(seed), candidates }
    }
}
