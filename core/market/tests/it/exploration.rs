use std::collections::BTreeMap;

use crate::world::{World, simple};
use litfass_market::{PricedBy, Refusal, Rules};
use litfass_types::{AdvertiserId, Fate, Nanos, Probability, Row, Seed};

const SEEDS: u64 = 20_000;

fn exploring(exploration_ppm: u32, slots: u8) -> World {
    let mut world =
        simple(slots, &[(9_000_000, 0.1), (8_000_000, 0.1), (7_000_000, 0.1), (6_000_000, 0.1), (5_000_000, 0.1)]);
    world.rules = Rules { exploration_ppm };
    world.placements[0].floor = Nanos(1_000_000); // 0.01 units a click
    world
}

fn over_seeds(world: &World) -> impl Iterator<Item = litfass_market::Decision> + '_ {
    (0..SEEDS).map(|seed| World { seed: Seed(seed), ..world.clone() }.settle())
}

#[test]
fn an_ad_is_shown_in_a_slot_as_often_as_its_propensity_says() {
    let world = exploring(300_000, 2);
    let mut seen: BTreeMap<(u8, u16), (u32, f64)> = BTreeMap::new();
    for decision in over_seeds(&world) {
        for s in &decision.shown {
            let entry = seen.entry((s.slot, s.row.0)).or_insert((0, s.propensity.to_f64()));
            assert!(
                (entry.1 - s.propensity.to_f64()).abs() < 1e-12,
                "a propensity is a property of the market, not of the draw"
            );
            entry.0 += 1;
        }
    }
    // The first slot is never reserved; the last is drawn among the four that are left.
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [(0, 0), (1, 1), (1, 2), (1, 3), (1, 4)]);
    assert!((seen[&(1, 1)].1 - 0.775).abs() < 1e-9 && (seen[&(1, 4)].1 - 0.075).abs() < 1e-9);
    for (times, propensity) in seen.values() {
        let n = SEEDS as f64;
        let deviation = (n * propensity * (1.0 - propensity)).sqrt();
        assert!((f64::from(*times) - n * propensity).abs() <= 4.0 * deviation + 1e-3, "{times} of {n} at {propensity}");
    }
}

#[test]
fn the_inverse_propensities_of_every_ad_add_up_to_the_number_of_pages() {
    let mut weights = [0.0; 5];
    for decision in over_seeds(&exploring(500_000, 1)) {
        for s in &decision.shown {
            weights[usize::from(s.row.0)] += 1.0 / s.propensity.to_f64();
        }
    }
    for sum in weights {
        assert!((sum / SEEDS as f64 - 1.0).abs() < 0.1, "{weights:?}");
    }
}

#[test]
fn a_reserved_slot_costs_the_floor_and_leaves_the_auctioned_slots_as_they_were() {
    let world = exploring(1_000_000, 3);
    for seed in 0..200 {
        let world = World { seed: Seed(seed), ..world.clone() };
        let plain = World { rules: Rules::default(), ..world.clone() }.settle();
        let decision = world.settle();
        for (a, b) in plain.shown[..2].iter().zip(&decision.shown) {
            assert_eq!((a.row, a.price, a.priced_by), (b.row, b.price, b.priced_by));
            assert_eq!(b.propensity, Probability::from_bits(u32::MAX));
        }
        let drawn = decision.shown[2];
        assert_eq!((drawn.explored, drawn.price.micros, drawn.priced_by), (true, 10_000, PricedBy::Floor));
        let by_value = decision.fates.fate(Row(2), 0).unwrap();
        assert_eq!(by_value, if drawn.row == Row(2) { Fate::Shown } else { Fate::PassedOver });
    }
}

#[test]
fn only_who_may_stand_there_is_drawn() {
    let mut world = exploring(1_000_000, 1);
    world.rows[1].0.bid.micros = 9_000; // below the floor
    world.rows[2].0.admitted = 0;
    world.refused = vec![Refusal { row: Row(3), fate: Fate::HoldRefused }];
    let mut drawn: Vec<u16> = over_seeds(&world).map(|d| d.shown[0].row.0).collect();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [0, 4]);
}

#[test]
fn a_refused_draw_is_drawn_again_evenly_among_the_rest() {
    let world = exploring(1_000_000, 1);
    let mut times: BTreeMap<u16, u32> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut world = World { seed: Seed(seed), ..world.clone() };
        let first = world.settle().shown[0].row;
        if first == Row(2) {
            world.refused = vec![Refusal { row: first, fate: Fate::HoldRefused }];
            *times.entry(world.settle().shown[0].row.0).or_default() += 1;
        }
    }
    let total: u32 = times.values().sum();
    assert_eq!(times.keys().copied().collect::<Vec<_>>(), [0, 1, 3, 4]);
    assert!(times.values().all(|n| f64::from(*n) > f64::from(total) * 0.22), "{times:?}");
}

#[test]
fn placements_explore_independently() {
    let mut world = exploring(500_000, 1);
    world.placements.push(world.placements[0]);
    for (e, _) in &mut world.rows {
        e.advertiser = AdvertiserId(1);
    }
    world.placements[0].max_per_advertiser = 1;
    let mut both = [0_u32; 4];
    for decision in over_seeds(&world) {
        let [a, b] = [decision.shown[0].explored, decision.shown[1].explored];
        both[usize::from(a) * 2 + usize::from(b)] += 1;
    }
    assert!(both.iter().all(|n| (4_700..5_300).contains(n)), "{both:?}");
}
