//! One page being settled: who still may, who stands already, who takes the next slot.

use litfass_types::{Fate, PPM, Prediction, Price, Probability, Seed, Value};

use crate::auction::{Auction, AuctionPlacement, Decision, PricedBy, Refusal, Shown};
use crate::board::FateBoard;
use crate::entrants::Entrant;
use crate::value::Factors;

/// Purposes of the seed.
const TIE: u64 = 1;
const EXPLORE: u64 = 2;
const DRAW: u64 = 3;

/// Stands in the columns of an entrant that nobody predicted; its value is zero, so nothing is worked out from it.
const NO_PREDICTION: Prediction =
    Prediction { click: Probability::from_bits(1), conversion: Probability::from_bits(1) };

pub(crate) struct Page<'a> {
    auction: &'a Auction<'a>,
    bidders: Vec<Bidder>,
    /// Bidders by value, ties resolved, the best first.
    order: Vec<usize>,
    /// Why a bidder cannot take the next slot of the placement at hand.
    barred: Vec<Option<Fate>>,
    shown: Vec<Shown>,
    board: FateBoard,
}

/// An entrant with what the auction worked out about it.
#[derive(Clone, Copy)]
struct Bidder {
    entrant: Entrant,
    factors: Factors,
    value: Value,
    /// Revenue expected of an impression at its bid.
    revenue: Value,
    tie: u64,
    refused: Option<Fate>,
}

impl Bidder {
    /// What decides between two; the larger wins.
    const fn rank(&self) -> (Value, u64, u64) {
        (self.value, self.tie, self.entrant.ad.0)
    }

    /// The smallest value with which it would still rank above `rival`.
    fn value_to_beat(&self, rival: &Self) -> Value {
        let wins_tie = (self.tie, self.entrant.ad) > (rival.tie, rival.entrant.ad);
        Value(rival.value.0 + i128::from(!wins_tie))
    }

    const fn is_rival_of(&self, other: &Entrant) -> bool {
        self.entrant.advertiser.0 != other.advertiser.0 && self.entrant.exclusions & other.exclusions != 0
    }

    const fn price(&self, micros: i64) -> Price {
        Price { micros, per: self.entrant.bid.per }
    }

    /// What a price is worth against rivals. A pacing multiplier is the share of its bid that it takes part with, so it lowers
    /// the bid and not what a price is worth; beyond the whole bid it is a weight.
    fn priced(&self) -> Factors {
        Factors { pacing_ppm: self.factors.pacing_ppm.max(PPM), ..self.factors }
    }

    /// The smallest price that meets the floor: never less than one micro, and of a bid that clears the floor never more.
    fn floor_micros(&self, floor: Value) -> i64 {
        let revenue = Factors { pacing_ppm: PPM, quality_ppm: PPM, ..self.factors };
        revenue.price_for(floor).unwrap_or(Price::MAX_MICROS).clamp(1, self.entrant.bid.micros.max(1))
    }
}

/// The slot at hand.
struct Spot {
    placement: usize,
    slot: u8,
    floor: Value,
    /// The placement's last: the only one that may be reserved.
    last: bool,
    /// Drawn, not auctioned.
    reserved: bool,
}

impl<'a> Page<'a> {
    pub(crate) fn new(auction: &'a Auction<'a>, refused: &[Refusal], board: FateBoard) -> Self {
        let ties = auction.seed.derive(TIE);
        let bidders: Vec<Bidder> = (0..auction.entrants.len()).map(|i| bidder(auction, i, ties, refused)).collect();
        let mut order: Vec<usize> = (0..bidders.len()).collect();
        order.sort_unstable_by(|a, b| bidders[*b].rank().cmp(&bidders[*a].rank()));
        let slots = auction.placements.iter().map(|p| usize::from(p.slots)).sum::<usize>();
        let shown = Vec::with_capacity(slots.min(bidders.len()));
        Self { auction, barred: vec![None; bidders.len()], bidders, order, shown, board }
    }

    pub(crate) fn settle_placement(&mut self, placement: usize) {
        let offer = self.auction.placements[placement];
        for i in 0..self.bidders.len() {
            self.barred[i] = self.bar_at_start(i, placement, &offer);
        }
        let explores = self.explores(placement);
        let mut passed_over = None;
        for slot in 0..offer.slots {
            let Some(best) = self.best() else { break };
            let last = slot + 1 == offer.slots;
            let spot =
                Spot { placement, slot, floor: Value::from_nanos(offer.floor), last, reserved: last && explores };
            let taken = if spot.reserved { self.draw(placement).unwrap_or(best) } else { best };
            self.shown.push(self.win(taken, &spot, taken == best));
            self.mark(taken, placement, Fate::Shown);
            passed_over = (taken != best).then_some(best);
            if !last {
                self.bar_after(taken, placement, &offer);
            }
        }
        self.mark_losers(placement, passed_over);
    }

    pub(crate) fn finish(mut self) -> Decision {
        self.board.mark_rest(Fate::BelowCut);
        Decision { shown: self.shown, fates: self.board }
    }

    fn mark(&mut self, bidder: usize, placement: usize, fate: Fate) {
        self.board.mark(self.bidders[bidder].entrant.row, placement, fate);
    }

    fn mark_losers(&mut self, placement: usize, passed_over: Option<usize>) {
        for i in 0..self.bidders.len() {
            let lost = if passed_over == Some(i) { Fate::PassedOver } else { Fate::Outbid };
            self.mark(i, placement, self.barred[i].unwrap_or(lost));
        }
    }

    // ── who may ──

    /// Business before competition; of what stands on the page already, the first that is in the way.
    fn bar_at_start(&self, i: usize, placement: usize, offer: &AuctionPlacement) -> Option<Fate> {
        let bidder = &self.bidders[i];
        let marked = self.board.fate(bidder.entrant.row, placement);
        let admitted =
            bidder.entrant.admitted.checked_shr(u32::try_from(placement).unwrap_or(u32::MAX)).unwrap_or(0) & 1 == 1;
        if marked.is_some() || !admitted {
            return marked.or(Some(Fate::BelowCut));
        }
        let limited = || (offer.max_per_advertiser == 0).then_some(Fate::AdvertiserLimit);
        let against_page = || self.shown.iter().find_map(|s| bar_beside(bidder, &self.bidders[s.entrant].entrant));
        bidder.refused.or_else(|| below_floor(bidder, offer)).or_else(limited).or_else(against_page)
    }

    /// What the winner of a slot means for the slots after it.
    fn bar_after(&mut self, winner: usize, placement: usize, offer: &AuctionPlacement) {
        let winner = self.bidders[winner].entrant;
        let here = self.shown.iter().filter(|s| usize::from(s.placement) == placement);
        let of_advertiser = here.filter(|s| self.bidders[s.entrant].entrant.advertiser == winner.advertiser).count();
        let exhausted = of_advertiser >= usize::from(offer.max_per_advertiser);
        for (bidder, bar) in self.bidders.iter().zip(&mut self.barred) {
            if bar.is_none() {
                let limited = exhausted && bidder.entrant.advertiser == winner.advertiser;
                *bar = bar_beside(bidder, &winner).or(limited.then_some(Fate::AdvertiserLimit));
            }
        }
    }

    // ── who gets it ──

    fn admissible(&self) -> impl Iterator<Item = usize> + '_ {
        self.order.iter().copied().filter(|i| self.barred[*i].is_none())
    }

    fn best(&self) -> Option<usize> {
        self.admissible().next()
    }

    fn explores(&self, placement: usize) -> bool {
        let draw = self.auction.seed.derive(EXPLORE).derive(placement as u64).below(u64::from(PPM));
        draw < u64::from(self.auction.rules.exploration_ppm)
    }

    /// The highest of independent hashes: uniform whatever the rows' order, and still uniform among the rest when the first
    /// one drawn is refused.
    fn draw(&self, placement: usize) -> Option<usize> {
        let seed = self.auction.seed.derive(DRAW).derive(placement as u64);
        self.admissible().max_by_key(|i| (seed.derive(self.bidders[*i].entrant.ad.0).0, self.bidders[*i].entrant.ad))
    }

    fn propensity(&self, last: bool, is_best: bool) -> Probability {
        let epsilon = u64::from(self.auction.rules.exploration_ppm.min(PPM));
        if !last || epsilon == 0 {
            return Probability::from_bits(u32::MAX);
        }
        let n = self.admissible().count().max(1) as u64;
        let of_best = if is_best { u64::from(PPM) - epsilon } else { 0 };
        // At most (10⁶·n)·2³² with n below 2¹⁶: below 2⁶⁹, hence the wide type.
        let bits = (u128::from(of_best * n + epsilon) << 32) / u128::from(u64::from(PPM) * n);
        Probability::from_bits(u32::try_from(bits).unwrap_or(u32::MAX))
    }

    // ── what it pays ──

    fn win(&self, i: usize, spot: &Spot, is_best: bool) -> Shown {
        let bidder = &self.bidders[i];
        let floor = bidder.floor_micros(spot.floor);
        let (micros, priced_by) = if spot.reserved { (floor, PricedBy::Floor) } else { self.price(bidder, floor) };
        Shown {
            row: bidder.entrant.row,
            entrant: i,
            placement: u8::try_from(spot.placement).unwrap_or(u8::MAX),
            slot: spot.slot,
            value: bidder.value,
            price: bidder.price(micros),
            priced_by,
            explored: spot.reserved,
            propensity: self.propensity(spot.last, is_best),
        }
    }

    fn price(&self, winner: &Bidder, floor: i64) -> (i64, PricedBy) {
        let rival =
            self.admissible().map(|i| &self.bidders[i]).find(|b| b.entrant.advertiser != winner.entrant.advertiser);
        let bar =
            rival.and_then(|rival| Some((winner.priced().price_for(winner.value_to_beat(rival))?, rival.entrant.row)));
        match bar {
            Some((micros, row)) if micros > floor => (micros, PricedBy::Rival(row)),
            _ => (floor, PricedBy::Floor),
        }
    }
}

fn bidder(auction: &Auction<'_>, i: usize, ties: Seed, refused: &[Refusal]) -> Bidder {
    let entrant = auction.entrants.get(i);
    let prediction = auction.predictions.get(i).copied();
    let factors = entrant.factors(prediction.unwrap_or(NO_PREDICTION));
    let worth = |factors: Factors| prediction.map_or(Value(0), |_| factors.value(entrant.bid.micros));
    Bidder {
        entrant,
        factors,
        value: worth(factors),
        revenue: worth(Factors::revenue(entrant.bid.per, factors.prediction)),
        tie: ties.derive(entrant.ad.0).0,
        refused: refused.iter().find(|r| r.row == entrant.row).map(|r| r.fate),
    }
}

fn below_floor(bidder: &Bidder, offer: &AuctionPlacement) -> Option<Fate> {
    let worthless = bidder.value <= Value(0);
    (worthless || bidder.revenue < Value::from_nanos(offer.floor)).then_some(Fate::BelowFloor)
}

/// Why `bidder` cannot stand on the same page as `other`.
fn bar_beside(bidder: &Bidder, other: &Entrant) -> Option<Fate> {
    let same = bidder.entrant.ad == other.ad || bidder.entrant.line_item == other.line_item;
    if same { Some(Fate::AlreadyShown) } else { bidder.is_rival_of(other).then_some(Fate::ExcludedByRival) }
}
