//! The index says what brute force says, over random targeting, worlds, changes and orders.

use std::collections::BTreeSet;

use litfass_catalog::model::Object;
use litfass_catalog::{AdOrder, Catalog, Query, Schedule, Scratch, Targeting, placement_term};
use litfass_types::{AdId, Duration, Ineligible, LineItemId, PlacementId, Seed, TenantId, Term, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::naive::{self, Ask, Naive, is_funded, is_paced_out};
use crate::world::{
    ADVERTISERS, CAMPAIGNS, CREATIVES, MONDAY, random_ad, random_advertiser, random_campaign, random_creative,
    random_line_item, surroundings, targeting, terms, version,
};

/// A world with one line item per targeting and about two ads each.
fn world(targetings: &[Targeting], seed: Seed) -> Naive {
    let mut world = Naive::default();
    world.apply(surroundings());
    let line_items = (1..).zip(targetings).map(|(id, t)| Object::LineItem(random_line_item(id, seed.derive(id), t)));
    world.apply(line_items);
    let ads = 1..=targetings.len() as u64 * 2;
    let line_item = |id: u64| 1 + seed.derive(id).derive(77).below(targetings.len() as u64);
    world.apply(ads.map(|id| Object::Ad(random_ad(id, line_item(id), seed.derive(id)))));
    world
}

/// A few objects anew, whatever they are, and now and then a new one.
fn change(world: &Naive, targetings: &[Targeting], seed: Seed) -> Vec<Object> {
    let mut changed = Naive::default();
    for (i, targeting) in (0..).zip(targetings) {
        let seed = seed.derive(i);
        changed.apply([changed_object(world, targeting, seed)]);
    }
    changed.objects.into_values().collect()
}

fn changed_object(world: &Naive, targeting: &Targeting, seed: Seed) -> Object {
    let any = |n: u64| 1 + seed.derive(1).below(n);
    let (line_items, ads) = (world.line_items().len() as u64, world.ads().len() as u64);
    match seed.derive(0).below(10) {
        0 => Object::Advertiser(random_advertiser(any(ADVERTISERS), seed)),
        1 => Object::Campaign(random_campaign(any(CAMPAIGNS), seed)),
        2 => Object::Creative(random_creative(any(CREATIVES), seed)),
        3..6 => Object::LineItem(random_line_item(any(line_items + 1), seed, targeting)),
        6 | 7 => Object::Ad(random_ad(ads + 1, any(line_items), seed)),
        _ => {
            let id = any(ads);
            Object::Ad(random_ad(id, world.ad(id).unwrap().line_item.0, seed))
        }
    }
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let placements = proptest::sample::subsequence(vec![1, 2, 3, 4, 5, 6_u64], 0..=3);
    let ask = (1..=2_u64, terms(), placements, 0..20_i64).prop_map(|(tenant, terms, placements, ms)| Ask {
        tenant: TenantId(tenant),
        terms,
        placements: placements.into_iter().map(|id| placement_term(PlacementId(id))).collect(),
        now: MONDAY + Duration(ms),
    });
    vec(ask, 6)
}

fn agree(catalog: &Catalog, world: &Naive, asks: &[Ask], scratch: &mut Scratch) -> Result<(), TestCaseError> {
    for ask in asks {
        let schedule = Schedule::at(catalog, ask.now);
        let expected = world.find(ask);
        prop_assert_eq!(&naive::ask(catalog, ask, &schedule, scratch), &expected);
        for line_item in catalog.live_line_items() {
            let expected = world.first_failure(world.line_item(catalog.line_item(line_item).id.0).unwrap(), ask);
            let (funded, paced_out) =
                (naive::by_line_item(catalog, is_funded), naive::by_line_item(catalog, is_paced_out));
            let query = Query {
                tenant: ask.tenant,
                terms: &ask.terms,
                placements: &ask.placements,
                now: ask.now,
                schedule: &schedule,
                funded: &funded,
                paced_out: &paced_out,
            };
            prop_assert_eq!(catalog.first_failure(line_item, &query), expected);
        }
    }
    Ok(())
}

/// A random order of some of the ads, and of some that do not exist.
fn listed(world: &Naive, seed: Seed) -> Vec<AdId> {
    let mut ids: Vec<AdId> = world.ads().iter().map(|ad| ad.id).chain([AdId(9_999)]).collect();
    ids.sort_by_key(|id| seed.derive(id.0).derive(5).below(u64::MAX));
    ids.truncate(ids.len() * 4 / 5);
    ids
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn index_and_brute_force_agree_over_base_overlay_tombstones_and_merge(
        first in vec(targeting(), 1..100),
        second in vec(targeting(), 1..6),
        third in vec(targeting(), 1..6),
        asks in asks(),
        seed in any::<u64>().prop_map(Seed),
    ) {
        let mut scratch = Scratch::default();
        let mut world = world(&first, seed);
        let base = Catalog::build(version(1), world.objects.values().cloned());
        prop_assume!(base.is_ok(), "some targeting was too large");
        let mut catalog = base.unwrap();
        agree(&catalog, &world, &asks, &mut scratch)?;
        for (sequence, targetings) in (2..).zip([&second, &third]) {
            let changed = change(&world, targetings, seed.derive(sequence));
            let next = catalog.with_changes(version(sequence), changed.clone());
            prop_assume!(next.is_ok(), "some targeting was too large");
            world.apply(changed);
            catalog = next.unwrap();
            agree(&catalog, &world, &asks, &mut scratch)?;
            crate::changes::same_content(&catalog, &world)?;
        }
        let order = listed(&world, seed);
        for order in [AdOrder::ByLineItem, AdOrder::Listed(&order)] {
            let merged = catalog.merged(order);
            prop_assert_eq!(merged.overlay_ads(), 0);
            agree(&merged, &world, &asks, &mut scratch)?;
            crate::changes::same_content(&merged, &world)?;
        }
    }

    #[test]
    fn a_schedule_that_does_not_fit_changes_nothing(
        targetings in vec(targeting(), 1..20),
        asks in asks(),
        stale in 0..20_i64,
        seed in any::<u64>().prop_map(Seed),
    ) {
        let world = world(&targetings, seed);
        let catalog = Catalog::build(version(1), world.objects.values().cloned());
        prop_assume!(catalog.is_ok(), "some targeting was too large");
        let catalog = catalog.unwrap();
        let empty = Catalog::build(version(1), surroundings()).unwrap();
        for ask in asks {
            let expected = world.find(&ask);
            for schedule in [Schedule::at(&catalog, MONDAY + Duration(stale)), Schedule::at(&empty, ask.now)] {
                prop_assert_eq!(&naive::ask(&catalog, &ask, &schedule, &mut Scratch::default()), &expected);
            }
        }
    }
}

fn flown(start: i64, end: i64) -> Naive {
    let mut world = Naive::default();
    world.apply(surroundings());
    let mut line_item = crate::world::line_item(1, Targeting::run_of_network());
    line_item.flight.start = Some(Timestamp(start));
    line_item.flight.end = Some(Timestamp(end));
    world.apply([Object::LineItem(line_item)]);
    world
}

#[test]
fn a_flight_begins_and_ends_on_the_millisecond() {
    let world = flown(1_000, 2_000);
    let catalog = Catalog::build(version(1), world.objects.into_values()).unwrap();
    let tenant = TenantId(crate::world::tenant_of(crate::world::advertiser_of_line_item(1)));
    let eligible = |ms: i64, schedule: &Schedule| {
        let ask = Ask { tenant, terms: Vec::new(), placements: Vec::new(), now: Timestamp(ms) };
        !naive::ask(&catalog, &ask, schedule, &mut Scratch::default()).line_items.is_empty()
    };
    let schedule = Schedule::at(&catalog, Timestamp(1_500));
    assert_eq!(schedule.validity(), (Timestamp(1_000), Timestamp(2_000)));
    assert_eq!([999, 1_000, 1_999, 2_000].map(|ms| eligible(ms, &schedule)), [false, true, true, false]);
}

#[test]
fn why_not_names_the_first_obstacle_and_whether_it_was_the_only_one() {
    let world = flown(1_000, 2_000);
    let catalog = Catalog::build(version(1), world.objects.into_values()).unwrap();
    let line_item = catalog.line_item_by_id(LineItemId(1)).unwrap();
    let tenant = catalog.line_item(line_item).tenant;
    let schedule = Schedule::at(&catalog, Timestamp(0));
    let (all, none) = (naive::by_line_item(&catalog, |_| true), naive::by_line_item(&catalog, |_| false));
    let terms: [Term; 0] = [];
    let failures = |now, funded| {
        let (terms, placements) = (&terms[..], &terms[..]);
        let query =
            Query { tenant, terms, placements, now: Timestamp(now), schedule: &schedule, funded, paced_out: &none };
        catalog.failures(line_item, &query)
    };
    assert_eq!(failures(1_000, &all).first(), None);
    assert_eq!(failures(2_000, &all).only(), Some(Ineligible::Flight));
    assert_eq!(failures(2_000, &none).first(), Some(Ineligible::Flight));
    assert_eq!(failures(2_000, &none).only(), None);
    let every: BTreeSet<Ineligible> = failures(2_000, &none).iter().collect();
    assert_eq!(every, BTreeSet::from([Ineligible::Flight, Ineligible::Funds]));
}
