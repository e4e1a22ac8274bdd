use std::sync::Arc;

use litfass_sim::truth::{RENDER_RATE, slot_effect};
use litfass_sim::{Crowd, Reaction, Shop, ShownAd, Size, Visit, Visitors, load_at};
use litfass_types::Timestamp;
use serde_json::Value;

fn shop(seed: u64) -> Arc<Shop> {
    Arc::new(Shop::new(seed, Size::SMALL))
}

fn visits(seed: u64, count: usize) -> Vec<Visit> {
    let mut visitors = Visitors::split(&shop(seed), 2, 1).remove(1);
    (0..count).filter_map(|_| visitors.next()).collect()
}

fn ids(catalog: &Value, kind: &str) -> Vec<u64> {
    catalog[kind].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

/// Every ad of the catalog file in turn, so that each visit is shown five.
fn page(ads: &[u64], visit: usize) -> Vec<ShownAd> {
    let nth = |slot: u8| ads[(visit * 5 + usize::from(slot)) % ads.len()];
    (0..5).map(|slot| ShownAd { placement: 2, slot, ad_id: nth(slot), item: None }).collect()
}

/// Shows five ads to each of `visits` visits; slot and reaction of each.
fn reactions(seed: u64, visits: usize) -> Vec<(u8, Reaction)> {
    let shop = shop(seed);
    let ads = ids(&shop.catalog(Timestamp(0)), "ads");
    let mut visitors = Visitors::split(&shop, 1, 1).remove(0);
    let mut seen = Vec::new();
    for visit in 0..visits {
        visitors.next().unwrap();
        seen.extend((0..).zip(visitors.react(&page(&ads, visit))));
    }
    seen
}

#[test]
fn the_same_seed_opens_the_same_shop_and_another_seed_another() {
    assert_eq!(shop(7).catalog(Timestamp(5)), shop(7).catalog(Timestamp(5)));
    assert_ne!(shop(7).catalog(Timestamp(5)), shop(8).catalog(Timestamp(5)));
}

#[test]
fn the_same_seed_asks_the_same_first_thousand_requests() {
    assert_eq!(visits(7, 1_000), visits(7, 1_000));
    assert_ne!(visits(7, 1_000), visits(8, 1_000));
}

#[test]
fn what_is_shown_does_not_change_what_is_asked() {
    let shop = shop(7);
    let ads = ids(&shop.catalog(Timestamp(0)), "ads");
    let mut visitors = Visitors::split(&shop, 2, 1).remove(1);
    let shown: Vec<Visit> = (0..300)
        .map(|visit| {
            let next = visitors.next().unwrap();
            visitors.react(&page(&ads, visit));
            next
        })
        .collect();
    assert_eq!(shown, visits(7, 300));
}

#[test]
fn another_run_over_the_same_data_walks_otherwise() {
    let shop = shop(7);
    let first = |run| Visitors::split(&shop, 1, run).remove(0).next();
    assert_ne!(first(1), first(2));
}

#[test]
fn clicks_occur_as_often_as_the_truth_says() {
    let seen = reactions(3, 20_000);
    let rendered: Vec<&(u8, Reaction)> = seen.iter().filter(|(_, reaction)| reaction.rendered).collect();
    for slot in 0..5 {
        let here: Vec<&Reaction> = rendered.iter().filter(|(s, _)| *s == slot).map(|(_, reaction)| reaction).collect();
        let odds: Vec<f64> = here.iter().map(|reaction| reaction.odds.unwrap().click).collect();
        let expected: f64 = odds.iter().sum();
        let deviation = odds.iter().map(|p| p * (1.0 - p)).sum::<f64>().sqrt();
        let clicks = here.iter().filter(|reaction| reaction.clicked).count() as f64;
        assert!((clicks - expected).abs() < 4.0 * deviation, "slot {slot}: {clicks} clicks, {expected} expected");
        assert!(expected / odds.len() as f64 > 0.005, "slot {slot} is hardly ever clicked");
    }
    let share = rendered.len() as f64 / seen.len() as f64;
    assert!((share - RENDER_RATE).abs() < 0.01);
}

#[test]
fn purchases_follow_clicks_as_often_as_the_truth_says_and_only_clicks() {
    let seen = reactions(4, 40_000);
    assert!(seen.iter().all(|(_, r)| (r.bought.is_none() || r.clicked) && (!r.clicked || r.rendered && r.viewable)));
    let clicked: Vec<&Reaction> = seen.iter().map(|(_, r)| r).filter(|r| r.clicked && r.odds.is_some()).collect();
    let expected: f64 = clicked.iter().map(|r| r.odds.unwrap().conversion).sum();
    let bought = clicked.iter().filter(|r| r.bought.is_some()).count() as f64;
    // Banners are clicked too and never bought: a few more are expected than occur.
    assert!(
        bought <= expected + 4.0 * expected.sqrt() && bought > 0.75 * expected - 4.0 * expected.sqrt(),
        "{bought} of {expected}"
    );
}

#[test]
fn a_slot_further_down_is_clicked_less_by_the_known_factor() {
    let seen = reactions(5, 200);
    for (slot, reaction) in &seen {
        let odds = reaction.odds.unwrap();
        assert!((odds.click - odds.click_first * slot_effect(*slot)).abs() < 1e-12);
    }
    assert!((1..20).all(|slot| slot_effect(slot) < slot_effect(slot - 1)));
    assert!((slot_effect(0) - 1.0).abs() < 1e-12);
}

#[test]
fn a_few_shoppers_make_most_of_the_visits() {
    let mut counts = std::collections::BTreeMap::<Option<String>, usize>::new();
    for visit in visits(6, 6_000).into_iter().filter(|visit| visit.user.is_some()) {
        *counts.entry(visit.user).or_default() += 1;
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let (busiest, all): (usize, usize) = (counts.iter().take(counts.len() / 5).sum(), counts.iter().sum());
    assert!(busiest * 2 > all, "the busiest fifth makes {busiest} of {all} visits");
}

#[test]
fn the_day_has_a_quiet_and_a_busy_end_around_a_mean_of_one() {
    let mean = (0..1_440).map(load_at).sum::<f64>() / 1_440.0;
    assert!((mean - 1.0).abs() < 1e-9);
    assert!(load_at(4 * 60) < 0.3 && load_at(20 * 60) > 1.7);
}
