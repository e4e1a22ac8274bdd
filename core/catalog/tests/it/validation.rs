//! Every rule names the object and the field that break it.

use litfass_catalog::model::{Flight, Format, FrequencyCap, Object};
use litfass_catalog::{Catalog, Problem, Targeting, limits};
use litfass_types::{
    AdvertiserId, CampaignId, CreativeId, Duration, LineItemId, Nanos, Price, TenantId, TermKind, Timestamp,
};

use crate::world::{ad, advertiser, campaign, creative, line_item, placement, surroundings, tenant, version};

fn problems(objects: impl IntoIterator<Item = Object>) -> Vec<Problem> {
    let mut all = surroundings();
    all.push(Object::LineItem(line_item(1, Targeting::run_of_network())));
    all.push(Object::Ad(ad(1, 1)));
    assert!(Catalog::build(version(1), all.clone()).is_ok());
    for object in objects {
        all.retain(|other| other.reference() != object.reference());
        all.push(object);
    }
    Catalog::build(version(1), all).unwrap_err()
}

/// The one problem of this one object.
fn field(object: Object) -> String {
    let reference = object.reference();
    let found = problems([object]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].object, reference);
    assert!(!found[0].message.is_empty());
    found[0].field.clone()
}

macro_rules! with {
    ($kind:ident, $object:expr, $($path:tt)+) => {{
        let mut object = $object;
        object.$($path)+;
        Object::$kind(object)
    }};
}

fn targeted(targeting: Targeting) -> Object {
    Object::LineItem(line_item(1, targeting))
}

fn values(kind: TermKind, values: &[&str]) -> Targeting {
    Targeting::In(kind, values.iter().map(|v| (*v).to_owned()).collect())
}

fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[test]
fn ids_are_what_a_json_number_holds() {
    assert_eq!(field(Object::Tenant(tenant(0))), "id");
    assert_eq!(field(Object::Tenant(tenant(limits::ID_MAX + 1))), "id");
}

#[test]
fn an_id_is_given_once_per_kind() {
    let twice = [
        Object::Tenant(tenant(1)),
        Object::Placement(placement(1, 1)),
        Object::Advertiser(advertiser(1)),
        Object::Campaign(campaign(1)),
        Object::LineItem(line_item(1, Targeting::run_of_network())),
        Object::Creative(creative(1)),
        Object::Ad(ad(1, 1)),
    ];
    for object in twice {
        let mut all = surroundings();
        all.push(Object::LineItem(line_item(1, Targeting::run_of_network())));
        all.push(Object::Ad(ad(1, 1)));
        all.push(object.clone());
        let found = Catalog::build(version(1), all.clone()).unwrap_err();
        assert_eq!((found.len(), found[0].object, found[0].field.as_str()), (1, object.reference(), "id"));
    }
}

#[test]
fn a_parent_exists() {
    assert_eq!(field(with!(Placement, placement(1, 1), tenant = TenantId(9))), "tenant");
    let orphans = [
        (with!(Advertiser, advertiser(9), tenant = TenantId(9)), "tenant"),
        (with!(Campaign, campaign(9), advertiser = AdvertiserId(9)), "advertiser"),
        (with!(LineItem, line_item(9, Targeting::run_of_network()), campaign = CampaignId(9)), "campaign"),
        (with!(Creative, creative(19), advertiser = AdvertiserId(9)), "advertiser"),
        (with!(Ad, ad(9, 1), line_item = LineItemId(9)), "line_item"),
        (with!(Ad, ad(9, 1), creative = CreativeId(99)), "creative"),
    ];
    for (orphan, expected) in orphans {
        assert_eq!(field(orphan), expected);
    }
}

#[test]
fn a_missing_parent_hides_no_other_problem() {
    let mut orphan = line_item(9, values(TermKind::Device, &["toaster"]));
    orphan.campaign = CampaignId(9);
    let found =
        problems([Object::LineItem(orphan), Object::Ad(ad(9, 9)), with!(Campaign, campaign(2), name = String::new())]);
    let mut fields: Vec<(String, &str)> = found.iter().map(|p| (p.object.to_string(), p.field.as_str())).collect();
    fields.sort_unstable();
    let expected = [("campaign 2", "name"), ("line_item 9", "campaign"), ("line_item 9", "targeting.device")];
    assert_eq!(fields, expected.map(|(object, field)| (object.to_owned(), field)));
}

#[test]
fn nothing_crosses_advertisers_or_tenants() {
    // Line item 1 is advertiser 3's; creative 1 is advertiser 2's.
    assert_eq!(field(with!(Ad, ad(1, 1), creative = CreativeId(1))), "creative");
    // Advertiser 3 is tenant 1's; placement 4 is tenant 2's, as is advertiser 2.
    assert_eq!(field(targeted(values(TermKind::Placement, &["1", "4"]))), "targeting.placement");
    assert_eq!(field(targeted(values(TermKind::Placement, &["9"]))), "targeting.placement");
    let blocked = vec![AdvertiserId(1), AdvertiserId(2)];
    assert_eq!(field(with!(Placement, placement(1, 1), blocked_advertisers = blocked)), "blocked_advertisers[1]");
    let blocked = vec![AdvertiserId(99)];
    assert_eq!(field(with!(Placement, placement(1, 1), blocked_advertisers = blocked)), "blocked_advertisers[0]");
}

#[test]
fn bids_are_from_one_micro_to_two_to_the_fifty() {
    for micros in [0, -1, Price::MAX_MICROS + 1, i64::MIN] {
        let object = with!(LineItem, line_item(1, Targeting::run_of_network()), bid.micros = micros);
        assert_eq!(field(object), "bid.micros");
    }
}

#[test]
fn a_flight_ends_after_it_starts() {
    let flight = |start, end| Flight { start: Some(Timestamp(start)), end: Some(Timestamp(end)) };
    assert_eq!(field(with!(Campaign, campaign(1), flight = flight(5, 5))), "end");
    assert_eq!(field(with!(LineItem, line_item(1, Targeting::run_of_network()), flight = flight(5, 4))), "end");
    assert_eq!(field(with!(Campaign, campaign(1), flight = flight(-1, 4))), "start");
    assert_eq!(field(with!(Campaign, campaign(1), flight = flight(5, i64::MAX))), "end");
    assert_eq!(field(with!(Ad, ad(1, 1), created = Timestamp(-1))), "created");
}

#[test]
fn texts_have_limits_and_names_are_not_empty() {
    let too_long = long(limits::TEXT_BYTES_MAX + 1);
    assert_eq!(field(with!(Tenant, tenant(1), name = String::new())), "name");
    assert_eq!(field(with!(Advertiser, advertiser(1), name = too_long.clone())), "name");
    assert_eq!(field(with!(Campaign, campaign(1), name = too_long.clone())), "name");
    assert_eq!(field(with!(LineItem, line_item(1, Targeting::run_of_network()), name = too_long.clone())), "name");
    assert_eq!(field(with!(Creative, creative(1), title = too_long.clone())), "title");
    assert_eq!(field(with!(Creative, creative(1), text = long(100_000))), "text");
    assert_eq!(field(with!(Ad, ad(1, 1), item = Some(String::new()))), "item");
    assert_eq!(field(with!(Placement, placement(1, 1), page_type = Some(too_long))), "page_type");
}

#[test]
fn a_url_is_http_or_https_with_a_host() {
    let bad = [
        "javascript:alert(1)",
        "shop.example",
        "https://",
        "https:///path",
        "https://shop.example/a b",
        "HTTP",
        "",
        "http://a\n",
    ];
    for url in bad {
        assert_eq!(field(with!(Creative, creative(1), landing_url = url.to_owned())), "landing_url", "{url}");
    }
    let far = format!("https://shop.example/{}", long(limits::URL_BYTES_MAX));
    assert_eq!(field(with!(Creative, creative(1), image_url = Some(far))), "image_url");
}

#[test]
fn caps_are_few_and_within_their_ranges() {
    let cap = |max, window| vec![FrequencyCap { max: 1, window: Duration::minutes(1) }, FrequencyCap { max, window }];
    assert_eq!(field(with!(Campaign, campaign(1), caps = cap(0, Duration::days(1)))), "frequency_caps[1].max");
    for window in [Duration(0), Duration(60_001), Duration::days(367), Duration(-60_000)] {
        assert_eq!(field(with!(Ad, ad(1, 1), caps = cap(1, window))), "frequency_caps[1].window_minutes");
    }
    let many = cap(1, Duration::days(1)).repeat(5);
    assert_eq!(field(with!(LineItem, line_item(1, Targeting::run_of_network()), caps = many)), "frequency_caps");
}

#[test]
fn a_time_zone_is_in_the_database() {
    assert_eq!(field(with!(Advertiser, advertiser(1), time_zone = "Mars/Olympus".to_owned())), "time_zone");
}

#[test]
fn a_page_type_leads_to_one_placement() {
    assert_eq!(field(with!(Placement, placement(2, 1), page_type = Some("page 1".to_owned()))), "page_type");
}

#[test]
fn placements_are_within_their_ranges() {
    assert_eq!(field(with!(Placement, placement(1, 1), slots_max = 0)), "slots_max");
    assert_eq!(field(with!(Placement, placement(1, 1), slots_max = 21)), "slots_max");
    assert_eq!(field(with!(Placement, placement(1, 1), max_per_advertiser = 0)), "max_per_advertiser");
    assert_eq!(field(with!(Placement, placement(1, 1), floor = Nanos(-1))), "floor_micros");
    let flat = vec![Format::SponsoredItem, Format::Banner { width: 1, height: 0 }];
    assert_eq!(field(with!(Placement, placement(1, 1), formats = flat)), "formats[1].height");
    assert_eq!(field(with!(Placement, placement(1, 1), formats = vec![Format::SponsoredItem; 65])), "formats");
    assert_eq!(field(with!(Placement, placement(1, 1), blocked_categories = vec![long(129)])), "blocked_categories[0]");
    assert_eq!(field(with!(Creative, creative(1), format = Format::Banner { width: 0, height: 9 })), "width");
}

#[test]
fn lists_of_an_ad_are_short() {
    assert_eq!(field(with!(Ad, ad(1, 1), categories = vec!["c".to_owned(); 65])), "categories");
    assert_eq!(field(with!(Ad, ad(1, 1), categories = vec![String::new()])), "categories[0]");
}

#[test]
fn targeting_values_are_of_their_kind() {
    assert_eq!(field(targeted(values(TermKind::Device, &["toaster"]))), "targeting.device");
    assert_eq!(field(targeted(values(TermKind::Os, &["beos"]))), "targeting.os");
    assert_eq!(field(targeted(values(TermKind::KeyValue, &["no-equals"]))), "targeting.key_value");
    assert_eq!(field(targeted(values(TermKind::Placement, &["01"]))), "targeting.placement");
    assert_eq!(field(targeted(values(TermKind::Daypart, &["8"]))), "targeting.daypart");
    assert_eq!(field(targeted(Targeting::Not(Box::new(values(TermKind::Geo, &[""]))))), "targeting.geo");
    assert_eq!(field(targeted(Targeting::Any(vec![values(TermKind::Segment, &[&long(129)])]))), "targeting.segment");
    assert_eq!(field(targeted(Targeting::Daypart(vec![0, 168]))), "targeting.daypart");
}

#[test]
fn targeting_is_neither_too_deep_nor_too_large() {
    let deep = (0..=limits::TARGETING_DEPTH_MAX).fold(Targeting::run_of_network(), |t, _| Targeting::Not(Box::new(t)));
    assert_eq!(field(targeted(deep)), "targeting");
    let very_deep = (0..2_000).fold(Targeting::run_of_network(), |t, _| Targeting::All(vec![t]));
    assert_eq!(field(targeted(very_deep)), "targeting");
    let wide = Targeting::Any(vec![Targeting::run_of_network(); limits::TARGETING_NODES_MAX]);
    assert_eq!(field(targeted(wide)), "targeting");
    let many = Targeting::In(TermKind::Geo, vec!["US".to_owned(); limits::TARGETING_VALUES_MAX + 1]);
    assert_eq!(field(targeted(many)), "targeting");
}

#[test]
fn targeting_unfolds_into_a_limited_number_of_alternatives() {
    let pair = |i: usize| {
        Targeting::Any(vec![values(TermKind::Geo, &[&format!("A{i}")]), values(TermKind::Keyword, &[&format!("b{i}")])])
    };
    let product = |n: usize| Targeting::All((0..n).map(pair).collect());
    assert_eq!(field(targeted(product(7))), "targeting");
    let required = (0..=limits::REQUIRED_PER_CONJUNCTION_MAX).map(|i| values(TermKind::Segment, &[&format!("s{i}")]));
    assert_eq!(field(targeted(Targeting::All(required.collect()))), "targeting");
    let mut fits = surroundings();
    fits.push(targeted(product(6)));
    let melts = (0..200).map(|i| values(TermKind::Geo, &[&format!("A{i}")]));
    fits.push(Object::LineItem(line_item(2, Targeting::Any(melts.collect()))));
    assert!(Catalog::build(version(1), fits).is_ok());
}

#[test]
fn a_tenant_has_64_exclusion_groups() {
    let grouped = |id: u64, groups: std::ops::Range<u64>| {
        let mut line_item = line_item(id, Targeting::run_of_network());
        line_item.exclusions = groups.map(|g| format!("group {g}")).collect();
        Object::LineItem(line_item)
    };
    // Line items 1 and 7 are one campaign's; 2 is the other tenant's.
    let found = problems([grouped(1, 0..64), grouped(2, 64..128), grouped(7, 63..65)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].object.id, found[0].field.as_str()), (7, "exclusion_groups[1]"));
    assert_eq!(field(grouped(1, 0..65)), "exclusion_groups[64]");
}

#[test]
fn an_object_stays_beneath_its_parent() {
    let mut all = surroundings();
    all.push(Object::LineItem(line_item(1, Targeting::run_of_network())));
    all.push(Object::LineItem(line_item(7, Targeting::run_of_network())));
    all.push(Object::Ad(ad(1, 1)));
    let catalog = Catalog::build(version(1), all).unwrap();
    let moves = [
        (with!(Advertiser, advertiser(1), tenant = TenantId(2)), "tenant"),
        (with!(Placement, placement(1, 1), tenant = TenantId(2)), "tenant"),
        (with!(Campaign, campaign(1), advertiser = AdvertiserId(4)), "advertiser"),
        (with!(LineItem, line_item(1, Targeting::run_of_network()), campaign = CampaignId(6)), "campaign"),
        (with!(Creative, creative(1), advertiser = AdvertiserId(4)), "advertiser"),
        (with!(Ad, ad(1, 1), line_item = LineItemId(7)), "line_item"),
    ];
    for (object, expected) in moves {
        let reference = object.reference();
        let found = catalog.with_changes(version(2), [object]).unwrap_err();
        assert!(found.iter().any(|p| p.object == reference && p.field == expected), "{found:?}");
    }
    let twice = [Object::Campaign(campaign(1)), Object::Campaign(campaign(1))];
    assert_eq!(catalog.with_changes(version(2), twice).unwrap_err()[0].field, "id");
}

#[test]
fn problems_are_reported_in_full_up_to_their_limit() {
    let bad = (1..=2_000).map(|id| with!(Campaign, campaign(id), name = String::new()));
    assert_eq!(problems(bad).len(), limits::PROBLEMS_MAX);
    let found = problems([with!(Campaign, campaign(1), name = String::new())]);
    assert_eq!(found[0].to_string(), "campaign 1: name: is empty");
}
