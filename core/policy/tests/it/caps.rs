use crate::shop::{DAY, Shop, cap};
use litfass_catalog::CapScope;
use litfass_policy::{CapCounts, CapKey, CapLimit, caps_of};
use litfass_types::{AdId, AdIx, AdvertiserId, CampaignId, Duration, Fate, LineItemId};
use proptest::collection::vec;
use proptest::prelude::*;

fn key(scope: CapScope, window: Duration) -> CapKey {
    CapKey { scope, window }
}

const SCOPES: [CapScope; 4] = [
    CapScope::Ad(AdId(1)),
    CapScope::LineItem(LineItemId(1)),
    CapScope::Campaign(CampaignId(1)),
    CapScope::Advertiser(AdvertiserId(1)),
];

fn capped_everywhere() -> Shop {
    let mut shop = Shop::default();
    shop.ad.caps = vec![cap(1, DAY)];
    shop.line_item.caps = vec![cap(5, DAY), cap(2, Duration::hours(1))];
    shop.campaign.caps = vec![cap(7, Duration::days(7))];
    shop.advertiser_caps = vec![cap(9, Duration::days(7))];
    shop
}

#[test]
fn an_ad_is_under_the_caps_of_all_that_is_above_it() {
    let limits: Vec<CapLimit> = caps_of(&capped_everywhere().catalog(), AdIx(0)).collect();
    let limit = |scope, max, window| CapLimit { key: key(scope, window), max };
    assert_eq!(limits.len(), 5);
    for expected in [
        limit(SCOPES[0], 1, DAY),
        limit(SCOPES[1], 5, DAY),
        limit(SCOPES[1], 2, Duration::hours(1)),
        limit(SCOPES[2], 7, Duration::days(7)),
        limit(SCOPES[3], 9, Duration::days(7)),
    ] {
        assert!(limits.contains(&expected), "{expected:?}");
    }
}

#[test]
fn each_window_counts_for_itself() {
    let mut shop = capped_everywhere();
    shop.seen = vec![(key(SCOPES[1], DAY), 4), (key(SCOPES[1], Duration::hours(1)), 1)];
    assert_eq!(shop.fates(), [None, None]);
    shop.seen[1].1 = 2;
    assert_eq!(shop.fates(), [Some(Fate::Capped); 2]);
}

#[test]
fn what_was_seen_of_others_stops_nothing() {
    let mut shop = capped_everywhere();
    shop.seen = vec![(key(CapScope::Campaign(CampaignId(2)), DAY), 99), (key(CapScope::Ad(AdId(2)), DAY), 99)];
    assert_eq!(shop.fates(), [None, None]);
}

fn counts() -> impl Strategy<Value = Vec<(CapKey, u32)>> {
    let scope = (0_usize..4, 1_u64..4).prop_map(|(kind, id)| match kind {
        0 => CapScope::Ad(AdId(id)),
        1 => CapScope::LineItem(LineItemId(id)),
        2 => CapScope::Campaign(CampaignId(id)),
        _ => CapScope::Advertiser(AdvertiserId(id)),
    });
    let window = prop_oneof![Just(DAY), Just(Duration::hours(1)), Just(Duration::days(7))];
    vec(((scope, window).prop_map(|(scope, window)| key(scope, window)), 0_u32..9), 0..12)
}

proptest! {
    #[test]
    fn counts_of_a_key_add_up(given in counts(), asked in 0_usize..12) {
        let counted: CapCounts = given.iter().copied().collect();
        if let Some((key, _)) = given.get(asked) {
            let sum = given.iter().filter(|(k, _)| k == key).map(|(_, n)| n).sum::<u32>();
            prop_assert_eq!(counted.count(*key), sum);
        }
        prop_assert!(counted.iter().all(|(_, n)| n > 0));
    }

    /// The short cut through the scopes against asking every cap.
    #[test]
    fn an_ad_is_stopped_where_any_of_its_caps_is_reached(given in counts()) {
        let mut shop = capped_everywhere();
        shop.seen = given;
        let counted: CapCounts = shop.seen.iter().copied().collect();
        let reached = caps_of(&shop.catalog(), AdIx(0)).any(|limit| counted.count(limit.key) >= limit.max);
        prop_assert_eq!(shop.fates(), [reached.then_some(Fate::Capped); 2]);
    }
}
