//! The steps around the pure halves as a process runs them: predict, hold, settle again, record.

use litfass_decide::{
    DecisionRecord, Hold, Made, Market, Observed, Settled, Shortlist, StageName, Workspace, World, settle_market,
    shortlist,
};
use litfass_market::Refusal;
use litfass_types::{DecisionId, Duration, Fate, LeaseId, Row, Seed};

use crate::dice::Dice;
use crate::scene::Scene;

/// One decision with everything that led to it.
pub(crate) struct Decided {
    pub(crate) observed: Observed,
    pub(crate) shortlist: Shortlist,
    pub(crate) market: Market,
    pub(crate) settled: Settled,
    pub(crate) record: DecisionRecord,
}

/// Several decisions of one random world. Some worlds grant every hold, others refuse some.
pub(crate) fn decisions(seed: u64) -> (Scene, Vec<Decided>) {
    let scene = Scene::random(seed);
    let refuse_percent = Dice::new(seed, 7).pick(&[0, 0, 30, 100]);
    let requests = (0..5).map(|n| seed.wrapping_mul(31).wrapping_add(n));
    let decided = requests.map(|n| decide(&scene.world, scene.request(n), refuse_percent)).collect();
    (scene, decided)
}

pub(crate) fn decide(world: &World, observed: Observed, refuse_percent: u64) -> Decided {
    let shortlist = shortlist(world, &observed, &mut Workspace::default());
    let market = predict(world, &shortlist);
    let settled = settle_and_hold(&market, observed.seed, &shortlist, refuse_percent);
    let record = record(world, &observed, &shortlist, &market, &settled);
    Decided { observed, shortlist, market, settled, record }
}

pub(crate) fn predict(world: &World, shortlist: &Shortlist) -> Market {
    Market {
        exploration_ppm: world.rules.exploration_ppm,
        placements: shortlist.placements.clone(),
        entrants: shortlist.entrants.clone(),
        predictions: world.profile.last_phase(&shortlist.viewer, &shortlist.rows),
    }
}

/// Whether an ad's hold is granted follows from the seed and its row; the third page stands.
fn settle_and_hold(market: &Market, seed: Seed, shortlist: &Shortlist, refuse_percent: u64) -> Settled {
    let refusal = |row: Row| {
        let refused = seed.derive(20).derive(u64::from(row.0)).below(100) < refuse_percent;
        let fate = if row.0.is_multiple_of(2) { Fate::HoldRefused } else { Fate::Capped };
        refused.then_some(Refusal { row, fate })
    };
    let mut refused: Vec<Refusal> = Vec::new();
    for _ in 0..2 {
        let decision = settle_market(market, seed, &refused, shortlist.board.clone());
        let more: Vec<Refusal> = decision.shown.iter().filter_map(|shown| refusal(shown.row)).collect();
        if more.is_empty() {
            return Settled { decision, refused };
        }
        refused.extend(more);
    }
    let left = market.entrants.rows().iter().filter_map(|row| refusal(*row));
    let left: Vec<Refusal> = left.filter(|r| refused.iter().all(|known| known.row != r.row)).collect();
    refused.extend(left);
    Settled { decision: settle_market(market, seed, &refused, shortlist.board.clone()), refused }
}

fn record(
    world: &World,
    observed: &Observed,
    shortlist: &Shortlist,
    market: &Market,
    settled: &Settled,
) -> DecisionRecord {
    let holds = (1..).take(settled.decision.shown.len());
    Made {
        id: DecisionId::new(observed.now, 3, observed.seed.0),
        world,
        observed: observed.clone(),
        shortlist: shortlist.clone(),
        market: market.clone(),
        settled: settled.clone(),
        holds: holds
            .map(|lease| Hold { lease: LeaseId(lease), expires: observed.now + Duration::minutes(5) })
            .collect(),
        explain: observed.seed.derive(21).below(2) == 0,
        timings: vec![(StageName::Shortlist, 1)],
    }
    .into_record()
}
