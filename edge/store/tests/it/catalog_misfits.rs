//! Objects that do not fit together with others: what an edit refuses in time, and what is left out until it is repaired.

#![expect(clippy::unwrap_used, reason = "a test whose helpers cannot go on fails here")]

use litfass_catalog::limits::EXCLUSION_GROUPS_PER_ADVERTISER_MAX as GROUPS_MAX;
use litfass_catalog::{Catalog, ObjectKind};
use litfass_store::catalog::{
    Answer, CatalogStore, Edit, Edited, Follower, LimitField, Refusal, RowEdit, RowResult, Target,
};
use litfass_store::keys::Scope;
use litfass_types::{AdvertiserId, LineItemId, TenantId, Timestamp};
use serde_json::{Value, json};

use crate::own::{Own, on_every_database};

const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// Advertisers of the only tenant, each with a campaign and a line item of its own number.
const SELLERS: u64 = 6;

on_every_database! {
    edits_never_give_a_tenant_more_groups_than_can_be_served,
    one_advertiser_does_not_take_all_groups_of_its_tenant,
    groups_that_nobody_names_any_more_make_room_in_the_served_catalog_too,
    what_does_not_fit_is_left_out_at_the_start_and_served_with_its_limits_once_it_is_repaired,
}

fn load(home: &Own, file: &Value) {
    home.catalog().load_bytes(&serde_json::to_vec(file).unwrap(), NOW).unwrap();
}

fn follower(home: &Own) -> Follower {
    Follower::open(home.catalog(), 100_000).unwrap().0
}

fn shop(campaign: &str) -> Value {
    let each = |make: fn(u64, &str) -> Value| (1..=SELLERS).map(|n| make(n, campaign)).collect::<Vec<_>>();
    json!({
        "tenants": [{"id": 1, "name": "Shop"}],
        "advertisers": each(|n, _| json!({"id": n, "tenant": 1, "name": format!("Seller {n}")})),
        "campaigns": each(|n, name| json!({"id": n, "advertiser": n, "name": name, "lifetime_budget_micros": 7})),
        "line_items": each(|n, _| {
            json!({"id": n, "campaign": n, "name": "All", "bid": {"micros": 1, "per": "mille"}, "budget_micros": 9})
        }),
    })
}

/// Groups whose names nobody else has.
fn groups(of: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{of} {n}")).collect()
}

/// The line item with these groups, changed with a key of its advertiser.
fn name(store: &mut CatalogStore, line_item: u64, groups: &[String]) -> RowResult {
    let Value::Object(members) = json!({ "exclusion_groups": groups }) else { unreachable!("written as an object") };
    let rows = vec![RowEdit { target: Target::Existing(line_item), members, seen: None }];
    let (scope, kind) = (Scope::Advertiser(TenantId(1), AdvertiserId(line_item)), ObjectKind::LineItem);
    let edit = Edit { scope, kind, rows, who: "test", action: "update", dry_run: false, repeatable: None, now: NOW };
    let answer = |_: &[RowResult]| Answer { status: 200, version: None, body: String::new() };
    let Edited::Fresh { rows, .. } = store.edit(&edit, &answer).unwrap() else { panic!("no key was given") };
    rows.into_iter().next().unwrap()
}

fn refused(result: RowResult, place: &str, whose: &str) {
    let Err(Refusal::Invalid { field, message }) = result else { panic!("{result:?}") };
    assert_eq!(field, place);
    assert!(message.starts_with(whose), "{message}");
}

fn named(catalog: &Catalog, line_item: u64) -> Vec<String> {
    let mut names = catalog.line_item_object(catalog.line_item_by_id(LineItemId(line_item)).unwrap()).exclusions;
    names.sort();
    names
}

fn edits_never_give_a_tenant_more_groups_than_can_be_served(home: &Own) {
    load(home, &shop("Autumn"));
    // Each has a connection of its own, as requests at once have, and none of what they add is served yet.
    let full = (1..=4).map(|n| name(&mut home.catalog(), n, &groups(&format!("of {n}"), GROUPS_MAX)));
    full.for_each(|result| drop(result.unwrap()));
    refused(name(&mut home.catalog(), 5, &groups("of 5", 1)), "exclusion_groups[0]", "its tenant has 64");
    name(&mut home.catalog(), 5, &groups("of 1", 3)).unwrap();
    assert_eq!(home.catalog().read_catalog().unwrap().line_items(), 6);
    Follower::open(home.catalog(), 10).unwrap();
}

fn one_advertiser_does_not_take_all_groups_of_its_tenant(home: &Own) {
    load(home, &shop("Autumn"));
    let mut store = home.catalog();
    name(&mut store, 1, &groups("a", GROUPS_MAX)).unwrap();
    refused(name(&mut store, 1, &[groups("a", 2), groups("b", GROUPS_MAX)].concat()), "exclusion_groups[2]", "its adv");
    name(&mut store, 2, &groups("a", GROUPS_MAX)).unwrap();
    name(&mut store, 2, &[]).unwrap();
    name(&mut store, 2, &groups("b", GROUPS_MAX)).unwrap();
}

fn groups_that_nobody_names_any_more_make_room_in_the_served_catalog_too(home: &Own) {
    load(home, &shop("Autumn"));
    let mut store = home.catalog();
    let mut serving = follower(home);
    for n in 1..=4 {
        name(&mut store, n, &groups(&format!("of {n}"), GROUPS_MAX)).unwrap();
    }
    serving.poll().unwrap().unwrap();
    // Once served from the overlay and once from a base.
    let mut rebased = follower(home);
    name(&mut store, 1, &[]).unwrap();
    for follower in [&mut serving, &mut rebased] {
        follower.poll().unwrap().unwrap();
    }
    name(&mut store, 5, &groups("new", GROUPS_MAX)).unwrap();
    for follower in [&mut serving, &mut rebased] {
        let served = follower.poll().unwrap().unwrap().catalog;
        let mut expected = groups("new", GROUPS_MAX);
        expected.sort();
        assert_eq!(named(&served, 5), expected);
        assert_eq!(named(&served, 1), Vec::<String>::new());
        assert_eq!(named(&served, 2).len(), GROUPS_MAX);
    }
}

fn what_does_not_fit_is_left_out_at_the_start_and_served_with_its_limits_once_it_is_repaired(home: &Own) {
    load(home, &shop("Autumn"));
    // Campaign 3 was never written: its line item has nothing to stand on.
    home.script("DELETE FROM catalog_current WHERE kind = 3 AND id = 3").unwrap();
    let (mut follower, first) = Follower::open(home.catalog(), 100_000).unwrap();
    let has = |catalog: &Catalog, id: u64| catalog.line_item_by_id(LineItemId(id)).is_some();
    assert_eq!((has(&first.catalog, 2), has(&first.catalog, 3)), (true, false));
    let budgets = |update: &litfass_store::catalog::Update| {
        let of = |field| update.limits.iter().filter(|limit| limit.field == field).count();
        (of(LimitField::Budget), of(LimitField::LifetimeBudget))
    };
    assert_eq!(budgets(&first), (5, 5), "none of what is not served");
    assert_eq!(home.catalog().catalog_at(first.catalog.version()).unwrap().line_items(), 6, "every change is kept");

    load(home, &shop("Winter"));
    let repaired = follower.poll().unwrap().unwrap();
    assert!(has(&repaired.catalog, 3), "though it did not change itself");
    assert_eq!(budgets(&repaired), (1, 1), "the limits that were kept back");
    // A base that was merged meanwhile brings none.
    assert!(follower.poll().unwrap().is_none_or(|update| update.limits.is_empty()));
}

#[test]
fn a_database_from_before_groups_were_counted_counts_them_when_it_is_opened() {
    let home = Own::file();
    load(&home, &shop("Autumn"));
    for n in 1..=4 {
        name(&mut home.catalog(), n, &groups(&format!("of {n}"), GROUPS_MAX)).unwrap();
    }
    home.script("DROP TABLE catalog_groups").unwrap();
    refused(name(&mut home.catalog(), 5, &groups("of 5", 1)), "exclusion_groups[0]", "its tenant has 64");
}
