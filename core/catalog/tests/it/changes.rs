//! Versions: what a change replaces, what look-ups and lists find afterwards, and that merging changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use litfass_catalog::model::{Object, Status};
use litfass_catalog::{
    AdOrder, CapScope, Catalog, ObjectRef, Schedule, Scratch, Targeting, category_hash, item_hash, placement_term,
};
use litfass_types::{AdId, AdIx, AdvertiserId, CampaignId, CreativeId, LineItemId, PlacementId, TenantId};
use proptest::prelude::*;

use crate::naive::{self, Ask, Naive};
use crate::world::{MONDAY, ad, advertiser, campaign, creative, line_item, placement, surroundings, version};

/// Every look-up and list of the catalog gives what the objects say.
pub(crate) fn same_content(catalog: &Catalog, world: &Naive) -> Result<(), TestCaseError> {
    let objects: BTreeMap<ObjectRef, Object> = catalog.objects().map(|o| (o.reference(), sorted(o))).collect();
    let expected: BTreeMap<ObjectRef, Object> = world.objects.iter().map(|(r, o)| (*r, sorted(o.clone()))).collect();
    prop_assert_eq!(&objects, &expected);
    prop_assert_eq!(catalog.objects().count(), expected.len());
    same_rows(catalog, world)?;
    same_lists(catalog, world)
}

/// Groups come back in the order of their bits and hours in that of the week.
fn sorted(object: Object) -> Object {
    let Object::LineItem(mut line_item) = object else { return object };
    line_item.exclusions.sort_unstable();
    line_item.exclusions.dedup();
    line_item.targeting = sorted_hours(line_item.targeting);
    Object::LineItem(line_item)
}

fn sorted_hours(targeting: Targeting) -> Targeting {
    match targeting {
        Targeting::All(parts) => Targeting::All(parts.into_iter().map(sorted_hours).collect()),
        Targeting::Any(parts) => Targeting::Any(parts.into_iter().map(sorted_hours).collect()),
        Targeting::Not(part) => Targeting::Not(Box::new(sorted_hours(*part))),
        Targeting::Daypart(hours) => {
            Targeting::Daypart(hours.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
        }
        Targeting::In(kind, values) => Targeting::In(kind, values),
    }
}

fn same_rows(catalog: &Catalog, world: &Naive) -> Result<(), TestCaseError> {
    for line_item in world.line_items() {
        let ix = catalog.line_item_by_id(line_item.id).unwrap();
        let row = catalog.line_item(ix);
        let campaign = world.campaign(line_item.campaign.0).unwrap();
        prop_assert_eq!((row.id, row.campaign, row.advertiser), (line_item.id, campaign.id, campaign.advertiser));
        prop_assert_eq!(row.campaign_ix, catalog.campaign_by_id(campaign.id).unwrap());
        prop_assert_eq!(row.advertiser_ix, catalog.advertiser_by_id(campaign.advertiser).unwrap());
        prop_assert_eq!(catalog.flight(ix), line_item.flight.overlap(campaign.flight));
        let own: BTreeSet<AdId> =
            world.ads().iter().filter(|ad| ad.line_item == line_item.id).map(|ad| ad.id).collect();
        prop_assert_eq!(catalog.ads_of(ix).map(|ad| catalog.ad(ad).id).collect::<BTreeSet<_>>(), own);
    }
    for ad in world.ads() {
        let ix = catalog.ad_by_id(ad.id).unwrap();
        let row = catalog.ad(ix);
        prop_assert_eq!(row.line_item, catalog.line_item_by_id(ad.line_item).unwrap());
        prop_assert_eq!(row.creative, catalog.creative_by_id(ad.creative).unwrap());
        prop_assert_eq!(row.item, ad.item.as_deref().map(item_hash));
        let categories: Vec<u64> = ad.categories.iter().map(|category| category_hash(category)).collect();
        prop_assert_eq!(row.category, categories.first().copied());
        prop_assert_eq!(catalog.categories(ix), &categories);
        prop_assert_eq!(catalog.caps(ix).collect::<Vec<_>>(), caps(world, ad));
        prop_assert_eq!(catalog.line_item_of(ix), row.line_item);
    }
    Ok(())
}

fn caps(world: &Naive, ad: &litfass_catalog::model::Ad) -> Vec<litfass_catalog::AppliedCap> {
    let line_item = world.line_item(ad.line_item.0).unwrap();
    let campaign = world.campaign(line_item.campaign.0).unwrap();
    let advertiser = world.advertiser(campaign.advertiser.0).unwrap();
    let scoped = [
        (CapScope::Ad(ad.id), &ad.caps),
        (CapScope::LineItem(line_item.id), &line_item.caps),
        (CapScope::Campaign(campaign.id), &campaign.caps),
        (CapScope::Advertiser(advertiser.id), &advertiser.caps),
    ];
    scoped
        .iter()
        .flat_map(|(scope, caps)| caps.iter().map(|cap| litfass_catalog::AppliedCap { scope: *scope, cap: *cap }))
        .collect()
}

fn same_lists(catalog: &Catalog, world: &Naive) -> Result<(), TestCaseError> {
    let ids = |list: &mut dyn Iterator<Item = AdIx>| list.map(|ad| catalog.ad(ad).id).collect::<Vec<AdId>>();
    for sku in (0..6).map(|n| format!("SKU {n}")) {
        let expected = world.ads().iter().filter(|ad| ad.item.as_ref() == Some(&sku)).map(|ad| ad.id).collect();
        let found = ids(&mut catalog.ads_with_item(item_hash(&sku)));
        prop_assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), counted(expected));
    }
    Ok(())
}

fn counted(set: BTreeSet<AdId>) -> (usize, BTreeSet<AdId>) {
    (set.len(), set)
}

fn shop() -> Catalog {
    let mut objects = surroundings();
    objects.extend((1..=12).map(|id| Object::LineItem(line_item(id, Targeting::run_of_network()))));
    objects.extend((1..=24).map(|id| Object::Ad(ad(id, 1 + id % 12))));
    Catalog::build(version(1), objects).unwrap()
}

#[test]
fn an_unknown_id_is_found_nowhere() {
    let catalog = shop();
    assert_eq!(catalog.ad_by_id(AdId(99)), None);
    assert_eq!(catalog.line_item_by_id(LineItemId(99)), None);
    assert_eq!(catalog.campaign_by_id(CampaignId(99)), None);
    assert_eq!(catalog.advertiser_by_id(AdvertiserId(99)), None);
    assert_eq!(catalog.creative_by_id(CreativeId(99)), None);
    assert!(catalog.placement(PlacementId(99)).is_none());
    assert!(catalog.tenant(TenantId(99)).is_none());
    assert!(catalog.placement_by_page_type("page 99").is_none());
    assert_eq!(catalog.ads_with_item(item_hash("none")).count(), 0);
}

#[test]
fn a_changed_ad_takes_its_line_item_and_all_its_ads_into_the_overlay() {
    let before = shop();
    let line_item = before.line_item_by_id(LineItemId(2)).unwrap();
    let (was, dead): (AdIx, Vec<AdIx>) = (before.ad_by_id(AdId(1)).unwrap(), before.ads_of(line_item).collect());
    let changed = litfass_catalog::model::Ad { status: Status::Paused, ..ad(1, 2) };
    let after = before.with_changes(version(2), [Object::Ad(changed)]).unwrap();
    assert_eq!(after.version(), version(2));
    assert_eq!((dead.len(), after.overlay_ads()), (2, 2));
    let is = after.ad_by_id(AdId(1)).unwrap();
    assert!(is.0 >= before.ads() && after.ad(is).status == Status::Paused);
    assert_eq!(before.ad(was).status, Status::Active);
    assert_eq!(after.ads_of(line_item).count(), 0, "the dead row has no ads");
    assert_eq!(after.ads_of(after.ad(is).line_item).count(), 2);
    assert!(after.live_ads().all(|ad| !dead.contains(&ad)));
    assert_ne!(after.layout(), before.layout());
}

#[test]
fn a_paused_advertiser_stops_everything_beneath_it_at_once() {
    let before = shop();
    let paused = litfass_catalog::model::Advertiser { status: Status::Paused, ..advertiser(2) };
    let after = before.with_changes(version(2), [Object::Advertiser(paused)]).unwrap();
    for (catalog, expected) in [(&before, true), (&after, false)] {
        let ask = Ask { tenant: TenantId(2), terms: Vec::new(), placements: Vec::new(), now: MONDAY };
        let found = naive::ask(catalog, &ask, &Schedule::at(catalog, MONDAY), &mut Scratch::default());
        // Line item 6 is campaign 1's, which is advertiser 2's.
        assert_eq!(found.line_items.contains(&LineItemId(6)), expected);
    }
}

#[test]
fn new_texts_of_a_creative_are_seen_through_its_ads() {
    let before = shop();
    let shown = |catalog: &Catalog| {
        let row = catalog.ad(catalog.ad_by_id(AdId(11)).unwrap());
        let texts = catalog.creative(row.creative);
        (texts.title.to_owned(), texts.image_url.map(str::to_owned))
    };
    let id = before.creative(before.ad(before.ad_by_id(AdId(11)).unwrap()).creative).id.0;
    let mut changed = creative(id);
    changed.title = "Größer als je zuvor".to_owned();
    changed.image_url = Some("https://images.example/größer.png".to_owned());
    let after = before.with_changes(version(2), [Object::Creative(changed.clone())]).unwrap();
    assert_eq!(shown(&after), (changed.title, changed.image_url));
    assert_eq!(shown(&before).0, format!("title {id}"));
}

#[test]
fn a_new_line_item_can_stand_beneath_an_old_campaign() {
    let before = shop();
    let new = [Object::LineItem(line_item(13, Targeting::run_of_network())), Object::Ad(ad(25, 13))];
    let after = before.with_changes(version(2), new).unwrap();
    let row = after.ad(after.ad_by_id(AdId(25)).unwrap());
    assert_eq!(after.line_item(row.line_item).campaign, CampaignId(2));
    assert_eq!(after.campaign(after.line_item(row.line_item).campaign_ix).name, "campaign 2");
    assert_eq!((after.ads(), after.overlay_ads()), (25, 1));
}

#[test]
fn tenants_and_placements_change_in_place() {
    let before = shop();
    let mut moved = placement(1, 1);
    moved.page_type = Some("cart".to_owned());
    let mut renamed = crate::world::tenant(1);
    renamed.name = "renamed".to_owned();
    let after = before.with_changes(version(2), [Object::Placement(moved), Object::Tenant(renamed)]).unwrap();
    assert_eq!(after.placement_by_page_type("cart").unwrap().id, PlacementId(1));
    assert!(after.placement_by_page_type("page 1").is_none());
    assert_eq!(after.tenant(TenantId(1)).unwrap().name, "renamed");
    assert_eq!((after.overlay_ads(), after.layout()), (0, before.layout()));
}

#[test]
fn a_failed_change_names_every_problem_and_changes_nothing() {
    let before = shop();
    let mut bad = line_item(1, Targeting::run_of_network());
    bad.bid.micros = 0;
    let changes = [Object::LineItem(bad), Object::Ad(ad(30, 99 * 12 + 1))];
    let problems = before.with_changes(version(2), changes).unwrap_err();
    let fields: Vec<String> = problems.iter().map(|p| format!("{} {}", p.object, p.field)).collect();
    assert_eq!(fields, ["line_item 1 bid.micros", "ad 30 line_item"]);
}

#[test]
fn a_merge_keeps_the_version_and_numbers_the_ads_as_asked() {
    let catalog = shop().with_changes(version(2), [Object::Creative(creative(1))]).unwrap();
    let order: Vec<AdId> = (1..=24).rev().map(AdId).collect();
    let merged = catalog.merged(AdOrder::Listed(&order));
    assert_eq!(merged.version(), version(2));
    assert_eq!(merged.live_ads().map(|ad| merged.ad(ad).id).collect::<Vec<_>>(), order);
    assert_eq!(merged.ads(), 24);
    assert!(!merged.wants_merge());
    let grouped = catalog.merged(AdOrder::ByLineItem);
    assert!(grouped.live_ads().map(|ad| grouped.line_item_of(ad)).is_sorted());
}

#[test]
fn a_catalog_that_grows_by_changes_alone_wants_a_merge() {
    let empty = Catalog::build(version(0), []).unwrap();
    assert!(!empty.wants_merge());
    let grown = empty.with_changes(version(1), surroundings()).unwrap();
    assert!(grown.wants_merge());
    let (campaign_ix, id) = (grown.campaign_by_id(CampaignId(3)).unwrap(), campaign(3).advertiser);
    assert_eq!(grown.advertiser(grown.campaign(campaign_ix).advertiser).id, id);
    assert_eq!(grown.advertiser(grown.advertiser_by_id(id).unwrap()).calendar.name(), "UTC");
}

#[test]
fn a_line_item_tells_what_its_targeting_mentions() {
    use litfass_types::TermKind::{Placement, Segment};
    let not = |t| Targeting::Not(Box::new(t));
    let mut objects = surroundings();
    let list = |kind, value: &str| Targeting::In(kind, vec![value.to_owned()]);
    objects.push(Object::LineItem(line_item(6, not(list(Segment, "a")))));
    objects.push(Object::LineItem(line_item(12, list(Placement, "4"))));
    let catalog = Catalog::build(version(1), objects).unwrap();
    let row = |id| catalog.line_item(catalog.line_item_by_id(LineItemId(id)).unwrap());
    assert_eq!([6, 12].map(|id| row(id).targets_segments), [true, false]);
    assert_eq!([6, 12].map(|id| row(id).targets_placements), [false, true]);
    assert_eq!(placement_term(PlacementId(4)), litfass_types::Term::new(Placement, "4"));
}
