//! Named cases, each with the fate that the ad has at the two placements. Every rule decides one of them at least.

use crate::shop::{DAY, Shop, cap};
use litfass_catalog::model::{Format, Review};
use litfass_catalog::{CapScope, Targeting, category_hash};
use litfass_policy::{CapKey, Case, PlacementRules, RULES, first_broken};
use litfass_types::{AdId, AdvertiserId, Fate, TermKind};

type Change = fn(&mut Shop);
type Named = (&'static str, Change, [Option<Fate>; 2]);

const BANNER: Format = Format::Banner { width: 728, height: 90 };

fn at_placement(id: &str) -> Targeting {
    Targeting::In(TermKind::Placement, vec![id.to_owned()])
}

const CORPUS: &[Named] = &[
    ("an approved ad without demands is marked nowhere", |_| (), [None, None]),
    (
        "a placement for banners takes no sponsored item",
        |s| s.placements[0].formats = vec![BANNER],
        [Some(Fate::FormatMismatch), None],
    ),
    (
        "a banner of another size does not fit",
        |s| {
            s.creative.format = Format::Banner { width: 300, height: 250 };
            s.placements[0].formats = vec![Format::SponsoredItem, BANNER];
            s.placements[1].formats = vec![BANNER, s.creative.format];
        },
        [Some(Fate::FormatMismatch), None],
    ),
    (
        "a rejected creative is shown nowhere",
        |s| s.creative.review = Review::Rejected,
        [Some(Fate::CreativeRejected), Some(Fate::CreativeRejected)],
    ),
    (
        "a creative that waits for its review is shown nowhere",
        |s| s.creative.review = Review::Pending,
        [Some(Fate::CreativeRejected), Some(Fate::CreativeRejected)],
    ),
    (
        "what needs consent is not shown without",
        |s| (s.line_item.needs_consent, s.personalise) = (true, false),
        [Some(Fate::ConsentMissing), Some(Fate::ConsentMissing)],
    ),
    ("with consent it is shown", |s| s.line_item.needs_consent = true, [None, None]),
    ("without consent, what needs none is shown", |s| s.personalise = false, [None, None]),
    (
        "an advertiser is blocked at one placement only",
        |s| s.placements[1].blocked_advertisers = vec![AdvertiserId(1)],
        [None, Some(Fate::Blocked)],
    ),
    (
        "one of the ad's categories is enough to be blocked",
        |s| {
            s.ad.categories = vec!["kitchen".to_owned(), "alcohol".to_owned()];
            s.placements[0].blocked_categories = vec!["weapons".to_owned(), "alcohol".to_owned()];
            s.placements[1].blocked_categories = vec!["weapons".to_owned()];
        },
        [Some(Fate::Blocked), None],
    ),
    (
        "targeting of one placement leaves out the other",
        |s| s.line_item.targeting = at_placement("2"),
        [Some(Fate::PlacementMismatch), None],
    ),
    (
        "a placement can be excluded",
        |s| s.line_item.targeting = Targeting::Not(Box::new(at_placement("2"))),
        [None, Some(Fate::PlacementMismatch)],
    ),
    (
        "a viewer who has seen the ad as often as it may be shown does not see it again",
        |s| {
            s.ad.caps = vec![cap(3, DAY)];
            s.seen = vec![(CapKey { scope: CapScope::Ad(AdId(1)), window: DAY }, 3)];
        },
        [Some(Fate::Capped), Some(Fate::Capped)],
    ),
    (
        "what has a cap is not shown where nobody knows how often it was",
        |s| {
            s.ad.caps = vec![cap(3, DAY)];
            s.unknown = true;
        },
        [Some(Fate::CapsUnknown), Some(Fate::CapsUnknown)],
    ),
    ("what has no cap is shown to whom nobody knows", |s| s.unknown = true, [None, None]),
    (
        "a technical obstacle is named before a rule",
        |s| {
            s.creative.review = Review::Rejected;
            s.placements[0].formats = vec![BANNER];
        },
        [Some(Fate::FormatMismatch), Some(Fate::CreativeRejected)],
    ),
    (
        "of several rules the first of the table is named",
        |s| {
            s.placements[0].blocked_advertisers = vec![AdvertiserId(1)];
            (s.line_item.needs_consent, s.personalise) = (true, false);
        },
        [Some(Fate::ConsentMissing), Some(Fate::ConsentMissing)],
    ),
];

#[test]
fn every_case_of_the_corpus_ends_as_it_says() {
    for (name, change, expected) in CORPUS {
        let mut shop = Shop::default();
        change(&mut shop);
        assert_eq!(shop.fates(), *expected, "{name}");
    }
}

/// Which rule decides the case of the ad at a placement, from the objects and without a catalog.
fn deciding(shop: &Shop, placement: usize) -> Option<&'static str> {
    let at = &shop.placements[placement];
    let targets = |id: &str| match &shop.line_item.targeting {
        Targeting::In(_, ids) => ids.iter().any(|i| i == id),
        Targeting::Not(_) => id != "2",
        Targeting::All(_) | Targeting::Any(_) | Targeting::Daypart(_) => true,
    };
    let categories: Vec<u64> = shop.ad.categories.iter().map(|c| category_hash(c)).collect();
    let rules = PlacementRules::of(at);
    let case = Case {
        format: shop.creative.format,
        review: shop.creative.review,
        needs_consent: shop.line_item.needs_consent,
        advertiser: shop.creative.advertiser,
        category_blocked: rules.blocks_category(&categories),
        off_target: !targets(&at.id.to_string()),
        cap_reached: !shop.seen.is_empty(),
        cap_unknown: shop.unknown && !shop.ad.caps.is_empty(),
        personalise: shop.personalise,
        placement: &rules,
    };
    first_broken(&case).map(|rule| rule.name)
}

#[test]
fn every_rule_decides_a_named_case() {
    let mut decided = Vec::new();
    for (_, change, expected) in CORPUS {
        let mut shop = Shop::default();
        change(&mut shop);
        for (p, fate) in expected.iter().enumerate() {
            let rule = deciding(&shop, p);
            assert_eq!(rule.is_some(), fate.is_some());
            decided.extend(rule);
        }
    }
    for rule in &RULES {
        assert!(decided.contains(&rule.name), "no case is decided by {:?}", rule.name);
    }
}

#[test]
fn technical_rules_stand_before_business_rules() {
    assert!(RULES.is_sorted_by_key(litfass_policy::Rule::stage));
}
